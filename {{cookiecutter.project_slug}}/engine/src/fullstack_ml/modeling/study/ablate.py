"""Ask what each feature, each region of the image, or what texts share is worth: fit again without it.

Reads the train and validation splits; writes ``reports/ablation.json``. A part whose removal does not raise the
validation loss beyond the noise of the records costs collection and adds risk for nothing. Of texts that may be their
digits, the endings of words, or all after a letter, which says how long a text has to be.
Run: ``make ablate MODEL=logistic``; with ``CHECK=1`` it fails where a part misleads the model.
"""

import os
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from fullstack_ml.artefact.graph import features_of
from fullstack_ml.inputs import FEATURES, input_of
from fullstack_ml.modeling.train.backends import backend_of, lesson_of
from fullstack_ml.modeling.train.compatible import check_compatible
from fullstack_ml.pipeline.config import Config
from fullstack_ml.pipeline.examples import Examples, read
from fullstack_ml.pipeline.stage import stage
from fullstack_ml.product.contract import load
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.errors import UserError
from fullstack_ml.workspace.files import write_json
from fullstack_ml.workspace.paths import REPORTS

ABLATION = REPORTS / "ablation.json"
Change = Callable[[np.ndarray], np.ndarray]  # from inputs to features without a part


def without(values: np.ndarray, places: np.ndarray, filling: np.ndarray) -> np.ndarray:
    """Return a copy of (records, values) in which ``places`` hold the training mean for every record."""
    copy = values.copy()
    copy[:, places] = filling[places]
    return copy


def changes(inputs: np.ndarray, product: Product, takes: str = FEATURES) -> dict[str, Change]:
    """Return by name what takes a part out of inputs, for a model that ``takes`` these; without what none of the
    training ``inputs`` holds."""
    asked, rows = input_of(product), features_of(inputs, product, takes)
    filling = np.nan_to_num(np.nanmean(rows, axis=0))

    def filled(places: np.ndarray) -> Change:
        return lambda given: without(features_of(given, product, takes), places, filling)

    def left(leave: Change) -> Change:
        return lambda given: features_of(leave(given), product, takes)

    shared = [(name, leave) for name, leave in asked.omissions(product) if (leave(inputs) != inputs).any()]
    return {name: filled(places) for name, places, _ in asked.regions(product)} | {
        name: left(leave) for name, leave in shared
    }


def losses(config: Config, known: Examples, held_out: Examples, change: Change | None = None) -> np.ndarray:
    """Fit to what ``change`` leaves, or to everything, and return the loss of every validation record."""
    product, backend = load(), backend_of(config.model)
    lesson = lesson_of(config.model, known, product)
    unseen = features_of(held_out.inputs, product, config.model.takes)
    if change:
        lesson, unseen = replace(lesson, rows=change(known.inputs)), change(held_out.inputs)
    fitted = backend.fit(config.model, config.seed, lesson)
    return lesson.answer.losses(backend.outputs(fitted, unseen), held_out.truth)


def worth(rise: np.ndarray) -> dict[str, float]:
    """Return the mean ``rise`` of the loss over records, and half the width of its 95 % interval."""
    return {"rise": float(rise.mean()), "half": float(1.96 * rise.std(ddof=1) / np.sqrt(len(rise)))}


def lines(ranked: dict[str, dict[str, float]], below: str) -> list[str]:
    """Return a line for every part; ``below`` says what it means when the loss falls beyond the noise."""
    said = []
    for name, row in ranked.items():
        rise, half = row["rise"], row["half"]
        note = "" if rise > half else f"   {below}" if rise < -half else "   within the noise of the records"
        said.append(f"  {name:<28} {rise:+.4f} +- {half:.4f}{note}")
    return said


def refuse_misleading(ranked: dict[str, dict[str, float]]) -> None:
    """Raise where the loss falls without a part, beyond what so many looks at the same records find by chance."""
    from scipy.stats import norm

    wider = norm.ppf(1 - 0.025 / len(ranked)) / norm.ppf(1 - 0.025)  # Bonferroni
    misleading = [name for name, row in ranked.items() if row["rise"] < -row["half"] * wider]
    if misleading:
        what = f"{len(misleading)} of {len(ranked)} parts of the input mislead the model: {', '.join(misleading)}"
        raise UserError(what, str(ABLATION), "take them out of product.yaml, or collect more records")


def run(config: Config) -> None:
    """Write and print what the validation log loss becomes without each part, the most valuable first."""
    product = load()
    check_compatible(config.model, product)
    known, held_out = read("train", product), read("validation", product)
    parts, found = changes(known.inputs, product, config.model.takes), {}
    if not parts:
        what = f"an input of type {product.formulation.input.type} has no parts that all records share"
        raise UserError(what, "make ablate", "make explain names the parts that move the answers most")
    whole = losses(config, known, held_out)
    for number, (name, change) in enumerate(parts.items(), start=1):
        print(f"ablate: {number} of {len(parts)}, without {name}", flush=True)
        found[name] = worth(losses(config, known, held_out, change) - whole)
    ranked = dict(sorted(found.items(), key=lambda item: -item[1]["rise"]))
    write_json(ABLATION, {"model": config.model.name, "loss": float(whole.mean()), "without": ranked})
    print(f"ablate: {config.model.name}, validation loss {whole.mean():.4f} with everything; without ...")
    print("\n".join(lines(ranked, "better without")))
    if os.environ.get("CHECK"):
        refuse_misleading(ranked)


if __name__ == "__main__":
    stage(run)
