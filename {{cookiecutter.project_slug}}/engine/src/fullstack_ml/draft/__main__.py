"""Look at the data and write a first contract: ``make draft FROM=<file, folder or database URL>``.

Reads what FROM names; writes ``product.yaml``, ``conf/source/<source>.yaml``, ``conf/config.yaml`` and the annotation
guide, and removes what the pipeline made of the sample. ANSWER names the column of a table that is the answer, LABELS
(with commas) the labels where there are none yet, QUERY a table or query of a database; FORCE=1 replaces a contract
that somebody has changed. All come from the environment, where a shell changes nothing in them.
"""

import os
from pathlib import Path

import yaml

from fullstack_ml.data.collect.sources.sql import is_database
from fullstack_ml.draft import pictures, places, tables, texts
from fullstack_ml.draft.few import folds_of, small_labels
from fullstack_ml.draft.requirements import Size
from fullstack_ml.draft.seen import Seen, Wish
from fullstack_ml.draft.summary import tell
from fullstack_ml.draft.tally import tally
from fullstack_ml.draft.thinking import complete
from fullstack_ml.draft.writing import check_replaceable, write
from fullstack_ml.modeling.study.readiness import shortfalls, split_shares
from fullstack_ml.pages.words import words
from fullstack_ml.product.contract import load
from fullstack_ml.project import clear_sample
from fullstack_ml.workspace.errors import UserError, guard
from fullstack_ml.workspace.paths import PRODUCT


def wished() -> Wish:
    """Read what was typed from the environment."""
    place = os.environ.get("FROM", "")
    if not place:
        raise UserError("FROM is empty", "make draft", "give a file, a folder or a database: FROM=data/inbox")
    labels = tuple(label.strip() for label in os.environ.get("LABELS", "").split(",") if label.strip())
    return Wish(place, os.environ.get("ANSWER") or None, labels, os.environ.get("QUERY") or None)


def look(wish: Wish) -> Seen:
    """Look at what FROM names."""
    if is_database(wish.place):
        batches, query = places.database(wish.place, wish.query)
        options = {"url": wish.place, "query": query, "cursor_column": None, "licence": "internal", "kind": "record"}
        return tables.look(tally(batches, wish.answer), wish, "sql", options, [])
    system, path = places.opened(wish.place)
    options = {"path": wish.place, "licence": "internal"}
    if places.holds_pictures(system, path):
        return pictures.look(system, path, wish, options | {"kind": "picture"}, [])
    if texts.holds_texts(system, path):
        return texts.look(system, path, wish, options | {"kind": "text"}, [])
    found = places.tables(system, path, wish.place)
    counted = tally(found.batches, wish.answer)
    notes = [words("read as: %(forms)s", forms=", ".join(found.notes))]
    if found.bad:
        options["bad_rows"] = "keep-out"
        notes.append(words("%(rows)s row(s) are kept out, such as %(row)s", rows=len(found.bad), row=found.bad[0]))
    return tables.look(counted, wish, "files", options | {"kind": "record"}, notes)


def name_of_product() -> str:
    """Return the name that the contract has had until now."""
    try:
        return str(yaml.safe_load(PRODUCT.read_text(encoding="utf-8"))["service"]["name"])
    except (OSError, yaml.YAMLError, KeyError, TypeError):
        readme = Path("README.md")  # after make clear-sample
        heading = readme.read_text(encoding="utf-8").partition("\n")[0] if readme.exists() else ""
        return heading.lstrip("# ").strip() or "My product"


def check_mixed(wish: Wish) -> None:
    """Raise if ``data/raw`` holds records of another source of the product's own: they would stay beside the new ones.

    Raises:
        UserError: with what to remove.
    """
    place = wish.place.rpartition("://")[2].rstrip("/")
    others = [source for source in clear_sample.own_sources() if place not in source]
    if others:
        fix = "to begin anew: rm -rf data/raw data/raw.lock, and rounds in data/labels; to keep both, edit product.yaml"
        raise UserError(f"data/raw holds records of {', '.join(others[:3])}", "data/raw/manifest.json", fix)


def main() -> None:
    """Look, think, write, tell."""
    wish = wished()
    check_replaceable(os.environ.get("FORCE") == "1")
    check_mixed(wish)
    seen = look(wish)
    begun = bool(clear_sample.own_sources())  # by the first run, which froze the splits
    whole = sum((seen.answers or seen.labels).values())
    folds = None if begun or seen.time or seen.group else folds_of(seen.labels, whole)
    shares = split_shares(folds)
    size = Size(seen.labels, shares["test"], shares["calibration"], whole)
    seen.notes += small_labels(size)
    if folds:
        said = "%(records)s labelled records: each is tested by a model of the other %(others)s of %(folds)s folds"
        note = words(said, records=size.records, others=folds - 1, folds=folds)
        seen.notes.append(f"{note} (conf/split.yaml)")
    text, facts = complete(seen, size, name_of_product(), wish)
    removed = [] if begun else clear_sample.remove()
    written = write(text, facts | {"folds": folds}, seen)
    lacking = shortfalls(seen.answers or seen.labels, load(), shares)
    print(tell(seen, facts, size, written, removed, lacking))


if __name__ == "__main__":
    guard(main)
