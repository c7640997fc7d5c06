"""A function of the product's own is a metric: requirements name it, evaluation measures it, the gate judges it."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
import yaml

from fullstack_ml.answers import labels, number
from fullstack_ml.modeling.accept import __main__ as accept
from fullstack_ml.modeling.evaluate import __main__ as evaluate
from fullstack_ml.product import contract
from fullstack_ml.product.metrics import metrics_of
from fullstack_ml.product.types import Product

Refused = Callable[..., AbstractContextManager[None]]
OWN = '''
from fullstack_ml.product.metrics import metric


@metric(unit="share", better="higher")
def top_two(outputs, truth):
    """share of records whose right label is among the two most probable"""
    return float((outputs.argsort(axis=1)[:, -2:] == truth[:, None]).any(axis=1).mean())
'''


@pytest.fixture
def write_metrics() -> Callable[[str], None]:
    """Write ``metrics.py`` of the product's own."""

    def write(text: str) -> None:
        Path("src/my_product/metrics.py").write_text(text, encoding="utf-8")

    return write


def require(**changed: Any) -> None:
    """Add a requirement to product.yaml."""
    written = yaml.safe_load(Path("product.yaml").read_text(encoding="utf-8"))
    row = {"id": "R99", "operator": ">=", "threshold": 0.5, "unit": "share", "owner": "o", "reason": "r", **changed}
    written["requirements"].append(row)
    written["evaluation"][0]["decides"].append(row["id"])
    Path("product.yaml").write_text(yaml.safe_dump(written, allow_unicode=True), encoding="utf-8")


def test_a_metric_of_the_products_own_is_measured_and_judged(
    finished: Path, config: Any, write_metrics: Callable[[str], None]
) -> None:
    write_metrics(OWN)
    require(metric="top_two", decide="bound")
    evaluate.run(config)
    accept.run(config)
    evaluation = json.loads(Path("reports/evaluation.json").read_text(encoding="utf-8"))
    value, (low, high) = evaluation["metrics"]["top_two"], evaluation["intervals"]["top_two"]
    assert evaluation["metrics"]["accuracy"] <= value <= 1
    assert low <= value <= high
    acceptance = json.loads(Path("reports/acceptance.json").read_text(encoding="utf-8"))
    verdict = next(row for row in acceptance["verdicts"] if row["id"] == "R99")
    assert (verdict["verdict"], verdict["value"], verdict["interval"]) == ("pass", value, [low, high])


@pytest.mark.parametrize(
    ("text", "what", "where"),
    [
        (OWN.replace("top_two", "accuracy"), "there is a metric 'accuracy' already", "metrics.py"),
        (OWN.replace('"higher"', '"up"'), "metric 'top_two' is not described", "metrics.py"),
        (OWN.replace("from fullstack_ml", "from fullstack_lm"), "ModuleNotFoundError", "metrics.py:2"),
    ],
    ids=["a-metric-that-exists", "no-direction", "raises-at-import"],
)
def test_a_metric_that_cannot_be_one_is_three_lines(
    text: str, what: str, where: str, project: Path, refused: Refused, write_metrics: Callable[[str], None]
) -> None:
    write_metrics(text)
    with refused(what, where):
        contract.load()


def test_an_operator_against_the_metrics_direction_is_refused(
    project: Path, refused: Refused, write_metrics: Callable[[str], None]
) -> None:
    write_metrics(OWN)
    require(metric="top_two", operator="<=")
    with refused("R99 has the operator '<=' for top_two", "product.yaml", "use >="):
        contract.load()


def test_the_page_of_the_requirements_lists_every_metric(root: Path, product: Product) -> None:
    page = (root / "docs/1-requirements/constraints.md").read_text(encoding="utf-8")
    rows = [tuple(cell.strip() for cell in row.split("|")[1:-1]) for row in page.splitlines() if row.startswith("| `")]
    every = {**labels.METRICS, **number.METRICS, **metrics_of(product)}  # the product's answer is a label
    known = {(f"`{name}`", row.unit, row.better, row.meaning) for name, row in every.items()}
    assert set(rows) == known
