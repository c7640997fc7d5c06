"""The page that tells the month: what happened in each week, which command did it, and what it printed.

Writes ``.simulation/story.html``, one file that opens without a network.
"""

import base64
import io
from pathlib import Path
from typing import Any

import polars as pl
from markupsafe import Markup

from fullstack_ml.answers import answer_of
from fullstack_ml.answers.drawing import ACCENT, FAINT, INK, figure_of
from fullstack_ml.inputs import input_of
from fullstack_ml.pages.render import html
from fullstack_ml.pages.words import words
from fullstack_ml.product.metrics import unit_of
from fullstack_ml.product.types import Product
from fullstack_ml.product.watching import units
from fullstack_ml.workspace.files import write_text

TEMPLATES = Path(__file__).parent / "templates"
EXAMPLES = 6
UNITS = {"abstain_rate": "share", "latency_ms": "ms"}  # what an online comparison measures beside the main metric


def plot(values: list[float | None], names: list[str], title: str, share: bool) -> str:
    """Draw one measure over the weeks, with the change and the release between them; return a PNG in a data URI."""
    figure = figure_of(5.2, 2.3)
    axes = figure.add_subplot()
    known = [(place, value) for place, value in enumerate(values) if value is not None]
    axes.plot([x for x, _ in known], [y for _, y in known], marker="o", ms=4, lw=1.5, color=ACCENT)
    for place, text in ((1.5, words("change")), (3.5, words("release"))):
        axes.axvline(place, color=FAINT, lw=1, ls=":")
        axes.annotate(
            text, (place, 1.0), xycoords=("data", "axes fraction"), fontsize=7, color=INK, ha="center", va="bottom"
        )
    axes.set_xlim(-0.4, len(names) - 0.6)
    axes.set_xticks(range(len(names)), names, fontsize=8)
    low, high = (0.0, 1.0) if share else (0.0, max([y for _, y in known], default=1.0))
    axes.set_ylim(low - 0.05 * (high - low), high + 0.1 * (high - low))
    axes.set_title(title, fontsize=9, loc="left", pad=14)
    axes.tick_params(labelsize=8, colors=INK)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=110, bbox_inches="tight", metadata={"Software": None})
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def plots(weeks: list[dict[str, Any]], main: str) -> list[tuple[str, str]]:
    """Draw what the monitor measured in each week; return each plot with what it shows."""
    seen = [week for week in weeks if week["monitor"]]
    names = [week["title"] for week in seen]
    measures = [week["monitor"]["now"]["measures"] for week in seen]
    drift = [
        max((one["drift"]["value"] or 0.0 for one in week["monitor"]["now"]["columns"].values()), default=None)
        for week in seen
    ]
    shares = {
        words("unfamiliar to the model (share of records)"): "unfamiliar_share",
        words("answered (share of records)"): "answered_share",
        words("%(metric)s on labels of a random sample, of what was answered", metric=main): f"drawn_{main}",
    }
    drawn = [(text, [one.get(name, {}).get("value") for one in measures]) for text, name in shares.items()]
    drawn.insert(1, (words("drift of the feature that moved most (PSI)"), drift))
    bounded = [all(value is None or value <= 1 for value in values) and "PSI" not in text for text, values in drawn]
    return [(plot(values, names, text, share), text) for (text, values), share in zip(drawn, bounded, strict=True)]


def examples(before: pl.DataFrame, after: pl.DataFrame, product: Product) -> list[tuple[Markup, Markup]]:
    """Return some records as they came before and after the change, as elements of the page."""
    given = input_of(product)
    pairs = zip(before.head(EXAMPLES).to_dicts(), after.head(EXAMPLES).to_dicts(), strict=True)
    # What an input makes of a record is HTML, whose texts it escapes.
    return [(Markup(given.html(one, product)), Markup(given.html(other, product))) for one, other in pairs]  # noqa: S704


def write_page(story: dict[str, Any], pairs: list[tuple[Markup, Markup]], product: Product, path: Path) -> None:
    """Write the page in one step."""
    facts = {"story": story, "plots": plots(story["weeks"], story["main"]), "pairs": pairs, "product": product}
    answer = answer_of(product)
    known = units(answer, product) | UNITS | {answer.MAIN: unit_of(answer.METRICS[answer.MAIN], product)}
    write_text(path, html(TEMPLATES, "story.html.j2", **facts, units=known, layout=input_of(product).LAYOUT))
