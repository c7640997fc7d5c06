"""Likely label errors: most planted ones are found, and the test split is left alone."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from fullstack_ml.annotation import suspects
from fullstack_ml.data.label.rounds import Round
from fullstack_ml.pipeline.tables import LABEL

LABELLED = Path("data/labelled.parquet")


@pytest.fixture
def planted(finished: Path) -> set[str]:
    """Give every twentieth record outside the test split another label; return the ids."""
    frame = pl.read_parquet(LABELLED).sort("id")
    test = pl.read_parquet("data/splits/test.parquet")["id"]
    names = frame["label"].unique().sort().to_list()
    other = dict(zip(names, names[1:] + names[:1], strict=True))
    chosen = frame.filter(~pl.col("id").is_in(test.to_list()))["id"].gather_every(20).to_list()
    swapped = pl.when(pl.col("id").is_in(chosen)).then(pl.col("label").replace(other)).otherwise("label")
    frame.with_columns(label=swapped).write_parquet(LABELLED)
    return set(chosen)


def test_most_planted_errors_are_listed_and_none_of_the_test_split(planted: set[str], config: Any) -> None:
    suspects.run(config)
    found = json.loads(Path("reports/suspects.json").read_text(encoding="utf-8"))["suspects"]
    listed = {row["id"] for row in found}
    assert len(planted & listed) > len(planted) / 2
    assert not listed & set(pl.read_parquet("data/splits/test.parquet")["id"])
    assert [row["confidence"] for row in found] == sorted(row["confidence"] for row in found)
    assert all(row["label"] != row["model_says"] for row in found)


@pytest.mark.task("tabular-regression")
def test_numbers_far_off_what_a_model_says_are_listed(
    product: Any, refused: Callable[..., AbstractContextManager[None]]
) -> None:
    random = np.random.default_rng(0)
    features = product.formulation.input.features
    drawn: dict[str, Any] = {
        one.name: random.uniform(one.bounds[0], one.bounds[1], 300) if one.ranged else random.choice(one.values, 300)
        for one in features
    }
    leading, frame = next(one for one in features if one.ranged), pl.DataFrame(drawn)
    shares = (frame[leading.name] - leading.bounds[0]) / (leading.bounds[1] - leading.bounds[0])
    right = (50 + 200 * shares).to_numpy() + random.normal(0, 5, 300)
    typed = [f"{10 * value:.5g}" if i in (7, 120) else f"{value:.5g}" for i, value in enumerate(right)]
    frame = frame.with_columns(id=pl.Series(map(str, range(300))), label=pl.Series(typed), labelled_by=pl.lit("people"))
    found: list[Any] = suspects.far_off(frame, product)
    assert {row["id"] for row in found[:2]} == {"7", "120"}
    assert len(found) < 15
    for row in found[:2]:
        assert float(row["model_says"]) == pytest.approx(float(row["label"]) / 10, rel=0.4)
    with refused("39 records outside the test split have a number", str(LABELLED)):
        suspects.far_off(frame.head(39), product)


def test_what_a_review_judged_is_not_listed_again_and_says_how_sure_the_list_is(
    planted: set[str], config: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    suspects.run(config)
    listed = read_suspects()["suspects"]
    assert "not known before a review round" in capsys.readouterr().out
    chosen = [row["id"] for row in listed[:10]]
    lay_review(chosen[:8], now={record: row["model_says"] for record, row in zip(chosen, listed, strict=False)})
    suspects.run(config)
    found = read_suspects()
    assert {row["id"] for row in found["suspects"]} == {row["id"] for row in listed} - set(chosen[:8])
    source = dict(pl.read_parquet("data/raw/*.parquet").select("id", "source_label").iter_rows())
    wrong = sum(source[row["id"]] != row["model_says"] for row in listed[:8])
    record = found["track_record"]
    assert (record["reviewed"], record["wrong"], record["share"]) == (8, wrong, wrong / 8)
    z, share = 1.959964, wrong / 8
    middle, half = share + z**2 / 16, z * (share * (1 - share) / 8 + z**2 / 256) ** 0.5
    assert record["interval"] == pytest.approx([(middle - half) / (1 + z**2 / 8), (middle + half) / (1 + z**2 / 8)])
    assert f"of 8 suspects that reviews have judged so far {wrong} were wrong" in capsys.readouterr().out


def test_a_label_by_people_that_a_review_keeps_was_right(planted: set[str], config: Any, product: Any) -> None:
    suspects.run(config)
    first, second, third = (row["id"] for row in read_suspects()["suspects"][:3])
    lay_labels("pilot", {first: "before", second: "before"}, "2025-12-01")
    lay_review([first, second, third], now={first: "before", second: "after", third: None})
    assert suspects.track_record(product)["reviewed"] == 3
    assert suspects.track_record(product)["wrong"] == 2


def read_suspects() -> Any:
    return json.loads(Path("reports/suspects.json").read_text(encoding="utf-8"))


def lay_labels(name: str, said: dict[str, str | None], day: str) -> None:
    """Let one person label records in a round."""
    fixed = {"annotator": "annotator-1", "round": name, "guide_version": "1.0", "seconds": 2.0}
    rows = [{"id": record, "label": label, "annotated_at": f"{day}T00:00:00+00:00"} for record, label in said.items()]
    frame = pl.DataFrame([row | fixed for row in rows]).with_columns(
        pl.col("annotated_at").str.to_datetime(time_zone="UTC")
    )
    frame = frame.select(
        pl.col(column).cast(kind) if column in frame.columns else pl.lit(None, kind).alias(column)
        for column, kind in LABEL.items()
    )
    Path("data/labels").mkdir(exist_ok=True)
    frame.write_parquet(f"data/labels/{name}.parquet")


def lay_review(asked: list[str], now: dict[str, Any]) -> None:
    """Let a review round look at suspects."""
    Path("data/rounds").mkdir(exist_ok=True)
    fixed = {"kind": "review", "guide_version": "1.0", "made_at": "2026-01-01T00:00:00+00:00", "annotators": ["a"]}
    one = Round.model_validate({"name": "check", **fixed, "items": dict.fromkeys(asked, suspects.SUSPECT)})
    Path("data/rounds/check.json").write_text(one.model_dump_json(), encoding="utf-8")
    lay_labels("check", {record: now[record] for record in asked}, "2026-01-02")


def test_a_label_with_too_few_records_is_named(
    finished: Path, config: Any, refused: Callable[..., AbstractContextManager[None]]
) -> None:
    frame = pl.read_parquet(LABELLED)
    rare = frame["label"].unique().sort()[0]
    test = pl.read_parquet("data/splits/test.parquet")["id"].to_list()
    few = frame.filter((pl.col("label") == rare) & ~pl.col("id").is_in(test)).head(3)
    pl.concat([frame.filter(pl.col("label") != rare), few]).write_parquet(LABELLED)
    with refused(f"{rare!r} has 3", str(LABELLED)):
        suspects.run(config)
