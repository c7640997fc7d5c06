"""Stage validate: what product.yaml does not allow is named with the ids of its records."""

import json
import re
import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from fullstack_ml.data.collect import __main__ as collect
from fullstack_ml.data.store import shards
from fullstack_ml.data.validate import __main__ as validate
from fullstack_ml.workspace.paths import RAW

Refused = Callable[..., AbstractContextManager[None]]


def raw(frame: pl.DataFrame, number: int = 0) -> None:
    """Store ``frame`` as a raw shard."""
    shards.write_shard(frame, number, RAW)


def report() -> Any:
    """Read what the stage wrote."""
    return json.loads(Path("reports/validation.json").read_text(encoding="utf-8"))


def with_bad(records: pl.DataFrame, column: str, value: Any) -> pl.DataFrame:
    """Return ten records of which the third has ``value`` in ``column``."""
    bad = pl.arange(0, pl.len()) == 2
    wrong = pl.lit(value, dtype=records.schema[column])
    return records[:10].with_columns(pl.when(bad).then(wrong).otherwise(pl.col(column)).alias(column))


def test_records_that_the_contract_allows_pass(project: Path, records: pl.DataFrame, config: Any) -> None:
    raw(records)
    validate.run(config)
    found = report()
    assert found["valid"]
    assert found["metrics"]["records"] == len(records)
    assert found["labels"] == dict(sorted(records["source_label"].value_counts().iter_rows()))
    assert sum(kind["found"] for kind in found["kinds"].values()) == len(records)


@pytest.mark.parametrize(("costs", "found"), [("{image: 0.05}", 0.05), ("{}", None)])
@pytest.mark.task("image-classification")
def test_what_a_record_costs_is_measured_where_the_contract_states_it(
    project: Path, records: pl.DataFrame, config: Any, costs: str, found: float | None
) -> None:
    path = Path("product.yaml")
    path.write_text(re.sub(r"costs: \{.*\}", f"costs: {costs}", path.read_text(encoding="utf-8")), encoding="utf-8")
    raw(records)
    validate.run(config)
    assert report()["metrics"]["input_cost"] == found


@pytest.mark.parametrize(
    ("column", "value", "what"),
    [
        ("source_label", "no-such-label", "source_label 'no-such-label' is not in"),
        ("licence", "all-rights-reserved", "licence 'all-rights-reserved' is not in"),
        ("kind", "no-such-kind", "kind 'no-such-kind' is not in"),
        ("kind", None, "kind is missing"),
        ("licence", None, "licence is missing"),
        ("source", None, "source is missing"),
    ],
)
def test_a_record_that_the_contract_does_not_allow_is_named(
    column: str, value: Any, what: str, project: Path, records: pl.DataFrame, config: Any, refused: Refused
) -> None:
    raw(with_bad(records, column, value))
    with refused(what, "data/raw", "rm -r data/raw data/raw.lock, then make"):
        validate.run(config)
    named = [record for rows in report()["examples"].values() for record, *_ in rows]
    assert named == [records["id"][2]]


def test_the_error_names_every_rule_with_its_count_and_where_a_record_comes_from(
    project: Path, records: pl.DataFrame, config: Any, refused: Refused
) -> None:
    frame = with_bad(with_bad(records, "licence", "stolen"), "kind", None)
    row = pl.int_range(1, 11, dtype=pl.Int64)
    frame = frame.with_columns(licence=pl.lit("stolen"), source=pl.lit("rows.csv"), source_row=row)
    raw(frame)
    counts = "10 of 10 records break product.yaml: licence (10), kind missing (1); such as licence 'stolen' is not in "
    with refused(counts, "reports/validation.html"):
        validate.run(config)
    with refused(", in rows.csv row 1; kind is missing, in rows.csv row 3"):
        validate.run(config)


