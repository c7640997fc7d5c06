"""The analysis page: it opens without a network, says what the reports say, and trusts no text."""

import json
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from fullstack_ml.modeling.cards import __main__ as cards
from fullstack_ml.modeling.cards import report
from fullstack_ml.pages import formats

PAGE, ERRORS = Path("reports/analysis.html"), Path("reports/errors.parquet")


@pytest.fixture
def page(finished: Path) -> str:
    """The page of the drawn records."""
    return PAGE.read_text(encoding="utf-8")


def test_the_page_asks_nothing_of_a_network(page: str) -> None:
    # Two links, which a reader may choose: what changed, and the page that says when, from which commit, in which run.
    found = re.findall(r"""(?:src|href)=["']((?!data:|#)[^"']*)""", page)
    assert found == ["changes.html", "../docs/provenance.md"]
    assert re.findall(r"<script|<link|@import|url\(|https?://", page) == []
    assert "default-src 'none'" in page


def test_every_requirement_stands_there_with_its_verdict(page: str, product: Any) -> None:
    rows = json.loads(Path("reports/acceptance.json").read_text(encoding="utf-8"))["verdicts"]
    for row in rows:
        line = next(line for line in page.splitlines() if f"<td>{row['id']}</td>" in line)
        assert f">{row['verdict']}</td>" in line
        assert row["metric"] in line
        assert f">{formats.quantity(row['value'], row['unit'])}<" in line


def test_every_chosen_record_is_shown_as_a_person_sees_it(page: str, product: Any) -> None:
    errors = pl.read_parquet(ERRORS)
    assert len(errors) > 0
    places = errors["error"].count() + errors["suspect"].count()
    assert page.count('<figure class="case first">') == min(3, errors["error"].count()), "at the top"
    assert page.count('<figure class="case">') == places
    assert all(f'title="{record}"' in page for record in errors["id"])
    if product.formulation.input.type == "image":
        assert page.count("data:image/png;base64,") >= places
    else:
        assert all(f.name.replace("_", " ") in page for f in product.formulation.input.features)


def test_every_part_has_its_place(page: str, product: Any) -> None:
    ids = re.findall(r'<h2 id="(\w+)"', page)
    assert re.findall(r'href="#(\w+)"', page) == ids
    for part in ("before</th>", "operating point", "AUROC", *(s.id for s in product.data.slices)):
        assert part in page


@pytest.mark.task("tabular-classification")
def test_long_records_beyond_the_first_six_are_folded(finished: Path) -> None:
    """Thirty values each: on a phone, all of them would stand before everything else."""
    errors = pl.read_parquet(ERRORS).filter(pl.col("error").is_not_null())
    ranks = pl.Series("error", range(9), dtype=errors["error"].dtype)
    none = pl.lit(None, errors["suspect"].dtype)
    pl.concat([errors] * 9)[:9].with_columns(ranks, suspect=none).write_parquet(ERRORS)
    open_part, _, folded = report.analysis(cards.facts()).partition("<details><summary>3 more</summary>")
    assert open_part.count('<figure class="case">') == 6
    assert folded.partition("</details>")[0].count('<figure class="case">') == 3


def test_text_of_the_reports_is_no_markup(finished: Path) -> None:
    known = cards.facts()
    known["evaluation"]["model"] = "<script>alert(1)</script>"
    found = report.analysis(known)
    assert "<script>" not in found
    assert "&lt;script&gt;" in found


def test_without_errors_the_page_says_so(finished: Path) -> None:
    pl.read_parquet(ERRORS)[:0].write_parquet(ERRORS)
    found = report.analysis(cards.facts())
    assert "No prediction on the test split is wrong" in found
    assert "No label of the test split contradicts the model" in found


def test_what_failed_is_explained(finished: Path) -> None:
    known = cards.facts()
    known["acceptance"]["accepted"], known["acceptance"]["failed"] = False, ["R9"]
    known["acceptance"]["verdicts"][0] |= {"verdict": "fail", "note": "collapsed: the model never predicts x"}
    known["training"]["shortcuts"]["source"]["warning"] = "source alone predicts all"
    found = report.analysis(known)
    for part in ("Rejected by R9", "collapsed: the model never predicts x", "source alone predicts all"):
        assert part in found


def test_the_most_confused_pair_comes_first() -> None:
    found = report.confused([[8, 2, 0], [5, 5, 0], [2, 0, 0]], ["a", "b", "c"])
    assert [(pair["right"], pair["predicted"], pair["records"]) for pair in found] == [
        ("b", "a", 5),
        ("c", "a", 2),
        ("a", "b", 2),
    ]
