"""People outside: a round goes out as a zip, a form comes back, and one bad row never stops the others."""

import csv
import io
import json
import os
import sys
import time
import zipfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import openpyxl
import polars as pl
import pytest
from PIL import Image

from fullstack_ml.annotation import cells, export_round, guide_page, import_labels, queue
from fullstack_ml.workspace.errors import UserError

Refused = Callable[..., AbstractContextManager[None]]
CANNOT = "cannot be annotated"
FILE, REJECTED = Path("data/labels/pilot.parquet"), Path("data/rejected")


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Call a command as make does."""

    def call(command: Any, *arguments: str) -> None:
        monkeypatch.setattr(sys, "argv", ["command", *arguments])
        command.main()

    return call


@pytest.fixture
def ids(settings: Callable[..., Any], kept: list[Path]) -> list[str]:
    """The records of a pilot of ten, in the order of the form."""
    queue.run(settings(round="pilot", kind="pilot", items=10))
    return sorted(json.loads(Path("data/rounds/pilot.json").read_text(encoding="utf-8"))["items"])


@pytest.fixture
def form(ids: list[str], run: Callable[..., None]) -> tuple[Path, Any, dict[str, int]]:
    """The form of the zip: where it lies, the workbook, the place of every column by its title."""
    run(export_round, "--round=pilot")
    path = Path("form.xlsx")
    with zipfile.ZipFile("data/exports/pilot.zip") as archive:
        path.write_bytes(archive.read("form.xlsx"))
    book = openpyxl.load_workbook(path)
    return path, book, {str(cell.value): cell.column for cell in book["form"][1]}


def write(path: Path, rows: list[dict[str, Any]]) -> str:
    """Write rows as CSV and return the option that names the file."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return f"--file={path}"


def labels() -> dict[str, str | None]:
    """What people say of every record."""
    return dict(pl.read_parquet(FILE).select("id", "label").iter_rows())


def rejected(name: str) -> list[dict[str, str]]:
    """The rows that were not taken."""
    return list(csv.DictReader(io.StringIO((REJECTED / f"import-{name}.csv").read_text(encoding="utf-8"))))


def test_a_form_with_three_bad_rows_gives_the_good_ones_and_names_the_bad(
    form: tuple[Path, Any, dict[str, int]], ids: list[str], run: Any, product: Any, kept: list[Path], capsys: Any
) -> None:
    path, book, column = form
    sheet, names = book["form"], product.formulation.label_names
    for place in range(10):
        sheet.cell(place + 2, column["label"]).value = names[place % 2]
    sheet.cell(3, column["id"]).value = "0" * 64
    sheet.cell(5, column["label"]).value = f"{names[0]}x"
    sheet.cell(7, column["label"]).value = None
    sheet.cell(9, column["label"]).value = CANNOT
    book.save(path)
    run(import_labels, f"--file={path}", "--by=vendor-1")
    right = {record: names[place % 2] for place, record in enumerate(ids) if place not in (1, 3, 5)}
    assert labels() == right | {ids[7]: None}
    rows = pl.read_parquet(FILE)
    assert set(rows["annotator"]) == {"vendor-1"}
    assert set(rows["guide_version"]) == {"1.0"}
    assert [(row["row"], row["reason"].split(":")[0]) for row in rejected("form")] == [
        ("3", "unknown id"), ("5", f"unknown label '{names[0]}x'"), ("7", "empty"),
    ]  # fmt: skip
    assert names[0] in rejected("form")[1]["reason"]
    assert "3 of 10 rows are not taken, first row 3" in capsys.readouterr().out
    assert kept == [FILE]


def test_the_same_file_again_changes_nothing_and_a_mended_one_takes_the_list_away(
    ids: list[str], run: Any, product: Any, kept: list[Path], capsys: Any
) -> None:
    name, other = product.formulation.label_names[:2]
    given = [{"id": record, "label": name} for record in ids]
    broken = write(Path("back.csv"), [*given[:9], {"id": ids[9], "label": "=1+1"}])
    run(import_labels, broken, "--by=vendor-1")
    assert [row["label"] for row in rejected("back")] == ["'=1+1"]
    before = FILE.read_bytes(), FILE.stat().st_mtime_ns
    run(import_labels, broken, "--by=vendor-1")
    assert (FILE.read_bytes(), FILE.stat().st_mtime_ns) == before
    assert "0 of them new" in capsys.readouterr().out
    run(import_labels, write(Path("back.csv"), [{**given[0], "label": other}, *given[1:]]), "--by=vendor-1")
    assert labels() == dict.fromkeys(ids, name) | {ids[0]: other}
    assert not (REJECTED / "import-back.csv").exists()
    assert len(kept) == 3  # also the second time: the first may have been killed before DVC had the table


