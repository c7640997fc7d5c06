"""Look at a table: its columns become features, the answer, or are left out with a reason.

Reads the rows that it is handed; writes nothing.
"""

from dataclasses import replace
from typing import Any

import polars as pl

from fullstack_ml.data.validate.personal import personal_data
from fullstack_ml.draft.answer import chosen_answer, counted, number_of, take_number
from fullstack_ml.draft.columns import (
    NAME_OF_ROW,
    VALUES,
    Column,
    group_candidates,
    looked_at,
    time_candidates,
)
from fullstack_ml.draft.leaks import KNOWN, alone, told_by_gap
from fullstack_ml.draft.numbers import far_ends, inside, legal_range, shown
from fullstack_ml.draft.questions import asked
from fullstack_ml.draft.seen import Seen, Wish, label_rows
from fullstack_ml.draft.several import by_name, sets_in, take_several
from fullstack_ml.draft.tally import Tally
from fullstack_ml.draft.texts import learned, take_text
from fullstack_ml.pages.words import words
from fullstack_ml.product.contradictions import TAKEN
from fullstack_ml.product.formulation import LENGTH, LONGEST
from fullstack_ml.workspace.errors import UserError

BY_TIME = "%(column)s looks like a time: with `time: %(name)s` here and `by: time` in conf/split.yaml, test is later"
LEFT_OUT = "left out: %(column)s (%(reason)s)"
SHOWN = 4  # values of a category in the summary
GROUPS = 60  # groups, below which a split by group may leave one of the splits empty


def look(table: Tally, wish: Wish, source: str, options: dict[str, Any], notes: list[str]) -> Seen:
    """Turn what was counted into the facts of a contract.

    Raises:
        UserError: if there is no row, no such answer column, or it has one value or too many.
    """
    if not table.rows:
        raise UserError("the table has no row below its header", wish.place, "give one row per record")
    columns = looked_at(table)
    answer = chosen_answer(columns, wish, table.rows)
    number = number_of(columns, answer)
    groups = [name for name in group_candidates(columns, table.sample) if name != answer]
    times = time_candidates(columns)
    answers = sets_in(table.counts[answer].values) if answer and not number else {}
    counts = by_name(answers) if answers else counted(table, answer, number)
    group, named = chosen_group(groups, table.sample)
    columns = [marked(column, answer, groups, table, bool(number)) for column in columns]
    columns, used, alone = learned([kept_together(column, named) for column in columns])
    check_used(columns, used, wish)
    sample = sample_of(table, used, answer)
    seen = Seen(source, options | {"label": answer, "group": named}, {}, counts, sample, notes=notes)
    seen.time, seen.group, seen.slices = next(iter(times), None), group, slices_of(used, table)
    seen.table = [summary(column, table.rows, answer) for column in columns]
    personal = personal_columns(table.sample)
    seen.facts = {
        "input": {"name": "row", "type": "table", "meaning": words("one row of the table"), "shape": None, "fit": None},
        "labels": label_rows(counts, wish.labels),
        "ignored": [words(LEFT_OUT, column=one.name, reason=one.reason) for one in columns if one.use == "ignored"],
        "kind": {"name": "record", "wanted": table.rows, "scope": "in", "note": words("one row of the table")},
        "group": group_text(groups, named),
        "row_key": next((column.name for column in columns if column.reason == words(NAME_OF_ROW)), None),
        "times": [words(BY_TIME, column=repr(name), name=name) for name in times],
        **privacy_of(personal),
    }
    seen.facts["input"]["features"] = [feature(column, table.rows) for column in used]
    take_text(seen, alone, table)
    take_number(seen, number)
    seen.questions = asked(columns, [] if named else groups, times, personal, answer, wish) + far_ends(used, table)
    take_several(seen, answers)
    return seen


def kept_together(column: Column, group: str | None) -> Column:
    """Leave out the column that is the group."""
    reason = words("it is the group: its rows stay in one split")
    return replace(column, use="ignored", reason=reason) if column.name == group else column


def check_used(columns: list[Column], used: list[Column], wish: Wish) -> None:
    """Raise if no column is left to learn from.

    Raises:
        UserError: with the reason of every column.
    """
    if not used:
        why = "; ".join(f"{column.name}: {column.reason or column.use}" for column in columns)
        raise UserError("no column is left to learn from", wish.place, f"give more columns; here are {why}")


def personal_columns(sample: pl.DataFrame) -> list[tuple[str, str]]:
    """List the columns that hold personal data, and of which kind."""
    texts = sample.rename(lambda name: f"column {name}").with_row_index("id")
    return sorted({(name.removeprefix("column "), kind) for _, name, kind in personal_data(texts)})


def privacy_of(personal: list[tuple[str, str]]) -> dict[str, str]:
    """Return the privacy class, and why, of the columns that hold personal data."""
    found = "; ".join(inside(words(kind), repr(name)) for name, kind in personal)
    reason = found or words("no personal data was noticed")
    return {"privacy": "personal" if personal else "internal", "privacy_reason": reason}


def marked(column: Column, answer: str | None, groups: list[str], table: Tally, number: bool) -> Column:
    """Give a column its use: the answer, a group, one that gives the answer away, or one that a table cannot take."""
    if column.name == answer:
        return replace(column, use="answer", reason="")
    if column.use == "ignored":
        return column
    if column.name in groups:
        return replace(column, use="ignored", reason=words("it may be a group: what must stay in one split"))
    if answer and (share := alone(table.sample, column, answer, number)):
        text = "it alone predicts the answer in %(share)s of rows"
        if number:
            text = "it alone explains %(share)s of the answer"
        said = words(text, share=f"{share:.1%}")
        return replace(column, use="ignored", reason=f"{said}: {words(KNOWN)}")
    if answer and not number and column.missing and (reason := told_by_gap(table.sample, column, answer)):
        return replace(column, use="ignored", reason=reason)
    return column


