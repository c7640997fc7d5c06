"""The page of the monitor: verdicts, alarms, and what was measured over time.

Writes ``reports/monitoring/report.html``, one file that opens without a network.
"""

import base64
import io
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from fullstack_ml.answers import answer_of
from fullstack_ml.answers.drawing import ACCENT, FAINT, INK, figure_of, in_percent
from fullstack_ml.monitoring.chance import Measure
from fullstack_ml.monitoring.verdicts import candidates
from fullstack_ml.pages.render import html
from fullstack_ml.pages.words import translated, words
from fullstack_ml.product.types import Product, Watch
from fullstack_ml.product.watching import units
from fullstack_ml.workspace.files import write_text

TEMPLATES = Path(__file__).parent / "templates"
RED = "#b91c1c"
SHOWN = 8  # features in one plot, the worst of the newest window


def as_uri(figure: Figure) -> str:
    """Return a figure as PNG in a data URI."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=110, bbox_inches="tight", metadata={"Software": None})
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def series(row: Watch, windows: list[dict[str, Any]]) -> dict[str, list[Measure | None]]:
    """Return what a row is about over all windows, by feature or slice; the worst of the newest window first."""
    by_window = [candidates(row, window) for window in windows]
    sign = -1 if row.operator == "<=" else 1
    newest = {name: one["value"] or 0.0 for name, one in by_window[-1].items()}
    names = sorted({name for one in by_window for name in one}, key=lambda name: sign * newest.get(name, 0.0))
    return {name: [one.get(name) for one in by_window] for name in names[:SHOWN]}


def plot(row: Watch, windows: list[dict[str, Any]], unit: str) -> str:
    """Draw one row over time: its values, what chance explains around a single one, and the threshold."""
    figure = figure_of(5.6, 2.5)
    axes = figure.add_subplot()
    places = list(range(len(windows)))
    lines = series(row, windows)
    for i, (name, measured) in enumerate(lines.items()):
        known = [(x, one) for x, one in zip(places, measured, strict=True) if one and one["value"] is not None]
        at, values = [x for x, _ in known], [one["value"] for _, one in known]
        label = name if i == 0 else words("%(count)s others", count=len(lines) - 1) if i == 1 else None
        axes.plot(
            at, values, marker="o", ms=3, lw=1.4, color=ACCENT if i == 0 else FAINT, label=label, zorder=3 - (i > 0)
        )
        if len(lines) == 1 and all("low" in one for _, one in known):
            low, high = ([one[end] for _, one in known] for end in ("low", "high"))
            axes.fill_between(at, low, high, color=ACCENT, alpha=0.15, lw=0)
    axes.axhline(row.threshold, color=RED, lw=1, ls="--")
    axes.set_xlim(-0.4, len(windows) - 0.6)
    axes.set_xticks(places, [window["to"][5:10] for window in windows], fontsize=7, rotation=45)
    axes.tick_params(axis="y", labelsize=8, colors=INK)
    axes.set_xlabel(words("window until"), fontsize=8, color=INK)
    if unit == "share":
        in_percent(axes.yaxis)
    else:
        axes.set_ylabel(translated(unit), fontsize=8, color=INK)
    axes.spines[["top", "right"]].set_visible(False)
    if len(lines) > 1:
        axes.legend(fontsize=7, frameon=False, loc="best")
    return as_uri(figure)


def write_page(report: dict[str, Any], product: Product, path: Path) -> None:
    """Write the page in one step."""
    watch = product.monitoring.watch if product.monitoring else []
    unit = units(answer_of(product), product)
    plots = {row.id: plot(row, report["windows"], unit[row.metric]) for row in watch}
    facts = {"product": product, "report": report, "now": report["windows"][-1], "main": report["main"]}
    write_text(path, html(TEMPLATES, "report.html.j2", **facts, plots=plots, units=unit))
