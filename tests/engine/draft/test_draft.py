"""A first contract from files as people have them: it passes the loader, and asks for what can be reached."""

import json
import re
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml
from PIL import Image
from sklearn.metrics import f1_score

from fullstack_ml.draft import tally as counting
from fullstack_ml.draft import trial
from fullstack_ml.draft.columns import KEY, looked_at
from fullstack_ml.draft.requirements import Size, abstaining, needed_records
from fullstack_ml.pipeline import compose
from fullstack_ml.product.types import Product

Refused = Callable[..., AbstractContextManager[None]]
Draft = Callable[..., Product]
table = pytest.mark.task("tabular-classification")
image = pytest.mark.task("image-classification")


def patients(rows: int = 600, answer: str = "left (Y/N)") -> pl.DataFrame:
    """Draw a table whose answer follows from two of its numbers, in nine of ten rows."""
    random = np.random.default_rng(1)
    age, weight = random.integers(18, 90, rows), random.normal(70, 12, rows)
    right = (age + weight > 125) ^ (random.random(rows) < 0.1)
    return pl.DataFrame(
        {
            "nr": np.arange(rows),
            "age": age,
            "weight kg": weight.round(1),
            "temperature": random.normal(-3, 2, rows).round(2),
            "constant": ["a"] * rows,
            "plate": [f"KA{i * 7919 % 389}" for i in range(rows)],
            "note": [f"said something of length {i * 7919 % rows} and of many words" for i in range(rows)],
            answer: np.where(right, "예 (yes)", "no"),
        }
    )


def draw_pictures(folder: Path, count: int = 60, labels: tuple[str, ...] = ("고양이 & cat", "dog")) -> None:
    """Write grey pictures that differ by label, and a file that is none."""
    random = np.random.default_rng(0)
    for i, label in enumerate(labels):
        (folder / label).mkdir(parents=True)
        for n in range(count):
            values = random.normal(90 + 80 * i, 30, (20, 12))
            Image.fromarray(np.clip(values, 0, 255).astype(np.uint8)).save(folder / label / f"{n}.png")
    (folder / labels[0] / "broken.png").write_text("no picture", encoding="utf-8")


def threshold(product: Product, metric: str) -> float:
    """Return the threshold of the requirement on a metric."""
    return next(row.threshold for row in product.requirements if row.metric == metric)


