"""Backend ``torch``: the same answers in ONNX, the same bytes again, what stops it, and what a killed one leaves."""

import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits, load_wine

from fullstack_ml.answers import label
from fullstack_ml.artefact.graph import features_of
from fullstack_ml.artefact.session import Artefact
from fullstack_ml.inputs import letters, text
from fullstack_ml.modeling.train.backends import Lesson, backend_of
from fullstack_ml.modeling.train.backends import torch as backend
from fullstack_ml.modeling.train.backends.torch import fitting, progress
from fullstack_ml.modeling.train.backends.torch.augment import augmented
from fullstack_ml.modeling.train.backends.torch.devices import Device, within_memory
from fullstack_ml.modeling.train.backends.torch.settings import Augment
from fullstack_ml.modeling.train.novelty_nodes import with_novelty
from fullstack_ml.registry import tracking
from fullstack_ml.workspace.paths import CHECKPOINTS
from networks import bars, contract, in_graph, model

pytestmark = pytest.mark.filterwarnings("ignore:Field onnx:DeprecationWarning")
Refused = Callable[..., AbstractContextManager[None]]
WHERE = "model.estimator in conf/model/m.yaml"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def digits(product: Any = None) -> tuple[Lesson, np.ndarray, np.ndarray]:
    """Return digits to learn from and to stop by, and others to ask about."""
    values, truth = load_digits(return_X_y=True)
    rows, order = (1 - values / 16).astype(np.float32), np.random.default_rng(0).permutation(len(truth))
    known, proof, asked = np.split(order, [1100, 1300])
    product = product or contract(8, 8)
    lesson = Lesson(rows[known], truth[known], label, True, product, (rows[proof], truth[proof]))
    return lesson, rows[asked], truth[asked]


def test_a_small_network_reads_digits_and_leaves_as_onnx() -> None:
    lesson, rows, truth = digits()
    fitted = backend.fit(model(epochs=8), 7, lesson)
    given = backend.outputs(fitted, rows)
    assert (given.shape, given.dtype) == ((497, 10), np.float32)
    assert (given.argmax(axis=1) == truth).mean() >= 0.985
    assert in_graph(fitted, rows) == pytest.approx(given, abs=1e-5)
    assert not CHECKPOINTS.exists()
    assert backend.device(fitted) == "cpu"


def test_the_device_is_said_with_its_make_its_number_and_its_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Some GPU")
    assert Device("cuda", torch.bfloat16, 2).said == "2 x cuda (Some GPU), mixed precision"
    assert Device("cpu", None, 1).said == "cpu"


def test_colour_and_any_shape_and_the_same_bytes_again() -> None:
    rows, truth = bars(40, channels=3, side=9)
    lesson = Lesson(rows, truth, label, True, contract(9, 9, 3, harmless=("flip", "erasing")))
    asked = model(epochs=3, widths=[8, 8], mixup=0.2, augment={"flip": 0.5, "erasing": 0.2}, blocks=2)
    one, other = (backend.fit(asked, 7, lesson) for _ in range(2))
    assert in_graph(one, rows) == pytest.approx(backend.outputs(one, rows), abs=1e-5)
    first, second = (backend.to_onnx(fitted, 243, 2, "p").SerializeToString() for fitted in (one, other))
    assert first == second


def test_a_table_with_gaps_is_learned_until_the_validation_split_gains_no_more() -> None:
    rows, truth = load_wine(return_X_y=True)
    rows[np.random.default_rng(0).random(rows.shape) < 0.1] = np.nan
    rows, known = rows.astype(np.float32), np.arange(178) % 3 > 0
    lesson = Lesson(rows[known], truth[known], label, False, proof=(rows[~known], truth[~known]))
    fitted = backend.fit(model("mlp_torch", epochs=200, patience=6), 7, lesson)
    curves = backend.history(fitted)
    best = int(np.argmin(curves["validation_loss"]))
    assert len(curves["loss"]) == len(curves["validation_loss"]) == best + 1 + 6 < 200
    given = backend.outputs(fitted, rows[~known])
    loss = -np.log(given[np.arange(len(given)), truth[~known]]).mean()
    assert loss == pytest.approx(min(curves["validation_loss"]), rel=1e-3)  # the best of the way, not its end
    assert (given.argmax(axis=1) == truth[~known]).mean() > 0.9
    assert in_graph(fitted, rows) == pytest.approx(backend.outputs(fitted, rows), abs=1e-5)


