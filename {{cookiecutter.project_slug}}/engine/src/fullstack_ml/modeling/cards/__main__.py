"""Stage ``cards``: render the documents that people read from ``product.yaml`` and the reports.

Reads ``product.yaml``, ``params.yaml`` and all reports; writes ``docs/1-requirements/requirements.md``,
``docs/2-data/data-card.md``, ``docs/3-model/model-card.md`` and ``reports/analysis.html``.
Run: ``python -m fullstack_ml.modeling.cards``.
"""

from pathlib import Path
from typing import Any

import polars as pl
import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from fullstack_ml.answers import answer_of
from fullstack_ml.artefact.session import Artefact
from fullstack_ml.modeling.cards.report import write_analysis
from fullstack_ml.pipeline.config import Config
from fullstack_ml.pipeline.stage import stage
from fullstack_ml.product.contract import load
from fullstack_ml.product.guide import guide_version
from fullstack_ml.product.metrics import metrics_of
from fullstack_ml.workspace.files import read_json, write_text
from fullstack_ml.workspace.paths import (
    ACCEPTANCE,
    AGREEMENT,
    ANALYSIS,
    DATA_CARD,
    ERRORS,
    EVALUATION,
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
PAGES = {"requirements": REQUIREMENTS_PAGE, "data-card": DATA_CARD, "model-card": MODEL_CARD}


def cell(value: Any) -> str:
    """Write a value so that it fits into one cell of a Markdown table."""
    return str(value).replace("|", "\\|").replace("\n", " ")


def number(value: float | None) -> str:
    """Write a measured value with four digits; what was not measured says so."""
    return "not measurable" if value is None else f"{value:.4g}"


def interval(bounds: list[float] | None) -> str:
    """Write an interval; nothing where there is none."""
    return "" if bounds is None else f"{bounds[0]:.4g} to {bounds[1]:.4g}"


def taken(artefact: Artefact) -> str:
    """Say what the graph takes: its type, and its shape after the records."""
    graph_input = artefact.session.get_inputs()[0]
    kind = {"tensor(uint8)": "uint8", "tensor(float)": "float32"}.get(graph_input.type, graph_input.type)
    return f"{kind} of shape ({', '.join(['records', *map(str, graph_input.shape[1:])])})"


def facts() -> dict[str, Any]:
    """Collect everything that the pages name."""
    reports = {
        "acceptance": ACCEPTANCE,
        "agreement": AGREEMENT,
        "evaluation": EVALUATION,
        "performance": PERFORMANCE,
        "training": TRAINING,
        "validation": VALIDATION,
        "splits": SPLITS / "manifest.json",
        "manifest": RAW / "manifest.json",
    }
    product = load()
    return {
        "product": product,
        "metrics": metrics_of(product),
        "main": answer_of(product).MAIN,
        "output": answer_of(product).OUTPUT,
        "params": yaml.safe_load(PARAMS.read_text(encoding="utf-8")),
        "given": taken(Artefact(MODEL)),
        "guide_version": guide_version(),
        "label_errors": int(pl.read_parquet(ERRORS)["suspect"].is_not_null().sum()),
        **{name: read_json(path) for name, path in reports.items()},
    }


def run(config: Config) -> None:
    """Render every page; a name that a page uses and nothing defines is an error, not a gap."""
    options: dict[str, Any] = {"trim_blocks": True, "lstrip_blocks": True, "keep_trailing_newline": True}
    # The pages are Markdown, so HTML escaping would only spoil them.
    environment = Environment(loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, **options)  # noqa: S701
    environment.filters.update(cell=cell, number=number, interval=interval)
    known = facts()
    for name, path in PAGES.items():
        write_text(path, environment.get_template(f"{name}.md.j2").render(known))
    write_analysis(known)
    print(f"cards: {', '.join(map(str, [*PAGES.values(), ANALYSIS]))}")


if __name__ == "__main__":
    stage(run)
