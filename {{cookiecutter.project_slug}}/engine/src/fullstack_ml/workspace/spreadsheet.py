"""Tables that a person opens in a spreadsheet: a cell that came from data is shown there, and never computed.

Takes and returns texts. A spreadsheet runs a cell that begins like a formula, which can read other files and call
programs (https://owasp.org/www-community/attacks/CSV_Injection); behind an apostrophe it is text.
"""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import Any

FORMULA = re.compile(r"\s*[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]")  # the last ones are wide, as Asian keyboards write them
NUMBER = re.compile(r"[+-]?\d+([.,]\d+)?([eE][+-]?\d+)?")


def shown(value: Any) -> Any:
    """Return a cell that a spreadsheet shows as it stands; numbers stay numbers."""
    formula = isinstance(value, str) and FORMULA.match(value) and not NUMBER.fullmatch(value)
    return f"'{value}" if formula else value


def meant(cell: str) -> str:
    """Return the text behind a cell of ``shown`` that came back."""
    return cell[1:] if cell.startswith("'") and FORMULA.match(cell[1:]) else cell


def csv_text(columns: Iterable[str], rows: Iterable[Sequence[Any]]) -> str:
    """Write a table as CSV, for a person."""
    file = io.StringIO(newline="")
    table = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    table.writerow(map(shown, columns))
    table.writerows(map(shown, row) for row in rows)
    return file.getvalue()
