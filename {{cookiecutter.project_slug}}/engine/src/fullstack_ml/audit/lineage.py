"""The whole way of an answer, a version, a record or a label, backwards and forwards: ``make lineage ID=<id>``.

ID is a prediction id, a version (a number or an alias), a record id or its first digits, an annotator, a round, or a
label of the contract. Reads the prediction log, the registry, git, ``data/`` and DVC's cache; writes
``reports/lineage.html``, and prints it in short.
"""

import os
import re
from pathlib import Path

import polars as pl

from fullstack_ml.audit import answers, chain
from fullstack_ml.audit.chain import Link
from fullstack_ml.data.label.standing import annotations
from fullstack_ml.data.store.identity import named
from fullstack_ml.pages.render import html
from fullstack_ml.pages.words import translated, words
from fullstack_ml.pipeline.tables import raw
from fullstack_ml.product.contract import load
from fullstack_ml.product.types import Product
from fullstack_ml.registry import tracking
from fullstack_ml.registry.tracking import ClientRegistry
from fullstack_ml.workspace.errors import UserError, guard
from fullstack_ml.workspace.files import write_text
from fullstack_ml.workspace.paths import LABELLED, LINEAGE_PAGE

TEMPLATES = Path(__file__).parent / "templates"
HEX = re.compile(r"[0-9a-f]{6,64}")
LINES = 3  # rows of a table on the console


def registry_of() -> ClientRegistry | None:
    """Return the registry, or None where nothing was ever registered."""
    store = tracking.local_store()
    return None if store and not store.exists() else ClientRegistry()


def of_version(name: str) -> list[Link]:
    """Return the links of a version, if ``name`` is one."""
    if not (name.isdigit() and len(name) < 6) and not re.fullmatch(r"[a-z][\w-]*", name):
        return []
    registry = registry_of()
    if registry is None:
        return []
    wanted = registry.aliases().get(name, name)
    found = [version for version in registry.versions() if version.number == wanted]
    return chain.version_links(registry, found[0]) if found else []


def of_prediction(name: str) -> list[Link]:
    """Return the links of an answer, if ``name`` is its id: the request, the version, the record if it is one."""
    said, heard = answers.prediction(name)
    if not said:
        return []
    links = chain.answer_links(said, heard)
    version = of_version(str(said[0]["model_version"]))
    lost = words("%(version)s, which no registry here knows", version=said[0]["model_version"])
    links += version or [Link("Version", [("version", lost)])]
    return [*links, *of_record(said[0]["input_sha256"], whole=False)]


def of_record(name: str, whole: bool = True) -> list[Link]:
    """Return the links of the raw records that ``name`` names; ``whole``: also forwards."""
    try:
        found = raw().filter(named(name)).sort("id").head(2).collect()
    except UserError:
        return []  # nothing was collected yet
    if whole and len(found) > 1 and len(name) < 32:
        raise UserError(f"several records have an id that begins with {name!r}", "ID", "give more of its digits")
    links = chain.record_links(found.row(0, named=True)) if len(found) else []
    if not links or not whole:
        return links
    record = str(found["id"][0])
    return [*links, *chain.forward_links([record]), chain.content_link(record)]


def of_labels(name: str, product: Product) -> list[Link]:
    """Return the links of the labels that a person or a round gave, or that have a name."""
    said = annotations()
    titles = {"annotator": words("Labels of the annotator %(name)s", name=name)}
    titles["round"] = words("Labels of the round %(name)s", name=name)
    for column, title in titles.items():
        mine = said.filter(pl.col(column) == name)
        if len(mine):
            return [chain.label_link(mine, title), *chain.forward_links(mine["id"].unique().to_list())]
    if name not in product.formulation.label_names:
        return []
    mine = said.filter(pl.col("label") == name)
    records = pl.scan_parquet(LABELLED).filter(pl.col("label") == name).collect() if LABELLED.exists() else None
    origins = [] if records is None else records.group_by("labelled_by", "guide_version").len("records").to_dicts()
    counted = chain.table(["labelled_by", "guide_version", "records"], origins)
    meaning = next((one.definition for one in product.formulation.answer.labels if one.name == name), "")
    about = Link(words("Label %(name)s", name=name), [("definition", meaning)], counted)
    ids = [] if records is None else records["id"].to_list()
    return [about, chain.label_link(mine, words("What people gave it")), *chain.forward_links(ids)]


def follow(name: str, product: Product) -> list[Link]:
    """Find out what ``name`` is, and follow it.

    Raises:
        UserError: if it is nothing that is known here.
    """
    links: list[Link] = []
    if re.fullmatch(r"[0-9a-f]{32}", name):
        links = of_prediction(name)
    links = links or of_labels(name, product) or of_version(name)
    if not links and HEX.fullmatch(name):
        links = of_record(name)
    if not links:
        fix = "give a prediction id, a version or alias, a record id, an annotator, a round or a label"
        raise UserError(f"nothing here has the ID {name!r}", "make lineage ID=...", fix)
    return links


def in_short(links: list[Link]) -> str:
    """Write the links for a console."""
    lines = []
    for link in links:
        lines += [translated(link.title), *(f"  {translated(name):<22} {value}" for name, value in link.facts)]
        lines += [f"  {'  '.join(row)}" for row in link.rows[: LINES + 1]]
        lines += [words("  ... %(n)s more", n=len(link.rows) - 1 - LINES)] * (len(link.rows) > LINES + 1)
    return "\n".join(lines)


def main() -> None:
    """Write the page, and print it in short."""
    name, product = os.environ.get("ID", "").strip(), load()
    if not name:
        raise UserError("ID is empty", "make lineage", "make lineage ID=champion, or a prediction id")
    links = follow(name, product)
    write_text(LINEAGE_PAGE, html(TEMPLATES, "lineage.html.j2", name=name, links=links, product=product))
    print(in_short(links))
    print(words("lineage: the whole of it: %(page)s", page=LINEAGE_PAGE))


if __name__ == "__main__":
    guard(main)
