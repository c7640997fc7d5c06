"""Give a round to people outside: one zip with the items, the guide as a page, and a form for a spreadsheet.

Reads ``data/rounds/<name>.json``, ``product.yaml``, the guide and ``data/raw``; writes ``data/exports/<name>.zip``.
Nothing in it tells why an item was chosen, what is right, or what others or the model say of it. Labels come back by
``make import``. Run: ``make export-round`` (the newest round) or ``make export-round ROUND=pilot``.
"""

import argparse
import base64
import io
import zipfile
from collections.abc import Iterator
from typing import Any

import polars as pl
from openpyxl import Workbook
from openpyxl.drawing.image import Image as Drawing
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet
from PIL import Image

from fullstack_ml.annotation.cells import how, offer_answers, text_cell
from fullstack_ml.annotation.guide_page import guide_text, hard_cases
from fullstack_ml.annotation.interface import TEMPLATES
from fullstack_ml.answers import answer_of
from fullstack_ml.data.label.agreement import CANNOT
from fullstack_ml.data.label.rounds import Round, check_collected, named
from fullstack_ml.inputs import input_of
from fullstack_ml.pages.render import html
from fullstack_ml.pages.words import words
from fullstack_ml.pipeline.tables import raw_records
from fullstack_ml.product.contract import load
from fullstack_ml.product.guide import guide_version
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.errors import guard
from fullstack_ml.workspace.files import replacing
from fullstack_ml.workspace.paths import EXPORTS

PICTURE = "data:image/"
THUMBNAIL = 120  # pixels of a picture in the form
POINTS = 0.75  # of a pixel, in which spreadsheets measure rows
READ_AT_ONCE = 200


def items(one: Round) -> Iterator[dict[str, Any]]:
    """Yield the records of a round in the order of their ids, which are hashes and tell nothing.

    Raises:
        UserError: if one is not in ``data/raw`` any more.
    """
    ids = sorted(one.items)
    for start in range(0, len(ids), READ_AT_ONCE):
        part = ids[start : start + READ_AT_ONCE]
        found = raw_records(part)
        check_collected(one, sorted(set(part) - set(found["id"])))
        yield from found.iter_rows(named=True)


def decoded(uri: str) -> tuple[str, bytes]:
    """Return ending and bytes of a picture's data URI."""
    head, _, content = uri.partition(",")
    return head.removeprefix(PICTURE).partition(";")[0].replace("jpeg", "jpg"), base64.b64decode(content)


def place_thumbnail(sheet: Worksheet, row: int, column: int, content: bytes) -> None:
    """Put a small copy of a picture into a cell."""
    with Image.open(io.BytesIO(content)) as image:
        image.thumbnail((THUMBNAIL, THUMBNAIL))
        buffer = io.BytesIO()
        image.save(buffer, format="PNG")
    sheet.add_image(Drawing(buffer), f"{get_column_letter(column)}{row}")
    sheet.row_dimensions[row].height = POINTS * (THUMBNAIL + 8)


def new_form(columns: list[str]) -> tuple[Workbook, Worksheet]:
    """Return a spreadsheet with a row of titles that stays in sight."""
    book = Workbook()
    sheet: Any = book.active
    sheet.title, sheet.freeze_panes = "form", "D2"
    for place, name in enumerate(columns, 1):
        text_cell(sheet.cell(1, place), name)
        sheet.cell(1, place).font = Font(bold=True)
        width = {"item": 6, "label": 24, "note": 24, "picture": 18, "id": 14, "file": 14}.get(name, 16)
        sheet.column_dimensions[get_column_letter(place)].width = width
    return book, sheet


def fill_form(one: Round, product: Product, archive: zipfile.ZipFile) -> tuple[Workbook, list[str]]:
    """Write the pictures of the items into ``archive``; return the form, and the items that are no pictures as HTML."""
    shown = input_of(product)
    payload = [name for name, kind in shown.columns(product).items() if kind != pl.Binary]
    names = ["item", "label", "note", *(payload or ["picture"]), "id", "file", "round", "guide_version"]
    taken = {"item", "label", "note", "id", "file", "round", "guide_version"}
    titles = [f"{name} (given)" if name in taken and name in payload else name for name in names]
    book, sheet = new_form(titles)
    cards = []
    for number, record in enumerate(items(one), 1):
        row, file = number + 1, ""
        for value in shown.fields(record, product).values():
            if value.startswith(PICTURE):
                ending, content = decoded(value)
                file = f"items/{number:04}-{record['id'][:12]}.{ending}"
                archive.writestr(file, content)
                place_thumbnail(sheet, row, names.index("picture") + 1, content)
            else:
                cards.append(value)
        given = [number, "", "", *([record[name] for name in payload] or [None])]
        # A spreadsheet would make 1.1 of the version 1.10, which the v prevents.
        for place, value in enumerate([*given, record["id"], file, one.name, f"v{guide_version()}"], 1):
            text_cell(sheet.cell(row, place), value)
    offer_answers(book, sheet, product, len(one.items) + 1)
    return book, cards


def pack(one: Round, product: Product) -> int:
    """Write the zip of a round, all of it or nothing; return its size in bytes."""
    facts = {"product": product, "one": one, "guide_version": guide_version(), "layout": input_of(product).LAYOUT}
    asked = answer_of(product).asked(product, CANNOT, words)
    path = EXPORTS / f"{one.name}.zip"
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        cases, text = hard_cases(product, one.items), guide_text(product)
        page = html(
            TEMPLATES, "guide.html.j2", **facts, asked=asked, how=how(product), cannot=CANNOT, cases=cases, text=text
        )
        archive.writestr("guide.html", page)
        book, cards = fill_form(one, product, archive)
        if cards:
            archive.writestr("items.html", html(TEMPLATES, "items.html.j2", **facts, cards=cards))
        form = io.BytesIO()
        book.save(form)
        archive.writestr("form.xlsx", form.getvalue())
    return path.stat().st_size


def main() -> None:
    """Pack the round and say what to do with it."""
    parser = argparse.ArgumentParser(description="Pack a round for people outside.")
    parser.add_argument("--round", default="")
    one, product = named(parser.parse_args().round or None), load()
    size = pack(one, product)
    path = EXPORTS / f"{one.name}.zip"
    print(f"export-round: {len(one.items)} items of round {one.name} in {path} ({size / 2**20:.1f} MiB)")
    print(f"  it holds data of privacy class {product.data.privacy!r}: send it only to whom the contract allows")
    print("next: when the form comes back, make import FILE=<form> BY=<a name for who filled it in>")


if __name__ == "__main__":
    guard(main)
