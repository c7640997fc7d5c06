"""The cards: every section is there, filled with what the pipeline measured; a person's part is marked."""

import json
import re
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from fullstack_ml.answers import answer_of
from fullstack_ml.modeling.cards import __main__ as cards
from fullstack_ml.modeling.cards import cautions
from fullstack_ml.pages import formats
from fullstack_ml.product.contract import load
from fullstack_ml.product.metrics import metrics_of, unit_of
from fullstack_ml.product.questions import open_questions

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
    units = {name: unit_of(metric, product) for name, metric in metrics_of(product).items()}
    for name, value in evaluation["metrics"].items():
        assert re.search(rf"(?m)^\| {name} \| {re.escape(formats.quantity(value, units[name]))}(: [a-z ]+)? \|", text)
    for part in (*evaluation["novelty"], *evaluation["decisions"], *evaluation["gaps"]):
        assert f"| {part} |" in text
    for part in product.data.slices:
        assert f"| {part.id} |" in text


def test_a_question_that_no_pipeline_can_answer_is_open_with_its_owner_until_product_yaml_does(
    finished: Path, product: Any, config: Any
) -> None:
    text = DATA_CARD.read_text(encoding="utf-8") + MODEL_CARD.read_text(encoding="utf-8")
    asked = re.findall(r"\*open: `cards\.(\w+)` of `product\.yaml`, ([\w ]+)\*", text)
    assert {f"cards.{key}": owner for key, owner in asked} == open_questions(product)
    assert f"Which attribution is required? {product.cards.attribution}" in text
    assert not re.search(r"\b(?:None|nan|TODO|undefined)\b", text)
    contract = Path("product.yaml")
    answered = contract.read_text(encoding="utf-8").replace("\ncards: ", "\ncards:\n  contact: desk 4, room 12\n#")
    contract.write_text(answered, encoding="utf-8")
    cards.run(config)
    assert "\n## Contact\n\ndesk 4, room 12\n" in MODEL_CARD.read_text(encoding="utf-8")


def test_the_model_card_begins_with_what_the_hub_reads(finished: Path) -> None:
    head = yaml.safe_load(MODEL_CARD.read_text(encoding="utf-8").split("---\n")[1])
    assert (head["license"], head["library_name"]) == ("other", "onnx")  # names that the Hugging Face hub knows
    assert "calibrated" in head["tags"]


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


def test_what_is_given_back_is_told_on_every_page_that_tells_the_promise(finished: Path, product: Any) -> None:
    evaluation = json.loads(Path("reports/evaluation.json").read_text(encoding="utf-8"))
    value = evaluation["metrics"]["abstained_coverage"]
    back = evaluation["records"] - evaluation["decisions"]["accept"]
    assert back and value is not None, "the rule of the samples gives some records back"
    for page in (MODEL_CARD, REQUIREMENTS, Path("reports/analysis.html")):
        text = page.read_text(encoding="utf-8")
        assert re.search(rf"[Oo]f the {back} records given back in the test", text), page
        assert formats.share(value) in text, page
    if "candidates" in evaluation:
        assert sum(evaluation["candidates"]["given_back"]) == back
    (row,) = (line for line in REQUIREMENTS.read_text(encoding="utf-8").splitlines() if "| may abstain |" in line)
    assert "over all records, answered or not" in row


def test_what_holds_the_figures_back_stands_on_every_page_that_shows_them(finished: Path, product: Any) -> None:
    validation = json.loads(Path("reports/validation.json").read_text(encoding="utf-8"))
    leakage = json.loads(Path("reports/leakage.json").read_text(encoding="utf-8"))
    said = cautions.on_data(product, validation, leakage)
    assert validation["without_group"] == validation["metrics"]["records"], "the drawn records have no group"
    assert len(said) == 1 + bool(leakage["near_duplicates"])
    for page in (MODEL_CARD, DATA_CARD, REQUIREMENTS):
        text = page.read_text(encoding="utf-8")
        assert all(formats.cell(sentence) in text for sentence in said), page
    for name in ("analysis", "validation"):
        assert "records have no group" in Path(f"reports/{name}.html").read_text(encoding="utf-8")


