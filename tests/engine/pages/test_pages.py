"""One way to write a number, one look, and every text in the language of the project."""

import re
from datetime import date
from pathlib import Path

import pytest

from fullstack_ml.pages import formats, render, words
from fullstack_ml.workspace.errors import UserError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a template of each kind, and a catalogue of a second language."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(words, "CATALOGUES", tmp_path / "catalogues")
    words.catalogue.cache_clear()
    (tmp_path / "catalogues").mkdir()
    (tmp_path / "catalogues/xx.yaml").write_text(
        '"%(num)s record is wrong": "%(num)s falsch"\n"%(num)s records are wrong": "%(num)s falsch"\n'
        '"Taken for %(label)s": "%(label)s: verwechselt"\nnot measurable: nicht messbar\n',
        encoding="utf-8",
    )
    (tmp_path / "page.html.j2").write_text(
        '{% extends "base.html.j2" %}{% block body %}<p>{{ _("Taken for %(label)s", label=label) }}</p>'
        "{% trans num=n %}{{ num }} record is wrong{% pluralize %}{{ num }} records are wrong{% endtrans %}"
        " {{ none | number }}{% endblock %}"
    )
    return tmp_path


def page(folder: Path, label: str = "a", n: int = 2) -> str:
    return render.html(folder, "page.html.j2", label=label, n=n)


def test_a_page_is_written_in_english_where_no_language_is_chosen(folder: Path) -> None:
    assert "<p>Taken for a</p>2 records are wrong not measurable" in page(folder)
    assert '<html lang="en">' in page(folder)
    assert "1 record is wrong" in page(folder, n=1)


def test_one_file_brings_another_language(folder: Path) -> None:
    Path("product.yaml").write_text("service: {language: xx}\n")
    assert "<p>a: verwechselt</p>2 falsch nicht messbar" in page(folder)
    assert '<html lang="xx">' in page(folder)
    assert words.words("what the catalogue lacks stays as it is") == "what the catalogue lacks stays as it is"


def test_a_language_without_a_catalogue_is_refused(folder: Path) -> None:
    Path("product.yaml").write_text("service: {language: yy}\n")
    with pytest.raises(UserError, match="no language 'yy'") as caught:
        page(folder)
    assert caught.value.fix == "allowed: en, xx"


def test_a_value_is_no_markup_in_html_and_stays_itself_in_markdown(folder: Path) -> None:
    assert "Taken for &lt;b&gt;" in page(folder, label="<b>")
    (folder / "page.md.j2").write_text('{{ _("Taken for %(label)s", label=label) }}')
    assert render.markdown(folder, "page.md.j2", label="<b>") == "Taken for <b>"


def test_a_page_asks_nothing_of_a_network(folder: Path) -> None:
    assert "default-src 'none'" in page(folder)
    assert "http://" not in page(folder) and "https://" not in page(folder)


def test_what_was_not_measured_is_not_zero(folder: Path) -> None:
    assert (formats.number(None), formats.share(None), formats.measured(None, None)) == ("not measurable",) * 3
    assert (formats.interval(None), formats.between(None), formats.decimal(None)) == ("", "", "-")


def test_numbers_shares_and_intervals_have_one_form(folder: Path) -> None:
    assert (formats.number(0.123456), formats.number(0.123456, 2)) == ("0.1235", "0.12")
    assert (formats.share(0.12345), formats.between([0.1, 0.2])) == ("12.3 %", "10.0 to 20.0")
    assert formats.interval([0.00012345, 12345.678]) == "0.0001234 to 12,346"
    assert formats.measured(0.9, [0.85, 0.95]) == "0.900 (0.850 to 0.950)"
    assert (formats.quantity(0.1264, "min"), formats.quantity(23552.0, "KiB")) == ("0.126 min", "23,552 KiB")
    # What a contract asks for is not rounded.
    assert formats.threshold({"operator": "<=", "threshold": 52.25}, "min") == "≤ 52.25 min"
    assert formats.range_of([0.09319, 0.4392], "min") == "0.0932 to 0.439 min"
    assert (formats.range_of([0.1, 0.2], "share"), formats.range_of(None, "min")) == ("10.0 to 20.0 %", "")


def test_a_bar_in_a_text_stays_in_its_cell() -> None:
    assert formats.cell("one | two\nthree") == "one \\| two three"
    assert formats.row(["a|b", 1]) == "| a\\|b | 1 |"


@pytest.mark.parametrize(("language", "shown"), [("en", "2027-01-05"), ("ko", "2027년 1월 5일")])
def test_a_day_is_written_as_people_of_the_language_do(
    language: str, shown: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("product.yaml").write_text(f"service: {{language: {language}}}", encoding="utf-8")
    assert formats.day(date(2027, 1, 5)) == shown


ENGINE = Path(words.__file__).parents[1]
# A draft is a file that its owners write on, in the language of the project; it is no page.
TEMPLATES = sorted(path for path in ENGINE.rglob("*.j2") if path.relative_to(ENGINE).parts[0] != "draft")


@pytest.mark.parametrize("template", TEMPLATES, ids=[path.name for path in TEMPLATES])
def test_every_text_of_a_template_goes_through_the_words(template: Path) -> None:
    text = re.sub(r"<style>.*?</style>|^```.*?^```", "", template.read_text(encoding="utf-8"), flags=re.S | re.M | re.I)
    text = re.sub(r"\{#.*?#\}|\{% trans.*?endtrans %\}|\{\{.*?\}\}|\{%.*?%\}", "", text, flags=re.S)
    text = re.sub(r"<[^<>]*>|`[^`]*`|&\w+;", "", text)
    assert re.findall(r"[A-Za-z]{2,}.*", text) == []


def test_every_page_has_the_one_look() -> None:
    pages = [path for path in TEMPLATES if path.read_text(encoding="utf-8").startswith('{% extends "base.html.j2" %}')]
    assert {path.name for path in pages} >= {"validation.html.j2", "agreement.html.j2", "analysis.html.j2"}
    assert [path.name for path in TEMPLATES if "<style>" in path.read_text(encoding="utf-8")] == [
        "guide.html.j2",
        "base.html.j2",
    ]