def test_the_plain_network_takes_the_pixels_of_a_picture_as_features() -> None:
    rows, truth = bars(40, channels=3, side=9)
    fitted = backend.fit(model("mlp_torch", epochs=20), 7, Lesson(rows, truth, label, False, contract(9, 9, 3)))
    given = backend.outputs(fitted, rows)
    assert (given.argmax(axis=1) == truth).mean() > 0.9
    assert in_graph(fitted, rows) == pytest.approx(given, abs=1e-5)


def test_an_answer_that_is_a_number_comes_in_its_own_unit() -> None:
    rows = load_wine(return_X_y=True)[0].astype(np.float32)
    truth = 1000 + 50 * rows[:, 0]
    number: Any = SimpleNamespace(ESTIMATOR="regressor", strata=lambda truth: np.zeros(len(truth), int))
    fitted = backend.fit(model("mlp_torch", epochs=60), 7, Lesson(rows, truth, number, False))
    given = backend.outputs(fitted, rows)
    assert given.shape == (178, 1)
    assert np.abs(given[:, 0] - truth).mean() < 0.3 * np.std(truth)
    assert in_graph(fitted, rows, "value") == pytest.approx(given, rel=1e-5)


def test_several_labels_may_hold_at_once() -> None:
    rows = np.random.default_rng(0).normal(size=(300, 4)).astype(np.float32)
    truth = (rows[:, :3] > [0, 0.5, -0.5]).astype(np.int64)
    several: Any = SimpleNamespace(ESTIMATOR="multilabel", strata=lambda truth: np.zeros(len(truth), int))
    fitted = backend.fit(model("mlp_torch", epochs=30), 7, Lesson(rows, truth, several, False))
    given = backend.outputs(fitted, rows)
    assert ((given > 0.5) == truth).mean() > 0.93
    assert given.sum(axis=1).max() > 2
    assert in_graph(fitted, rows) == pytest.approx(given, abs=1e-5)


@pytest.mark.task("text-classification")
def test_a_network_reads_the_runs_of_letters_of_a_text(product: Any) -> None:
    random, words = np.random.default_rng(0), (["left", "아래로", "turn"], ["right", "위로", "stop"])
    truth = np.arange(240) % 2
    messages = [" ".join(random.permutation([*words[side], "the", "로봇", *random.choice(words[1 - side], 1)]))
                for side in truth]  # fmt: skip
    asked = letters.as_letters(messages, product.formulation.input.length)
    rows = features_of(asked, product)
    fitted = backend.fit(model("ngrams_torch", epochs=12), 7, Lesson(rows[:160], truth[:160], label, True, product))
    graph = with_novelty(backend.to_onnx(fitted, rows.shape[1], 2, "probabilities"), None)
    scored = Artefact(text.front(graph, product).SerializeToString()).score(asked)
    assert scored.outputs == pytest.approx(backend.outputs(fitted, rows), abs=1e-5)
    assert (scored.outputs[160:].argmax(axis=1) == truth[160:]).mean() > 0.95


def test_balanced_labels_weigh_alike() -> None:
    random = np.random.default_rng(0)
    rows = random.normal(size=(600, 3)).astype(np.float32)
    truth = (rows[:, 0] + random.normal(0, 1, 600) > 1.8).astype(int)
    lesson, asked = Lesson(rows, truth, label, False), {"epochs": 15, "patience": 0}
    mean = {how: backend.outputs(backend.fit(model("mlp_torch", how, **asked), 7, lesson), rows)[:, 1].mean()
            for how in ("none", "balanced")}  # fmt: skip
    assert mean["none"] == pytest.approx(truth.mean(), abs=0.05)
    assert mean["balanced"] > 1.5 * mean["none"]


def pixels(**wanted: float) -> np.ndarray:
    """Return what a change makes of a picture of four rows, dark on the left, light on the right, a hundred times."""
    torch.manual_seed(0)
    picture = torch.tensor([[0.0, 0.3, 0.6, 1.0]]).repeat(4, 1).reshape(1, 16).repeat(100, 1)
    return np.asarray(augmented(picture, Augment(**wanted), (1, 4, 4))).reshape(100, 4, 4)  # type: ignore[arg-type]


