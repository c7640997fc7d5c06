"""Stage ``export``: make the one artefact that is evaluated, registered and served: calibrated, self-describing.

Reads ``models/candidate.onnx`` and the calibration split; writes ``models/model.onnx``.
Run: ``python -m PACKAGE.modeling.export export.calibration=none``.
"""

import json

import numpy as np
import onnx

from ..config import Config
from ..contract import load
from ..decision import Rule
from ..errors import UserError, suggest
from ..files import read_json, sha256
from ..guide import guide_version
from ..paths import CANDIDATE, MODEL, PRODUCT, SPLITS
from ..product import Product
from ..stage import stage
from .artefact import Artefact
from .calibration import isotonic, temperature, unchanged
from .examples import Examples, read
from .graph import save, with_metadata
from .rule import fit_rule

CALIBRATIONS = {"temperature": temperature, "isotonic": isotonic, "none": unchanged}


def metadata(config: Config, product: Product, rule: Rule) -> dict[str, str]:
    """Say in the file what it takes, what it gives, and from which versions it was made."""
    formulation = product.formulation
    splits = read_json(SPLITS / "manifest.json")
    return {
        "task": formulation.task,
        "labels": json.dumps(formulation.label_names, ensure_ascii=False),
        "input": formulation.input.model_dump_json(exclude_none=True, exclude_defaults=True),
        "output": "probabilities: float32 (records, labels), calibrated; novelty: float32 (records,)",
        "decision": rule.to_json(),
        "model": config.model.name,
        "seed": str(config.seed),
        "calibration": config.export.calibration,
        "product_sha256": sha256(PRODUCT),
        "train_sha256": splits["train"]["sha256"],
        "guide_version": guide_version(),
    }


def calibrated(config: Config, held_out: Examples) -> onnx.ModelProto:
    """Return the candidate with the calibration of ``conf/export.yaml`` in its graph."""
    method = config.export.calibration
    if method not in CALIBRATIONS:
        raise UserError(f"there is no calibration {method!r}", "conf/export.yaml", suggest(method, CALIBRATIONS))
    scored = Artefact(CANDIDATE).score(held_out.inputs).probabilities
    if not np.isfinite(scored).all():
        raise UserError("the candidate gives probabilities that are not finite", str(CANDIDATE), "look at stage train")
    return CALIBRATIONS[method](onnx.load(CANDIDATE), scored, held_out.truth)


def run(config: Config) -> None:
    """Calibrate, find the rule to answer or abstain, describe and write the artefact."""
    product = load()
    held_out = read("calibration", product)
    model = calibrated(config, held_out)
    rule = fit_rule(Artefact(model.SerializeToString()).score(held_out.inputs), held_out.truth, product)
    save(with_metadata(model, metadata(config, product, rule)), MODEL)
    size = f"{MODEL.stat().st_size / 1024:.0f} KiB"
    print(f"export: {MODEL} {size}, {config.export.calibration}, answers from {rule.confidence:.3f}")


if __name__ == "__main__":
    stage(run)