def test_of_two_rows_on_a_record_equal_ones_count_once_and_contrary_ones_not_at_all(
    ids: list[str], run: Any, product: Any
) -> None:
    name, other = product.formulation.label_names[:2]
    said = [(ids[0], name), (ids[0], name), (ids[1], name), (ids[1], other), (ids[2], other)]
    run(import_labels, write(Path("twice.csv"), [{"id": i, "label": n} for i, n in said]), "--by=vendor-1")
    assert labels() == {ids[0]: name, ids[2]: other}
    assert [row["reason"] for row in rejected("twice")] == [
        "twice: row 2 counts", *["twice, with different labels: rows 4, 5"] * 2,
    ]  # fmt: skip


def test_an_export_of_label_studio_is_taken_with_its_people_and_times(ids: list[str], run: Any, product: Any) -> None:
    name = product.formulation.label_names[0]

    def annotation(who: Any, label: str, **changed: Any) -> dict[str, Any]:
        chosen = {"from_name": "answer", "to_name": "record", "type": "choices", "value": {"choices": [label]}}
        when = {"updated_at": "2026-01-02T03:04:05.000000Z", "lead_time": 3.5, "was_cancelled": False}
        return {"completed_by": who, "result": [chosen], **when, **changed}

    lee = {"id": 3, "email": "lee@localhost"}
    tasks = [
        {"data": {"id": ids[0]}, "annotations": [annotation(lee, name), annotation(lee, name, was_cancelled=True)]},
        {
            "data": {"image": f"/data/upload/1/abcdef12-0002-{ids[1][:12]}.png"},
            "annotations": [annotation(lee, CANNOT)],
        },
        {"data": {"id": ids[2]}, "annotations": [annotation(lee, name, result=[])]},
        {"data": {"id": ids[3]}, "annotations": []},
    ]
    Path("studio.json").write_text(json.dumps(tasks), encoding="utf-8")
    run(import_labels, "--file=studio.json")
    assert labels() == {ids[0]: name, ids[1]: None}
    (row,) = pl.read_parquet(FILE).filter(pl.col("id") == ids[0]).to_dicts()
    assert (row["annotator"], row["seconds"], row["annotated_at"].isoformat()) == (
        *("lee", 3.5),
        "2026-01-02T03:04:05+00:00",
    )
    assert [(row["row"], row["reason"]) for row in rejected("studio")] == [("3", "empty: no label")]


def test_a_later_label_of_the_same_person_is_not_replaced_by_an_older_file(
    ids: list[str], run: Any, product: Any, capsys: Any
) -> None:
    name, other = product.formulation.label_names[:2]
    old = {"id": ids[0], "label": name, "annotated_at": "2026-01-01 10:00"}
    first = write(Path("first.csv"), [old])
    run(import_labels, first, "--by=vendor-1")
    run(
        import_labels,
        write(Path("second.csv"), [{**old, "label": other, "annotated_at": "2026-01-02T10:00Z"}]),
        "--by=vendor-1",
    )
    capsys.readouterr()
    run(import_labels, first, "--by=vendor-1")
    assert labels() == {ids[0]: other}
    assert "1 are older than another label of the same person" in capsys.readouterr().out


def test_a_correction_counts_also_where_the_clock_of_the_first_form_was_fast(
    ids: list[str], run: Any, product: Any
) -> None:
    name, other = product.formulation.label_names[:2]
    for label, ahead in ((name, 9000), (other, 0)):
        write(path := Path("form.csv"), [{"id": ids[0], "label": label}])
        os.utime(path, (time.time() + ahead,) * 2)
        run(import_labels, f"--file={path}", "--by=vendor-1")
    assert labels() == {ids[0]: other}


