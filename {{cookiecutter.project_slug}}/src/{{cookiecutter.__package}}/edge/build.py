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

from .. import payload
from ..contract import load
from ..errors import UserError, guard
from ..files import read_json, sha256, write_json
from ..modeling.artefact import Artefact
from ..modeling.examples import read
from ..paths import ACCEPTANCE, MODEL, PRODUCT
from ..product import Product
from ..registration import registered
from .runtime import PACKAGE, fetch

SITE = Path("dist/edge")
PAGE = Path(__file__).with_name("page")
# Random records on which a browser has to agree with this machine before the page answers anything.
CHECKS = 3
# A pixel belongs to a drawing when it is at least this dark, from 0 (white) to 1 (black).
INK = 0.25


def drawing(images: np.ndarray) -> dict[str, float]:
    """Measure what a drawing has to look like: the shares of the image that its box and its ink take up.

    ``images`` is uint8 (records, height, width), dark ink on white. ``height`` and ``width`` hold nine of ten
    drawings; ``ink`` is the usual mean darkness.
    """
    ink = 1.0 - images / 255.0
    spans = []
    for axis in (2, 1):
        marked = ink.max(axis=axis) >= INK
        marked = marked[marked.any(axis=1)]
        last = marked.shape[1] - marked[:, ::-1].argmax(axis=1)
        spans.append((last - marked.argmax(axis=1)) / marked.shape[1])
    height, width = (float(np.quantile(span, 0.9)) if len(span) else 1.0 for span in spans)
    return {"height": height, "width": width, "ink": float(np.median(ink.mean(axis=(1, 2))))}


def typical(inputs: np.ndarray, product: Product) -> dict[str, float]:
    """Describe training records without showing one: a drawing's measures, or the median of every feature."""
    if product.formulation.input.shape:
        return drawing(inputs)
    names = [feature.name for feature in product.formulation.input.features]
    return {name: float(f"{value:.4g}") for name, value in zip(names, np.median(inputs, axis=0), strict=True)}


def checks(artefact: Artefact, product: Product) -> dict[str, Any]:
    """Score random records, drawn evenly from what product.yaml allows, and return them with their scores."""
    random, wanted = np.random.default_rng(0), product.formulation.input
    if wanted.shape:
        inputs = random.integers(0, 256, (CHECKS, *wanted.shape)).astype(np.uint8)
    else:
        low, high = ([getattr(f, bound) for f in wanted.features] for bound in ("low", "high"))
        inputs = random.uniform(low, high, (CHECKS, len(low))).astype("<f4")
    scored = artefact.score(inputs)
    return {
        "inputs": base64.b64encode(inputs.tobytes()).decode(),
        "probabilities": scored.probabilities.tolist(),
        "novelty": scored.novelty.tolist(),
    }


def describe(artefact: Artefact, product: Product, inputs: np.ndarray) -> dict[str, Any]:
    """Return what the page needs to know, for ``model.json``."""
    formulation, metadata = product.formulation, artefact.metadata
    definitions = {label.name: label.definition for label in formulation.labels}
    digest = sha256(MODEL)
    return {
        "name": product.service.name,
        "decision": product.service.decision,
        "in_scope": formulation.in_scope,
        "out_of_scope": formulation.out_of_scope,
        "labels": [{"name": name, "definition": definitions[name]} for name in artefact.labels],
        "input": json.loads(metadata["input"]),
        "max_pixels": getattr(payload, "MAX_PIXELS", None),
        "rule": asdict(artefact.rule),
        "typical": typical(inputs, product),
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
