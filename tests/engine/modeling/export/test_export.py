"""Stage export: one calibrated, self-describing file."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from fullstack_ml.answers.label import report
from fullstack_ml.artefact import session as artefact
from fullstack_ml.modeling.export import __main__ as export
from fullstack_ml.pipeline import examples

Refused = Callable[..., AbstractContextManager[None]]
MODEL, CANDIDATE = Path("models/model.onnx"), Path("models/candidate.onnx")


def test_the_file_carries_the_versions_that_it_was_made_from(finished: Path, config: Any, product: Any) -> None:
    found = artefact.Artefact(MODEL).metadata
    splits = json.loads(Path("data/splits/manifest.json").read_text(encoding="utf-8"))
    assert json.loads(found["labels"]) == product.formulation.label_names
    assert json.loads(found["input"])["name"] == product.formulation.input.name
    assert found["train_sha256"] == splits["train"]["sha256"]
    assert (found["model"], found["seed"]) == (config.model.name, str(config.seed))
    abstain = product.formulation.abstain
    assert artefact.Artefact(MODEL).rule.coverage == (abstain.coverage if abstain else 1.0)


def test_the_file_stands_alone_and_holds_no_code(finished: Path) -> None:
    model = onnx.load(MODEL, load_external_data=False)
    assert all(value.data_location == onnx.TensorProto.DEFAULT for value in model.graph.initializer)
    assert {entry.domain for entry in model.opset_import} <= {"", "ai.onnx", "ai.onnx.ml", "com.microsoft"}
    assert not model.functions


def test_exporting_again_gives_the_same_bytes(finished: Path, config: Any) -> None:
    first = MODEL.read_bytes()
    MODEL.unlink()
    export.run(config)
    assert MODEL.read_bytes() == first


def test_calibration_lowers_the_loss_on_the_records_it_saw(finished: Path, product: Any) -> None:
    held_out = examples.read("calibration", product)
    before, after = (artefact.Artefact(path).score(held_out.inputs).outputs for path in (CANDIDATE, MODEL))
    # Equal, when the candidate was honest already.
    losses = [report.headline(found, held_out.truth)["log_loss"] for found in (after, before)]
    assert losses[0] <= losses[1] + 1e-4


def test_a_temperature_changes_no_label(finished: Path, config: Any, product: Any) -> None:
    config.export.calibration = "temperature"
    export.run(config)
    inputs = examples.read("test", product).inputs
    before, after = (artefact.Artefact(path).score(inputs).outputs for path in (CANDIDATE, MODEL))
    assert np.array_equal(before.argmax(axis=1), after.argmax(axis=1))


def test_without_calibration_the_probabilities_are_those_of_the_candidate(
    finished: Path, config: Any, product: Any
) -> None:
    config.export.calibration = "none"
    export.run(config)
    inputs = examples.read("test", product).inputs
    before, after = (artefact.Artefact(path).score(inputs).outputs for path in (CANDIDATE, MODEL))
    assert after == pytest.approx(before, abs=1e-6)
    assert artefact.Artefact(MODEL).metadata["calibration"] == "none"


def test_an_unknown_calibration_is_refused_and_leaves_the_old_file(
    finished: Path, config: Any, refused: Refused
) -> None:
    before = MODEL.read_bytes()
    config.export.calibration = "temprature"
    with refused("'temprature'", "conf/export.yaml", "'temperature'"):
        export.run(config)
    assert MODEL.read_bytes() == before


def test_the_test_split_is_not_read(finished: Path, config: Any) -> None:
    for name in ("train", "test"):
        Path(f"data/splits/{name}.parquet").unlink()
    export.run(config)
