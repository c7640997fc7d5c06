"""Draw the pictures of an evaluation of several labels, as PNG files that are written in one step.

Writes below the folders that it is given, of stage ``evaluate``; reads nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fullstack_ml.answers.drawing import ACCENT, FAINT, figure_of, in_percent, save
from fullstack_ml.answers.label.figures import PLOTTED, draw_reliability, draw_risk, short
from fullstack_ml.answers.words import Words
from fullstack_ml.workspace.files import write_text
from fullstack_ml.workspace.spreadsheet import csv_text


def draw_labels(path: Path, labels: dict[str, Any], words: Words) -> None:
    """Draw recall and precision of every label as two bars, the label of the lowest F1 first."""
    rows = sorted(labels.items(), key=lambda row: row[1]["f1"], reverse=True)
    figure = figure_of(5.2, max(2.4, 0.42 * len(rows) + 1))
    axes = figure.add_subplot()
    for place, name, said, colour in (
        (0.2, "recall", words("recall"), ACCENT),
        (-0.2, "precision", words("precision"), FAINT),
    ):
        values = [row[name] or 0 for _, row in rows]
        axes.barh([i + place for i in range(len(rows))], values, height=0.38, color=colour, label=said)
    axes.set_yticks(range(len(rows)), [short(name) for name, _ in rows])
    axes.set_xlim(0, 1)
    in_percent(axes.xaxis)
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    axes.set_title(words("Recall and precision per label, test split"))
    save(figure, path)


def draw_all(
    report: dict[str, Any], pairs: tuple[list[str], list[str]], plots: Path, figures: Path, words: Words
) -> None:
    """Write the tables of ``dvc plots`` and the pictures; ``pairs`` are the right and the given labels as text."""
    import polars as pl

    write_text(plots / "sets.csv", csv_text(("right", "given"), [*zip(*pairs, strict=True)][:PLOTTED]))
    rows = [{"label": name, **row} for name, row in report["sets"]["labels"].items()]
    write_text(plots / "labels.csv", pl.DataFrame(rows).write_csv())
    write_text(plots / "reliability.csv", pl.DataFrame(report["reliability"]).write_csv())
    write_text(plots / "risk.csv", pl.DataFrame(report["risk_curve"]).write_csv())
    draw_labels(figures / "labels.png", report["sets"]["labels"], words)
    before = report["uncalibrated"]["reliability"]
    draw_reliability(figures / "reliability.png", report["reliability"], before, report["metrics"]["ece"], words)
    draw_risk(figures / "risk.png", report["risk_curve"], report["metrics"], words)
