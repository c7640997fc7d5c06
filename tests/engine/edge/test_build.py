import hashlib
import json
import re
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from fullstack_ml.edge import build, runtime
from fullstack_ml.inputs import image
from fullstack_ml.product import contract

Refused = Callable[..., AbstractContextManager[None]]
PAGE = {path.name: path.read_text(encoding="utf-8") for path in build.PAGE.iterdir()}


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in for the engine, which is 14 MB."""
    folder = tmp_path / "engine"
    folder.mkdir()
    for name in runtime.FILES:
        (folder / name).touch()
    monkeypatch.setattr(build, "fetch", lambda: folder)
    return folder


@pytest.fixture
def accepted(finished: Path) -> Path:
    """The drawn records are too noisy for some requirements, which is not what these tests are about."""
    verdict = {"accepted": True, "failed": [], "verdicts": []}
    Path("reports/acceptance.json").write_text(json.dumps(verdict), encoding="utf-8")
    return finished


@pytest.fixture
def site(accepted: Path, engine: Path) -> Path:
    build.run()
    return accepted / "dist" / "edge"


def description(site: Path) -> Any:
    return json.loads((site / "model.json").read_text(encoding="utf-8"))


def test_the_page_holds_the_artefact_byte_for_byte_and_knows_its_hash(site: Path) -> None:
    shipped = (site / "model.onnx").read_bytes()
    assert shipped == Path("models/model.onnx").read_bytes()
    assert description(site)["model"] == {
        "file": "model.onnx",
        "sha256": hashlib.sha256(shipped).hexdigest(),
        "bytes": len(shipped),
    }


def test_labels_and_rule_are_those_in_the_artefact(site: Path) -> None:
    metadata = onnxruntime.InferenceSession("models/model.onnx").get_modelmeta().custom_metadata_map
    described = description(site)
    assert [label["name"] for label in described["answer"]["labels"]] == json.loads(metadata["labels"])
    assert described["rule"] == json.loads(metadata["decision"])
    assert described["input"] == json.loads(metadata["input"])


def test_the_texts_are_those_of_the_contract(site: Path, product: Any) -> None:
    described = description(site)
    assert (described["name"], described["decision"]) == (product.service.name, product.service.decision)
    assert {label["name"]: label["definition"] for label in described["answer"]["labels"]} == {
        label.name: label.definition for label in product.formulation.answer.labels
    }


def test_the_version_is_told_only_when_the_registry_has_the_same_bytes(accepted: Path, engine: Path) -> None:
    registration = {
        "version": "7",
        "artefact_sha256": hashlib.sha256(Path("models/model.onnx").read_bytes()).hexdigest(),
    }
    Path("reports/registration.json").write_text(json.dumps(registration), encoding="utf-8")
    build.run()
    assert description(accepted / "dist/edge")["versions"]["model"] == "7"
    Path("reports/registration.json").write_text(
        json.dumps(registration | {"artefact_sha256": "0" * 64}), encoding="utf-8"
    )
    build.run()
    assert description(accepted / "dist/edge")["versions"]["model"] is None


def test_the_checks_are_answers_of_the_artefact_to_no_training_record(site: Path, product: Any) -> None:
    wanted, checks = product.formulation.input, description(site)["checks"]
    assert len(checks["novelty"]) == len(checks["outputs"]) == build.CHECKS
    assert np.allclose(np.sum(checks["outputs"], axis=1), 1, atol=1e-4)
    values = np.prod(wanted.shape) if wanted.shape else 4 * len(wanted.features)
    assert len(checks["inputs"]) == pytest.approx(build.CHECKS * values * 4 / 3, abs=4)


def test_a_rejected_artefact_gets_no_page(accepted: Path, engine: Path, refused: Refused) -> None:
    verdict = {"accepted": False, "failed": ["R1", "R4"], "verdicts": []}
    Path("reports/acceptance.json").write_text(json.dumps(verdict), encoding="utf-8")
    with refused("R1, R4", "reports/acceptance.json", "make status"):
        build.run()
    assert not Path("dist").exists()


def test_an_artefact_of_another_contract_gets_no_page(accepted: Path, engine: Path, refused: Refused) -> None:
    written = Path("product.yaml").read_text(encoding="utf-8")
    first = contract.load().formulation.answer.labels[0].definition
    Path("product.yaml").write_text(written.replace(first, "something else"), encoding="utf-8")
    with refused("another product.yaml", "models/model.onnx", "dvc repro"):
        build.run()


def test_what_the_artefact_does_not_say_may_change_in_the_contract(accepted: Path, engine: Path) -> None:
    written = Path("product.yaml").read_text(encoding="utf-8")
    changed = re.sub(r"(id: R1, .*threshold: )[\d.]+", r"\g<1>0.5", written).replace("owner: ", "owner: the ")
    assert changed != written
    Path("product.yaml").write_text(changed + "# a remark\n", encoding="utf-8")
    build.run()
    assert description(accepted / "dist/edge")["name"] == contract.load().service.name


def test_without_an_artefact_it_says_how_to_make_one(project: Path, refused: Refused) -> None:
    with refused("models/model.onnx is not there", "", "dvc repro"):
        build.run()


def test_a_failed_build_leaves_the_page_that_was_there(site: Path, engine: Path) -> None:
    before = {path.name: path.read_bytes() for path in site.iterdir() if path.is_file()}
    shutil.rmtree(engine)
    with pytest.raises(FileNotFoundError):
        build.run()
    assert {path.name: path.read_bytes() for path in site.iterdir() if path.is_file()} == before


def test_a_new_build_drops_what_the_former_one_held(site: Path) -> None:
    (site / "old.js").touch()
    build.run()
    assert not (site / "old.js").exists()


def test_every_file_that_the_page_loads_is_there(site: Path) -> None:
    named = re.compile(r"""(?:from|import\(?|href=|src=)\s*"(?:\./)?([\w./-]+)\"""")
    texts = [path.read_text(encoding="utf-8") for path in site.iterdir() if path.suffix in (".js", ".html")]
    loaded = {name for text in texts for name in named.findall(text)} | set(description(site)["parts"].values())
    assert {"page.js", "decision.js", "runtime/ort.wasm.min.mjs"} <= loaded
    assert [name for name in loaded if not (site / name).is_file()] == []


