"""A first contract from tables that nobody prepared: columns that hide the answer, name a few things, or mean nothing.

Each table is drawn so that the right draft is known: which columns a model must have, and which it must not.
"""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml

from fullstack_ml.draft.columns import looked_at
from fullstack_ml.draft.tally import tally
from fullstack_ml.product.types import Product

Draft = Callable[..., Product]
Told = pytest.CaptureFixture[str]
pytestmark = pytest.mark.task("tabular-classification")
ROWS = 600


def features(product: Product) -> set[str]:
    """Return the names of the features of a contract."""
    return {feature.name for feature in product.formulation.input.features}


def machines(rows: int = ROWS) -> pl.DataFrame:
    """Draw rows of three machines of which each fails at another load; a fourth column is the reason of a failure."""
    random = np.random.default_rng(4)
    machine, load = random.integers(0, 3, rows), random.random(rows)
    failed = load > np.array([0.2, 0.5, 0.8])[machine]
    state = np.where(failed, "failed", np.where(random.random(rows) < 0.5, "idle", "runs"))
    why = np.where(failed & (random.random(rows) < 0.8), random.choice(["belt", "oil", "heat"], rows), "")
    return pl.DataFrame({"machine": [f"M{n}" for n in machine], "load": load.round(4), "why": why, "state": state})


def test_a_few_machines_are_a_feature_and_many_patients_are_not(made: Draft, project: Path) -> None:
    """Three machines are asked about again, so a model has to know which it is; without, the load says little."""
    machines().write_csv("rows.csv")
    assert "machine" in features(made(FROM="rows.csv", ANSWER="state"))
    patients = pl.Series("patient", [f"P{n % 12}" for n in range(ROWS)])
    machines().with_columns(patients).write_csv("rows.csv")
    assert "patient" not in features(made(FROM="rows.csv", ANSWER="state"))


@pytest.mark.parametrize("answer", ["state", "load"])
def test_fewer_groups_than_folds_are_cross_validated(answer: str, made: Draft, project: Path, told: Told) -> None:
    """Three patients can be left out in three folds only; an answer of labels and one that is a number."""
    rows = machines().with_columns(patient=pl.Series([f"P{n % 3}" for n in range(ROWS)]))
    rows.filter(pl.col("load") > 0.01).write_csv("rows.csv")
    made(FROM="rows.csv", ANSWER=answer)
    assert "thresholds follow from 60 boosted trees" in told.readouterr().out


def test_a_column_filled_only_for_one_of_three_labels_is_left_out(made: Draft, project: Path, told: Told) -> None:
    """It tells one label and not the others, so that it is far from being right in all rows."""
    machines().write_csv("rows.csv")
    assert features(made(FROM="rows.csv", ANSWER="state")) == {"machine", "load"}
    out = told.readouterr().out
    assert "it is filled only where the answer is 'failed': was it known before the answer?" in out
    assert "were the columns that give the answer away known before it?" in out


def test_a_column_that_is_empty_only_for_one_label_is_left_out_and_gaps_by_chance_are_not(
    made: Draft, project: Path
) -> None:
    random = np.random.default_rng(0)
    rows = (
        machines()
        .drop("why")
        .with_columns(
            partner=pl.when(pl.col("state") != "idle").then(pl.Series(random.choice(["a", "b"], ROWS))),
            gaps=pl.when(pl.Series(random.random(ROWS) < 0.5)).then(pl.Series(random.choice(["c", "d"], ROWS))),
        )
    )
    rows.write_csv("rows.csv")
    assert features(made(FROM="rows.csv", ANSWER="state")) == {"machine", "load", "gaps"}


def test_a_label_of_two_rows_does_not_hide_a_column_that_gives_the_answer_away(made: Draft, project: Path) -> None:
    rows = machines().drop("why").with_columns(code=pl.col("state").replace({"failed": "F", "idle": "I", "runs": "R"}))
    odd = rows.head(2).with_columns(state=pl.lit("lost"))
    pl.concat([rows, odd]).write_csv("rows.csv")
    assert "code" not in features(made(FROM="rows.csv", ANSWER="state"))


@pytest.mark.parametrize(
    ("name", "values", "used"),
    [
        ("customer age", range(18, 88), True),
        ("visits per customer", range(70), True),
        ("customer_id", range(70), False),
        ("고객번호", range(70), False),
        ("subject", [f"about order {n} of many" for n in range(70)], True),
        ("store id", ["north", "south", "west"], True),
    ],
)
def test_only_a_column_that_names_someone_is_a_group(
    name: str, values: list[str], used: bool, made: Draft, project: Path
) -> None:
    """``customer age`` comes back in many rows and names nobody: as a group it would be lost to the model."""
    rows = machines().drop("why").with_columns(pl.Series(name, [values[n % len(values)] for n in range(ROWS)]))
    rows.write_csv("rows.csv")
    product = made(FROM="rows.csv", ANSWER="state")
    group = yaml.safe_load(Path("conf/source/files.yaml").read_text(encoding="utf-8"))["options"]["group"]
    assert (name in features(product), group == name) == (used, not used)


