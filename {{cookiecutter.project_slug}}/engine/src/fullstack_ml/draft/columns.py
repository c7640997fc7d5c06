"""What a column of a table is, and what a first contract does with it.

Reads and writes nothing. A guess is a type, a use and its reason; a person has the last word.
"""

import re
from dataclasses import dataclass, replace

import polars as pl

from fullstack_ml.data.collect.sources.conversion import FALSE, NOTHING, TRUE, as_moment
from fullstack_ml.draft.tally import Count, Tally
from fullstack_ml.pages.words import words
from fullstack_ml.product.formulation import LONGEST

# At the end of a name: "customer" and "customer id" name one, "customer age" and "visits per customer" do not.
NAMED = r"([\s_.-]?(id|no|nr|name|key|code|number|uuid|번호|아이디|이름|명))?$"
GROUP = re.compile(
    r"(?<!per)(?<!per[\s_.-])(patient|person|subject|user|customer|client|writer|speaker|household"
    rf"|환자|고객|회원|사용자|작성자){NAMED}",
    re.I,
)
PLACE = re.compile(rf"(?<!per)(?<!per[\s_.-])(device|machine|site|설비|장비|지점|매장){NAMED}", re.I)
PERSON = re.compile(
    r"^(first|last|sur|full|family|given)?[\s_.-]?name$|e-?mail|phone|birth|(street|home|post)?[\s_.-]?address$|ssn"
    r"|이름|성명|주소|전화|생년월일",
    re.I,
)
KEY = re.compile(r"(^|[\s_.-])(id|no|nr|key|uuid|code|index)$|(?-i:[a-z]Id)$|^unnamed|^$|(번호|아이디|코드)$", re.I)
ANSWERS = (
    "label",
    "target",
    "class",
    "y",
    "answer",
    "outcome",
    "diagnosis",
    "species",
    "분류",
    "라벨",
    "레이블",
    "정답",
)
VALUES = 50  # values of a category that are listed, the most frequent ones
LONG = 40  # characters of a value on average, from which on a text is read and not chosen
ALMOST = 0.95  # share of values that must be numbers or dates for the column to be of them
NAME_OF_ROW = "every row has its own value: a name of the row"
FEWEST_PERSONS, FEWEST_PLACES = 5, 20  # from which on they are groups; a few sites are asked about again, by name
CODES = 10  # values of whole numbers that may stand for labels
FEW, OFTEN = 50, 10  # labels at most, and rows of each on average, where the answer is guessed


@dataclass(frozen=True)
class Column:
    """``type`` is number, whole, flag, category, date, text or constant; ``use`` is feature, answer or ignored."""

    name: str
    type: str
    missing: int
    low: float
    high: float
    values: tuple[str, ...]  # the most frequent first; empty where there are too many
    strange: int  # values that are not of the type
    longest: int = 0  # characters of the longest sampled text
    use: str = "feature"
    reason: str = ""
    written: bool = False  # by people, in several words