def test_a_sheet_before_that_of_the_form_is_named(
    form: tuple[Path, Any, dict[str, int]], run: Any, refused: Refused
) -> None:
    path, book, _ = form
    book.create_sheet("Summary", 0).append(["Total"])
    book.save(path)
    with refused("no column 'id'; it has Total (read as: sheet 'Summary'", "", "first sheet"):
        run(import_labels, f"--file={path}", "--by=vendor-1")


@pytest.mark.parametrize(
    ("file", "by", "told"),
    [
        ("", "x", ("no file is named", "", "FILE=")),
        ("a,b\n1,2\n", "x", ("no column 'id'; it has a, b",)),
        ("id,label\n{id},{name}\n", "", ("does not say who labelled, first in row 2", "back.csv", "BY=<name>")),
        ("id,label\nnothing,{name}\n", "x", ("no row of back.csv", "", "data/rejected/import-back.csv")),
    ],
)
def test_a_file_that_says_nothing_is_refused_and_nothing_is_written(
    file: str, by: str, told: tuple[str, ...], ids: list[str], run: Any, product: Any, refused: Refused
) -> None:
    Path("back.csv").write_text(file.format(id=ids[0], name=product.formulation.label_names[0]), encoding="utf-8")
    with refused(*told):
        run(import_labels, "--file=back.csv" if file else "--file=", f"--by={by}")
    assert not FILE.exists()


def test_the_zip_holds_every_item_and_nothing_that_tells_what_is_right(
    form: tuple[Path, Any, dict[str, int]], ids: list[str], product: Any, truth: dict[str, str]
) -> None:
    _, book, column = form
    rows = list(book["form"].iter_rows(min_row=2, values_only=True))
    assert [row[column["id"] - 1] for row in rows] == ids
    assert [row[column["label"] - 1] for row in rows] == [None] * 10
    said = [*product.formulation.label_names, *product.data.out_of_scope, CANNOT]
    assert [cell.value for cell in book["labels"]["A"]] == said
    (rule,) = book["form"].data_validations.dataValidation
    assert str(rule.sqref) == "B2:B11"
    with zipfile.ZipFile("data/exports/pilot.zip") as archive:
        pictures = [name for name in archive.namelist() if name.startswith("items/")]
        page = archive.read("guide.html").decode()
        held = [name for name in archive.namelist() if not name.startswith("items")]
    assert sorted(held) == ["form.xlsx", "guide.html"]
    assert all(label.definition in page.replace("&#39;", "'") for label in product.formulation.answer.labels)
    if product.formulation.input.type == "image":
        assert [name[11:23] for name in pictures] == [record[:12] for record in ids]
        assert [row[column["file"] - 1] for row in rows] == pictures
        assert len(book["form"]._images) == 10
    else:
        features = [feature.name for feature in product.formulation.input.features]
        assert all(isinstance(row[column[name] - 1], int | float) for row in rows for name in features)


@pytest.mark.task("image-labels")
def test_a_cell_of_several_labels_takes_each_that_is_known_once_and_nothing_else(product: Any) -> None:
    """The rule is computed here as a spreadsheet would: SUMPRODUCT over the names on the sheet of labels."""
    book, sheet = export_round.new_form(["item", "label"])
    cells.offer_answers(book, sheet, product, 9)
    names = [cell.value for cell in book["labels"]["A"]]
    assert names == [*product.formulation.label_names, "none", "crossed", CANNOT]
    (rule,) = sheet.data_validations.dataValidation
    area, given = f"labels!$A$1:$A${len(names)}", 'SUBSTITUTE(B2,"; ",";")'
    found = f'ISNUMBER(FIND(";"&{area}&";",";"&{given}&";"))'
    assert rule.formula1 == f"SUMPRODUCT({found}*(LEN({area})+1))=LEN({given})+1"
    assert len(rule.formula1) < 256, "Excel takes no longer one"
    assert (str(rule.sqref), rule.showErrorMessage, rule.showInputMessage) == ("B2:B9", True, True)
    assert f"{names[0]};{names[1]}" in rule.prompt

    def allowed(cell: str) -> bool:
        cell = cell.replace("; ", ";")
        return sum(len(name) + 1 for name in names if f";{name};" in f";{cell};") == len(cell) + 1

    assert all(map(allowed, [names[0], f"{names[3]};{names[1]}", f"{names[0]}; {names[2]}", *names[-3:]]))
    assert not any(map(allowed, [f"{names[0]}x", f"{names[0]};{names[0]}", f"{names[0]},{names[1]}", "nobody"]))