def test_the_example_of_the_model_card_runs(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", MODEL_CARD.read_text(encoding="utf-8"), re.DOTALL)
    exec(compile(code + "print(len(novelty))\n", "model-card", "exec"), {})
    assert capsys.readouterr().out == "1\n"


def test_the_client_reads_on_how_many_records_and_what_no_model_reaches(finished: Path, product: Any) -> None:
    evaluation = json.loads(Path("reports/evaluation.json").read_text(encoding="utf-8"))
    text = REQUIREMENTS.read_text(encoding="utf-8")
    assert f"Measured on {evaluation['records']} test records" in text
    main = answer_of(product).MAIN
    (row,) = (line for line in text.splitlines() if line.startswith("| baseline without a model"))
    assert f"; measured: {main} " in row


def test_the_data_card_says_what_is_missing(finished: Path, product: Any) -> None:
    validation = json.loads(Path("reports/validation.json").read_text(encoding="utf-8"))
    kinds = [kind.name for kind in product.data.kinds if not validation["kinds"][kind.name]["found"]]
    text = DATA_CARD.read_text(encoding="utf-8")
    (asked,) = (line for line in text.splitlines() if line.startswith("- Is anything missing"))
    assert ("No records of these kinds were collected" in asked) == bool(kinds)
    assert all(name in asked for name in kinds)


@pytest.mark.task("image-classification")
def test_what_is_drawn_is_judged_by_the_rule_of_the_product(finished: Path) -> None:
    evaluation = json.loads(Path("reports/evaluation.json").read_text(encoding="utf-8"))
    assert set(evaluation["drawn"]) == {"letters", "signs", "pairs"}
    for rows in (evaluation["drawn"], evaluation["novelty"]):
        assert all(0 <= row["flagged"] + row["answered"] <= 1 for row in rows.values())
    worst = max(row["answered"] for row in evaluation["drawn"].values())
    assert evaluation["metrics"]["unknown_answered"] == worst, "of the kind that is answered most"
    row = evaluation["drawn"]["letters"]
    cells = f"| letters: out of scope, generated | {row['records']} | {formats.share(row['flagged'])} |"
    assert cells in MODEL_CARD.read_text(encoding="utf-8")
    assert "letters: out of scope, generated</td>" in Path("reports/analysis.html").read_text(encoding="utf-8")


def test_the_client_reads_how_it_is_served_and_what_is_open_with_its_owner(
    finished: Path, product: Any, config: Any
) -> None:
    text = REQUIREMENTS.read_text(encoding="utf-8")
    for answer in (product.service.functions, product.service.serving.device, product.service.online_target):
        assert f"| {answer} |" in text
    assert "*open: " not in text, "the samples answer all of it"
    start = date.fromisoformat(product.schedule["start"])
    assert f"- start: {start}" in text
    assert f"- first accepted model with these labels: week 4 ({start + timedelta(weeks=4, days=-1)})" in text
    assert f"| release | {product.roles['release'].decides} | {product.roles['release'].does} |" in text
    contract = yaml.safe_load(Path("product.yaml").read_text(encoding="utf-8"))
    for key in ("functions", "serving", "online_target", "outsourcing"):
        del contract["service"][key]
    del contract["schedule"]["start"], contract["roles"]["release"]
    Path("product.yaml").write_text(yaml.safe_dump(contract), encoding="utf-8")
    cards.run(config)
    text = REQUIREMENTS.read_text(encoding="utf-8")
    asked = dict(re.findall(r"\*open: `([\w.]+)` of `product\.yaml`, ([\w ]+)\*", text))
    assert asked["service.serving.device"] == "platform engineer"
    wanted = {key for key in open_questions(load()) if not key.startswith("cards.")}
    assert len(wanted) == 8
    assert set(asked) == wanted


def test_the_client_reads_that_a_contract_is_a_draft(finished: Path, config: Any) -> None:
    assert "This is a draft" not in REQUIREMENTS.read_text(encoding="utf-8")
    contract = Path("product.yaml")
    contract.write_text(contract.read_text(encoding="utf-8") + "# draft: say who\n# draft: say why\n", encoding="utf-8")
    cards.run(config)
    assert "**This is a draft**: 2 lines of `product.yaml`" in REQUIREMENTS.read_text(encoding="utf-8")


def test_the_client_reads_what_is_watched_with_the_number_that_raises_an_alarm(finished: Path, product: Any) -> None:
    text = REQUIREMENTS.read_text(encoding="utf-8")
    row = next(row for row in product.monitoring.watch if row.metric == "estimated_accuracy")
    limit = formats.quantity(row.threshold, "share")
    assert f"| {row.id} | estimated_accuracy | below {limit} | {row.owner} | {row.follows} | no |" in text
    assert all(f"| {one.id} | {one.metric}" in text for one in product.monitoring.watch)
    assert f"by `make rollback`: {product.roles['operation'].decides}; in an incident" in text


def test_a_project_without_monitoring_does_not_say_that_it_watches(
    finished: Path, config: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cards, "find_spec", lambda name: None)  # as after make remove PART=monitoring
    cards.run(config)
    text = REQUIREMENTS.read_text(encoding="utf-8")
    assert "## 4. Test method" in text
    assert "make monitor" not in text
    assert "make rollback" not in text
