"""The fields of the page in a real browser: what they let one choose, and that they encode as the pipeline does."""

import json
import math
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl
import pytest

from chromium import Page, beside
from fullstack_ml.data.collect.sources import conversion
from fullstack_ml.edge import build
from fullstack_ml.inputs import table
from fullstack_ml.product.formulation import Feature, Input
from fullstack_ml.product.types import Product

pytestmark = pytest.mark.task("tabular-classification")
FEATURES: list[dict[str, Any]] = [
    {"name": "age", "type": "whole", "low": 0, "high": 120, "unit": "years"},
    {"name": "weight", "low": 0.5, "high": 300, "missing": "allowed"},
    {"name": "방법", "type": "category", "values": ["one way", "b", "1"], "other": "allowed", "missing": "allowed"},
    {"name": "step", "type": "ordered", "values": ["low", "high"]},
    {"name": "flag", "type": "flag"},
    {"name": "known", "type": "flag", "missing": "allowed"},
    {"name": "day", "type": "date", "low": "1960-01-01", "missing": "allowed"},
    {"name": "note", "type": "text", "missing": "allowed"},
    {"name": "title", "type": "text", "length": 20},
]
# What a person types or chooses, and what a record holds.
ROWS: list[tuple[list[str], list[Any]]] = [
    (["40", "70.25", "b", "high", "true", "false", "1969-12-30", "Never ARRIVED, refund!", "ÉTÉ"],
     [40, 70.25, "b", "high", True, False, "1969-12-30", "Never ARRIVED, refund!", "ÉTÉ"]),
    (["0", "", "", "low", "false", "", "", "", "!?"],
     [0, None, None, "low", False, None, None, None, "!?"]),
    (["7", "1e2", "new", "low", "no", "yes", "2024-02-29", "배송이 늦어요 🚚🚚 ①㎏", "ΣΊΣΥΦΟΣ"],
     [7, 100, "new", "low", False, True, "2024-02-29", "배송이 늦어요 🚚🚚 ①㎏", "ΣΊΣΥΦΟΣ"]),
    (["7", "1", "1", "low", "1", "0", "2024-02-29 06:30", "İstanbul\n2 lines", "ﬁ ﬂ"],
     [7, 1, "1", "low", True, False, "2024-02-29T06:30", "İstanbul\n2 lines", "ﬁ ﬂ"]),
    (["7", "1", "one way", "low", "1", "0", "2024-02-29T06:30:00+09:00", "a b a b", "x"],
     [7, 1, "one way", "low", True, False, "2024-02-28T21:30", "a b a b", "x"]),
]  # fmt: skip


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """An empty page beside the modules of the real one."""
    with beside(tmp_path_factory.mktemp("page"), [build.PAGE / name for name in table.PAGE]) as opened:
        yield opened


@pytest.fixture
def asked(product: Product) -> Product:
    """A contract with features of every type."""
    features = [Feature(**feature, meaning="m") for feature in FEATURES]
    given = Input.model_validate({"name": "row", "type": "table", "meaning": "one row", "features": features})
    return product.model_copy(update={"formulation": product.formulation.model_copy(update={"input": given})})


def described(product: Product) -> list[Any]:
    """Return the features as the artefact carries them to the page."""
    given = product.formulation.input.model_dump_json(exclude_none=True, exclude_defaults=True)
    return list(json.loads(given)["features"])


def test_the_page_encodes_a_row_as_the_pipeline_does(page: Page, asked: Product) -> None:
    columns = {
        feature["name"]: [
            datetime.fromisoformat(row[i]) if feature.get("type") == "date" and row[i] else row[i] for _, row in ROWS
        ]
        for i, feature in enumerate(FEATURES)
    }
    expected = table.matrix(pl.DataFrame(columns, schema=table.columns(asked)), asked)
    script = """
      const { encode, fault } = await import("./encoding.js");
      const bad = rows.flatMap((row) => row.map((text, i) => fault(features[i], text)));
      return [bad.filter(Boolean), rows.map((row) => [...encode(features, row)].map(String))];
    """
    faults, found = page.run(script, features=described(asked), rows=[texts for texts, _ in ROWS])
    assert faults == []
    assert np.array_equal(np.array(found, np.float32), expected, equal_nan=True)


WRONG = [
    ("age", "1.5", "age is 1.5; it needs a whole number."),
    ("age", "121", "age is 121; allowed are 0 to 120 years."),
    ("age", "", "age needs a value."),
    ("weight", "heavy", "weight is heavy; it needs a number."),
    ("step", "middle", "step is middle; it needs one of its values."),
    ("day", "31.12.2020", "day is 31.12.2020; it needs a date such as 2026-01-31."),
    ("day", "1959-12-31", "day is 1959-12-31; allowed are from 1960-01-01."),
    ("flag", "perhaps", "flag is perhaps; it needs true or false."),
    ("title", "twenty-one characters", "title has 21 characters; allowed are 20."),
]