@table
def test_a_table_becomes_a_contract_with_reachable_thresholds(
    made: Draft, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    patients().write_csv("people.csv")
    product = made(FROM="people.csv", ANSWER="left (Y/N)")
    features = {feature.name: feature for feature in product.formulation.input.features}
    assert list(features) == ["age", "weight kg", "temperature", "note"]
    assert (features["note"].type, features["note"].length) == ("text", 300)
    assert features["age"].low == 0, "no age is below 0"
    assert features["temperature"].bounds[0] < -10, "a temperature is"
    assert features["age"].bounds[1] > 89
    assert product.formulation.label_names == ["no", "예 (yes)"]
    assert re.match(r"\d+ of 600 records", product.formulation.answer.labels[0].definition)
    share = float((patients()["left (Y/N)"] == "no").mean() or 0)  # type: ignore[arg-type]
    assert share < threshold(product, "accuracy") < 0.9, "between the majority and what can be reached"
    assert product.monitoring is not None
    watched = {row.metric: row.threshold for row in product.monitoring.watch}
    assert watched["drawn_accuracy"] == threshold(product, "accuracy"), "in use as before the release"
    assert watched["answered_share"] == threshold(product, "answered_share"), "people read what comes back"
    assert [row.id for row in product.monitoring.watch] == [f"M{i}" for i in range(1, len(watched) + 1)]
    text = Path("product.yaml").read_text(encoding="utf-8")
    assert len(re.findall("# draft: ", text)) > 20
    assert "left out: nr (every row has its own value" in text
    assert "left out: constant (it has one value only)" in text
    assert "left out: plate (too many different values)" in text
    composed = compose.resolve([])
    assert composed.source.name == "files"
    assert composed.source.options.path == "people.csv"
    assert composed.source.options.label == "left (Y/N)"
    assert composed.model.name == "boosted"
    told = capsys.readouterr().out
    assert re.search(r"weight kg +number +\S+ to \S+ +feature", told)
    assert re.search(r"\n  1\. ", told)


@table
@pytest.mark.parametrize(("rows", "rare", "folds"), [(499, 60, 5), (500, 60, 0), (499, 4, 0), (39, 15, 0)])
def test_few_records_are_tested_in_folds(rows: int, rare: int, folds: int, made: Draft, project: Path) -> None:
    """And the thresholds follow: the room of a share of 499 tested records is half that of their fifth."""
    answer = np.where(np.arange(rows) < rare, "rare", "usual")
    amount = np.random.default_rng(0).normal(0, 1, rows) + 4 * (answer == "rare")
    pl.DataFrame({"amount": amount, "answer": answer}).write_csv("few.csv")
    made(FROM="few.csv", ANSWER="answer")
    assert compose.resolve([]).split.folds == folds


@table
def test_a_draft_leaves_the_folds_of_a_frozen_split(made: Draft, project: Path) -> None:
    patients(300).drop("plate").write_csv("people.csv")
    manifest = Path("data/raw/manifest.json")
    manifest.parent.mkdir(parents=True)
    manifest.write_text(json.dumps({"shards": [{"sources": ["people.csv"]}]}), encoding="utf-8")
    made(FROM="people.csv", ANSWER="left (Y/N)")
    assert compose.resolve([]).split.folds == 0


@table
def test_where_a_label_is_rare_finding_it_is_asked_for(
    made: Draft, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    random, rare = np.random.default_rng(0), np.arange(2000) % 50 == 0
    frame = pl.DataFrame({"amount": random.normal(0, 1, 2000) + 4 * rare, "fraud": rare.astype(int)})
    frame.write_csv("cards.csv")
    product = made(FROM="cards.csv", ANSWER="fraud")
    metrics = {row.metric for row in product.requirements}
    assert "accuracy" not in metrics, "never finding one is right in 98 of 100"
    assert "margin_over_baseline" not in metrics
    alone = f1_score(rare, np.zeros(2000), average="macro", zero_division=0)
    assert alone + 0.1 < threshold(product, "macro_f1") < 1
    assert "weights: none in conf/model" in capsys.readouterr().out


@table
@pytest.mark.parametrize(("apart", "chosen"), [(4.0, "none"), (1.5, "balanced")], ids=["clear", "hidden"])
def test_labels_weigh_alike_where_that_finds_more_of_the_rare_ones(
    apart: float, chosen: str, made: Draft, project: Path
) -> None:
    """Macro F1 of such trees, by scikit-learn alone: 0.955 and 0.811 balanced; 0.495 and 0.527 where they overlap."""
    random, rare = np.random.default_rng(0), np.arange(2000) % 50 == 0
    frame = pl.DataFrame({"amount": random.normal(0, 1, 2000) + apart * rare, "fraud": rare.astype(int)})
    frame.write_csv("cards.csv")
    made(FROM="cards.csv", ANSWER="fraud")
    assert f"\nweights: {chosen} " in Path("conf/model/boosted.yaml").read_text()


@table
def test_the_rule_to_abstain_is_possible_at_the_size(made: Draft, project: Path) -> None:
    patients(600).write_csv("people.csv")
    abstain = made(FROM="people.csv", ANSWER="left (Y/N)").formulation.abstain
    assert abstain is not None
    assert abstain.coverage == 0.95, "600 records leave about 60 for calibration, 40 with bad luck; it needs 19"
    assert abstain.false_alarms == 0.05, "0.02 needs 49"
    patients(39).write_csv("people.csv")
    small = made(FROM="people.csv", ANSWER="left (Y/N)")
    assert small.formulation.abstain is None, "4 calibration records are fewer than 9"
    assert not {row.metric for row in small.requirements} & {"set_coverage", "answered_share"}
    assert "no abstain: of 39 labelled records" in Path("product.yaml").read_text(encoding="utf-8")


def test_the_calibration_records_of_the_rule_come_with_its_size() -> None:
    assert abstaining(Size({"a": 5000, "b": 5000}, 0.2, 0.1))[0] == {"coverage": 0.95, "false_alarms": 0.02}
    assert 490 < needed_records(49, 0.1) < 900


@table
def test_a_model_that_cannot_learn_is_not_asked_less_than_the_majority(made: Draft, project: Path) -> None:
    random = np.random.default_rng(0)
    frame = pl.DataFrame({"a": random.normal(size=500), "y": random.choice(["p", "q"], 500, p=[0.7, 0.3])})
    frame.write_csv("noise.csv")
    product = made(FROM="noise.csv")
    assert threshold(product, "accuracy") > 0.7 - 0.05
    assert threshold(product, "margin_over_baseline") > 0
    assert threshold(product, "answered_share") >= 0.1, "a model that hardly ever answers must not ship"


@table
def test_a_few_gaps_do_not_make_every_record_a_stranger(made: Draft, project: Path) -> None:
    """Two gaps in 180 rows: a model of the other half, which had none, knows no such record."""
    random = np.random.default_rng(2)
    label = np.arange(180) % 3
    frame = pl.DataFrame({f"f{i}": random.normal(3 * (label == i), 0.5) for i in range(3)} | {"y": label})
    gaps = np.random.default_rng(trial.SEED).permutation(180)[-2:].tolist()  # in the half by which novelty is tried
    frame = frame.with_columns(f1=pl.when(pl.int_range(180).is_in(gaps)).then(None).otherwise("f1"))
    frame.write_csv("gaps.csv")
    assert threshold(made(FROM="gaps.csv", ANSWER="y"), "answered_share") > 0.3


@table
def test_without_an_answer_it_is_guessed_and_said(
    made: Draft, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    patients().rename({"left (Y/N)": "target"}).select("target", "age", "weight kg").write_csv("t.csv")
    made(FROM="t.csv")
    assert "is 'target' the answer?" in capsys.readouterr().out


@table
def test_a_contract_that_somebody_changed_is_left_alone(made: Draft, project: Path, refused: Refused) -> None:
    patients().write_csv("people.csv")
    made(FROM="people.csv", ANSWER="left (Y/N)")
    made(FROM="people.csv", ANSWER="left (Y/N)")  # an untouched draft may be made again
    path = Path("product.yaml")
    path.write_text(path.read_text(encoding="utf-8").replace("unit: share", "unit: share ", 1), encoding="utf-8")
    before = {file: file.read_bytes() for file in Path().rglob("*") if file.is_file()}
    with refused("product.yaml has been changed", "product.yaml", "FORCE=1"):
        made(FROM="people.csv", ANSWER="left (Y/N)")
    assert {file: file.read_bytes() for file in Path().rglob("*") if file.is_file()} == before
    made(FROM="people.csv", ANSWER="left (Y/N)", FORCE="1")


@table
@pytest.mark.parametrize(
    ("typed", "what", "fix"),
    [
        ({"FROM": "nowhere.csv"}, "'nowhere.csv' does not exist", "give a file"),
        ({"FROM": "people.csv", "ANSWER": "ages"}, "no column 'ages'", "did you mean 'age'?"),
        ({"FROM": "people.csv", "ANSWER": "constant"}, "holds one label only: 'a'", "two labels or more"),
        ({"FROM": "people.csv", "ANSWER": "note"}, "more than 200 different values", "name a column with few"),
        ({"FROM": ""}, "FROM is empty", "data/inbox"),
        ({"FROM": "header.csv"}, "the table has no row below its header", "one row per record"),
    ],
)
def test_a_mistake_is_three_lines_and_changes_nothing(
    typed: dict[str, str], what: str, fix: str, made: Draft, project: Path, refused: Refused
) -> None:
    patients().write_csv("people.csv")
    Path("header.csv").write_text("age,left", encoding="utf-8")
    before = Path("product.yaml").read_bytes(), Path("conf/config.yaml").read_bytes()
    with refused(what, fix=fix):
        made(**typed)
    assert (Path("product.yaml").read_bytes(), Path("conf/config.yaml").read_bytes()) == before


@table
def test_a_column_that_alone_gives_the_answer_is_suspected(made: Draft, project: Path) -> None:
    frame = patients()
    paid = pl.when(pl.col("left (Y/N)") == "no").then(0).otherwise(1)
    frame.with_columns(refund=paid + pl.col("age") / 1000).write_csv("people.csv")
    product = made(FROM="people.csv", ANSWER="left (Y/N)")
    assert "refund" not in [feature.name for feature in product.formulation.input.features]
    assert "left out: refund (it alone predicts the answer" in Path("product.yaml").read_text(encoding="utf-8")


def prices(rows: int = 400) -> pl.DataFrame:
    """Draw a table of homes whose price follows from two columns, some without a price; the tax gives it away."""
    random = np.random.default_rng(2)
    area, seoul = random.uniform(20, 200, rows), random.random(rows) < 0.5
    price = (3 * area + 150 * seoul + random.normal(0, 25, rows)).round(2)
    texts = [f"{value:.2f}".replace(".", ",") if i % 20 else "n/a" for i, value in enumerate(price)]
    where = np.where(seoul, "Seoul", "Busan")
    return pl.DataFrame({"area": area.round().astype(int), "city": where, "tax": (price / 50).round(3), "price": texts})


@table
def test_an_answer_that_is_a_number_becomes_a_regression(
    made: Draft, project: Path, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    homes = project / "homes.csv"
    prices().with_columns(pl.col("tax").cast(pl.String).str.replace(".", ",", literal=True)).write_csv(
        homes, separator=";"
    )
    product = made(FROM=str(homes), ANSWER="price")
    assert [feature.name for feature in product.formulation.input.features] == ["area", "city"]
    assert "it alone explains 1" in capsys.readouterr().out
    options = product.formulation.answer.options
    assert (product.formulation.answer.type, options["low"]) == ("number", 0)
    # The errors are normal of deviation 25, which the model adds to a little: 80 % lie below 32.
    assert 32 < options["tolerance"] < 45
    assert 20 < threshold(product, "mae") < 35
    assert product.monitoring is not None
    assert ("drawn_mae", "<=") in [(row.metric, row.operator) for row in product.monitoring.watch]
    assert "  - model: boosted_number\n" in Path("conf/config.yaml").read_text(encoding="utf-8")
    written = compose.resolve([])
    assert (written.export.calibration, written.split.folds) == ("scaled", 5)
    made(FROM=str(homes), ANSWER="city")
    assert compose.resolve([]).export.calibration == "temperature"
    made(FROM=str(homes), ANSWER="price")
    request.getfixturevalue("stages")(written, project)
    measured = json.loads(Path("reports/evaluation.json").read_text(encoding="utf-8"))
    assert measured["records"] == 380, "20 have no price"
    assert measured["metrics"]["interval_coverage"] == pytest.approx(0.95, abs=0.03)
    verdicts = json.loads(Path("reports/acceptance.json").read_text(encoding="utf-8"))["verdicts"]
    assert {row["verdict"] for row in verdicts} == {"pass"}


@table
@pytest.mark.parametrize(("values", "number"), [(10, False), (11, True)])
def test_few_whole_numbers_are_labels_and_many_are_counts(
    values: int, number: bool, made: Draft, project: Path
) -> None:
    patients().with_columns(visits=pl.col("age") % values).write_csv("people.csv")
    assert made(FROM="people.csv", ANSWER="visits").formulation.answer.type == ("number" if number else "label")


@table
def test_personal_data_is_noticed(made: Draft, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frame = patients().with_columns(contact=pl.format("{}@example.com", pl.col("nr")))
    frame.write_csv("people.csv")
    assert made(FROM="people.csv", ANSWER="left (Y/N)").data.privacy == "personal"
    assert "e-mail address in contact" in capsys.readouterr().out


@table
@pytest.mark.parametrize(
    ("column", "values", "suspected"),
    [
        ("in other words", ["Verlängert — 연장", "gekündigt (해지)"], True),
        ("blanks and case", [" YES ", "nO"], True),
        ("nine of ten", None, False),
    ],
)
def test_suspicions_of_a_leak_on_awkward_columns(
    column: str, values: list[str] | None, suspected: bool, made: Draft, project: Path
) -> None:
    frame, random = patients(answer="left"), np.random.default_rng(7)
    leaves = frame["left"].to_numpy() == "no"
    flipped = leaves ^ (random.random(len(frame)) < 0.1)
    told = [str(value) for value in flipped] if values is None else [values[int(said)] for said in leaves]
    frame.with_columns(pl.Series(column, told)).write_csv("people.csv")
    product = made(FROM="people.csv", ANSWER="left")
    assert (column not in [feature.name for feature in product.formulation.input.features]) == suspected
    assert (f"left out: {column} (it alone predicts" in Path("product.yaml").read_text("utf-8")) == suspected


@table
@pytest.mark.parametrize(
    ("column", "values", "kind"),
    [
        ("remark", ["all is well"] * 599 + ["write to kim@example.co.kr, please"], "e-mail address in remark"),
        ("tel", ["010-1234-5678", "+82 10 9876 5432", ""] * 200, "phone number in tel"),
        ("serial", ["2024-0101-5678", "A-010-12"] * 300, None),
        ("version", ["v1.2@3", "a@b"] * 300, None),
    ],
)
def test_suspicions_of_personal_data_on_awkward_columns(
    column: str, values: list[str], kind: str | None, made: Draft, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    patients().with_columns(pl.Series(column, values)).write_csv("people.csv")
    assert made(FROM="people.csv", ANSWER="left (Y/N)").data.privacy == ("personal" if kind else "internal")
    told = capsys.readouterr().out
    assert kind is None or f"may these be kept: {kind}" in told


@table
def test_a_column_that_names_persons_is_asked_about(
    made: Draft, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    people = pl.Series([f"{first} {last}" for first in "ABCDEFGHIJ" for last in "klmnopqrstuvwxy"] * 4)
    patients().with_columns(people.alias("성명"), people.alias("surname_origin")).write_csv("people.csv")
    made(FROM="people.csv", ANSWER="left (Y/N)")
    assert "does 성명 say who somebody is? Then privacy: personal" in capsys.readouterr().out


@table
def test_a_database_is_looked_at_too(made: Draft, project: Path) -> None:
    import sqlite3

    with sqlite3.connect("shop.db") as connection:
        connection.execute('CREATE TABLE "all people" (age REAL, weight REAL, "left (Y/N)" TEXT)')
        rows = patients().select("age", "weight kg", "left (Y/N)").rows()
        connection.executemany('INSERT INTO "all people" VALUES (?, ?, ?)', rows)
    connection.close()
    product = made(FROM="sqlite:///shop.db", ANSWER="left (Y/N)", QUERY="all people")
    assert [feature.name for feature in product.formulation.input.features] == ["age", "weight"]
    options = compose.resolve([]).source.options
    assert options.query == 'SELECT * FROM "all people"'


@image
def test_a_folder_of_pictures_becomes_a_contract(
    made: Draft, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draw_pictures(Path("inbox"))
    product = made(FROM="inbox")
    assert product.formulation.input.shape == (20, 12)
    assert product.formulation.label_names == ["dog", "고양이 & cat"]
    assert 0.5 < threshold(product, "accuracy") < 1
    assert "1 of 121 pictures cannot be read, such as broken.png" in capsys.readouterr().out


@image
def test_large_pictures_are_reduced(made: Draft, project: Path) -> None:
    for label in ("a", "b"):
        (Path("inbox") / label).mkdir(parents=True)
        for n in range(12):
            Image.fromarray(np.full((300, 600), n * 9 + (label == "b"), np.uint8)).save(f"inbox/{label}/{n}.png")
    assert made(FROM="inbox").formulation.input.shape == (32, 64)


@image
def test_colour_and_proportions_are_seen(made: Draft, project: Path) -> None:
    random = np.random.default_rng(0)
    for label, side in (("a", 30), ("b", 60)):
        (Path("inbox/deep") / label).mkdir(parents=True)
        for n in range(12):
            Image.fromarray(random.integers(0, 256, (30, side, 3), dtype=np.uint8)).save(f"inbox/deep/{label}/{n}.png")
    wanted = made(FROM="inbox").formulation
    assert wanted.input.shape is not None
    assert wanted.input.shape[2:] == (3,)
    assert wanted.input.fit == "letterbox"
    assert wanted.label_names == ["a", "b"], "the folder of the pictures, not the one around all"
    assert compose.resolve([]).source.options.label_folder == "last"


@image
def test_sub_folders_beside_the_pictures_of_a_label_are_no_labels(made: Draft, project: Path) -> None:
    for label in ("a", "b"):
        for folder in (".", "monday", "tuesday"):
            (Path("inbox") / label / folder).mkdir(parents=True, exist_ok=True)
            for n in range(6):
                grey = np.full((30, 30), n * 9 + ord(label) + len(folder), np.uint8)
                Image.fromarray(grey).save(f"inbox/{label}/{folder}/{n}.png")
    assert made(FROM="inbox").formulation.label_names == ["a", "b"]
    assert compose.resolve([]).source.options.label_folder == "first"


@image
def test_pictures_without_labels_become_a_contract_with_labels_to_be_named(
    made: Draft, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draw_pictures(Path("inbox"), 20)
    for path in Path("inbox").rglob("*.png"):
        path.rename(f"inbox/{path.parent.name}-{path.name}")
    product = made(FROM="inbox", LABELS="cat, dog")
    assert product.formulation.label_names == ["cat", "dog"]
    told = capsys.readouterr().out
    assert "make round" in told
    assert re.search(r"about \d+ labels make a first model", told)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1.5", "2", None, "-7"] * 10, "number"),
        (["1", "2", "3"] * 10, "whole"),
        (["007", "012", "113"] * 10, "category"),
        (["yes", "no", None] * 10, "flag"),
        (["True", "False"] * 10, "flag"),
        (["2024-01-31", "2024/02/01"] * 10, "date"),
        (["서울", "부산"] * 10, "category"),
        ([f"a long text about the thing {i}" for i in range(40)], "text"),
        (["same"] * 20, "constant"),
        ([None] * 20, "constant"),
    ],
)
def test_the_type_of_a_column(values: list[Any], kind: str) -> None:
    frame = pl.DataFrame({"c": pl.Series(values, dtype=pl.String)})
    assert looked_at(counting.tally(iter([frame]), None))[0].type == kind


def test_a_sample_is_drawn_from_all_batches_and_ranges_from_all_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "SAMPLE", 1000)
    batches = [pl.DataFrame({"c": np.arange(i * 10_000, (i + 1) * 10_000)}) for i in range(5)]
    found = counting.tally(iter(batches), None)
    assert found.rows == 50_000
    assert (found.counts["c"].low, found.counts["c"].high) == (0, 49_999)
    share = found.sample["c"].cast(pl.Int64) // 10_000
    assert 950 <= len(found.sample) <= 1050
    assert share.value_counts()["count"].min() > 150  # type: ignore[operator]


@table
def test_names_with_every_sign_stay_as_they_are(made: Draft, project: Path) -> None:
    names = ['a "b"', "c: d # e", "{x}", "100 %", "<b>", "🙂", "글", "- y", "null", "01"]
    labels = ["C++", "none", "null", "true", "1.0", "a|b`c`"]
    random = np.random.default_rng(0)
    columns: dict[str, Any] = {name: random.normal(size=600) for name in names}
    pl.DataFrame({**columns, "답": random.choice(labels, 600)}).write_csv("odd.csv")
    product = made(FROM="odd.csv", ANSWER="답")
    assert [feature.meaning for feature in product.formulation.input.features] == names
    assert product.formulation.label_names == sorted(labels)
    assert yaml.safe_load(Path("conf/source/files.yaml").read_text(encoding="utf-8"))["options"]["label"] == "답"


@table
def test_every_type_of_column_becomes_a_feature(made: Draft, project: Path) -> None:
    frame = patients(300)
    n = np.arange(300)
    frame = frame.with_columns(
        member=pl.Series(np.where(n % 3 == 0, "yes", "no")),
        city=pl.Series(np.array(["서울", "부산", "", "N/A", "none"])[n % 5]),
        since=pl.Series([f"20{10 + i % 14}/{1 + i % 12:02}/03" for i in n]),
        rooms=pl.Series([str(i % 7) if i % 10 else "?" for i in n]),
        share=pl.Series(n / 1000),
        id=pl.Series([f"k{i // 3}" for i in n]),
    )
    frame.write_csv("people.csv")
    product = made(FROM="people.csv", ANSWER="left (Y/N)")
    features = {feature.name: feature for feature in product.formulation.input.features}
    assert features["member"].type == "flag"
    assert (features["city"].type, features["city"].missing) == ("category", "allowed")
    assert features["city"].values == ["none", "부산", "서울"]
    assert features["city"].other == "allowed"
    assert features["since"].type == "date"
    assert (features["rooms"].type, features["rooms"].missing, features["rooms"].low) == ("whole", "allowed", 0)
    assert features["share (value)"].column == "share", "the pipeline has a column of that name"
    assert "id" not in {feature.origin for feature in features.values()}
    assert "'id' comes back in several rows" in Path("product.yaml").read_text(encoding="utf-8")


@table
def test_a_table_is_read_as_it_comes(made: Draft, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frame = patients(120)
    rows = [";".join(f"{value}".replace(".", ",") for value in row) for row in frame.rows()]
    lines = [";".join(frame.columns), *rows[:50], "1;2", *rows[50:]]
    Path("people.csv").write_bytes("\n".join(lines).encode("cp949"))
    product = made(FROM="people.csv", ANSWER="left (Y/N)")
    assert product.formulation.input.features[1].bounds[0] < 40
    assert product.formulation.label_names == ["no", "예 (yes)"]
    told = capsys.readouterr().out
    assert "separated by semicolons" in told
    assert "decimal comma" in told
    assert "1 row(s) are kept out, such as people.csv, line 52" in told
    assert compose.resolve([]).source.options.bad_rows == "keep-out"


@table
def test_the_tables_of_a_folder_are_one(made: Draft, project: Path) -> None:
    Path("inbox").mkdir()
    patients(200).head(120).write_csv("inbox/a.csv")
    patients(200).tail(80).write_parquet("inbox/b.parquet")
    assert made(FROM="inbox", ANSWER="left (Y/N)").data.kinds[0].wanted == 200


@image
def test_too_few_pictures_are_said_before_anything_runs(
    made: Draft, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draw_pictures(Path("shots"), 18)
    made(FROM="shots")
    told = capsys.readouterr().out
    assert "waits: 37 labels; about 7 would be the frozen test split, which wants 20: 100 labels" in told
    assert "with 210 records write abstain: {coverage: 0.9, false_alarms: 0.1}" in told
    assert "coverage: 0.95 and false_alarms: 0.02 are possible" in told
    draw_pictures(Path("more"), 60)
    made(FROM="more")
    assert "waits" not in capsys.readouterr().out


@image
def test_texts_beside_pictures_are_no_tables(made: Draft, project: Path) -> None:
    draw_pictures(Path("shots"), 30)
    for picture in [*Path("shots").rglob("*.png")]:
        picture.with_suffix(".txt").write_text("A picture.\n", encoding="utf-8")
        picture.with_suffix(".ogg").write_bytes(b"spoken")
    Path("shots/read me.txt").write_text("of the year\n", encoding="utf-8")
    Path("shots/hello.txt").write_text("hello", encoding="utf-8")
    assert made(FROM="shots").formulation.input.shape is not None


@image
def test_copies_count_once_and_a_rare_label_stops_no_trial(
    made: Draft, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draw_pictures(Path("shots"), 30)
    (Path("shots") / "rare").mkdir()
    Image.new("L", (12, 20), 7).save("shots/rare/only.png")
    for i, picture in enumerate([*Path("shots/dog").glob("*.png")][:20]):
        shutil.copy(picture, Path("shots/dog") / f"copy of {i}.png")
    made(FROM="shots")
    told = capsys.readouterr().out
    assert re.search(r"\n  dog +30 ", told)
    assert "20 more are copies: stage collect keeps the first of a picture" in told
    assert "accuracy >= " in told
    assert "cross-validated" in told
    assert "worst_label_recall, collapse: 'rare' has too few records to try" in told
    assert "nan" not in told.split()


@image
@pytest.mark.parametrize("named", ["", "cat,dog"])
def test_pictures_without_labels_say_how_many_labels_make_a_model(
    named: str, made: Draft, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draw_pictures(Path("shots"), 30, ("all",))
    for picture in Path("shots/all").glob("*.png"):
        picture.rename(Path("shots") / picture.name)
    product = made(FROM="shots", LABELS=named)
    assert product.formulation.label_names == (named.split(",") if named else ["first label", "second label"])
    told = capsys.readouterr().out
    assert ("name the labels in product.yaml" in told) == (not named)
    assert "about 210 labels make a first model; here are 31, and more are wanted" in told
    assert "make round NAME=pilot-1 N=31" in told
    assert "abstaining: not yet: there are no labels yet; with 210 labelled records write" in told


def visits(people: int, each: int) -> pl.DataFrame:
    """Draw rows of people of whom a number is known that tells nobody's answer but gives the person away."""
    random = np.random.default_rng(2)
    person = np.repeat(np.arange(people), each)
    height, answer = random.normal(170, 10, people), random.random(people) < 0.5
    return pl.DataFrame(
        {
            "patient": [f"p{number}" for number in person],
            "height": height[person].round(3),
            "pulse": random.normal(70, 8, len(person)).round(1),
            "ill": np.where(answer, "yes", "no")[person],
        }
    )


@table
def test_rows_of_one_person_stay_in_one_fold_and_in_one_split(
    made: Draft, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who was seen before is known again by the height: right in nearly all, and in half where the person is new."""
    visits(100, 8).write_csv("visits.csv")
    product = made(FROM="visits.csv", ANSWER="ill")
    told = capsys.readouterr().out
    assert "cross-validated, the rows of a patient together" in told
    (reached,) = re.findall(r"accuracy >= \S+: the quick model reached (\S+),", told)
    assert float(reached) < 0.65
    assert compose.resolve([]).source.options.group == "patient"
    assert product.data.group == "patient"
    visits(20, 40).write_csv("visits.csv")
    assert made(FROM="visits.csv", ANSWER="ill").data.group == "perhaps patient"
    assert compose.resolve([]).source.options.group is None, "20 groups may leave a split empty"


@table
def test_what_the_future_costs_is_said_where_there_is_a_time(
    made: Draft, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What gives the answer in the first four fifths of the days gives its contrary in the last."""
    random, rows = np.random.default_rng(6), 1000
    load = random.normal(0, 1, rows)
    day = [f"2024-{1 + n // 84:02}-{1 + n % 84 // 3:02}" for n in range(rows)]
    fails = (load > 0) ^ (np.arange(rows) >= 800)
    pl.DataFrame({"day": day, "load": load.round(3), "fails": np.where(fails, "y", "n")}).write_csv("days.csv")
    made(FROM="days.csv", ANSWER="fails")
    told = capsys.readouterr().out
    (newest, across) = re.findall(r"is right in (\d+)% of the newest 20%; across all times in (\d+)%", told)[0]
    assert int(newest) < 15
    assert int(across) > 85
    text = Path("product.yaml").read_text(encoding="utf-8")
    assert "with `time: day` here and `by: time` in conf/split.yaml" in text
    assert "of the newest 20%" in text


@pytest.mark.parametrize(
    ("name", "names"), [("customerId", True), ("order id", True), ("ID", True), ("PID", False), ("paid", False)]
)
def test_a_word_that_ends_like_id_names_nothing(name: str, names: bool) -> None:
    assert bool(KEY.search(name)) == names


@table
def test_a_table_in_which_only_a_text_is_left_becomes_a_contract_of_texts(made: Draft) -> None:
    texts = [f"{'늦어요 it is late' if i % 2 else '파손 it broke'}, 주문 number {i * 7919 % 900}" for i in range(900)]
    rows = {"id": range(900), "what they wrote": texts, "intent": ["late" if i % 2 else "broken" for i in range(900)]}
    pl.DataFrame(rows).write_csv("messages.csv")
    product = made(FROM="messages.csv", ANSWER="intent")
    wanted = product.formulation.input
    assert (wanted.type, wanted.column, wanted.features) == ("text", "what they wrote", [])
    assert wanted.length >= 2 * max(map(len, texts))
    assert {part.column for part in product.data.slices} >= {"length"}
    assert next(row.threshold for row in product.requirements if row.metric == "accuracy") > 0.9
    assert "model: ngrams" in Path("conf/config.yaml").read_text(encoding="utf-8")


@table
def test_a_folder_of_text_files_becomes_a_contract_of_texts(made: Draft) -> None:
    for i in range(200):
        file = Path("inbox", "late" if i % 2 else "broken", f"{i}.txt")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(f"{'늦어요' if i % 2 else '파손'} {i}".encode("cp949"))
    product = made(FROM="inbox")
    assert (product.formulation.input.type, product.formulation.label_names) == ("text", ["broken", "late"])
    assert yaml.safe_load(Path("conf/source/files.yaml").read_text("utf-8"))["options"]["label_folder"] in (
        "first",
        "last",
    )


def slips(rows: int = 900) -> pl.DataFrame:
    """Draw rows of which a label holds where its number is high, written as people write several; one in four is none.

    The labels of one row in ten are drawn without looking at its numbers.
    """
    random = np.random.default_rng(3)
    numbers = random.random((rows, 3)).round(3)
    held = numbers > [0.6, 0.5, 0.8]
    held[::10] = random.random((len(held[::10]), 3)) < 0.4
    names = np.array(["late", "damaged", "too small"], dtype=object)
    texts = ["; ".join(random.permutation(names[row])) or "none" for row in held]
    return pl.DataFrame({"age": numbers[:, 0], "weight": numbers[:, 1], "size": numbers[:, 2], "reasons": texts})


@table
def test_a_column_of_several_labels_becomes_a_contract_of_sets_that_a_model_can_meet(
    made: Draft, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    slips().write_csv("slips.csv")
    product = made(FROM="slips.csv", ANSWER="reasons")
    answer = product.formulation.answer
    assert (answer.type, product.formulation.label_names) == ("labels", ["damaged", "late", "too small"])
    assert answer.labels[0].definition.startswith(f"{slips()['reasons'].str.contains('damaged').sum()} of 900 records")
    assert [feature.name for feature in product.formulation.input.features] == ["age", "weight", "size"]
    assert 0.6 < threshold(product, "micro_f1") < 0.95, "a tenth of the labels is chance"
    assert 0 < threshold(product, "margin_over_baseline") < 0.4
    assert threshold(product, "worst_label_recall") > 0.4
    assert threshold(product, "records") == 720
    told = capsys.readouterr().out
    several = slips()["reasons"].str.contains(";").sum()
    assert f"{several} of 900 records have several labels, and {(slips()['reasons'] == 'none').sum()} have none" in told
    assert "60 boosted trees for each label" in told
    assert yaml.safe_load(Path("conf/export.yaml").read_text(encoding="utf-8"))["calibration"] == "platt"
    assert "`;` between them, or `none`" in Path("docs/2-data/annotation-guide.md").read_text(encoding="utf-8")


@table
def test_a_column_per_label_is_refused_with_what_to_do(made: Draft, project: Path, refused: Refused) -> None:
    slips(40).with_columns(late=pl.lit("yes"), damaged=pl.lit("no")).write_csv("slips.csv")
    with refused("ANSWER names 2 columns, and the labels of a record stand in one", "slips.csv", "late;damaged"):
        made(FROM="slips.csv", ANSWER="late, damaged")


@image
@pytest.mark.parametrize("several", [True, False])
def test_a_table_beside_pictures_says_their_labels(
    several: bool, made: Draft, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    random, rows = np.random.default_rng(0), []
    Path("data/inbox").mkdir(parents=True)
    for n in range(240):
        held = random.random(2) < 0.4 if several else np.eye(2)[n % 2] > 0
        values = random.normal(80, 20, (12, 16))
        values[:, :8] += 90 * held[0]
        values[:, 8:] += 90 * held[1]
        Image.fromarray(np.clip(values, 0, 255).astype(np.uint8)).save(f"data/inbox/{n}.png")
        names = [name for name, there in zip(("left", "right"), held, strict=True) if there]
        rows.append({"file": f"{n}.png", "label": ";".join(names) or "none"})
    pl.DataFrame(rows[:230]).write_csv("data/inbox/what they show.csv")
    pl.DataFrame({"when": ["today"]}).write_csv("data/inbox/another.csv")
    product = made(FROM="data/inbox")
    assert product.formulation.answer.type == ("labels" if several else "label")
    assert product.formulation.label_names == ["left", "right"]
    options = yaml.safe_load(Path("conf/source/files.yaml").read_text(encoding="utf-8"))["options"]
    assert (options["labels"], options["label_folder"]) == ("data/inbox/what they show.csv", None)
    told = capsys.readouterr().out
    assert "another.csv says nothing of the pictures: it has when, and not the columns file and label" in told
    assert threshold(product, "records") == 184
    assert threshold(product, "micro_f1" if several else "accuracy") > 0.8
