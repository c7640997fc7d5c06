"""Show how far annotators agree, and where they do not, as a person would look at it.

Reads ``reports/agreement.json`` (stage ``label`` measures), ``data/labels``, ``data/rounds`` and ``data/raw``; writes
``reports/agreement.html``, one file that needs nothing else. Run: ``make agreement``.
"""

from typing import Any

import polars as pl

from fullstack_ml.annotation.interface import TEMPLATES
from fullstack_ml.data.label.__main__ import annotations
from fullstack_ml.data.label.aggregate import votes
from fullstack_ml.data.label.agreement import CANNOT
from fullstack_ml.data.label.rounds import Round, adjudications, read_all
from fullstack_ml.inputs import input_of
from fullstack_ml.pages.formats import measured
from fullstack_ml.pages.render import html
from fullstack_ml.pages.words import words
from fullstack_ml.pipeline.config import Config
from fullstack_ml.pipeline.stage import stage
from fullstack_ml.pipeline.tables import raw_records
from fullstack_ml.product.contract import load
from fullstack_ml.product.guide import guide_version
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.errors import UserError
from fullstack_ml.workspace.files import read_json, write_text
from fullstack_ml.workspace.paths import AGREEMENT, AGREEMENT_PAGE, LABELS, SUSPECTS

# Records shown: as many as a person looks at in one sitting.
SHOWN = 60


def verdict(alpha: float | None) -> str:
    """Say what a value of alpha allows (Krippendorff 2004: 0.8 is firm, 0.667 the least for tentative conclusions)."""
    if alpha is None:
        return words("not measured")
    return words("firm" if alpha >= 0.8 else "tentative" if alpha >= 0.667 else "too low to rely on")


def headline(alpha: float | None, low: float | None, high: float | None) -> str:
    """Write alpha, its interval where it has one, and what the value allows."""
    bounds = None if low is None or high is None else (low, high)
    return verdict(alpha) if alpha is None else f"{measured(alpha, bounds)}, {verdict(alpha)}"


def contested(said: pl.DataFrame) -> pl.DataFrame:
    """Return the records with different labels: id, ``who`` and ``what`` in the same order; the least agreed first."""
    ordered = said.sort("annotator").with_columns(pl.col("label").fill_null(CANNOT))
    largest = pl.col("label").value_counts().struct.field("count").max()
    grouped = ordered.group_by("id").agg(
        who="annotator", what="label", share=largest / pl.len(), n=pl.col("label").n_unique()
    )
    return grouped.filter(pl.col("n") > 1).sort("share", "id").drop("n")


def cards(ids: list[str], product: Product) -> dict[str, str]:
    """Return each record that is in ``data/raw`` as HTML."""
    record_of = input_of(product)
    return {record["id"]: record_of.html(record, product) for record in raw_records(ids).iter_rows(named=True)}


def influence(said: pl.DataFrame, rounds: list[Round]) -> dict[str, dict[str, float]]:
    """Compare how often labels equal the model's where annotators saw it (``shown``) and where not (``blind``)."""
    rows = [(one.name, r, label, r in set(one.shown)) for one in rounds for r, label in one.model.items()]
    model = pl.DataFrame(rows, schema=["round", "id", "says", "shown"], orient="row", infer_schema_length=None)
    if model.is_empty():
        return {}
    same = said.join(model, on=["round", "id"]).group_by("shown").agg(
        labels=pl.len(), equal=pl.col("label").eq_missing(pl.col("says")).mean()
    )  # fmt: skip
    return {"shown" if row.pop("shown") else "blind": row for row in same.to_dicts()}


def facts(product: Product) -> dict[str, Any]:
    """Collect everything that the page shows.

    Raises:
        UserError: if nobody has labelled anything.
    """
    rounds, everything = read_all(), annotations()
    if everything.is_empty():
        raise UserError("nobody has labelled a record yet", str(LABELS), "make annotate, then make labels")
    said = votes(everything.filter(~pl.col("round").is_in(adjudications(rounds))))
    apart = contested(said)
    doubted = read_json(SUSPECTS)["suspects"] if SUSPECTS.exists() else []
    pictures = cards([*apart["id"][:SHOWN], *(row["id"] for row in doubted[:SHOWN])], product)
    return {
        "product": product,
        "guide_version": guide_version(),
        "report": read_json(AGREEMENT),
        "verdict": verdict,
        "rounds": list(rounds.values()),
        "influence": influence(everything, list(rounds.values())),
        "contested": [row for row in apart[:SHOWN].to_dicts() if row["id"] in pictures],
        "contested_total": len(apart),
        "suspects": [row for row in doubted[:SHOWN] if row["id"] in pictures],
        "suspects_total": len(doubted),
        "pictures": pictures,
        "layout": input_of(product).LAYOUT,
    }


def run(config: Config) -> None:
    """Write the page and say the headline."""
    known = facts(load())
    write_text(AGREEMENT_PAGE, html(TEMPLATES, "agreement.html.j2", **known))
    value = known["report"]["alpha"]
    text = "agreement: alpha %(value)s; %(count)s disagreements"
    print(words(text, value=headline(**value), count=known["contested_total"]))
    print(f"  {AGREEMENT_PAGE}")


if __name__ == "__main__":
    stage(run, "annotation")