def test_a_change_of_pictures_does_what_its_name_says() -> None:
    mirrored = pixels(flip=0.5)
    assert np.unique(mirrored.round(4), axis=0)[:, 2] == pytest.approx(np.array([[0, 0.3, 0.6, 1], [1, 0.6, 0.3, 0]]))
    assert 30 < (mirrored[:, 0, 0] == 1).sum() < 70
    part = pixels(crop=2)  # half of the width: what is shown spans half of what there was
    spans = part[:, 0, -1] - part[:, 0, 0]
    assert (spans >= 0.2).all() and (spans <= 0.66).all() and np.ptp(part[:, 0, 0]) > 0.2
    turned = pixels(rotation=180)
    assert np.ptp(turned[:, 0, 0]) > 0.8
    lit = pixels(colour=0.3)
    assert 0.05 < np.ptp(lit.mean(axis=(1, 2))) < 0.35 and lit.min() >= 0 and lit.max() <= 1
    gone = (pixels(erasing=1.0) != pixels()).mean(axis=(1, 2))
    assert 0 < gone.mean() < 0.5
    assert (pixels() == pixels(crop=4)).all()


@pytest.mark.parametrize(
    ("settings", "what", "where", "fix"),
    [
        ({"lerning_rate": 0.1}, "unknown key 'lerning_rate'", WHERE, "'learning_rate'"),
        ({"width": [8]}, "unknown key 'width'", WHERE, "'widths'"),
        ({"epochs": "many"}, "epochs is 'many'", WHERE, "mend the value"),
        ({"augment": {"flop": 1}}, "unknown key 'flop'", WHERE, "'flip'"),
        ({"network": "resnet"}, "there is no network 'resnet'", f"network in {WHERE}", "allowed: characters, mlp"),
        ({"augment": {"flip": 0.5}}, "flip is not called harmless", f"augment in {WHERE}", "add flip to invariances"),
        ({"augment": {"crop": 24}}, "8 x 8 are smaller than the crop of 24", f"augment.crop in {WHERE}", "at most 8"),
        ({"device": "mps"}, "no device 'mps'", f"device in {WHERE}", "auto takes the best one"),
        ({"gpus": 8}, "8 GPUs are wanted", f"gpus in {WHERE}", "set gpus to at most 1"),
        ({"learning_rate": 1e30, "warmup": 0}, "of epoch 1 is no number: nan", f"learning_rate in {WHERE}", "lower"),
    ],
)
def test_what_cannot_be_is_three_lines(
    settings: dict[str, Any], what: str, where: str, fix: str, refused: Refused
) -> None:
    lesson, _, _ = digits(contract(8, 8, harmless=("crop",)))
    with refused(what, where, fix):
        backend.fit(model(**settings), 7, lesson)


def test_rows_that_are_no_picture_need_another_network(refused: Refused) -> None:
    rows, truth = load_wine(return_X_y=True)
    with refused("residual takes pictures", WHERE, "mlp_torch"):
        backend.fit(model(), 7, Lesson(rows.astype(np.float32), truth, label, False))


def test_without_the_extra_it_says_what_to_type(monkeypatch: pytest.MonkeyPatch, refused: Refused) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with refused("PyTorch is not installed", "conf/model/", "uv sync --extra torch"):
        backend_of(model()).fit(model(), 7, digits()[0])


SCRIPT = """
import os, sys
sys.path.insert(0, {here!r})
from fullstack_ml.answers import label
from fullstack_ml.modeling.train.backends import Lesson
from networks import bars, contract, model
from fullstack_ml.modeling.train.backends.torch import checkpoint, fit, fitting
{body}
"""


