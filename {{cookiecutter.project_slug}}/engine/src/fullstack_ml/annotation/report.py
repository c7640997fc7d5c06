"""Show how far annotators agree, and where they do not, as a person would look at it.

Reads ``reports/agreement.json`` (stage ``label`` measures), ``data/labels``, ``data/rounds`` and ``data/raw``; writes
``reports/agreement.html``, one file that needs nothing else. Run: ``make agreement``.
"""

import math
from typing import Any

import polars as pl

from fullstack_ml.annotation.effort import by_round, spent
from fullstack_ml.annotation.guide_page import as_cards
from fullstack_ml.annotation.interface import TEMPLATES
from fullstack_ml.annotation.suspects import NEVER, told
from fullstack_ml.data.label.__main__ import independent
from fullstack_ml.data.label.agreement import CANNOT
from fullstack_ml.data.label.rounds import Round, adjudications, read_all
from fullstack_ml.data.label.standing import annotations, standing
from fullstack_ml.data.label.trend import contested, judged
from fullstack_ml.inputs import input_of
from fullstack_ml.pages.formats import measured
from fullstack_ml.pages.render import html
from fullstack_ml.pages.words import words
from fullstack_ml.pipeline.config import Config
from fullstack_ml.pipeline.stage import stage
from fullstack_ml.product.contract import load
from fullstack_ml.product.guide import guide_version
from fullstack_ml.product.metrics import wilson
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


def influence(said: pl.DataFrame, rounds: list[Round]) -> dict[str, dict[str, Any]]:
    """Compare how often labels equal the model's where annotators saw it (``shown``) and where not (``blind``).

    Each share with its 95 % interval; ``follows``, where both were measured, is the difference with the interval of
    R. G. Newcombe (1998), Interval estimation for the difference between independent proportions.
    """
    rows = [(one.name, r, label, r in set(one.shown)) for one in rounds for r, label in one.model.items()]
    model = pl.DataFrame(rows, schema=["round", "id", "says", "shown"], orient="row", infer_schema_length=None)
    if model.is_empty():
        return {}
    same = said.join(model, on=["round", "id"]).group_by("shown").agg(
        labels=pl.len(), hits=pl.col("label").eq_missing(pl.col("says")).sum()
    )  # fmt: skip
    found: dict[str, dict[str, Any]] = {}
    for shown, labels, hits in same.sort("shown", descending=True).iter_rows():
        found["shown" if shown else "blind"] = {
            "labels": labels,
            "equal": hits / labels,
            "interval": wilson(hits, labels),
        }
    if len(found) == 2:
        (one, (a, b)), (two, (c, d)) = ((row["equal"], row["interval"]) for row in found.values())
        low, high = math.hypot(one - a, d - two), math.hypot(b - one, two - c)
        found["follows"] = {"labels": None, "equal": one - two, "interval": [one - two - low, one - two + high]}
    return found


def facts(config: Config, product: Product) -> dict[str, Any]:
    """Collect everything that the page shows.

    Raises:
        UserError: if nobody has labelled anything.
    """
    rounds, measured = read_all(), read_json(AGREEMENT)
    said, _ = standing(annotations(), config.label.withdrawn, rounds, product)
    if said.is_empty():
        raise UserError("nobody has labelled a record yet", str(LABELS), "make annotate, then make labels")
    now, _ = judged(independent(said, rounds), guide_version())
    apart = contested(now)
    listed = read_json(SUSPECTS) if SUSPECTS.exists() else {"suspects": []}
    cannot = said.filter(pl.col("label").is_null()).sort("id", "annotator").select("id", "annotator", "note")
    rulings = said.filter(pl.col("round").is_in(adjudications(rounds))).sort("annotated_at", descending=True)
    lists = {
        "contested": apart.to_dicts(),
        "missed": measured["gold_missed"],
        "cannot": cannot.to_dicts(),
        "rulings": rulings.select("id", "annotator", "label", "note").to_dicts(),
        "suspects": listed["suspects"],
    }
    effort = by_round(said, product.annotation)
    pictures = as_cards([row["id"] for rows in lists.values() for row in rows[:SHOWN]], product)
    return {
        "product": product,
        "report": measured,
        "verdict": verdict,
        "influence": influence(said, list(rounds.values())),
        "lists": {name: [row for row in rows[:SHOWN] if row["id"] in pictures] for name, rows in lists.items()},
        "totals": {name: len(rows) for name, rows in lists.items()},
        "pictures": pictures,
        "cannot_say": CANNOT,
        "trust": told(listed.get("track_record", NEVER)),
        "effort": effort,
        "spent": spent(effort, product.annotation),
        "layout": input_of(product).LAYOUT,
    }


def run(config: Config) -> None:
    """Write the page and say the headline."""
    known = facts(config, load())
    write_text(AGREEMENT_PAGE, html(TEMPLATES, "agreement.html.j2", **known))
    value, measured = known["report"]["alpha"], known["report"]
    text = "agreement: alpha %(value)s; %(count)s disagreements on %(records)s records, guide %(guides)s"
    versions = ", ".join(measured["measured_on"]) or measured["guide_version"]
    counts = {"count": measured["disagreements"], "records": measured["shared_records"], "guides": versions}
    print(words(text, value=headline(**value), **counts))
    for person in measured["annotators"]:
        if person["passes"] is False:
            misses = sum(row["annotator"] == person["annotator"] for row in measured["gold_missed"])
            said = "  %(who)s does not pass: %(misses)s of %(gold)s gold items missed"
            print(words(said, who=person["annotator"], misses=misses, gold=person["gold"]))
    print(f"  {AGREEMENT_PAGE}")


if __name__ == "__main__":
    stage(run, "annotation")
