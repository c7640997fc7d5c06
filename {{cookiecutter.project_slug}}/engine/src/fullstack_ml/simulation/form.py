"""Fill the form of a round as people outside do: who looks at a record, and writes down what it is.

Reads the zip of ``make export-round``; writes the filled form beside it.
"""

import io
import zipfile
from pathlib import Path

from openpyxl import load_workbook

from fullstack_ml.data.store.index import HALF


def fill_form(packed: Path, truths: dict[str, str]) -> tuple[Path, int]:
    """Write the truth of every record into the form; ``truths`` is by the hash of what was sent.

    Return the form and how many labels it has.
    """
    known = {name[:HALF]: truth for name, truth in truths.items()}
    with zipfile.ZipFile(packed) as archive:
        book = load_workbook(io.BytesIO(archive.read("form.xlsx")))
    sheet = book["form"]
    columns = {cell.value: cell.column for cell in sheet[1]}
    labels = 0
    for row in range(2, sheet.max_row + 1):
        truth = known.get(str(sheet.cell(row, columns["id"]).value)[:HALF])
        sheet.cell(row, columns["label"]).value = truth
        labels += truth is not None
    path = packed.with_name(f"{packed.stem}-filled.xlsx")
    book.save(path)
    return path, labels
