"""Stage ``export``: make the one artefact that is evaluated, registered and served: calibrated, self-describing.

Reads ``models/candidate.onnx`` and the calibration split, or ``models/folds`` and the folds; writes
``models/variants/*.onnx`` and, the chosen one of them, ``models/model.onnx``; ``models/variants/folds`` tests it.
Run: ``python -m fullstack_ml.modeling.export export.calibration=none``.
"""

import json
import shutil
from collections.abc import Collection
from typing import Any

import numpy as np
import onnx
import polars as pl

from fullstack_ml.answers import answer_of
from fullstack_ml.answers.words import Scored
from fullstack_ml.artefact.graph import features_of, save, with_metadata
from fullstack_ml.artefact.session import Artefact, stated
from fullstack_ml.modeling.export.golden import golden
from fullstack_ml.modeling.export.lightening import VARIANTS, variants
from fullstack_ml.modeling.export.reference import reference
from fullstack_ml.pipeline.config import Config
from fullstack_ml.pipeline.examples import Examples, read, read_folds
from fullstack_ml.pipeline.stage import stage
from fullstack_ml.product.contract import load
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.errors import UserError, suggest
from fullstack_ml.workspace.files import read_json
from fullstack_ml.workspace.paths import CANDIDATE, FOLDS, MODEL, SPLITS, VARIANT_FILES


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


def scored(models: list[onnx.ModelProto], parts: list[Examples]) -> Scored:
    """Score each part by its model, and put the scores behind each other.

    Raises:
        UserError: if an output is not finite.
    """
    pairs = zip(models, parts, strict=True)
    found = Scored.joined([Artefact(one.SerializeToString()).score(part.inputs) for one, part in pairs])
    if not np.isfinite(found.outputs).all():
        raise UserError("the candidate gives outputs that are not finite", str(CANDIDATE), "look at stage train")
    return found


def artefact(
    model: onnx.ModelProto, models: list[onnx.ModelProto], parts: list[Examples], config: Config, product: Product
) -> onnx.ModelProto:
    """Calibrate ``model``, find its rule to answer or abstain, and describe both and the reference in the file.

    Both follow from what ``models`` say of ``parts``, records that they have not seen: the model itself of the
    calibration split, or of small data the models of the folds, each of its own.
    """
    answer, truth = answer_of(product), np.concatenate([part.truth for part in parts])

    def rows() -> np.ndarray:
        return np.concatenate([features_of(part.inputs, product) for part in parts])

    outputs = scored(models, parts).outputs

    def calibrated(one: onnx.ModelProto) -> onnx.ModelProto:
        copy = onnx.ModelProto()
        copy.CopyFrom(one)
        return answer.calibrate(config.export.calibration, copy, outputs, truth, product, rows)

    final = scored([calibrated(one) for one in models], parts)
    rule = answer.fit_rule(final, truth, product)
    found = calibrated(model)
    described = metadata(config, product, rule)
    described["reference"] = json.dumps(reference(pl.concat([part.frame for part in parts]), final, rule, product))
    inputs = np.concatenate([part.inputs for part in parts])
    described["golden"] = golden(Artefact(found.SerializeToString()), inputs, answer.strata(truth))
    return with_metadata(found, described)


def check(key: str, name: str, known: Collection[str]) -> None:
    """Raise a ``UserError`` when ``conf/export.yaml`` names something that does not exist."""
    if name not in known:
        raise UserError(f"there is no {key} {name!r}", "conf/export.yaml", suggest(name, known))


def run(config: Config) -> None:
    """Make every variant; the one that ``conf/export.yaml`` ships is ``models/model.onnx``."""
    product = load()
    check("calibration", config.export.calibration, answer_of(product).CALIBRATIONS)
    check("variant", config.export.variant, VARIANTS)
    parts = read_folds(product)
    held_out, made = parts or [read("calibration", product)], {}
    shutil.rmtree(VARIANT_FILES, ignore_errors=True)
    seen = np.concatenate([part.inputs for part in held_out])
    for name, lighten in variants(config.export.quantisation).items():
        model = lighten(onnx.load(CANDIDATE), seen)
        models = [lighten(onnx.load(FOLDS / f"{i}.onnx"), part.inputs) for i, part in enumerate(parts)] or [model]
        made[name] = artefact(model, models, held_out, config, product)
        save(made[name], VARIANT_FILES / f"{name}.onnx")
        if name == config.export.variant:
            for i, one in enumerate(
                models if parts else []
            ):  # as the rest of the folds make it, to be tested on its own
                others = models[:i] + models[i + 1 :], parts[:i] + parts[i + 1 :]
                save(artefact(one, *others, config, product), VARIANT_FILES / "folds" / f"{i}.onnx")
    save(made[config.export.variant], MODEL)
    sizes = ", ".join(f"{name} {(VARIANT_FILES / f'{name}.onnx').stat().st_size / 1024:.0f} KiB" for name in VARIANTS)
    print(f"export: {sizes}; ships {config.export.variant}")


if __name__ == "__main__":
    stage(run)