@pytest.mark.parametrize(("name", "text", "said"), WRONG)
def test_a_value_that_is_not_allowed_is_said(page: Page, asked: Product, name: str, text: str, said: str) -> None:
    feature = next(feature for feature in described(asked) if feature["name"] == name)
    script = 'return (await import("./encoding.js")).fault(feature, text);'
    assert page.run(script, feature=feature, text=text) == said


def test_the_page_knows_the_words_of_a_truth_value_that_collect_knows() -> None:
    source = (build.PAGE / "encoding.js").read_text(encoding="utf-8")
    assert f"const TRUE = {json.dumps(conversion.TRUE)};" in source
    assert f"const FALSE = {json.dumps(conversion.FALSE)};" in source


def test_a_date_has_a_time_where_the_data_have_one(page: Page, asked: Product) -> None:
    days = [feature for feature in described(asked) if feature["name"] == "day"]
    moments = [[19723, 19724], [19723.25, 19724, 19725], [19723.27]]
    day = Feature(**FEATURES[6], meaning="m")
    usual = [table.usual(day, np.array(values, np.float32)) for values in moments]
    assert usual == ["2024-01-01", "2024-01-02T00:00", "2024-01-01T06:30"]
    script = """
      const { mount } = await import("./fields.js");
      const root = document.querySelector("main");
      const said = [];
      for (const day of typical) {
        root.replaceChildren();
        const given = [];
        const answers = { give: (row) => given.push(row[0]), fail: (e) => given.push(e.message), clear: () => {} };
        mount(root, null, { input: { features, meaning: "a row" }, typical: { day } }, answers);
        root.querySelectorAll("button")[1].click();
        const field = root.querySelector("#field-0");
        said.push([field.type, field.min, root.querySelector("small").textContent, given[0]]);
      }
      return said;
    """
    told = "from 1960-01-01; may stay empty"
    assert page.run(script, features=days, typical=usual) == [
        ["date", "1960-01-01", told, 19723],
        ["datetime-local", "1960-01-01T00:00", told, 19724],
        ["datetime-local", "1960-01-01T00:00", told, pytest.approx(19723.27, abs=2e-3)],
    ]


def test_a_person_chooses_where_there_is_a_choice(page: Page, asked: Product) -> None:
    buckets = [0.0] * 2 * 256
    usual = table.typical(np.array([[40, 70.5, 1, 0, 1, np.nan, 19723, 3, 3, *buckets]], np.float32), asked)
    assert usual == {
        "age": 40, "weight": 70.5, "방법": "b", "step": "low", "flag": True, "known": None, "day": "2024-01-01",
        "note": "a few words", "title": "a few words",
    }  # fmt: skip
    script = """
      const { mount } = await import("./fields.js");
      const root = document.querySelector("main");
      root.replaceChildren();
      const given = [];
      const answers = { give: (row) => given.push([...row].map(String)), fail: (e) => given.push(e.message) };
      mount(root, null, { input: { features, meaning: "a row" }, typical }, { ...answers, clear: () => {} });
      const kinds = features.map((_, i) => root.querySelector(`#field-${i}`).type);
      const choices = [...root.querySelector("#field-2").options].map((option) => option.textContent);
      const click = (text) => [...root.querySelectorAll("button")].find((b) => b.textContent === text).click();
      click("Typical values");
      root.querySelector("#field-2").selectedIndex = 4;
      root.querySelector("#field-4").checked = false;
      root.querySelector("#field-5").value = "true";
      click("Ask the model");
      root.querySelector("#field-3").value = "";
      click("Ask the model");
      return [kinds, choices, given];
    """
    kinds, choices, given = page.run(script, features=described(asked), typical=usual)
    texts = ["textarea", "textarea"]
    assert kinds == ["text", "text", "select-one", "select-one", "checkbox", "select-one", "date", *texts]
    assert choices == ["not known", "one way", "b", "1", "another value"]
    first, second, refused = given
    assert [float(value) for value in first[:5]] == [40, 70.5, 1, 0, 1]
    assert math.isnan(float(first[5]))
    assert [float(value) for value in second[:9]] == [40, 70.5, 3, 0, 0, 1, 19723, 3, 3]
    assert len(second) == 9 + 2 * 256, "the buckets of both texts stand behind the numbers"
    assert refused == "step needs a value."
