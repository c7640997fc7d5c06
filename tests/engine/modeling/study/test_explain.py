"""One record told from its payload to the decision: what stands there is what the stages did with it."""

import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from fullstack_ml.answers import answer_of
from fullstack_ml.answers.words import Scored
from fullstack_ml.artefact.session import Artefact
from fullstack_ml.inputs import image, input_of
from fullstack_ml.modeling.study import explain
from fullstack_ml.pipeline import examples

Refused = Callable[..., AbstractContextManager[None]]


def told(identifier: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Run ``make explain`` and return its lines."""
    monkeypatch.setattr("sys.argv", ["explain", identifier])
    explain.main()
    return [line.strip() for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize("split", ["train", "validation", "calibration", "test"])
def test_the_split_and_the_label_are_those_of_the_record(
    split: str, finished: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    row = pl.read_parquet(finished / f"data/splits/{split}.parquet").row(0, named=True)
    lines = told(row["id"][:12], monkeypatch, capsys)
    assert f"id: {row['id']}" in lines
    assert lines[lines.index("label") + 1].startswith(f"{row['label']}, by ")
    assert lines[lines.index("split") + 1].startswith(f"{split}, ")


def test_the_decision_is_the_one_of_the_error_analysis(
    finished: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    errors = pl.read_parquet(finished / "reports/errors.parquet")
    assert len(errors)
    for row in errors.unique("decision").to_dicts():
        lines = told(row["id"], monkeypatch, capsys)
        assert lines[lines.index("decision") + 1].startswith(f"{row['decision']}: ")


def test_a_record_without_a_label_says_so(
    finished: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    labelled = pl.read_parquet("data/labelled.parquet")
    labelled[1:].write_parquet("data/labelled.parquet")
    assert "none yet" in told(labelled["id"][0], monkeypatch, capsys)


@pytest.fixture
def known(product: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    """A model that goes by the last part of the input alone: 0.9 for the first label above 5, else for the second.

    Half of the records that are read have 10 there and the first label, half 0 and the second. Returns the part's name.
    """
    name, _, index = list(input_of(product).regions(product))[-1]
    names = product.formulation.label_names

    class Model:
        labels, answer, foremost = names, answer_of(product), Artefact.foremost

        def __init__(self, _: Path) -> None:
            pass

        def score(self, inputs: np.ndarray) -> Scored:
            high = inputs[(slice(None), *index)].reshape(len(inputs), -1).mean(axis=1) > 5
            outputs = np.full((len(inputs), len(names)), 0.1 / (len(names) - 1), np.float32)
            outputs[np.arange(len(inputs)), np.where(high, 0, 1)] = 0.9
            return Scored(outputs, np.zeros(len(inputs), np.float32))

    def drawn(split: str, _: Any) -> Any:
        whole = product.formulation.input.shape or (len(product.formulation.input.features),)
        truth = np.arange(200) % 2
        inputs = np.random.default_rng(1).integers(0, 5, (200, *whole)).astype(np.uint8 if len(whole) > 1 else "<f4")
        inputs[(slice(None), *index)] = (10 * (truth == 0)).reshape([-1] + [1] * len(whole))
        return examples.Examples(pl.DataFrame({"place": truth}), inputs, truth)

    monkeypatch.setattr(explain, "Artefact", Model)
    monkeypatch.setattr(explain, "read", drawn)
    return name


def test_what_a_model_goes_by_is_found_with_its_size(known: str, product: Any) -> None:
    head, first, *others, _ = explain.importance(product)
    assert head.startswith(f"loss {-np.log(0.9):.4f} on 200 records of the test split")
    words = first.split()
    assert first.strip().startswith(known)
    # Every second record gets the other label's part, up to chance.
    rest = 0.1 / (len(product.formulation.label_names) - 1)
    assert float(words[-3]) == pytest.approx(0.5 * (np.log(0.9) - np.log(rest)), rel=0.1)
    assert all(line.endswith("+0.0000 +- 0.0000   within the noise of the records") for line in others)


def test_what_moves_the_answer_of_a_record_is_named_with_its_value(
    known: str, product: Any, records: pl.DataFrame
) -> None:
    _, first, *others = explain.contributions(records[:1], product)
    effect, name = first.split(maxsplit=1)
    rest = 0.1 / (len(product.formulation.label_names) - 1)
    assert float(effect) == pytest.approx(0.9 - (0.9 + rest) / 2, abs=1e-4)
    if product.formulation.input.features:
        feature = product.formulation.input.features[-1]
        assert name == f"{known}: {records[feature.name][0]:g} {feature.unit}"
    assert all("+0.0000" in line or "at most 0.0000" in line for line in others)


def test_without_a_record_the_whole_model_is_explained(
    finished: Path, product: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["explain"])
    explain.main()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + len(list(input_of(product).regions(product)))
    assert "+0." in lines[1]


def test_ink_is_dark_and_paper_is_light(product: Any) -> None:
    assert image.draw(np.array([[255, 0]], np.uint8), product) == "    @@"


@pytest.mark.parametrize("place", [0, 1])
def test_of_equal_rows_the_one_that_is_named_is_told(place: int, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = ["a" * 32 + letter * 32 for letter in "bc"]
    monkeypatch.setattr(explain, "raw", lambda: pl.LazyFrame({"id": ids}))
    assert explain.find(ids[place])["id"].to_list() == [ids[place]]


def test_the_start_of_an_id_has_to_name_one_record(finished: Path, refused: Refused) -> None:
    with refused("'ab' is shorter than 6", "make explain"):
        explain.find("ab")
    with refused("0 records have an id that begins with 'nothing'", "data/raw", "copy the id"):
        explain.find("nothing")


def test_a_shard_that_no_manifest_lists_is_no_second_record(finished: Path) -> None:
    shard = next(Path("data/raw").glob("*.parquet"))
    record = pl.read_parquet(shard)["id"][0]
    shutil.copy(shard, shard.with_name("shard-00099.parquet"))  # of a collect that was killed
    assert explain.find(record)["id"].to_list() == [record]


def test_where_nothing_was_collected_the_way_to_it_is_named(project: Path, refused: Refused) -> None:
    with refused("there are no raw records", "data/raw", "make collect"):
        explain.find("0123456")