def test_a_page_has_only_the_parts_of_its_input_and_answer(site: Path, product: Any) -> None:
    kind = product.formulation.input.type
    own = {
        "image": {"paper.js", "drawing.js", "image.js", "header.js"},
        "table": {"fields.js", "encoding.js", "texts.js"},
    }[kind]
    assert {path.name for path in site.glob("*.js")} == {
        "page.js",
        "model.js",
        "language.js",
        "label.js",
        "bars.js",
        "decision.js",
        *own,
    }


def test_the_page_names_no_other_server_and_runs_no_inline_code() -> None:
    index = PAGE["index.html.j2"]
    assert "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'" in index
    assert [name for name, text in PAGE.items() if re.search(r"//[\w-]+\.\w", text.replace("//www.w3.org", ""))] == []
    assert re.search(r"<script(?![^>]*src=)|<style|\son\w+=|\sstyle=", index) is None


def test_a_drawing_is_measured_by_its_box_and_its_ink(product: Any) -> None:
    images = np.full((20, 10, 10), 255, np.uint8)
    images[:, 1:9, 3:7] = 0  # 8 of 10 rows, 4 of 10 columns, 32 of 100 pixels
    assert image.typical(images, product) == pytest.approx({"height": 0.8, "width": 0.4, "ink": 0.32})


def test_faint_dirt_is_no_part_of_a_drawing(product: Any) -> None:
    images = np.full((5, 10, 10), 230, np.uint8)
    images[:, 4:6, 4:6] = 0
    measured = image.typical(images, product)
    assert (measured["height"], measured["width"]) == pytest.approx((0.2, 0.2))


def test_white_paper_is_measured_too(product: Any) -> None:
    assert image.typical(np.full((3, 4, 4), 255, np.uint8), product) == {"height": 1.0, "width": 1.0, "ink": 0.0}
