"""The cells of the form for people outside: what may be written there, as a rule that the spreadsheet keeps.

Takes and changes a workbook; reads and writes no file. ``import_labels.py`` judges what comes back once more.
"""

from typing import Any

from openpyxl import Workbook
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE, Cell
from openpyxl.styles import Alignment
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.worksheet import Worksheet

from fullstack_ml.answers import answer_of
from fullstack_ml.answers.words import JOINT
from fullstack_ml.data.label.agreement import CANNOT
from fullstack_ml.pages.words import words
from fullstack_ml.product.types import Product

LIST = "labels"  # a sheet of its own, since a list in a rule must not hold a comma, nor more than 255 characters
LONGEST = 255  # characters of a text beside a cell


def text_cell(cell: Cell, value: Any) -> None:
    """Write a value; text stays text also where it begins with = + - @, here and in what is saved from here."""
    if isinstance(value, str):
        cell.value = ILLEGAL_CHARACTERS_RE.sub(" ", value)
        cell.data_type, cell.number_format, cell.quotePrefix = "s", "@", True
        cell.alignment = Alignment(vertical="top", wrap_text=len(value) > 40)
    else:
        cell.value = value


def how(product: Product) -> str:
    """Say how an answer is written into the form."""
    return {
        "nominal": words("Write one answer of the table below into the column label, or choose it from the list."),
        "sets": words(
            "Write every label of the table below that holds into the column label, with %(sign)s between them, such "
            "as %(example)s.",
            sign=JOINT,
            example=JOINT.join(product.formulation.label_names[:2]),
        ),
        "interval": words(
            "Write the number of the table below into the column label, without its unit; where there is none, the "
            "name below it that says why."
        ),
    }[answer_of(product).SCALE]


def rule_of(product: Product, count: int) -> DataValidation:
    """Return the rule of the cells from B2 on; ``count`` names stand on the sheet of labels."""
    names = f"{LIST}!$A$1:$A${count}"
    # Every name between two signs is looked for in the cell; together they are as long as the cell, or it holds others.
    given = f'SUBSTITUTE(B2,"{JOINT} ","{JOINT}")'
    found = f'ISNUMBER(FIND("{JOINT}"&{names}&"{JOINT}","{JOINT}"&{given}&"{JOINT}"))'
    of_scale: dict[str, dict[str, Any]] = {
        "nominal": {"type": "list", "formula1": names},
        "sets": {"type": "custom", "formula1": f"SUMPRODUCT({found}*(LEN({names})+1))=LEN({given})+1"},
        "interval": {"type": "custom", "formula1": f"OR(ISNUMBER(VALUE(B2)),COUNTIF({names},B2)>0)"},
    }
    rule = DataValidation(**of_scale[answer_of(product).SCALE], allow_blank=True, showErrorMessage=True)
    rule.errorTitle, rule.error = words("Unknown answer"), how(product)[:LONGEST]
    return rule


def offer_answers(book: Workbook, sheet: Worksheet, product: Product, last: int) -> None:
    """Put the names that may be written on a sheet, and the rule on the column label up to row ``last``."""
    asked = answer_of(product).asked(product, CANNOT, words) if product.formulation.label_names else []
    names = [row["name"] for row in asked] or [*product.data.out_of_scope, CANNOT]
    listed = book.create_sheet(LIST)
    for row, name in enumerate(names, 1):
        text_cell(listed.cell(row, 1), name)
    rule = rule_of(product, len(names))
    rule.promptTitle, rule.prompt, rule.showInputMessage = words("Answer"), how(product)[:LONGEST], True
    sheet.add_data_validation(rule)
    rule.add(f"B2:B{last}")