def field_name(name: str) -> str:
    """Return the name of a feature: that of its column, where the pipeline does not need it for itself."""
    pattern = name == "*" or (name.startswith("^") and name.endswith("$"))
    return f"{name.strip('^$*')} (value)".strip() if pattern or name in TAKEN else name


def feature(column: Column, rows: int) -> dict[str, Any]:
    """Return a feature of the contract and the reason of its guesses."""
    row: dict[str, Any] = {"name": field_name(column.name)}
    row |= {} if row["name"] == column.name else {"column": column.name}
    row |= {} if column.type == "number" else {"type": column.type}
    reasons = [words("say what it means")]
    if column.type in ("number", "whole"):
        low, high, reason = legal_range(column.low, column.high, column.type == "whole")
        row |= {"low": low, "high": high}
        reasons = [reason, words("what lies outside is refused"), words("say its unit and what it means")]
    elif column.type == "category":
        row |= {"values": list(column.values[:VALUES]), "other": "allowed"}
        text = "%(values)s values seen; others may come"
        if len(column.values) > VALUES:
            text = "the %(listed)s most frequent of %(values)s values seen; others may come"
        reasons.insert(0, words(text, listed=VALUES, values=len(column.values)))
    elif column.type == "text":
        row |= {"length": min(LONGEST, max(LENGTH, 2 * column.longest))}
        text = "texts of up to %(longest)s characters seen; the model knows their words"
        reasons.insert(0, words(text, longest=column.longest))
        if column.longest > LONGEST:
            reasons.insert(1, words("the rows of those longer than %(most)s will be rejected", most=LONGEST))
    if column.missing:
        row["missing"] = "allowed"
        reasons.insert(0, words("%(missing)s of %(rows)s are missing", missing=column.missing, rows=rows))
    if column.strange:
        text = "%(values)s values are no numbers, and their rows will be rejected"
        reasons.insert(0, words(text, values=column.strange))
    row["meaning"] = column.name.strip() or "?"
    return {"row": row, "reason": words("; ").join(reasons)}


def chosen_group(groups: list[str], sample: pl.DataFrame) -> tuple[str | None, str | None]:
    """Return the candidate of most values, and once more where these are enough for a split by it."""
    most = max(groups, key=lambda name: sample[name].n_unique(), default=None)
    return most, most if most and sample[most].n_unique() >= GROUPS else None


def group_text(groups: list[str], named: str | None) -> dict[str, str]:
    """Return what the contract says of groups; ``named`` is the one that keeps its rows in one split."""
    if named:
        text = (
            "%(name)s comes back in several rows, which stay in one split: group in conf/source; "
            "set it to null if a row stands for itself"
        )
        return {"text": named, "reason": words(text, name=repr(named))}
    if not groups:
        reason = words("say what must stay in one split: a person, a machine, a day")
        return {"text": words("none is known"), "reason": reason}
    text = "%(names)s comes back in several rows: if that is one person or machine, set group in conf/source"
    reason = words(text, names=", ".join(map(repr, groups)))
    return {"text": words("perhaps %(names)s", names=", ".join(groups)), "reason": reason}


def slices_of(used: list[Column], table: Tally) -> list[dict[str, Any]]:
    """Return parts that are worth watching: the values of a category, or thirds of the number that varies most."""
    for column in used:
        if column.type == "category" and 2 <= len(column.values) <= 3 and not column.missing:
            shares = (
                table.sample[column.name].str.strip_chars().alias("value").value_counts(normalize=True)["proportion"]
            )
            if float(shares.min()) >= 0.15:  # type: ignore[arg-type]
                return [part(f"{field_name(column.name)} {value}", column, equals=value) for value in column.values]
    numbers = [column for column in used if column.type in ("number", "whole") and not column.missing + column.strange]
    for column in sorted(numbers, key=lambda column: -table.sample[column.name].n_unique())[:1]:
        values = table.sample[column.name].cast(pl.Float64, strict=False).drop_nulls()
        low, high = (float(f"{values.quantile(share):.3g}") for share in (1 / 3, 2 / 3))
        if float(values.min()) < low < high <= float(values.max()):  # type: ignore[arg-type]
            name = field_name(column.name)
            return [
                part(f"low {name}", column, below=low),
                part(f"middle {name}", column, at_least=low, below=high),
                part(f"high {name}", column, at_least=high),
            ]
    return []


def part(name: str, column: Column, **ends: Any) -> dict[str, Any]:
    """Return a slice of the contract."""
    reason = words("records by %(column)s", column=column.name.strip())
    return {"id": name, "column": field_name(column.name), **ends, "reason": reason}


def sample_of(table: Tally, used: list[Column], answer: str | None) -> pl.DataFrame:
    """Return the sampled rows that have an answer, in the columns of the source."""
    if answer is None:
        return pl.DataFrame()
    return table.sample.filter(pl.col(answer).is_not_null())


def summary(column: Column, rows: int, answer: str | None) -> tuple[str, ...]:
    """Return a row of the table that is printed."""
    if column.type in ("number", "whole"):
        held = f"{shown(column.low)} to {shown(column.high)}"
    elif column.type == "text":
        held = f"up to {column.longest} characters"
    else:
        held = ", ".join(column.values[:SHOWN]) + (f", … ({len(column.values)})" if len(column.values) > SHOWN else "")
    use = f"left out: {column.reason}" if column.use == "ignored" else column.use
    missing = f"{column.missing / max(rows, 1):.1%}" if column.missing else ""
    return column.name, column.type, missing, held, use
