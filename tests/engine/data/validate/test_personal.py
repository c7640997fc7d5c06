"""Personal data in text is found in the writings that people use, and numbers that only look like it are not."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from fullstack_ml.data.store import shards
from fullstack_ml.data.validate import __main__ as validate
from fullstack_ml.data.validate import personal
from fullstack_ml.workspace.paths import RAW

Refused = Callable[..., AbstractContextManager[None]]


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("scan of minseo.kim+lab@mail.example.co.kr", ["e-mail address"]),
        ("call 010-1234-5678", ["phone number"]),
        ("01012345678", ["phone number"]),
        ("+82 10 1234 5678", ["phone number"]),
        ("02-312-4567", ["phone number"]),
        ("+44 20 7946 0958", ["phone number"]),
        # 8 5 0 1 0 1 1 2 3 4 5 6 weighted with 2 to 9 and 2 to 5 is 137, which is 5 mod 11: the check digit is 11 - 5
        ("850101-1234566", ["Korean resident number"]),
        ("8501011234566.png", ["Korean resident number"]),
        ("850101-1234567", []),
        ("851301-1234566", []),  # no thirteenth month
        ("201105-3123456", ["Korean resident number"]),  # born after October 2020: no check digit holds
        ("scans/2026-11-20/0001.png", []),
        ("s3://bucket/part-00001-1763632800123.parquet", []),
        ("scikit-learn: load_digits", []),
        ("version 1.2.3 at 10:20:30, 1234-5678", []),
        ("user@localhost", []),
        ("sftp://bob@host.example.org/scans/1.png", []),
        ("https://forms.example.org/?who=bob@example.org", ["e-mail address"]),
        ("sftp://bob@host.example.org/bob@example.org/1.png", ["e-mail address"]),
        ("2301153000001.png", []),  # a day and a number: without a check digit nothing tells it from a person's
    ],
)
def test_a_text_holds_these_kinds(text: str, kinds: list[str]) -> None:
    frame = pl.DataFrame({"id": ["r"], "source": [text]})
    assert personal.personal_data(frame) == [("r", "source", kind) for kind in kinds]


def test_the_check_digit_of_an_alien_number_may_be_two_more() -> None:
    # 8 5 0 1 0 1 5 2 3 4 5 6 weighted is 169, which is 4 mod 11: 11 - 4 = 7, and 7 + 2 = 9
    valid = [digit for digit in "0123456789" if personal.is_resident_number(f"850101-523456{digit}")]
    assert valid == ["7", "9"]


@pytest.mark.parametrize(("privacy", "stops"), [("public", True), ("internal", True), ("personal", False)])
def test_it_stops_the_pipeline_unless_the_privacy_class_allows_it(
    privacy: str, stops: bool, project: Path, records: pl.DataFrame, product: Any, config: Any, refused: Refused,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    found = product.model_copy(update={"data": product.data.model_copy(update={"privacy": privacy})})
    monkeypatch.setattr(validate, "load", lambda: found)
    shards.write_shard(records[:10].with_columns(group=pl.lit("minseo@example.com")), 0, RAW)
    if stops:
        with refused("10 of 10 records break product.yaml: personal (10); such as e-mail address in group"):
            validate.run(config)
    else:
        validate.run(config)
    for report in ("reports/validation.json", "reports/validation.html"):
        assert "minseo" not in Path(report).read_text()
    assert json.loads(Path("reports/validation.json").read_text())["personal_data"] == {"e-mail address in group": 10}
