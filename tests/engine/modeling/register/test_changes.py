"""What changed since the champion is told metric by metric, with what chance explains."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from english import sentences
from fullstack_ml.modeling.register import changes
from fullstack_ml.product.contract import load

pytestmark = pytest.mark.task("image-classification")
PAGE = Path("reports/changes.html")


def model(samples: dict[str, list[float]], recall: float = 0.9, **metrics: float | None) -> Any:
    """Return what was measured of a model: its metrics, their resamples, and the recall of one label."""
    resampled = {name: np.array([metrics[name], *values]) for name, values in samples.items()}
    report = {"metrics": metrics, "labels": {"7": {"recall": recall}}}
    return SimpleNamespace(report=report, resampled=resampled)


def test_every_metric_of_both_is_better_worse_or_chance(product: Any) -> None:
    ends = {"ece": [0.03, 0.031], "accuracy": [0.95, 0.96], "answered_share": [0.8, 0.9]}
    new = model(ends, accuracy=0.95, ece=0.03, answered_share=0.85, macro_f1=0.9, worst_slice_accuracy=0.9)
    ends = {"ece": [0.01, 0.012], "accuracy": [0.9, 0.91], "answered_share": [0.85, 0.85]}
    old = model(ends, accuracy=0.9, ece=0.01, answered_share=0.84, macro_f1=0.9, worst_slice_accuracy=0.8)
    said = {row["metric"]: row["said"] for row in changes.rows_of(new, old, product)}
    known = {"accuracy": "better", "ece": "worse", "answered_share": "chance", "macro_f1": "same"}
    assert said == known | {"worst_slice_accuracy": "unknown"}, "without an interval it may be chance"


def test_the_page_names_the_champion_and_the_labels_that_differ(project: Path, product: Any) -> None:
    new, old = model({}, recall=0.95, accuracy=0.95), model({}, recall=0.8, accuracy=0.9)
    changes.write_changes(product, "4", (new, old))
    text = PAGE.read_text(encoding="utf-8")
    for part in ("Version 4 was champion", "<td>accuracy</td>", "95 %", "<td>7</td><td>recall</td>", "0.95</td>"):
        assert part in text


def test_the_page_in_another_language_holds_no_english_sentence(project: Path, translate: Callable[[], None]) -> None:
    translate()
    new, old = model({}, recall=0.95, accuracy=0.95), model({}, recall=0.8, accuracy=0.9)
    for made in ((), ("4", (new, old))):
        changes.write_changes(load(), *made)
        assert sentences(PAGE) == []


def test_without_a_champion_the_page_says_so(project: Path, product: Any) -> None:
    changes.write_changes(product)
    assert "There was no champion" in PAGE.read_text(encoding="utf-8")
