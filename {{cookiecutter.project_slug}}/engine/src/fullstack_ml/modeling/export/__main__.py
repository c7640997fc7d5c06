"""Stage ``export``: make the one artefact that is evaluated, registered and served: calibrated, self-describing.

Reads ``models/candidate.onnx`` and the calibration split; writes ``models/variants/*.onnx`` and, the chosen
one of them, ``models/model.onnx``.
Run: ``python -m fullstack_ml.modeling.export export.calibration=none``.
"""

from collections.abc import Collection
from typing import Any

import numpy as np
import onnx

from fullstack_ml.answers import answer_of
from fullstack_ml.artefact.graph import save, with_metadata
from fullstack_ml.artefact.session import Artefact, stated
from fullstack_ml.modeling.export.golden import golden
from fullstack_ml.modeling.export.lightening import VARIANTS
from fullstack_ml.pipeline.config import Config
from fullstack_ml.pipeline.examples import Examples, read
from fullstack_ml.pipeline.stage import stage
from fullstack_ml.product.contract import load
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.errors import UserError, suggest
from fullstack_ml.workspace.files import read_json
from fullstack_ml.workspace.paths import CANDIDATE, MODEL, SPLITS, VARIANT_FILES


def metadata(config: Config, product: Product, rule: Any) -> dict[str, str]:
    """Say in the file what it takes, what it gives, and from which versions it was made."""
    splits = read_json(SPLITS / "manifest.json")
    return {
        **stated(product),
        "decision": rule.to_json(),
        "model": config.model.name,
        "seed": str(config.seed),
        "calibration": config.export.calibration,
        "train_sha256": splits["train"]["sha256"],
    }


def calibrated(model: onnx.ModelProto, config: Config, product: Product, held_out: Examples) -> onnx.ModelProto:
    """Return ``model`` with the calibration of ``conf/export.yaml`` in its graph."""
    answer = answer_of(product)
    outputs = Artefact(model.SerializeToString()).score(held_out.inputs).outputs
    if not np.isfinite(outputs).all():
        what = f"the candidate gives {answer.OUTPUT} that are not finite"
        raise UserError(what, str(CANDIDATE), "look at stage train")
    return answer.calibrate(config.export.calibration, model, outputs, held_out.truth)


def artefact(model: onnx.ModelProto, config: Config, product: Product, held_out: Examples) -> onnx.ModelProto:
    """Calibrate ``model``, find its rule to answer or abstain, and describe both in the file."""
    answer, model = answer_of(product), calibrated(model, config, product, held_out)
    loaded = Artefact(model.SerializeToString())
    rule = answer.fit_rule(loaded.score(held_out.inputs), held_out.truth, product)
    described = metadata(config, product, rule)
    described["golden"] = golden(loaded, held_out.inputs, answer.strata(held_out.truth))
    return with_metadata(model, described)


def check(key: str, name: str, known: Collection[str]) -> None:
    """Raise a ``UserError`` when ``conf/export.yaml`` names something that does not exist."""
    if name not in known:
        raise UserError(f"there is no {key} {name!r}", "conf/export.yaml", suggest(name, known))


def run(config: Config) -> None:
    """Make every variant; the one that ``conf/export.yaml`` ships is ``models/model.onnx``."""
    product = load()
    check("calibration", config.export.calibration, answer_of(product).CALIBRATIONS)
    check("variant", config.export.variant, VARIANTS)
    held_out = read("calibration", product)
    made = {
        name: artefact(lighten(onnx.load(CANDIDATE)), config, product, held_out) for name, lighten in VARIANTS.items()
    }
    for name, model in made.items():
        save(model, VARIANT_FILES / f"{name}.onnx")
    save(made[config.export.variant], MODEL)
    sizes = ", ".join(f"{name} {(VARIANT_FILES / f'{name}.onnx').stat().st_size / 1024:.0f} KiB" for name in VARIANTS)
    print(f"export: {sizes}; ships {config.export.variant}")


if __name__ == "__main__":
    stage(run)
