"""Several labels of the page in a real browser: it decides to the bit as the pipeline does, and shows every label."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from chromium import Page, beside
from fullstack_ml import edge
from fullstack_ml.answers.labels.rule import Rule, chosen, decide

RULES = [
    Rule([0.5, 0.5, 0.5], 0.5, 0.0, None, 1.0),
    Rule([0.3, 0.6, 0.5], 0.2, 0.4, 1.5, 0.9, [[0, 1]]),
    Rule([0.3, 0.3, 0.1], 0.4, 0.3, 0.7, 0.9, [[2, 0], [1, 2]]),
]
SHOWN = """
const page = await import("./labels.js");
const root = document.querySelector("main");
root.replaceChildren();
const show = page.mount(root, description);
show(values);
const rows = [...root.querySelectorAll("li")].map((row) => [row.textContent, row.className]);
return [page.say(values ?? [NaN], description), rows];
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    scripts = [Path(str(edge.__file__)).parent / "page" / name for name in ("labels.js", "bars.js")]
    with beside(tmp_path_factory.mktemp("page"), scripts) as opened:
        yield opened


def test_the_page_decides_as_the_pipeline_does(page: Page) -> None:
    random = np.random.default_rng(0)
    outputs = random.beta(0.5, 0.7, (200, 3)).astype(np.float32)
    outputs[:3] = [[0.3, 0.6, 0.5], [np.nan, 0.1, 0.1], [0.6, 0.6, 0.5]]
    novelty = np.concatenate([[1.5, 1, np.nan, np.inf], random.uniform(0, 1.4, 196)]).astype(np.float32)
    expected = [[decide(outputs, novelty, rule).tolist(), chosen(outputs, rule).tolist()] for rule in RULES]
    told = [
        [str(number) for number in (*row, one)] for row, one in zip(outputs.tolist(), novelty.tolist(), strict=True)
    ]
    found = page.run(
        'const { chosen, decide } = await import("./labels.js");'
        'const f = (text) => Math.fround(Number(text.replace("inf", "Infinity").replace("nan", "NaN")));'
        "return rules.map((rule) => [cases.map((row) => decide(row.slice(0, 3).map(f), f(row[3]), rule)),"
        " cases.map((row) => chosen(row.slice(0, 3).map(f), rule))]);",
        cases=told,
        rules=[json.loads(json.dumps(asdict(rule))) for rule in RULES],
    )
    assert found == expected
    assert {word for row, _ in found for word in row} == {"accept", "uncertain", "unfamiliar"}
    assert any(all(row[:2]) for row in found[0][1]), "without excludes both stand there"
    assert not any(all(row[:2]) for row in found[1][1])


def test_every_label_is_shown_and_all_that_hold_are_said(page: Page) -> None:
    known = [{"name": name, "definition": "d"} for name in ("late", "damaged", "other")]
    description = {"answer": {"labels": known}, "rule": asdict(RULES[1])}
    said = page.run(SHOWN, description=description, values=[0.9, 0.125, 0.5])
    assert said == ["late, other", [["late90.0 %", "top"], ["damaged12.5 %", ""], ["other50.0 %", "top"]]]
    said = page.run(SHOWN, description=description, values=[0.1, 0.1, 0.1])
    assert said[0] == "none of the labels"
    said = page.run(SHOWN, description=description, values=None)
    assert said == [None, [["late", ""], ["damaged", ""], ["other", ""]]]
