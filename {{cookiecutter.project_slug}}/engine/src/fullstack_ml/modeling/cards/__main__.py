"""Stage ``cards``: render the documents that people read from ``product.yaml`` and the reports.

Reads ``product.yaml``, ``params.yaml`` and all reports; writes ``docs/1-requirements/requirements.md``,
``docs/2-data/data-card.md``, ``docs/2-data/croissant.json``, ``docs/3-model/model-card.md`` and
``reports/analysis.html``.
Run: ``python -m fullstack_ml.modeling.cards``.
"""

from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_args

import polars as pl
import yaml

from fullstack_ml.answers import answer_of
from fullstack_ml.artefact.session import Artefact
from fullstack_ml.modeling.cards import cautions
from fullstack_ml.modeling.cards.croissant import write_croissant
from fullstack_ml.modeling.cards.meaning import meaning, unknown
from fullstack_ml.modeling.cards.report import write_analysis
from fullstack_ml.pages.provenance import locked_data, made_from
from fullstack_ml.pages.render import markdown
from fullstack_ml.pages.words import words
from fullstack_ml.pipeline.config import Config
from fullstack_ml.pipeline.stage import stage
from fullstack_ml.product.cards import OWNERS
from fullstack_ml.product.contract import guesses, load
from fullstack_ml.product.guide import guide_version
from fullstack_ml.product.metrics import applicable, unit_of
from fullstack_ml.product.questions import dated, open_questions
from fullstack_ml.product.types import Product, Step
from fullstack_ml.product.watching import units
from fullstack_ml.workspace.files import read_json, sha256, write_text
from fullstack_ml.workspace.paths import (
    ACCEPTANCE,
    AGREEMENT,
    ANALYSIS,
    CROISSANT,
    DATA_CARD,
    ERRORS,
    EVALUATION,
    LEAKAGE,
    MODEL,
    MODEL_CARD,
    PARAMS,
    PERFORMANCE,
    RAW,
    REQUIREMENTS_PAGE,
    SPLITS,
    TRAINING,
    VALIDATION,
)

TEMPLATES = Path(__file__).parent / "templates"
KINDS = {f"tensor({name})": numpy for name, numpy in (("uint8", "uint8"), ("float", "float32"), ("int32", "int32"))}
PAGES = {"requirements": REQUIREMENTS_PAGE, "data-card": DATA_CARD, "model-card": MODEL_CARD}

REPORTS = {
    "acceptance": ACCEPTANCE,
    "agreement": AGREEMENT,
    "evaluation": EVALUATION,
    "leakage": LEAKAGE,
    "performance": PERFORMANCE,
    "training": TRAINING,
    "validation": VALIDATION,
    "splits": SPLITS / "manifest.json",
    "manifest": RAW / "manifest.json",
}


def taken(artefact: Artefact) -> tuple[str, str]:
    """Say what the graph takes, its type and its shape after the records; and one record of zeros, as code."""
    graph_input = artefact.session.get_inputs()[0]
    kind = KINDS.get(graph_input.type, graph_input.type)
    after = graph_input.shape[1:]
    shape = ", ".join(map(str, ("records", *after)))
    return words("%(kind)s of shape (%(shape)s)", kind=kind, shape=shape), f"{(1, *after)}, np.{kind}"


def without_model(evaluation: dict[str, Any], main: str, better: str) -> float | None:
    """Return the best that a baseline reaches on the main metric, None where none has it."""
    reached = [row[main] for row in evaluation["baseline"].values() if row.get(main) is not None]
    return (max if better == "higher" else min)(reached, default=None)


def hub(product: Product) -> str:
    """Return what the Hugging Face hub reads at the head of a model card, as YAML."""
    tags = [product.formulation.input.type, product.formulation.answer.type, "calibrated", "abstains"]
    head = {"license": product.cards.model_license or "other", "library_name": "onnx", "tags": tags}
    text: str = yaml.safe_dump(head | {"metrics": [answer_of(product).MAIN]}, sort_keys=False, allow_unicode=True)
    return text.rstrip()


def facts() -> dict[str, Any]:
    """Collect everything that the pages name."""
    product, params = load(), yaml.safe_load(PARAMS.read_text(encoding="utf-8"))
    read = {name: read_json(path) for name, path in REPORTS.items()}
    main, metrics = answer_of(product).MAIN, applicable(product)
    given, example = taken(Artefact(MODEL))
    return {
        "product": product,
        "said": product.cards.model_dump(),
        "owners": OWNERS,
        "open": open_questions(product),
        "guesses": guesses(),
        "dated": dated(product.schedule),
        "steps": get_args(Step),
        "monitored": product.monitoring is not None and find_spec("fullstack_ml.monitoring") is not None,
        "units": units(answer_of(product), product),
        "meaning": meaning(product, read["evaluation"], read["validation"]),
        "cautions": cautions.on_data(product, read["validation"], read["leakage"]),
        "on_risk": cautions.on_risk(read["evaluation"]),
        "missing": unknown(product, read["evaluation"], read["validation"]),
        "without_model": without_model(read["evaluation"], main, metrics[main].better),
        "metrics": metrics,
        "unit": {name: unit_of(metric, product) for name, metric in metrics.items()},
        "main": main,
        "output": answer_of(product).OUTPUT,
        "params": params,
        "hub": hub(product),
        "given": given,
        "example": example,
        "guide_version": guide_version(),
        "label_errors": int(pl.read_parquet(ERRORS)["suspect"].is_not_null().sum()),
        **read,
    }


def run(config: Config) -> None:
    """Render every page; a name that a page uses and nothing defines is an error, not a gap."""
    known = facts()
    made = {"data_version": locked_data(), "guide_version": known["guide_version"], "artefact_sha256": sha256(MODEL)}
    made["model"] = known["training"]["model"]
    for name, path in PAGES.items():
        write_text(path, markdown(TEMPLATES, f"{name}.md.j2", **known, provenance=partial(made_from, path, **made)))
    write_croissant(known)
    write_analysis({**known, "provenance": partial(made_from, ANALYSIS, **made)})
    print(f"cards: {', '.join(map(str, [*PAGES.values(), CROISSANT, ANALYSIS]))}")


if __name__ == "__main__":
    stage(run)
