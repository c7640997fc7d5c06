"""Draw the pictures of an evaluation, as PNG files that are written in one step.

Writes below the folders that it is given, of stage ``evaluate``; reads nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fullstack_ml.answers.drawing import ACCENT, FAINT, FEW, INK, beside, figure_of, in_percent, save
from fullstack_ml.answers.words import Words
from fullstack_ml.workspace.files import write_text
from fullstack_ml.workspace.spreadsheet import csv_text

# Rows of the confusion table: enough for the picture, small for any test split.
PLOTTED = 10_000
LONGEST = 40  # characters of a label


def short(label: str) -> str:
    """Cut a label so that it fits beside a figure."""
    return label if len(label) <= LONGEST else f"{label[: LONGEST - 1]}…"


def draw_confusion(path: Path, counts: list[list[int]], labels: list[str], words: Words) -> None:
    """Draw the confusion matrix: right labels down, predicted labels across, counts in the cells."""
    side = max(4.0, 0.55 * len(labels))
    figure = figure_of(side, side)
    axes = figure.add_subplot()
    rows = [[cell / (sum(row) or 1) for cell in row] for row in counts]
    axes.imshow(rows, cmap="Blues", vmin=0, vmax=1)
    for i, row in enumerate(counts):
        for j, cell in enumerate(row):
            if cell:
                axes.text(j, i, str(cell), ha="center", va="center", color="white" if rows[i][j] > 0.5 else INK)
    names = list(map(short, labels))
    axes.set_xticks(range(len(names)), names, rotation=45 if len(max(names, key=len)) > 3 else 0)
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel(words("predicted label"))
    axes.set_ylabel(words("right label"))
    axes.set_title(words("Confusion matrix, test split"))
    save(figure, path)


def draw_reliability(
    path: Path, rows: list[dict[str, Any]], before: list[dict[str, Any]], ece: float, words: Words
) -> None:
    """Draw accuracy against confidence per bin, before and after calibration; the diagonal is perfect.

    A dot of few records is hollow.
    """
    figure = figure_of(4.6, 4.2)
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], linestyle="--", color=FAINT)
    for name, points, colour in ((words("before calibration"), before, FAINT), (words("calibrated"), rows, ACCENT)):
        confidence, hit = [row["confidence"] for row in points], [row["accuracy"] for row in points]
        axes.plot(confidence, hit, color=colour, label=name)
        filled = [colour if row["records"] >= FEW else "white" for row in points]
        axes.scatter(confidence, hit, color=filled, edgecolors=colour, zorder=3)
    for row in rows:
        beside(axes, (row["confidence"], row["accuracy"]), str(row["records"]), fontsize=8)
    axes.legend(frameon=False)
    in_percent(axes.xaxis, axes.yaxis)
    axes.set_xlabel(words("confidence"))
    axes.set_ylabel(words("accuracy"))
    axes.set_title(words("Reliability, ECE %(ece)s", ece=f"{100 * ece:.1f} %"))
    save(figure, path)


def draw_risk(path: Path, curve: list[dict[str, float]], measured: dict[str, Any], words: Words) -> None:
    """Draw the error of the answers against the share of records answered; the dot is the operating point."""
    figure = figure_of(4.6, 4.2)
    axes = figure.add_subplot()
    shares, errors = [point["answered_share"] for point in curve], [point["answered_error"] for point in curve]
    axes.plot(shares, errors, color=ACCENT)
    if measured["answered_error"] is not None:
        axes.plot(measured["answered_share"], measured["answered_error"], marker="o", color=INK)
        place = (measured["answered_share"], measured["answered_error"])
        beside(axes, place, words("operating point"), above=True)
    in_percent(axes.xaxis, axes.yaxis)
    axes.set_xlabel(words("share of records answered"))
    axes.set_ylabel(words("error of the answers"))
    axes.set_title(words("Coverage and risk, test split"))
    save(figure, path)


def draw_all(
    report: dict[str, Any], pairs: tuple[list[str], list[str]], plots: Path, figures: Path, words: Words
) -> None:
    """Write the tables of ``dvc plots`` and the pictures; ``pairs`` are the right and the predicted labels."""
    import polars as pl

    table = csv_text(("actual", "predicted"), [*zip(*pairs, strict=True)][:PLOTTED])
    write_text(plots / "confusion.csv", table)
    write_text(plots / "reliability.csv", pl.DataFrame(report["reliability"]).write_csv())
    write_text(plots / "risk.csv", pl.DataFrame(report["risk_curve"]).write_csv())
    draw_confusion(figures / "confusion.png", report["confusion"], list(report["labels"]), words)
    before = report["uncalibrated"]["reliability"]
    draw_reliability(figures / "reliability.png", report["reliability"], before, report["metrics"]["ece"], words)
    draw_risk(figures / "risk.png", report["risk_curve"], report["metrics"], words)