def type_of(count: Count, values: dict[str, int], sample: pl.Series, filled: int) -> str:
    """Name the type that fits a column best; ``values`` are the texts of its ``filled`` cells, empty if too many."""
    if filled == 0 or (count.values is not None and len(values) < 2):
        return "constant"
    lower = {value.lower() for value in values}
    if len(lower) == 2 and len(lower & set(TRUE)) == len(lower & set(FALSE)) == 1:
        return "flag"
    texts = sample.drop_nulls()
    coded = texts.str.contains(r"^\s*0\d").mean() or 0  # 007 is a name
    if count.numbers >= ALMOST * filled and float(coded) < 0.01:  # type: ignore[arg-type]
        return "whole" if count.whole else "number"
    moments = texts.to_frame("text").select(as_moment(pl.col("text"), pl.String())).to_series()
    if moments.count() >= ALMOST * len(texts):
        return "date"
    many = count.values is None or len(values) > max(filled // OFTEN, min(VALUES, filled // 2))
    return "text" if many or count.lengths > LONG * filled else "category"


def values_of(count: Count) -> dict[str, int]:
    """Return the values of a column without blanks at their ends and without words for nothing, with their counts."""
    found: dict[str, int] = {}
    for value, times in (count.values or {}).items():
        if (text := value.strip()).lower() not in NOTHING:
            found[text] = found.get(text, 0) + times
    return found


def is_key(column: Column, sample: pl.Series, rows: int) -> bool:
    """Say whether a column gives every row a value of its own, as a name or a running number does."""
    if column.type not in ("whole", "text", "category") or len(sample) < 20:
        return False
    if column.type != "whole" and bool(sample.str.contains(r"\s").any()):
        return False  # sentences differ too, and name nothing
    running = bool(KEY.search(column.name)) or column.high - column.low + 1 == rows
    return column.missing == 0 and sample.n_unique() == len(sample) and (column.type != "whole" or running)


def looked_at(table: Tally) -> list[Column]:
    """Describe every column; those that no model should see are ignored with a reason."""
    found = []
    for name, count in table.counts.items():
        sample, values = table.sample[name], values_of(count)
        missing = count.missing + count.words
        if count.values is not None and not count.numbers:
            missing = table.rows - sum(values.values())
        kind = type_of(count, values, sample, table.rows - missing)
        strange = table.rows - missing - count.numbers if kind in ("number", "whole") else 0
        ordered = tuple(sorted(values, key=lambda value: (-values[value], value)))
        longest = int(sample.str.len_chars().max() or 0) if kind == "text" else 0  # type: ignore[arg-type]
        prose = kind == "text" and sentences(sample)
        column = Column(name, kind, missing, count.low, count.high, ordered, strange, longest, written=prose)
        found.append(judged(column, sample, table.rows))
    return found


def sentences(sample: pl.Series) -> bool:
    """Say whether most texts are of several words, which people write, and not names or codes."""
    return bool((sample.drop_nulls().str.contains(r"\S\s+\S").mean() or 0) > 0.5)  # type: ignore[operator]


def longer(sample: pl.Series) -> float:
    """Return the share of texts that are longer than a text among other features may be."""
    return float((sample.str.len_chars() > LONGEST).mean() or 0)  # type: ignore[arg-type]


def names_much(column: Column, rows: int) -> bool:
    """Say whether a column names things, as ``order_id`` does; a few that come often, as 5 shops do, may be known."""
    few = column.type == "category" and len(column.values) < min(FEWEST_PLACES, rows / OFTEN)
    return bool(KEY.search(column.name)) and column.type in ("whole", "text", "category") and not few


def judged(column: Column, sample: pl.Series, rows: int) -> Column:
    """Leave out what cannot be a feature, and say why."""
    reason = None
    if column.type == "constant":
        reason = "it is empty" if column.missing == rows else "it has one value only"
    elif is_key(column, sample, rows):
        reason = NAME_OF_ROW
    elif names_much(column, rows):
        reason = "its name says that it names something; a model would learn the names"
    elif column.type == "text" and not sentences(sample):
        reason = "too many different values"
    elif column.type == "text" and longer(sample) > 1 - ALMOST:
        reason = "texts of up to %(longest)s characters; a short text has at most %(most)s"
    elif column.missing > 0.95 * rows:
        reason = "%(missing)s of %(rows)s values are missing"
    if not reason:
        return column
    said = words(reason, longest=column.longest, most=LONGEST, missing=column.missing, rows=rows)
    return replace(column, use="ignored", reason=said)


def is_number(column: Column) -> bool:
    """Say whether an answer is a number that is measured or counted, and not one of a few codes for labels."""
    return column.type in ("number", "whole") and not 0 < len(column.values) <= CODES


def guess_answer(columns: list[Column], rows: int) -> str | None:
    """Return the column that looks like the answer: by its name, or the last one with few values, each of many rows.

    A number of many values is one only by its name.
    """
    few = [c for c in columns if c.type != "constant" and 2 <= len(c.values) <= min(FEW, rows // OFTEN)]
    for word in ANSWERS:
        for column in few:
            if column.name.strip().lower() == word:
                return column.name
        for column in columns:
            if column.name.strip().lower() == word and is_number(column):
                return column.name
    named = [column for column in few if column.type in ("flag", "category")]
    whole = [column for column in few if column.type == "whole" and column.use == "feature"]
    codes = [column for column in whole if len(column.values) <= CODES]
    ends = named if named and few[-1] not in codes else codes or named
    return ends[-1].name if ends else None


def group_candidates(columns: list[Column], sample: pl.DataFrame) -> list[str]:
    """Name the columns whose value comes back in several rows of what may be one person or machine."""
    found = []
    for column in columns:
        distinct = sample[column.name].drop_nulls().n_unique()
        person, place = GROUP.search(column.name), PLACE.search(column.name)
        repeated = (FEWEST_PERSONS if person else FEWEST_PLACES) <= distinct <= 0.7 * len(sample)
        named = person or place or re.search(r"(^|[\s_.-])id$|Id$", column.name)
        if named and repeated and not column.written and column.type in ("whole", "text", "category"):
            found.append(column.name)
    return found


def time_candidates(columns: list[Column]) -> list[str]:
    """Name the columns of dates."""
    return [column.name for column in columns if column.type == "date"]
