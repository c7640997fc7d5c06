"""How the pictures of an evaluation look, and how one is written: as PNG, in one step.

Reads the typeface of koreanize-matplotlib, where it is installed; writes the picture.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fullstack_ml.workspace.files import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

FEW = 20  # a dot of fewer records is hollow: one more record moves it far
INK, ACCENT, FAINT = "#1f2937", "#2563eb", "#9ca3af"


def figure_of(width: float, height: float) -> Figure:
    """Return an empty figure, in inches."""
    from matplotlib import rcParams  # slow to import
    from matplotlib.figure import Figure

    rcParams["font.family"] = ["DejaVu Sans", *_font_with_hangul()]
    rcParams["text.parse_math"] = False  # a label may hold dollar signs
    return Figure(figsize=(width, height))


@cache
def _font_with_hangul() -> list[str]:
    """Name the font for letters that matplotlib's own font lacks."""
    from matplotlib.font_manager import FontProperties, fontManager

    package = find_spec("koreanize_matplotlib")
    if package is None or package.origin is None:
        return []
    file = Path(package.origin).with_name("fonts") / "NanumGothic.ttf"
    fontManager.addfont(file)
    return [FontProperties(fname=file).get_name()]


def in_percent(*sides: Axis) -> None:
    """Write the shares along these sides of a plot in percent."""
    from matplotlib.ticker import PercentFormatter

    for side in sides:
        side.set_major_formatter(PercentFormatter(1.0, symbol=" %"))


def beside(axes: Axes, place: tuple[float, float], text: str, above: bool = False, **look: Any) -> None:
    """Write a text to the right of a dot, or to the left where an edge would cut it.

    ``above`` a curve that rises, the left has more room.
    """
    left, right = axes.get_xlim()
    low = (place[0] - left) / (right - left) < (0.4 if above else 0.8)
    shift = (5 if low else -5, 8 if above else -10)
    axes.annotate(text, place, xytext=shift, textcoords="offset points", ha="left" if low else "right", **look)


def save(figure: Figure, path: Path) -> None:
    """Write a figure; the creation date is left out, so that the same picture has the same bytes."""
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110, bbox_inches="tight", metadata={"Software": None})
