"""Personal data in text: e-mail addresses, phone numbers, Korean resident registration numbers.

Reads and writes nothing. What was found is named by kind and place, never repeated.
"""

import re
from collections.abc import Callable
from datetime import date

import polars as pl
from stdnum import exceptions
from stdnum.kr import rrn

# Each in the syntax that polars and Python share; the border is a character that cannot continue the number.
EMAIL = r"[A-Za-z0-9._%+'-]+@[A-Za-z0-9](?:[A-Za-z0-9-]*\.)+[A-Za-z]{2,}"
USER_OF_URL = r"://[^/?#\s@]+@"
# Korean mobile numbers in any writing; other Korean and international ones only with separators or a plus.
PHONE = (
    r"(?:\+82[ .-]?|\b0)1[016789][ .-]?\d{3,4}[ .-]?\d{4}\b"
    r"|\b0(?:2|[3-6][1-5]|70)[ .)-]{1,2}\d{3,4}[ .-]\d{4}\b"
    r"|\+\d{1,3}(?:[ .()-]{1,2}\d{1,4}){2,5}\b"
)
RESIDENT = r"\b\d{6}[ -]?[1-8]\d{6}\b"
# Since then the last six digits are drawn by lot, and no check digit holds (Resident Registration Act, 2020).
BY_LOT = date(2020, 10, 1)


def is_resident_number(text: str) -> bool:
    """Say whether 13 digits are a Korean resident or alien registration number: birth date and check digit.

    The check digit of residents is that of ``stdnum.kr.rrn``; that of aliens (seventh digit 5 to 8) is two more.
    """
    digits = re.sub(r"\D", "", text)
    try:
        if rrn.get_birth_date(digits) >= BY_LOT:
            return not text.isdigit()  # bare digits are as well a serial number that begins with a date
    except exceptions.ValidationError:
        return False
    expected = int(rrn.calc_check_digit(digits[:12]))
    return int(digits[12]) in ({expected} if digits[6] in "1234" else {expected, (expected + 2) % 10})


PATTERNS: dict[str, tuple[str, Callable[[str], bool]]] = {
    "e-mail address": (EMAIL, lambda text: True),
    "phone number": (PHONE, lambda text: True),
    "Korean resident number": (RESIDENT, is_resident_number),
}


def kinds_in(text: str) -> list[str]:
    """Name the kinds of personal data in a text; the user of an address such as ``sftp://bob@host`` is none."""
    text = re.sub(USER_OF_URL, "://", text)
    return [kind for kind, (pattern, holds) in PATTERNS.items() if any(map(holds, re.findall(pattern, text)))]


def personal_data(frame: pl.DataFrame) -> list[tuple[str, str, str]]:
    """List (record id, column, kind) of every text column of a batch; numbers and ids are no text."""
    found = []
    anything = "|".join(pattern for pattern, _ in PATTERNS.values())
    for column in (name for name, kind in frame.schema.items() if kind == pl.String and name not in ("id", "shard")):
        suspects = frame[column].drop_nulls().unique()
        suspects = suspects.filter(suspects.str.contains(anything))
        kinds = {text: said for text in suspects if (said := kinds_in(text))}
        if kinds:
            rows = frame.filter(pl.col(column).is_in(list(kinds))).select("id", column)
            found += [(record, column, kind) for record, text in rows.iter_rows() for kind in kinds[text]]
    return found
