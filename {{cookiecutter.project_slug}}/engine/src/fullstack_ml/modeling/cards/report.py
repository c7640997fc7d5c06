"""Build the analysis page: what the model does well, where it fails, and which records show it.

Reads all reports, ``reports/errors.parquet`` and ``reports/figures``; writes ``reports/analysis.html``, one file that
opens without a network. Stage ``cards`` calls it, after ``accept``.
"""

import base64
import math
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
from markupsafe import Markup

from fullstack_ml.inputs import input_of
from fullstack_ml.modeling.cards import cautions
from fullstack_ml.pages.formats import between, interval, number, share
from fullstack_ml.pages.render import html
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.files import write_text
from fullstack_ml.workspace.paths import ANALYSIS, ERRORS, FIGURES

TEMPLATES = Path(__file__).parent / "templates"
PAIRS = 12


def figure(name: str) -> str:
    """Return a figure of the evaluation as a data URI."""
    return "data:image/png;base64," + base64.b64encode((FIGURES / f"{name}.png").read_bytes()).decode()


def confused(matrix: list[list[int]], names: list[str]) -> list[dict[str, Any]]:
    """List the pairs of labels that are taken for each other, the most frequent first, by direction."""
    pairs: list[dict[str, Any]] = [
        {"right": names[i], "predicted": names[j], "records": count, "share": count / sum(row)}
        for i, row in enumerate(matrix)
        for j, count in enumerate(row)
        if i != j and count
    ]
    return sorted(pairs, key=lambda pair: (pair["records"], pair["share"]), reverse=True)[:PAIRS]


def floor_of(evaluation: dict[str, Any], main: str) -> float:
    """Return where the bars of the slices and groups begin: the tenth below their lowest bound."""
    rows = [
        *evaluation["slices"].values(),
        *(row for part in evaluation["gaps"].values() for row in part["groups"].values()),
    ]
    return math.floor(10 * min((row[f"{main}_interval"][0] for row in rows if main in row), default=0.0)) / 10


def cases(errors: pl.DataFrame, rank: str, product: Product) -> list[dict[str, Any]]:
    """Return the records of one list in its order, each with ``html``, the record as a person sees it."""
    rows = errors.filter(pl.col(rank).is_not_null()).sort(rank).to_dicts()
    record = input_of(product)
    return [{**row, "html": Markup(record.html(row, product))} for row in rows]  # noqa: S704 - html() escapes the record


def analysis(known: dict[str, Any]) -> str:
    """Return the page; ``known`` holds the product and the reports by name."""
    product, evaluation = known["product"], known["evaluation"]
    shares = known["metrics"][known["main"]].unit == "share"
    errors = pl.read_parquet(ERRORS)
    return html(
        TEMPLATES,
        "analysis.html.j2",
        score=share if shares else partial(number, digits=3),
        score_between=between if shares else partial(interval, digits=3),
        **known,
        figure=figure,
        shares=shares,
        wrong=evaluation["errors"],
        low=floor_of(evaluation, known["main"]),
        on_calibration=cautions.on_calibration(evaluation) if "reliability" in evaluation else [],
        pairs=confused(evaluation.get("confusion", []), product.formulation.label_names),
        errors=cases(errors, "error", product),
        suspects=cases(errors, "suspect", product),
        layout=input_of(product).LAYOUT,
    )


def write_analysis(known: dict[str, Any]) -> None:
    """Write the page in one step."""
    write_text(ANALYSIS, analysis(known))
