"""The cards: every section is there, filled with what the pipeline measured; a person's part is marked."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from fullstack_ml.pages import formats

MODEL_CARD, DATA_CARD = Path("docs/3-model/model-card.md"), Path("docs/2-data/data-card.md")
REQUIREMENTS = Path("docs/1-requirements/requirements.md")
# The sections of the Hugging Face model card, and the questions of a datasheet.
MODEL_SECTIONS = ["Model details", "Uses", "Bias, risks, limitations", "How to start", "Training details", "Evaluation"]
MODEL_SECTIONS += ["Model examination", "Environmental impact", "Technical specification", "Citation", "Contact"]
DATA_SECTIONS = ["Motivation", "Composition", "Collection", "Preprocessing, cleaning, labelling", "Uses"]
DATA_SECTIONS += ["Distribution", "Maintenance"]


@pytest.mark.parametrize(("card", "sections"), [(MODEL_CARD, MODEL_SECTIONS), (DATA_CARD, DATA_SECTIONS)])
def test_a_card_has_its_sections_in_their_order(card: Path, sections: list[str], finished: Path) -> None:
    assert re.findall(r"(?m)^## (.+)$", card.read_text(encoding="utf-8")) == sections


def test_no_page_shows_its_own_template(finished: Path) -> None:
    pages = [MODEL_CARD, DATA_CARD, REQUIREMENTS, *Path("reports").glob("*.html")]
    assert len(pages) >= 5
    for page in pages:
        left = re.findall(r"\{\{|\{%|%\(\w+\)s", page.read_text(encoding="utf-8"))
        assert left == [], page


def test_the_model_card_holds_what_was_measured(finished: Path, product: Any) -> None:
    text = MODEL_CARD.read_text(encoding="utf-8")
    evaluation = json.loads(Path("reports/evaluation.json").read_text(encoding="utf-8"))
    for name, value in evaluation["metrics"].items():
        assert re.search(rf"(?m)^\| {name} \| {re.escape(formats.number(value))} \|", text)
    for part in (*evaluation["novelty"], *evaluation["decisions"], *evaluation["gaps"]):
        assert f"| {part} |" in text
    for part in product.data.slices:
        assert f"| {part.id} |" in text


@pytest.mark.parametrize("card", [MODEL_CARD, DATA_CARD])
def test_what_is_left_is_marked_with_who_writes_it(card: Path, finished: Path) -> None:
    text = card.read_text(encoding="utf-8")
    marks = re.findall(r"to be written\S*(?: by the (?:product owner|data engineer|ML engineer))?", text)
    assert [mark for mark in marks[1:] if " by the " not in mark] == []
    assert not re.search(r"\b(?:None|nan|TODO|undefined)\b", text)


def test_the_requirements_show_the_interval_and_what_decides(finished: Path, product: Any) -> None:
    text = REQUIREMENTS.read_text(encoding="utf-8")
    rows = json.loads(Path("reports/acceptance.json").read_text(encoding="utf-8"))["verdicts"]
    for requirement, row in zip(product.requirements, rows, strict=True):
        line = next(line for line in text.splitlines() if line.startswith(f"| {requirement.id} |"))
        assert ("bound of the interval" in line) == (requirement.decide == "bound")
        assert formats.range_of(row["interval"], row["unit"]) in line


def test_the_page_of_the_client_begins_with_what_becomes_of_a_thousand_records(finished: Path) -> None:
    text = REQUIREMENTS.read_text(encoding="utf-8")
    shares = json.loads(Path("reports/evaluation.json").read_text(encoding="utf-8"))["metrics"]
    many = round(1000 * shares["answered_share"])
    said = f"- Of 1,000 records {many} are answered and {1000 - many} go to a person."
    assert 0 < text.index(said) < text.index("| R1 |")
    assert said[2:] in Path("reports/analysis.html").read_text(encoding="utf-8")