@pytest.mark.task("tabular-regression")
def test_a_cell_of_a_number_takes_a_number_or_that_there_is_none(product: Any) -> None:
    book, sheet = export_round.new_form(["item", "label"])
    cells.offer_answers(book, sheet, product, 9)
    assert [cell.value for cell in book["labels"]["A"]] == ["incomplete", CANNOT]
    (rule,) = sheet.data_validations.dataValidation
    assert rule.formula1 == "OR(ISNUMBER(VALUE(B2)),COUNTIF(labels!$A$1:$A$2,B2)>0)"
    assert "number" in rule.prompt


@pytest.mark.task("image-labels", "tabular-regression")
def test_a_form_says_of_several_labels_and_of_numbers_too_that_a_record_is_out_of_scope(
    form: tuple[Path, Any, dict[str, int]], ids: list[str], run: Any, product: Any, kept: list[Path]
) -> None:
    path, book, column = form
    (kind,), (answer, *_) = product.data.out_of_scope, product.formulation.label_names or ["77"]
    for place, said in enumerate((kind, answer, f"{kind};{answer}")):
        book["form"].cell(place + 2, column["label"]).value = said
    book.save(path)
    run(import_labels, f"--file={path}", "--by=vendor-1")
    assert labels() == {ids[0]: kind, ids[1]: answer}
    assert [row["label"] for row in rejected("form") if row["label"]] == [f"{kind};{answer}"]


def test_no_text_of_a_form_becomes_a_formula(tmp_path: Path) -> None:
    book, sheet = export_round.new_form(["label"])
    for place, text in enumerate(("=1+1", "+1", "-1", "@a", "\x07bell"), 1):
        cells.text_cell(sheet.cell(place + 1, 1), text)
    book.save(tmp_path / "form.xlsx")
    shown = [row[0] for row in openpyxl.load_workbook(tmp_path / "form.xlsx")["form"].iter_rows(min_row=2)]
    assert [(cell.value, cell.data_type, cell.quotePrefix) for cell in shown] == [
        (text, "s", True) for text in ("=1+1", "+1", "-1", "@a", " bell")
    ]


def test_the_guide_shows_its_pictures_and_decided_cases_but_none_that_is_still_to_be_labelled(
    ids: list[str], settings: Callable[..., Any], run: Any, product: Any, finished: Path
) -> None:
    name, other = product.formulation.label_names[:2]
    queue.run(settings(round="settle", kind="pilot", items=10))
    path = Path("data/rounds/settle.json")
    path.write_text(
        path.read_text(encoding="utf-8").replace('"kind": "pilot"', '"kind": "adjudication"'), encoding="utf-8"
    )
    settled = sorted(json.loads(path.read_text(encoding="utf-8"))["items"])[:2]
    pilot = Path("data/rounds/pilot.json")
    one = json.loads(pilot.read_text(encoding="utf-8"))
    pilot.write_text(json.dumps({**one, "items": one["items"] | dict.fromkeys(settled, "random")}), encoding="utf-8")
    for who, label in (("kim", name), ("lee", other)):
        run(
            import_labels,
            write(Path(f"{who}.csv"), [{"id": i, "label": label} for i in settled]),
            f"--by={who}",
            "--round=pilot",
        )
    run(
        import_labels,
        write(Path("lead.csv"), [{"id": i, "label": name} for i in settled]),
        "--by=lead",
        "--round=settle",
    )
    (case,) = guide_page.hard_cases(product, [settled[1]])
    assert (case["id"], case["said"], case["label"]) == (settled[0], [name, other], name)

    guide = Path("docs/2-data/annotation-guide.md")
    text = guide.read_text(encoding="utf-8")
    Image.new("L", (300, 300)).save(guide.parent / "loop.png")
    guide.write_text(
        f"{text}\n![open loop](loop.png) ![short](record:{ids[0][:8]}) [tool](annotation-tool.md)\n", encoding="utf-8"
    )
    page = guide_page.guide_text(product)
    assert '<img src="data:image/png;base64,' in page
    assert "<small>open loop</small>" in page
    assert page.count('class="shown"') == 2
    assert "version:" not in page
    assert "<a" not in page
    guide.write_text(f"{text}\n![gone](gone.png)\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"gone\.png"):
        guide_page.guide_text(product)