def test_the_answer_is_never_the_group(made: Draft, project: Path) -> None:
    """Who wrote a page may be what is asked for."""
    machines().with_columns(writer=pl.Series([f"w{n % 6}" for n in range(ROWS)])).write_csv("rows.csv")
    product = made(FROM="rows.csv", ANSWER="writer")
    assert "writer" not in product.data.group


def messages(rows: int = ROWS) -> pl.DataFrame:
    """Draw messages of two intents with the day they came; one in a hundred is very long."""
    said = [f"{'늦어요 it is late' if n % 2 else '파손 it broke'} {n * 7919 % rows}" for n in range(rows)]
    said = [text * 300 if n % 100 == 0 else text for n, text in enumerate(said)]
    day = [f"2025-{1 + n // 84:02}-{1 + n % 84 // 3:02}" for n in range(rows)]
    return pl.DataFrame(
        {"came": day, "what they said": said, "intent": ["late" if n % 2 else "broken" for n in range(rows)]}
    )


def test_a_message_beside_a_date_is_the_input_however_long_a_few_are(made: Draft, project: Path, told: Told) -> None:
    """Left with the date alone, a model would learn nothing."""
    messages().write_csv("messages.csv")
    product = made(FROM="messages.csv", ANSWER="intent")
    wanted = product.formulation.input
    assert (wanted.type, wanted.column) == ("text", "what they said")
    assert wanted.length >= max(map(len, messages()["what they said"]))
    (reached,) = re.findall(r"accuracy >= \S+: the quick model reached (\S+),", told.readouterr().out)
    assert float(reached) > 0.95


def test_a_few_long_texts_beside_other_features_cost_their_rows_and_not_the_column(made: Draft, project: Path) -> None:
    rows = messages().drop("came").with_columns(age=pl.Series([n * 7919 % 80 for n in range(ROWS)]))
    rows.write_csv("rows.csv")
    assert features(made(FROM="rows.csv", ANSWER="intent")) == {"what they said", "age"}
    assert "the rows of those longer than 2000 will be rejected" in Path("product.yaml").read_text(encoding="utf-8")


def test_many_long_texts_beside_other_features_leave_the_column_out() -> None:
    """A table takes short texts: that nearly all rows would be lost is worse than a column."""
    rows = pl.DataFrame({"text": [f"it is late {n} " * 300 for n in range(100)], "age": range(100)})
    assert {c.name: c.use for c in looked_at(tally(iter([rows]), None))}["text"] == "ignored"


def test_columns_that_say_nothing_of_the_answer_are_asked_about(made: Draft, project: Path, told: Told) -> None:
    random = np.random.default_rng(5)
    labels, numbers = random.choice(["a", "b"], ROWS), random.normal(50, 5, ROWS).round(2)
    pl.DataFrame({"noise": random.random(ROWS).round(4), "number": numbers, "label": labels}).write_csv("rows.csv")
    for answer, baseline in (("label", "the most frequent label"), ("number", "the mean")):
        made(FROM="rows.csv", ANSWER=answer)
        asked = f"The quick model is hardly better than {baseline} alone, and make will reject such a model"
        assert asked in told.readouterr().out
    machines().write_csv("rows.csv")
    made(FROM="rows.csv", ANSWER="state")
    assert "hardly better" not in told.readouterr().out


def test_values_far_from_all_others_are_asked_about(made: Draft, project: Path, told: Told) -> None:
    rows = machines().with_columns(age=pl.Series([99999, -999, *(20 + n * 7919 % 60 for n in range(ROWS - 2))]))
    rows.write_csv("rows.csv")
    made(FROM="rows.csv", ANSWER="state")
    out = told.readouterr().out
    assert "are values far from all others real: -999 in age, 99,999 in age?" in out
    assert "-999 to 99,999" in out, "with all its digits"


def test_what_the_future_costs_is_said_of_a_number_too(made: Draft, project: Path, told: Told) -> None:
    """A number that rises day by day is further off on the newest days than on days between others."""
    day = [f"2024-{1 + n // 84:02}-{1 + n % 84 // 3:02}" for n in range(ROWS)]
    noise = np.random.default_rng(7).normal(0, 1, ROWS)
    count = np.arange(ROWS) / 2 + noise
    pl.DataFrame({"day": day, "noise": noise[::-1].round(3), "visits": count.round(1)}).write_csv("days.csv")
    made(FROM="days.csv", ANSWER="visits")
    (newest, across) = re.findall(
        r"is off by (\S+) on the newest 20%; across all times by (\S+)", told.readouterr().out
    )[0]
    assert float(newest) > 5 * float(across)


def test_a_small_table_without_a_clear_answer_asks_for_the_column(made: Draft, project: Path, told: Told) -> None:
    machines(12).drop("why").write_csv("rows.csv")
    made(FROM="rows.csv")
    assert "does a column hold the answer?" in told.readouterr().out


@pytest.fixture(name="told")
def what_is_printed(capsys: Told) -> Told:
    """Return what the command prints."""
    return capsys