def test_a_record_out_of_scope_is_kept_whatever_its_label(
    project: Path, records: pl.DataFrame, product: Any, config: Any, refused: Refused
) -> None:
    out = product.data.out_of_scope[0]
    raw(with_bad(with_bad(records, "kind", out), "source_label", "no label of ours"))
    validate.run(config)
    assert report()["kinds"][out]["found"] == 1


def test_a_payload_that_the_contract_does_not_allow_is_named(
    project: Path, records: pl.DataFrame, batch: pl.DataFrame, config: Any, refused: Refused
) -> None:
    payload = batch.columns[0]
    raw(with_bad(records, payload, b"no image" if records.schema[payload] == pl.Binary else float("inf")))
    rule = "payload" if records.schema[payload] == pl.Binary else f"{payload} out of range"
    with refused(f"1 of 10 records break product.yaml: {rule} (1); "):
        validate.run(config)
    assert [record for record, *_ in report()["examples"][rule]] == [records["id"][2]]


def test_what_no_contract_can_allow_is_to_be_mended(
    project: Path, records: pl.DataFrame, config: Any, refused: Refused
) -> None:
    raw(with_bad(records, "source", None))
    with refused("source missing (1)", fix="fix:   mend the source, rm -r data/raw data/raw.lock, then make"):
        validate.run(config)
    raw(with_bad(records, "licence", "stolen"))
    with refused("licence (1)", fix="allow it in product.yaml; or mend the source"):
        validate.run(config)


@pytest.mark.task("image-classification")
def test_a_label_that_was_renamed_is_told_where_its_old_name_goes(
    project: Path, records: pl.DataFrame, config: Any, refused: Refused
) -> None:
    raw(with_bad(records, "source_label", "ten"))
    with refused("source_label (1)", fix="or at was: [<old name>] of the label that took its place; or"):
        validate.run(config)


def test_every_shard_is_checked(project: Path, records: pl.DataFrame, config: Any, refused: Refused) -> None:
    raw(records[10:30])
    raw(with_bad(records, "licence", "stolen"), number=1)
    with refused("1 of 30 records break"):
        validate.run(config)


def test_the_report_names_at_most_the_configured_number(
    project: Path, records: pl.DataFrame, config: Any, refused: Refused
) -> None:
    raw(records.with_columns(licence=pl.lit("stolen")))
    config.validate.max_reported = 3
    with refused(f"{len(records)} of {len(records)} records break product.yaml: licence ({len(records)}); "):
        validate.run(config)
    assert report()["violations"] == {"licence": len(records)}
    assert len(report()["examples"]["licence"]) == 3


def test_a_record_without_a_label_is_allowed(project: Path, records: pl.DataFrame, config: Any) -> None:
    raw(with_bad(records, "source_label", None))
    validate.run(config)
    assert report()["valid"]


@pytest.mark.parametrize("fault", ["missing", "other-type"])
def test_a_shard_of_another_schema_is_refused(
    fault: str, project: Path, records: pl.DataFrame, config: Any, refused: Refused
) -> None:
    frame = records.drop("group") if fault == "missing" else records.with_columns(group=pl.lit(7))
    raw(frame)
    with refused("column 'group' is", "shard-00000", "collect again"):
        validate.run(config)


def test_a_mistake_is_mended_in_the_source_as_the_advice_says(
    project: Path, batch: pl.DataFrame, config: Any, monkeypatch: pytest.MonkeyPatch, refused: Refused
) -> None:
    def gather(frame: pl.DataFrame) -> None:
        monkeypatch.setattr(collect, "open_source", lambda *_: iter([frame]))
        collect.run(config)

    gather(batch[:10].with_columns(source_label=pl.lit("mistyped")))
    with refused("'mistyped'", "data/raw", "mend the source, rm -r data/raw data/raw.lock, then make"):
        validate.run(config)
    subprocess.run(["rm", "-r", "data/raw", "data/raw.lock"], check=True)
    gather(batch[:10])
    validate.run(config)
    assert report()["metrics"]["records"] == 10
