"""The annotation guide as people read it: its text with its pictures, and the hard cases that were decided.

Reads ``docs/2-data/annotation-guide.md``, the pictures that it names, ``data/labels`` and ``data/raw``; writes nothing.
A picture of the guide is a file beside it, ``![open loop](loop.png)``, or a record, ``![open loop](record:3f9c02…)``
with at least the first 8 characters of its id.
"""

import re
from collections.abc import Collection, Sequence
from html import escape
from typing import Any

import polars as pl
from markdown_it import MarkdownIt
from markdown_it.token import Token

from fullstack_ml.data.label.aggregate import guide_major, votes
from fullstack_ml.data.label.agreement import CANNOT
from fullstack_ml.data.label.rounds import adjudications, read_all
from fullstack_ml.data.label.standing import annotations
from fullstack_ml.inputs import input_of
from fullstack_ml.inputs.pictures import picture
from fullstack_ml.pipeline.tables import raw, raw_records
from fullstack_ml.product.guide import guide_version, major
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.errors import UserError
from fullstack_ml.workspace.paths import GUIDE

RECORD, SHORTEST = "record:", 8
FRONT = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
# Hard cases on the page: as many as an annotator reads before the first item.
SHOWN = 24


def hard_cases(product: Product, hidden: Collection[str]) -> list[dict[str, Any]]:
    """Return the records about which people differed and one decided, under the current guide, the newest first.

    Each has ``id``, ``said`` (the labels that were given), ``label`` (the decision) and ``html``. Records in ``hidden``
    are left out: those that are still to be labelled.
    """
    everything, ruling = annotations(), pl.col("round").is_in(adjudications(read_all()))
    open_cases = everything.filter(~ruling).with_columns(pl.col("label").fill_null(CANNOT)).sort("annotator")
    said = open_cases.group_by("id").agg(said=pl.col("label").unique(maintain_order=True))
    current = votes(everything.filter(ruling)).filter(guide_major() == major(guide_version()))
    decided = current.filter(~pl.col("id").is_in(list(hidden))).sort("annotated_at", "id", descending=True)
    chosen = decided.unique("id", keep="first", maintain_order=True).join(said, on="id", maintain_order="left")
    chosen = chosen.filter(pl.col("said").list.len() > 1).head(SHOWN).with_columns(pl.col("label").fill_null(CANNOT))
    cards = as_cards(chosen["id"].to_list(), product)
    rows = chosen.select("id", "said", "label").to_dicts()
    return [{**row, "html": cards[row["id"]]} for row in rows if row["id"] in cards]


def as_cards(ids: Sequence[str], product: Product) -> dict[str, str]:
    """Return each record that is in ``data/raw`` as HTML."""
    record_of = input_of(product)
    return {row["id"]: record_of.html(row, product) for row in raw_records(ids).iter_rows(named=True)}


def as_picture(source: str, caption: str, product: Product) -> str:
    """Return what the guide shows at a place, as HTML: the record or the file that it names.

    Raises:
        UserError: if there is none, or if the file is no picture.
    """
    if source.startswith(RECORD):
        start = re.sub(r"[^0-9a-f]", "", source.removeprefix(RECORD))
        found = raw().filter(pl.col("id").str.starts_with(start)).select("id").head(2).collect()["id"].to_list()
        if len(found) != 1 or len(start) < SHORTEST:
            what = f"the guide shows {source!r}, which is the beginning of {len(found)} ids"
            raise UserError(what, str(GUIDE), f"give at least {SHORTEST} characters of the id of one record")
        shown = as_cards(found, product)[found[0]]
    else:
        path = GUIDE.parent / source
        try:
            shown = f'<img src="{picture(path.read_bytes())}" alt="{escape(caption)}">'
        except (OSError, ValueError) as error:
            what = f"the guide shows {source!r}: {error if path.exists() else 'there is no such file'}"
            raise UserError(what, str(GUIDE), "put the picture beside the guide, or take it out") from error
    return f'<span class="shown">{shown}<small>{escape(caption)}</small></span>'


def guide_text(product: Product) -> str:
    """Return the text of the guide as HTML that needs no other file; links to files of the project are plain text."""
    reader = MarkdownIt("commonmark", {"html": False}).enable("table")
    told = FRONT.sub("", GUIDE.read_text(encoding="utf-8"))

    def image(tokens: Sequence[Token], place: int, options: Any, env: Any) -> str:
        return as_picture(str(tokens[place].attrs["src"]), tokens[place].content, product)

    def link(tokens: Sequence[Token], place: int, options: Any, env: Any) -> str:
        opening = next(t for t in reversed(tokens[: place + 1]) if t.type == "link_open")
        if not str(opening.attrs["href"]).startswith(("https:", "http:", "mailto:")):
            return ""
        return f'<a href="{escape(str(opening.attrs["href"]))}">' if tokens[place].nesting == 1 else "</a>"

    reader.renderer.rules |= {"image": image, "link_open": link, "link_close": link}  # type: ignore[attr-defined]
    reader.validateLink = lambda url: True  # type: ignore[method-assign]  # the rules above decide
    return str(reader.render(told))
