"""Look at texts of people: the only column of a table that is left to learn from, or a folder of files.

Reads the files; writes nothing.
"""

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from fullstack_ml.data.collect.sources.files import as_written, files_below
from fullstack_ml.data.validate.personal import personal_data
from fullstack_ml.draft.columns import Column
from fullstack_ml.draft.numbers import least_of
from fullstack_ml.draft.pictures import labels_of
from fullstack_ml.draft.seen import Seen, Wish, label_rows, tell_labels
from fullstack_ml.draft.tally import Tally
from fullstack_ml.inputs.omissions import SCRIPTS
from fullstack_ml.inputs.text import FILES
from fullstack_ml.pages.words import words
from fullstack_ml.product.formulation import LENGTH, MOST_LETTERS
from fullstack_ml.workspace.errors import UserError

SAMPLE = 20_000  # files that are read
MANY = 20  # files without a sub-folder, from which on each is a record and not a table
SMALLEST = 0.15  # share of the records that a script has, from which on it is a slice


def holds_texts(system: Any, folder: str) -> bool:
    """Say whether a folder holds a record in every text file: in sub-folders, or in many files."""
    files = list(files_below(system, folder)) if system.isdir(folder) else []
    inner = any("/" in file.removeprefix(folder).strip("/") for file in files)
    return bool(files) and all(file.lower().endswith(FILES) for file in files) and (inner or len(files) > MANY)


def look(system: Any, folder: str, wish: Wish, options: dict[str, Any], notes: list[str]) -> Seen:
    """Turn a folder of text files into the facts of a contract.

    Raises:
        UserError: if no file can be read, or all are of one label.
    """
    files = list(files_below(system, folder))
    labels, place = labels_of(files, folder, wish)
    counts = dict(sorted(Counter(labels.values()).items()))
    if len(counts) == 1:
        raise UserError(f"{wish.place} holds texts of one label only: {next(iter(counts))!r}", "FROM", "add another")
    drawn = [files[i] for i in np.random.default_rng(0).permutation(len(files))[:SAMPLE]]
    payloads = pl.Series([system.cat_file(file) for file in drawn], dtype=pl.Binary)
    named = {"payload": payloads, "label": [labels.get(file) for file in drawn], "rejected": [None] * len(drawn)}
    read = as_written(pl.DataFrame(named, schema_overrides={"label": pl.String, "rejected": pl.String}), "text")
    records = read.filter(pl.col("text").str.len_chars() > 0).select("text", "label")
    if records.is_empty():
        raise UserError(f"no file of {wish.place} holds text", "FROM", "give files of text, or a table")
    if len(records) < len(drawn):
        text = "%(empty)s of %(files)s files are empty or hold no text"
        notes.append(words(text, empty=len(drawn) - len(records), files=len(drawn)))
    seen = Seen("files", options, {}, counts, records.filter(pl.col("label").is_not_null()), notes=notes)
    tell_labels(seen, "texts", place)
    seen.slices = slices_of(records["text"], len(files))
    seen.facts = facts_of(records["text"], counts, len(files), wish)
    seen.questions.append(words("what the texts are, and what makes a text one of each label"))
    seen.questions.append(words("did one person write several of them? Then set group in conf/source/files.yaml"))
    return seen


def facts_of(texts: pl.Series, counts: dict[str, int], records: int, wish: Wish) -> dict[str, Any]:
    """Return the facts of the contract."""
    personal = sorted({kind for *_, kind in personal_data(texts.to_frame("a text").with_row_index("id"))})
    reason = words("no personal data was noticed")
    if personal:
        reason = words("%(kinds)s in the texts", kinds=", ".join(map(words, personal)))
    return {
        "input": written("text", texts),
        "labels": label_rows(counts, wish.labels),
        "ignored": [],
        "kind": {"name": "text", "wanted": records, "scope": "in", "note": words("one text")},
        "group": {
            "text": words("none is known"),
            "reason": words("say what must stay in one split: a writer, a conversation"),
        },
        "row_key": None,
        "times": [],
        "privacy": "personal" if personal else "internal",
        "privacy_reason": reason,
    }


def written(column: str, texts: pl.Series) -> dict[str, Any]:
    """Return the input: its column, and a length with as much room again as the longest sampled text takes."""
    longest = int(texts.str.len_chars().max() or 1)  # type: ignore[arg-type]
    length = min(MOST_LETTERS, max(LENGTH, -(-2 * longest // 100) * 100))
    made: dict[str, Any] = {
        "name": "message",
        "type": "text",
        "meaning": column.strip() or words("one text"),
        "shape": None,
    }
    made |= {"fit": None, "features": [], "length": length, "column": None if column == "text" else column}
    reason = words("texts of up to %(longest)s characters seen; a longer one is refused", longest=longest)
    return made | {"length_reason": reason}


def learned(columns: list[Column]) -> tuple[list[Column], list[Column], Column | None]:
    """Return all columns, those that a model learns from, and the text that is the only one of these, if it is.

    Such a text is an input of its own, and may be longer than one among other features. Dates beside it say when it
    came, and not what it says.
    """
    useful = [one for one in columns if one.use == "feature" or (one.written and one.use == "ignored")]
    said = [one for one in useful if one.type != "date"]
    if len(said) != 1 or not said[0].written or (said[0].longest > MOST_LETTERS and said[0].use == "ignored"):
        return columns, [one for one in columns if one.use == "feature"], None
    alone, beside = replace(said[0], use="feature", reason=""), words("a time; the text alone is learned from")
    changed = {one.name: replace(one, use="ignored", reason=beside) for one in useful if one.type == "date"}
    return [(changed | {alone.name: alone}).get(one.name, one) for one in columns], [alone], alone


def take_text(seen: Seen, alone: Column | None, table: Tally) -> None:
    """Make the text that is ``alone`` the input of the contract, where there is one."""
    if alone:
        said = table.sample[alone.name].drop_nulls()
        seen.facts["input"], seen.slices = written(alone.name, said), slices_of(said, table.rows)


def slices_of(texts: pl.Series, records: int) -> list[dict[str, Any]]:
    """Return halves by length, and the scripts that are frequent where there is more than one."""
    middle = int(texts.str.len_chars().median() or 0)  # type: ignore[arg-type]
    ends = {"short": {"below": middle}, "long": {"at_least": middle}} if middle > 1 else {}
    found = [
        {"id": name, "column": "length", **end, "reason": words("half of the texts")} for name, end in ends.items()
    ]
    shares = {name: float(texts.str.contains(of).mean() or 0) for name, of in SCRIPTS.items()}  # type: ignore[arg-type]
    if min(shares.values()) >= SMALLEST and least_of(records, 0.2 * min(shares.values())) >= 20:
        reason = words("texts that are mostly of this script")
        found += [{"id": name, "column": name, "at_least": 0.5, "reason": reason} for name in shares]
    return found
