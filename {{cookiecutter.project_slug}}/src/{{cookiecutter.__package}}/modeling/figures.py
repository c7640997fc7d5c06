"""Draw the pictures of an evaluation.

Writes PNG files in one step; reads nothing.
"""

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from ..files import replacing

INK, ACCENT = "#1f2937", "#2563eb"


def save(figure: Figure, path: Path) -> None:
    """Write a figure; the creation date is left out, so that the same picture has the same bytes."""
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110, bbox_inches="tight", metadata={"Software": None})


def draw_confusion(path: Path, counts: list[list[int]], labels: list[str]) -> None:
    """Draw the confusion matrix: right labels down, predicted labels across, counts in the cells."""
    side = max(4.0, 0.55 * len(labels))
    figure = Figure(figsize=(side, side))
    axes = figure.add_subplot()
    rows = [[cell / (sum(row) or 1) for cell in row] for row in counts]
    axes.imshow(rows, cmap="Blues", vmin=0, vmax=1)
    for i, row in enumerate(counts):
        for j, cell in enumerate(row):
            if cell:
                axes.text(j, i, str(cell), ha="center", va="center", color="white" if rows[i][j] > 0.5 else INK)
    axes.set_xticks(range(len(labels)), labels, rotation=45 if len(max(labels, key=len)) > 3 else 0)
    axes.set_yticks(range(len(labels)), labels)
    axes.set_xlabel("predicted")
    axes.set_ylabel("actual")
    axes.set_title("Confusion matrix, test split")
    save(figure, path)


def draw_reliability(path: Path, rows: list[dict[str, Any]], ece: float) -> None:
    """Draw accuracy against confidence per bin; the diagonal is perfect calibration."""
    figure = Figure(figsize=(4.6, 4.2))
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], linestyle="--", color="#9ca3af")
    confidence, hit = [row["confidence"] for row in rows], [row["accuracy"] for row in rows]
    axes.plot(confidence, hit, marker="o", color=ACCENT)
    for row in rows:
        axes.annotate(
            str(row["records"]),
            (row["confidence"], row["accuracy"]),
            fontsize=8,
            xytext=(4, -10),
            textcoords="offset points",
        )
    axes.set_xlabel("confidence")
    axes.set_ylabel("accuracy")
    axes.set_title(f"Reliability, ECE {ece:.3f}")
    save(figure, path)
