"""How a text table is written: its encoding, the sign between cells, its header, and what stands above that.

Reads what it is handed; writes nothing. The encoding is that of the whole file, all else that of its beginning.
"""

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

PEEK = 2**18  # bytes and rows of the beginning that tell the form
ROWS = 1000
FEW = 3  # rows below a header that has another length, from which on the header is taken to be none
SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
STATED = re.compile(r"sep=(.)\s*", re.IGNORECASE)  # the line by which Excel is told the separator
DECIMAL = re.compile(r"\s*[-+]?\d+,\d+\s*")
READ = 16 * 2**20  # bytes that are looked at together
# A cell may be a whole text: csv's own limit of 128 KiB would refuse it.
csv.field_size_limit(2**31 - 1)

Opener = Callable[[], Any]  # opens the bytes anew


class BinaryError(ValueError):
    """What is no text."""


@dataclass
class Form:
    """How a text table is written.

    ``skip``: lines above the header that hold nothing. ``other``: how many cells the rows have where these are not as
    many as the header's, else 0. ``spaced``: a blank follows every separator. ``bare``: it has no line but the header.
    """

    encoding: str
    separator: str
    names: list[str]
    rows: list[list[str]] = field(repr=False)  # from the beginning, without the header
    skip: int = 0
    other: int = 0
    spaced: bool = False
    bare: bool = False


def encoding_of(file: Any) -> str:
    """Find the encoding of an open file: by its mark, else the first of UTF-8, CP949 and Windows-1252 that fits.

    Bytes above 127 make valid CP949 in many a Western text too; of Korean text nearly all pairs are in KS X 1001,
    where both bytes are at least 0xA1, and of Western text next to none are.

    Raises:
        BinaryError: if there is a zero byte.
    """
    start = file.read(4)
    for mark, name in MARKS:
        if start.startswith(mark):
            return name
    names = ("utf-8", "cp949", "cp1252")
    decoders = {name: codecs.getincrementaldecoder(name)() for name in names}
    hangul = Counter[bool]()
    block, lines = start, 1
    while block:
        if b"\0" in block:
            line = lines + block[: block.index(b"\0")].count(b"\n")
            raise BinaryError(f"it holds zero bytes, so it is no text (line {line})")
        lines += block.count(b"\n")
        cut = decoders["utf-8"].getstate()[0] if "utf-8" in decoders else b""  # a letter that the last block cut
        for name in list(decoders):
            try:
                text = decoders[name].decode(block if name == "utf-8" else cut + block)
            except UnicodeDecodeError:
                del decoders[name]
                continue
            if name == "utf-8":
                break  # the others are for what is none
            if name == "cp949":
                hangul.update(is_common(letter) for letter in text if letter > "\x7f")
        block = file.read(READ)
    if "utf-8" in decoders and not decoders["utf-8"].getstate()[0]:
        return "utf-8"
    korean = hangul[True] > 0.8 * hangul.total()
    return "cp949" if "cp949" in decoders and korean else "cp1252" if "cp1252" in decoders else "latin-1"


def is_common(letter: str) -> bool:
    """Say whether a letter is in KS X 1001, and Hangul."""
    return "가" <= letter <= "힣" and letter.encode("euc-kr", "ignore") != b""


def form_of(open_bytes: Opener, encoding: str) -> Form:
    """Find separator and header of a text table; the separator is the one at which most rows have as many cells.

    Raises:
        csv.Error: if there is no row.
    """
    with open_bytes() as file:
        text = codecs.getincrementaldecoder(encoding)().decode(file.read(PEEK))
    skip, stated = above(text)
    lines = "".join(islice(io.StringIO(text, newline=""), skip, None))
    if not lines:
        raise csv.Error("it is empty")
    cut = len(text) >= PEEK // 4  # the last row may be half a row
    every = {sign: rows_of(lines, sign, cut) for sign in ([stated] if stated else SEPARATORS)}
    separator = max(every, key=lambda sign: rank(every[sign]))
    names, *rows = every[separator]
    fitting = [row for row in rows if len(row) == len(names)]
    other = 0 if len(fitting) * 2 > len(rows) and len(names) > 1 else width_below(every)
    spaced = len(names) > 1 and all(name.startswith(" ") for name in names[1:])
    return Form(encoding, separator, names, fitting, skip, other, spaced, not (rows or cut))


def ends_open(open_bytes: Opener, encoding: str) -> bool:
    """Tell whether a file whose last cell ends in a line break ends within quotes: no quote is the last of it."""
    end = b""
    with open_bytes() as file:
        while block := file.read(READ):
            end = (end + block)[-64:]
    return not end.decode(encoding, "ignore").rstrip("\r\n").endswith('"')


def above(text: str) -> tuple[int, str]:
    """Count the lines above the header, which are empty or tell Excel the separator; return that too, or ""."""
    stated = ""
    for count, line in enumerate(io.StringIO(text, newline="")):
        told = STATED.fullmatch(line)
        if line.strip() and not (told and not stated):
            return count, stated
        stated = told[1] if told else stated
    return len(text), stated


def rows_of(text: str, separator: str, cut: bool) -> list[list[str]]:
    """Return the first rows of a text that are not empty; without the last, which may be ``cut``."""
    rows = [row for row in islice(csv.reader(io.StringIO(text, newline=""), delimiter=separator), ROWS) if row]
    return rows[:-1] if cut and len(rows) > 1 else rows


def rank(rows: list[list[str]]) -> tuple[float, float, int]:
    """Return how well a separator fits: the share of rows that are as long as the header, and its length."""
    width = len(rows[0])
    alike = sum(len(row) == width for row in rows) / len(rows)
    return alike * (width > 1), alike, width


def width_below(every: dict[str, list[list[str]]]) -> int:
    """Return how many cells nearly all rows have, by one of the separators, where the first has another number; or 0.

    A column of numbers with a decimal comma is one column.
    """
    for separator, (header, *rows) in every.items():
        width, count = Counter(map(len, rows)).most_common(1)[0] if len(rows) >= FEW else (0, 0)
        decimal = separator == "," and all(DECIMAL.fullmatch(",".join(row)) for row in rows)
        if width > 1 and width != len(header) and count >= 0.95 * len(rows) and not decimal:
            return width
    return 0
