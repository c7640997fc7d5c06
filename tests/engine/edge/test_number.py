"""The number of the page in a real browser: it decides to the bit as the pipeline does, and shows its interval."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from chromium import Page, beside
from fullstack_ml import edge
from fullstack_ml.answers.number.rule import Rule, decide

pytestmark = pytest.mark.task("tabular-regression")
RULES = [Rule(0.9, None, None), Rule(0.9, 1.5, 40.0), Rule(0.8, 0.1, 0.3)]
SHOWN = """
const page = await import("./number.js");
const root = document.querySelector("main");
root.replaceChildren();
const show = page.mount(root, description);
show(values);
const fill = root.querySelector("i").style;
return [page.say(values ?? [NaN], description), root.querySelector("p").textContent, fill.marginLeft, fill.width];
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    script = Path(str(edge.__file__)).parent / "page/number.js"
    with beside(tmp_path_factory.mktemp("page"), [script]) as opened:
        yield opened


def test_the_page_decides_as_the_pipeline_does(page: Page) -> None:
    random = np.random.default_rng(0)
    value = random.uniform(0, 400, 60).astype(np.float32)
    half = np.concatenate([[20, 0.15, np.nan, np.inf], random.uniform(0, 40, 56)]).astype(np.float32)
    outputs = np.stack([value, value - half, value + half], axis=1)
    novelty = np.concatenate([[1.5, 0.1, 1, 1, np.nan, np.inf], random.uniform(0, 2, 54)]).astype(np.float32)
    expected = [decide(outputs, novelty, rule).tolist() for rule in RULES]
    told = [
        [str(number) for number in (*row, one)] for row, one in zip(outputs.tolist(), novelty.tolist(), strict=True)
    ]
    found = page.run(
        'const { decide } = await import("./number.js");'
        'const f = (text) => Math.fround(Number(text.replace("inf", "Infinity").replace("nan", "NaN")));'
        "const said = (rule) => ([...row]) => decide(row.slice(0, 3).map(f), f(row[3]), rule);"
        "return rules.map((rule) => cases.map(said(rule)));",
        cases=told,
        rules=[json.loads(json.dumps(asdict(rule))) for rule in RULES],
    )
    assert found == expected
    assert {word for row in found for word in row} == {"accept", "uncertain", "unfamiliar"}


def test_the_interval_stands_in_the_possible_range_with_its_unit(page: Page) -> None:
    options = {"unit": "kg", "low": 100, "high": 300, "tolerance": 5}
    description = {"answer": {"options": options}, "rule": asdict(RULES[0])}
    said = page.run(SHOWN, description=description, values=[151.26, 150, 200])
    assert said == ["151.3 kg", "150 to 200 kg in 90 of 100 such cases", "25%", "25%"]
    said = page.run(SHOWN, description=description, values=None)
    assert said == [None, "100 to 300 kg", "0%", "0%"]
