"""Draw the pictures of an evaluation of numbers, as PNG files that are written in one step.

Writes below the folders that it is given, of stage ``evaluate``; reads nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from fullstack_ml.answers.drawing import ACCENT, FAINT, INK, beside, figure_of, in_percent, save
from fullstack_ml.answers.words import Words
from fullstack_ml.workspace.files import write_text
from fullstack_ml.workspace.spreadsheet import csv_text

PLOTTED = 10_000  # rows of the table of right and given numbers


def draw_numbers(path: Path, numbers: dict[str, Any], words: Words) -> None:
    """Draw the right number against the given one; on the line nothing is off, inside the band no more than allowed."""
    figure = figure_of(4.6, 4.2)
    axes = figure.add_subplot()
    given, right = np.array(numbers["drawn"]).T
    ends = np.array([min(given.min(), right.min()), max(given.max(), right.max())])
    axes.fill_between(ends, ends - numbers["tolerance"], ends + numbers["tolerance"], color=FAINT, alpha=0.3, lw=0)
    axes.plot(ends, ends, linestyle="--", color=FAINT)
    axes.scatter(given, right, s=9, color=ACCENT, alpha=0.6, linewidths=0)
    means = numbers["by_size"]
    axes.plot([row["given"] for row in means], [row["right"] for row in means], marker="o", color=INK, markersize=4)
    axes.set_xlabel(words("given, %(unit)s", unit=numbers["unit"]).rstrip(" ,"))
    axes.set_ylabel(words("right, %(unit)s", unit=numbers["unit"]).rstrip(" ,"))
    axes.set_title(words("Right against given, test split"))
    save(figure, path)


def draw_intervals(path: Path, numbers: dict[str, Any], words: Words) -> None:
    """Draw the coverage of the intervals over the range of the numbers, against what they are made for."""
    figure = figure_of(4.6, 4.2)
    axes = figure.add_subplot()
    rows = numbers["by_size"]
    axes.axhline(numbers["coverage"], linestyle="--", color=FAINT)
    axes.plot([row["given"] for row in rows], [row["interval_coverage"] for row in rows], marker="o", color=ACCENT)
    for row in rows:
        beside(axes, (row["given"], row["interval_coverage"]), str(row["records"]), fontsize=8)
    axes.set_ylim(0, 1.05)
    in_percent(axes.yaxis)
    axes.set_xlabel(words("given, %(unit)s", unit=numbers["unit"]).rstrip(" ,"))
    axes.set_ylabel(words("share of intervals that hold the right number"))
    axes.set_title(words("Intervals made for %(share)s", share=f"{100 * numbers['coverage']:.0f} %"))
    save(figure, path)


def draw_curve(path: Path, numbers: dict[str, Any], measured: dict[str, Any], words: Words) -> None:
    """Draw the error against the share of records answered, the narrowest intervals first."""
    figure = figure_of(4.6, 4.2)
    axes = figure.add_subplot()
    curve = numbers["curve"]
    axes.plot([point["answered_share"] for point in curve], [point["mae"] for point in curve], color=ACCENT)
    axes.axvline(measured["answered_share"], linestyle="--", color=INK)
    in_percent(axes.xaxis)
    axes.set_xlabel(words("share of records answered"))
    axes.set_ylabel(words("mean absolute error, %(unit)s", unit=numbers["unit"]).rstrip(" ,"))
    axes.set_title(words("Coverage and error, test split"))
    save(figure, path)


def draw_all(
    report: dict[str, Any], pairs: tuple[list[str], list[str]], plots: Path, figures: Path, words: Words
) -> None:
    """Write the tables of ``dvc plots`` and the pictures; ``pairs`` are the right and the given numbers as text."""
    import polars as pl

    numbers = report["numbers"]
    write_text(plots / "numbers.csv", csv_text(("right", "given"), [*zip(*pairs, strict=True)][:PLOTTED]))
    write_text(plots / "sizes.csv", pl.DataFrame(numbers["by_size"]).write_csv())
    write_text(plots / "risk.csv", pl.DataFrame(numbers["curve"]).write_csv())
    draw_numbers(figures / "numbers.png", numbers, words)
    draw_intervals(figures / "intervals.png", numbers, words)
    draw_curve(figures / "risk.png", numbers, report["metrics"], words)