def elsewhere_run(body: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a process of its own."""
    code = SCRIPT.format(here=str(Path(__file__).parents[3]), body=body)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_a_killed_training_goes_on_and_ends_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    asked, (rows, truth) = model(epochs=4, widths=[4, 8], dropout=0.5), bars()
    lesson = Lesson(rows, truth, label, True, contract(10, 10))
    body = "checkpoint.EVERY, note = 0.0, fitting.Training.note\n"
    body += "def noted(self, *values):\n    if self.epoch == 2: os.kill(os.getpid(), 9)\n    note(self, *values)\n"
    body += "fitting.Training.note = noted\nrows, truth = bars()\n"
    body += "fit(model(epochs=4, widths=[4, 8], dropout=0.5), 7, Lesson(rows, truth, label, True, contract(10, 10)))"
    assert elsewhere_run(body).returncode == -9
    (left,) = CHECKPOINTS.glob("*.pt")
    goes_on = backend.fit(asked, 7, lesson)
    assert "train: goes on after epoch 2, where it was stopped" in capsys.readouterr().out
    assert not left.exists()
    whole = backend.fit(asked, 7, lesson)
    assert goes_on.curves == whole.curves
    assert backend.outputs(goes_on, rows).tobytes() == backend.outputs(whole, rows).tobytes()


def test_full_memory_says_which_batch_would_fit(refused: Refused) -> None:
    device = Device("cpu", None, 1)

    def attempt(batch: int) -> None:
        torch.empty(2**batch, dtype=torch.uint8)  # 2**60 bytes are more than a machine has

    with refused(
        "the memory of cpu is too small for a batch of 60", f"batch in {WHERE}", "set batch to 30, which fits"
    ):
        within_memory(lambda: attempt(60), device, 60, attempt, WHERE)
    with refused("for a batch of 60", "", "set a smaller network"):
        within_memory(lambda: attempt(60), device, 60, lambda batch: attempt(60), WHERE)
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        within_memory(lambda: torch.zeros(2, 3) @ torch.zeros(2, 3), device, 60, attempt, WHERE)


def test_a_batch_that_does_not_fit_while_it_learns_is_told_with_the_one_that_would(
    refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    room, batch_loss = [20], fitting.batch_loss

    def small(spread: Any, batch: Any, *others: Any) -> Any:
        if len(batch[0]) > room[0]:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return batch_loss(spread, batch, *others)

    monkeypatch.setattr(fitting, "batch_loss", small)
    rows, truth = bars(120)
    lesson = Lesson(rows, truth, label, True, contract(10, 10))
    what = "the memory of cpu is too small for a batch of 64"
    with refused(what, f"batch in {WHERE}", "set batch to 16, which fits here"):
        backend.fit(model(batch=64, epochs=1, widths=[4]), 7, lesson)
    assert len(backend.fit(model(batch=16, epochs=1, widths=[4]), 7, lesson).curves["loss"]) == 1
    room[0] = 0
    with refused(what, f"batch in {WHERE}", "set a smaller network, or smaller pictures"):
        backend.fit(model(batch=64, epochs=1, widths=[4]), 7, lesson)


def test_how_far_it_is_stands_on_the_screen_and_in_mlflow_while_it_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'm.db'}")
    monkeypatch.setenv("MLFLOW_DEFAULT_ARTIFACT_ROOT", (tmp_path / "files").as_uri())
    monkeypatch.setattr(progress, "SHOWN_EVERY", 0.0)
    seen: list[list[float]] = []
    end = progress.Watch.end

    def ended(watch: progress.Watch) -> None:
        found = watch.client.get_metric_history(watch.run, "history.loss")
        seen.append([point.value for point in sorted(found, key=lambda point: point.step)])
        end(watch)

    monkeypatch.setattr(progress.Watch, "end", ended)
    rows, truth = bars()
    fitted = backend.fit(model(epochs=3, patience=0), 7, Lesson(rows, truth, label, True, contract(10, 10)))
    first, *_, last = [line for line in capsys.readouterr().out.splitlines() if line.startswith("train: ")]
    assert first.startswith("train: epoch 1 of 3, loss ") and first.endswith(" s more")
    assert last.endswith("at most 0 s more")
    assert seen == [pytest.approx(fitted.curves["loss"])]
    connected = tracking.connect()
    assert connected.search_runs(search_all_experiments=True, output_format="list") == []  # register keeps the curves


def test_the_rate_rises_and_falls() -> None:
    settings: Any = SimpleNamespace(warmup=0.1, schedule="cosine")
    rates = [fitting.rate(step, 100, settings) for step in range(100)]
    assert rates[:10] == pytest.approx([0.1 * i for i in range(1, 11)])
    assert rates[55] == pytest.approx(0.5) and rates[-1] < 0.001
    settings.schedule = "constant"
    assert fitting.rate(99, 100, settings) == 1


def test_a_number_of_epochs_is_kept_and_no_record_held_back() -> None:
    lesson, _, _ = digits()
    stopped = backend.fit(model(epochs=3, patience=2), 7, lesson)
    losses = stopped.curves["validation_loss"]
    assert backend.rounds(stopped) == [losses.index(min(losses)) + 1]
    again = backend.fit(model(epochs=3, patience=2), 7, replace(lesson, proof=None, rounds=[2]))
    assert (len(again.curves["loss"]), backend.rounds(again)) == (2, [])
