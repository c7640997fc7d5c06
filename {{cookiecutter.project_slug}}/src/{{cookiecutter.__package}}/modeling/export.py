"""Stage ``export``: make the one artefact that is evaluated, registered and served: calibrated, self-describing.

Reads ``models/candidate.onnx`` and the calibration split; writes ``models/model.onnx``.
Run: ``python -m PACKAGE.modeling.export export.calibration=none``.
"""

import json

import numpy as np
import onnx

from ..config import Config
from ..contract import load
from ..errors import UserError, suggest
from ..files import read_json, sha256
from ..guide import guide_version
from ..paths import CANDIDATE, MODEL, PRODUCT, SPLITS
from ..product import Product
from ..stage import stage
from .artefact import Artefact
from .calibration import fit_beta
from .examples import read
from .graph import save, with_metadata, with_temperature

CALIBRATIONS = ("temperature", "none")


def metadata(config: Config, product: Product, beta: float) -> dict[str, str]:
    """Say in the file what it takes, what it gives, and from which versions it was made."""
    formulation = product.formulation
    splits = read_json(SPLITS / "manifest.json")
    return {
        "task": formulation.task,
        "labels": json.dumps(formulation.label_names, ensure_ascii=False),
        "input": formulation.input.model_dump_json(exclude_none=True, exclude_defaults=True),
        "output": "probabilities: float32 (records, labels), calibrated, in the order of labels",
        "model": config.model.name,
        "seed": str(config.seed),
        "calibration": config.export.calibration,
        "beta": f"{beta:.6f}",
        "product_sha256": sha256(PRODUCT),
        "train_sha256": splits["train"]["sha256"],
        "guide_version": guide_version(),
    }


def calibrate(config: Config, product: Product) -> float:
    """Fit beta on the calibration split; 1 leaves the probabilities as they are."""
    held_out = read("calibration", product)
    scored = Artefact(CANDIDATE).in_batches(held_out.inputs, config.evaluate.batch)
    if not np.isfinite(scored).all():
        raise UserError("the candidate gives probabilities that are not finite", str(CANDIDATE), "look at stage train")
    return fit_beta(scored, held_out.truth)


def run(config: Config) -> None:
    """Calibrate, describe and write the artefact."""
    if config.export.calibration not in CALIBRATIONS:
        fix = suggest(config.export.calibration, CALIBRATIONS)
        raise UserError(f"there is no calibration {config.export.calibration!r}", "conf/export.yaml", fix)
    product = load()
    model = onnx.load(CANDIDATE)
    beta = calibrate(config, product) if config.export.calibration == "temperature" else 1.0
    if config.export.calibration == "temperature":
        model = with_temperature(model, beta)
    model = with_metadata(model, metadata(config, product, beta))
    save(model, MODEL)
    print(f"export: {MODEL} {MODEL.stat().st_size / 1024:.0f} KiB, temperature {1 / beta:.2f}")


if __name__ == "__main__":
    stage(run)
