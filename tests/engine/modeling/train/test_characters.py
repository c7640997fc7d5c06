"""The network on the letters of a text: as long as it is, the same in ONNX, beside a novelty that sees its runs."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from fullstack_ml.answers import label
from fullstack_ml.artefact.graph import features_of
from fullstack_ml.artefact.session import Artefact
from fullstack_ml.inputs import letters, text
from fullstack_ml.modeling.study import ablate, trials
from fullstack_ml.modeling.train import __main__ as train
from fullstack_ml.modeling.train.backends import Lesson, backend_of, lesson_of
from fullstack_ml.modeling.train.backends import torch as backend
from fullstack_ml.modeling.train.backends.torch import fitting
from fullstack_ml.modeling.train.backends.torch.characters import characters
from fullstack_ml.modeling.train.backends.torch.settings import Settings
from fullstack_ml.pipeline.config import Model
from fullstack_ml.pipeline.examples import Examples
from networks import model

pytestmark = [
    pytest.mark.filterwarnings("ignore:Field onnx:DeprecationWarning"),
    pytest.mark.task("text-classification"),
]
Refused = Callable[..., AbstractContextManager[None]]
SMALL = {"epochs": 15, "table": 256, "size": 16, "channels": 16, "widths": [2, 3], "patience": 0}


def settings(**changed: Any) -> Model:
    """The file text_cnn of conf/model/, small."""
    made = model("text_cnn", **SMALL)
    made.takes, made.scale = "letters", False
    for key, value in changed.items():
        setattr(made, key, value)
    return made


def messages(product: Any, count: int = 240) -> Examples:
    """Texts of two labels that differ in a word of Korean or English; every seventh is much longer."""
    random, words = np.random.default_rng(0), (["left", "아래로", "turn"], ["right", "위로", "stop"])
    names = product.formulation.label_names
    truth = np.arange(count) % len(names)
    texts = [
        " ".join(
            [*random.permutation([*words[side % 2], "the", "로봇"]), *["and so on"] * (20 * (i % 7 == 0)), str(side)]
        )
        for i, side in enumerate(truth)
    ]
    ids = [f"{i:064x}" for i in range(count)]
    frame = pl.DataFrame({"id": ids, "text": texts, "label": [names[i] for i in truth]})
    frame = text.describe(frame, product).with_columns(
        group=pl.lit(None, pl.String), source=pl.lit("a"), kind=pl.lit("message")
    )
    return Examples(frame, text.matrix(frame, product), truth)


def part(examples: Examples, which: slice) -> Examples:
    return Examples(examples.frame[which], examples.inputs[which], examples.truth[which])


@pytest.fixture
def known(product: Any) -> tuple[Examples, Examples]:
    """Texts to learn from, and others."""
    every = messages(product)
    return part(every, slice(0, 160)), part(every, slice(160, None))


def test_a_model_of_letters_gets_them_one_by_one_up_to_the_longest_text(product: Any) -> None:
    given = letters.as_letters(["ab", "a b가", ""], product.formulation.input.length)
    rows = features_of(given, product, "letters")
    assert rows.dtype == np.float32
    assert rows.tolist() == [[32, 97, 98, 32, 0, 0], [32, 97, 32, 98, 44032, 32], [0] * 6]
    assert features_of(given[2:], product, "letters").tolist() == [[0, 0, 0]]
    many = np.concatenate([given[:1].repeat(9000, axis=0), given[1:2]])  # more than one part, the last one longer
    assert features_of(many, product, "letters").shape == (9001, 6)


def test_an_input_that_has_no_letters_says_what_it_gives(product: Any, refused: Refused) -> None:
    given = letters.as_letters(["ab"], product.formulation.input.length)
    with refused("an input of type text gives a model no 'leters'", "takes in conf/model/", "letters"):
        features_of(given, product, "leters")


def test_zeros_behind_a_text_change_nothing_of_what_the_network_says() -> None:
    torch.manual_seed(0)
    body = characters(None, 0, table=64, size=8, widths=(2, 5), channels=8).body.eval()
    row = torch.tensor([[32.0, 97, 44033, 32]])
    wide = torch.nn.functional.pad(row, (0, 40))
    with torch.inference_mode():
        alone = body(row)
        beside = body(torch.cat([wide, wide.where(wide == 0, torch.tensor(98.0)), torch.full_like(wide, 99)]))
    assert beside[0] == pytest.approx(alone[0].numpy(), abs=1e-6)
    assert not torch.allclose(beside[1], alone[0])


def test_syllables_of_korean_share_their_parts_and_no_text_has_a_letter_outside_of_the_table() -> None:
    body = characters(None, 0, table=64, size=8).body
    same, other, latin = (body.vectors(torch.tensor([[code]]))[0, 0] for code in (0xAC00, 0xAC01, 0x61))
    lead = body.letters(body.places(torch.tensor([0x1100])))[0]
    with torch.no_grad():
        body.letters.weight[body.places(torch.tensor([0x1100]))] += 1
        moved = [body.vectors(torch.tensor([[code]]))[0, 0] for code in (0xAC00, 0xAC01, 0x61)]
    assert (moved[0] - same).min() >= 1 - 1e-6
    assert (moved[1] - other).min() >= 1 - 1e-6
    assert torch.equal(moved[2], latin) or torch.equal(lead, latin)
    places = body.places(torch.arange(0x110000))
    assert (int(places[0]), int(places[1:].min()), int(places.max())) == (0, 1, 64)


def test_learning_by_the_largest_places_alone_finds_the_gradient_of_the_whole_convolution() -> None:
    torch.manual_seed(0)
    body = characters(None, 0, table=512, size=8, widths=(2, 3, 5), channels=16).body.train()
    codes = torch.randint(97, 123, (30, 20)) + torch.where(torch.rand(30, 20) < 0.3, 0xAC00, 0)
    codes[torch.arange(20)[None] >= torch.randint(1, 21, (30, 1))] = 0
    wanted = torch.randn(30, 48)
    found = []
    for learn in (True, False):
        body.zero_grad()
        said = body(codes.float()) if learn else body.eval()(codes.float())
        (said * wanted).sum().backward()
        found.append((said.detach(), {name: weights.grad.clone() for name, weights in body.named_parameters()}))
    (said, learned), (plain, whole) = found
    assert said == pytest.approx(plain.numpy(), abs=1e-5)
    assert whole["letters.weight"].abs().max() > 0.1
    for name, gradient in whole.items():
        assert learned[name] == pytest.approx(gradient.numpy(), abs=1e-4), name


def test_of_many_records_fewer_epochs_are_enough() -> None:
    settings = Settings("characters", epochs=40, batch=64, learning_rate=0.003, steps=6000)
    assert [fitting.epochs_of(settings, count, False) for count in (1508, 90_000, 10**7)] == [40, 4, 1]
    assert fitting.epochs_of(settings, 1508, True) == fitting.FIXED
    assert fitting.epochs_of(replace(settings, steps=0), 10**7, False) == 40


def test_batches_of_texts_hold_every_record_once_and_alike_lengths() -> None:
    torch.manual_seed(0)
    lengths = torch.randint(3, 300, (4000,))
    rows = (torch.arange(300)[None] < lengths[:, None]).float()
    batches = fitting.drawn_batches(rows, 50, True)
    assert sorted(torch.cat(batches).tolist()) == list(range(4000))
    spread = torch.stack([lengths[one].max() - lengths[one].min() for one in batches]).float().mean()
    assert spread < 50
    first = [int(lengths[one].max()) for one in batches]
    assert first != sorted(first)


def test_the_artefact_says_what_was_fitted_and_tells_strangers_by_runs_of_letters(
    product: Any, config: Any, known: tuple[Examples, Examples], tmp_path: Path
) -> None:
    config.model, path = settings(), tmp_path / "candidate.onnx"
    for novelty in ("mahalanobis", "embedding", "confidence"):
        config.train.novelty = novelty
        made = train.make(config, product, *known, path)  # which refuses what differs from the fitted model
        assert made.difference < 1e-4
    artefact = Artefact(path)
    alone = [artefact.score(one[None]).outputs[0] for one in known[1].inputs[:9]]
    assert np.stack(alone) == pytest.approx(artefact.score(known[1].inputs[:9]).outputs, abs=1e-5)
    assert (made.outputs.argmax(axis=1) % 2 == known[1].truth % 2).mean() > 0.9
    empty = artefact.score(np.zeros((1, product.formulation.input.length + 2), np.int32))
    assert np.isfinite(empty.outputs).all(), "a text of one word without that word"


def test_a_sweep_and_an_ablation_give_every_model_what_it_takes(
    product: Any, config: Any, known: tuple[Examples, Examples], monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = {"train": known[0], "validation": known[1], "calibration": known[1]}
    monkeypatch.setattr(trials, "read", lambda name, product: parts[name])
    monkeypatch.setattr(trials, "read_folds", lambda product: [])
    judge = trials.Judge(config, product)
    plain, own = judge.seats_for(config.model)[0], judge.seats_for(settings())[0]
    assert plain.lesson.rows.shape[1] == product.formulation.input.buckets
    assert own.lesson.rows.shape[1] < product.formulation.input.length + 3
    assert own.asked["judged"][1].shape[1] < product.formulation.input.length + 3
    strange = [np.asarray(one.asked["judged"][2]) for one in (plain, own)]
    assert np.array_equal(strange[0], strange[1]), "novelty sees runs of letters"
    assert judge.seats_for(settings()) is judge.seats_for(settings())
    assert (judge.on_all(settings()).measured.metrics["accuracy"] or 0) > 0.5
    folds = [part(known[0], slice(0, 60)), part(known[0], slice(60, 110)), part(known[0], slice(110, None))]
    monkeypatch.setattr(trials, "read_folds", lambda product: folds)
    assert (trials.Judge(config, product).on_all(settings()).measured.metrics["accuracy"] or 0) > 0.5
    for change in ablate.changes(known[0].inputs, product, "letters").values():
        assert change(known[0].inputs).max() > 90, "code points"


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"takes": "features"}, ("characters takes letters and gets features", "takes in", "takes: letters")),
        ({"scale": True}, ("letters are no amounts that could be scaled", "scale in", "scale: false")),
        ({"mixup": 0.2}, ("letters are no amounts that could be mixed", "mixup in", "mixup: 0")),
        ({"network": "mlp"}, ("mlp takes features and gets letters", "takes in", "takes: features")),
    ],
)
def test_a_network_that_does_not_fit_what_it_takes_is_named(
    changed: dict[str, Any], told: tuple[str, ...], product: Any, known: tuple[Examples, Examples], refused: Refused
) -> None:
    made = settings()
    for key, value in changed.items():
        if key in ("takes", "scale"):
            setattr(made, key, value)
        else:
            made.estimator = {**made.estimator, key: value}
    if made.estimator["network"] == "mlp":
        made.estimator = {
            key: value for key, value in made.estimator.items() if key not in ("table", "size", "channels", "widths")
        }
    lesson = Lesson(features_of(known[0].inputs, product, "letters"), known[0].truth, label, True, product)
    with refused(*told):
        backend.fit(made, 1, lesson)


def test_the_lesson_holds_what_the_model_takes(product: Any, known: tuple[Examples, Examples]) -> None:
    lesson = lesson_of(settings(), *known[:1], product, known[1])
    assert lesson.proof is not None
    assert lesson.rows.max() == lesson.proof[0].max() > 0xAC00
    assert backend_of(settings()) is backend
