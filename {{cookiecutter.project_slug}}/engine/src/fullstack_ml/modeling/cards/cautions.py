"""Say what holds a figure back: look-alikes in two splits, missing groups, few records, a calibration that made worse.

Reads and writes nothing; the pages of stage ``cards`` show each sentence beside the figure that it is about.
"""

from typing import Any

import numpy as np

from fullstack_ml.answers.drawing import FEW
from fullstack_ml.pages.formats import between, count, share
from fullstack_ml.pages.words import words
from fullstack_ml.product.types import Product


def on_data(product: Product, validation: dict[str, Any], leakage: dict[str, Any]) -> list[str]:
    """Tell of what makes the test split look better than new records will be."""
    return [*without_group(product, validation), *look_alikes(leakage)]


def without_group(product: Product, validation: dict[str, Any]) -> list[str]:
    """Tell how many records name no group, by which those of one person or place would stay in one split."""
    many, records = validation["without_group"], validation["metrics"]["records"]
    if not many:
        return []
    text = (
        "%(many)s of %(records)s records have no group, so we do not know which of them belong together (%(group)s). "
        "The same people or places may be in training and in the test: expect new ones to be harder."
    )
    return [words(text, many=count(many), records=count(records), group=product.data.group)]


def look_alikes(leakage: dict[str, Any]) -> list[str]:
    """Tell how many pairs of records that look alike stand in two splits, and how many touch the test split."""
    pairs = leakage["near_duplicates"]
    if not pairs:
        return []
    text = (
        "%(pairs)s pairs of look-alike records are in two different splits; in %(test)s of them one record is in the "
        "test split, so the model may already know it."
    )
    return [words(text, pairs=pairs, test=leakage["near_duplicates_of_test"])]


def on_calibration(evaluation: dict[str, Any]) -> list[str]:
    """Tell which dots of the reliability plot few records stand for, and whether calibration made it worse."""
    rows = evaluation["reliability"]
    few, said = sum(row["records"] < FEW for row in rows), []
    if few:
        text = (
            "%(few)s of the %(all)s dots stand for fewer than %(least)s records each and are hollow: one record moves "
            "them far. Judge by the others; the numbers beside the dots count the records."
        )
        said.append(words(text, few=few, all=len(rows), least=FEW))
    before, after = evaluation["uncalibrated"]["ece"], evaluation["metrics"]["ece"]
    if after > before:
        text = "Calibration made the ECE of the test split worse: %(before)s before, %(after)s after."
        said.append(words(text, before=share(before, 2), after=share(after, 2)))
        bounds = evaluation["intervals"]["ece"]
        if bounds and bounds[0] <= before <= bounds[1]:
            text = "Its interval, %(interval)s %%, holds both: this test is too small to tell them apart."
            said.append(words(text, interval=between(bounds)))
    return said


def on_risk(evaluation: dict[str, Any]) -> list[str]:
    """Tell why the operating point is not on the line, where it is not."""
    error, curve = evaluation["metrics"]["answered_error"], evaluation.get("risk_curve")
    if error is None or not curve:
        return []
    shares, errors = ([point[key] for point in curve] for key in ("answered_share", "answered_error"))
    given = evaluation["metrics"]["answered_share"]
    line = float(np.interp(given, shares, errors))
    if abs(line - error) * given * evaluation["records"] < 0.5:  # half a wrong answer apart
        return []
    text = (
        "Choosing by probability alone, as the risk curve does, would give %(line)s errors at the same share of "
        "answers; the product has %(error)s. It also looks at how unfamiliar a record is, and at its candidates."
    )
    return [words(text, line=share(line), error=share(error))]
