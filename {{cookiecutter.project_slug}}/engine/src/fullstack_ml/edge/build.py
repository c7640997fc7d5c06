"""Build the page that runs the artefact in the browser: draw or drop an image, or fill in a table's fields.

Reads ``models/model.onnx``, ``product.yaml``, the reports and the training split; writes ``dist/edge/``. What the page
says and decides stands in ``model.json``, taken out of the artefact, since onnxruntime-web does not show a model's
metadata. Run: ``make edge``, then ``make edge-serve``.
"""

import base64
import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from fullstack_ml.artefact.session import Artefact
from fullstack_ml.edge.runtime import PACKAGE, fetch
from fullstack_ml.inputs import input_of
from fullstack_ml.pipeline.examples import read
from fullstack_ml.product.contract import load
from fullstack_ml.product.types import Product
from fullstack_ml.registry.registration import registered
from fullstack_ml.workspace.errors import UserError, guard
from fullstack_ml.workspace.files import read_json, sha256, write_json
from fullstack_ml.workspace.paths import ACCEPTANCE, MODEL, PRODUCT

SITE = Path("dist/edge")
PAGE = Path(__file__).with_name("page")
# Random records on which a browser has to agree with this machine before the page answers anything.
CHECKS = 3


def checks(artefact: Artefact, product: Product) -> dict[str, Any]:
    """Score random records, drawn evenly from what product.yaml allows, and return them with their scores."""
    inputs = input_of(product).random_inputs(product, CHECKS, 0)
    scored = artefact.score(inputs)
    return {
        "inputs": base64.b64encode(inputs.tobytes()).decode(),
        "probabilities": scored.outputs.tolist(),
        "novelty": scored.novelty.tolist(),
    }


def describe(artefact: Artefact, product: Product, inputs: np.ndarray) -> dict[str, Any]:
    """Return what the page needs to know, for ``model.json``."""
    formulation, metadata = product.formulation, artefact.metadata
    definitions = {label.name: label.definition for label in formulation.answer.labels}
    digest = sha256(MODEL)
    return {
        "name": product.service.name,
        "decision": product.service.decision,
        "in_scope": formulation.in_scope,
        "out_of_scope": formulation.out_of_scope,
        "labels": [{"name": name, "definition": definitions[name]} for name in artefact.labels],
        "input": json.loads(metadata["input"]),
        "max_pixels": None,
        **input_of(product).limits(),
        "rule": asdict(artefact.rule),
        "typical": input_of(product).typical(inputs, product),
        "checks": checks(artefact, product),
        "model": {"file": "model.onnx", "sha256": digest, "bytes": MODEL.stat().st_size},
        "versions": {
            "model": registered(digest).get("version"),
            "estimator": metadata["model"],
            "guide": metadata["guide_version"],
            "data": metadata["train_sha256"],
            "engine": PACKAGE,
        },
    }


def refuse(artefact: Artefact) -> None:
    """Stop unless the gate let this artefact pass and ``product.yaml`` is still the one it was made from."""
    acceptance = read_json(ACCEPTANCE) if ACCEPTANCE.exists() else {}
    if not acceptance.get("accepted"):
        what = f"the artefact was not accepted: {', '.join(acceptance.get('failed', ['no verdict']))}"
        raise UserError(what, f"{ACCEPTANCE} against {PRODUCT}", "make status says what to improve")
    if artefact.metadata.get("product_sha256") != sha256(PRODUCT):
        raise UserError(f"{MODEL} was made from another {PRODUCT}", f"metadata of {MODEL}", "run dvc repro accept")


def run(site: Path = SITE) -> None:
    """Lay page, engine, artefact and description into ``site``, which appears whole or not at all."""
    if not MODEL.exists():
        raise UserError(f"{MODEL} is not there", str(MODEL), "run dvc repro accept")
    product, artefact = load(), Artefact(MODEL)
    refuse(artefact)
    description = describe(artefact, product, read("train", product).inputs)
    engine = fetch()
    building = site.with_name(f".{site.name}.tmp")
    shutil.rmtree(building, ignore_errors=True)
    shutil.copytree(PAGE, building)
    shutil.copytree(engine, building / "runtime")
    shutil.copyfile(MODEL, building / "model.onnx")
    write_json(building / "model.json", description)
    shutil.rmtree(site, ignore_errors=True)
    building.rename(site)
    size = sum(path.stat().st_size for path in site.rglob("*") if path.is_file()) / 2**20
    print(f"edge: {site}/ {size:.1f} MiB, model {description['model']['sha256'][:12]}; open it with make edge-serve")


if __name__ == "__main__":
    guard(run)
