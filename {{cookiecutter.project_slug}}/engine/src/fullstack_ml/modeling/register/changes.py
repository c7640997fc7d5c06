"""What changed since the champion: both models on today's test split, each metric with what chance explains.

Reads nothing; writes ``reports/changes.html``. Stage ``register`` calls it, which knows the champion.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fullstack_ml.answers import answer_of
from fullstack_ml.modeling.measuring.intervals import interval
from fullstack_ml.modeling.measuring.measure import Tested
from fullstack_ml.pages.formats import number, quantity, range_of
from fullstack_ml.pages.render import html
from fullstack_ml.product.metrics import Metric, metrics_of, unit_of
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.files import write_text
from fullstack_ml.workspace.paths import CHANGES

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Difference:
    """Challenger minus champion, turned so that above 0 is better; ``bounds`` is its 95 % interval, if it has one."""

    value: float
    bounds: list[float] | None
    relative: float

    @property
    def word(self) -> str:
        """What may be said of it: without an interval nobody knows whether it is more than chance."""
        if not self.value:
            return "same"
        if self.bounds is None:
            return "unknown"
        return "chance" if self.bounds[0] <= 0 <= self.bounds[1] else "better" if self.value > 0 else "worse"

    @property
    def worse(self) -> bool:
        """Whether the whole interval is on the worse side."""
        return self.bounds is not None and self.bounds[1] < 0


def difference(metric: str, new: Tested, old: Tested, metrics: dict[str, Metric]) -> Difference | None:
    """Compare two models on a metric; None when one of them does not have it."""
    sign = 1.0 if metrics[metric].better == "higher" else -1.0
    values = [tested.report["metrics"].get(metric) for tested in (new, old)]
    if values[0] is None or values[1] is None:
        return None
    gap = sign * (values[0] - values[1])
    bounds = None
    if metric in new.resampled:
        bounds = interval(sign * (new.resampled[metric][1:] - old.resampled[metric][1:]))
    return Difference(gap, bounds, gap / abs(values[1]) if values[1] else np.sign(gap))


def rows_of(new: Tested, old: Tested, product: Product) -> list[dict[str, Any]]:
    """Return a row per metric that both models have: both values, the change, its interval, and what it is."""
    metrics, rows = metrics_of(product), []
    asked = [requirement.metric for requirement in product.requirements]
    for name in dict.fromkeys([*asked, *answer_of(product).HEADLINE, product.release.better_on]):
        gap = difference(name, new, old, metrics)
        if gap is None:
            continue
        unit = unit_of(metrics[name], product)
        values = {key: quantity(one.report["metrics"][name], unit) for key, one in (("old", old), ("new", new))}
        bounds = range_of(gap.bounds, unit) if gap.bounds else ""
        rows.append({"metric": name, **values, "bounds": bounds, "said": gap.word})
    return rows


def parts_of(new: Tested, old: Tested, product: Product) -> list[dict[str, str]]:
    """Return the labels and slices on which the models differ: what each of them reaches."""
    main, rows = answer_of(product).MAIN, []
    for section, metric in (("labels", "recall"), ("slices", main)):
        before, after = (one.report.get(section, {}) for one in (old, new))
        for name in after:
            values = [part.get(name, {}).get(metric) for part in (before, after)]
            if None not in values and values[0] != values[1]:
                rows.append({"part": name, "metric": metric, "old": number(values[0], 3), "new": number(values[1], 3)})
    return rows


def write_changes(product: Product, champion: str | None = None, pair: tuple[Tested, Tested] | None = None) -> None:
    """Write the page: of the new model and the ``champion``, a version, or that there was none to compare with."""
    rows, parts = (rows_of(*pair, product), parts_of(*pair, product)) if pair else ([], [])
    write_text(CHANGES, html(TEMPLATES, "changes.html.j2", champion=champion, rows=rows, parts=parts))
