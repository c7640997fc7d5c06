"""What traffic shows: the metrics that ``monitoring`` of ``product.yaml`` may name, and what an online cell may decide.

Reads and writes nothing. ``monitoring/`` measures them on every window of the prediction log.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from fullstack_ml.product.metrics import ONLINE, own_metrics, unit_of
from fullstack_ml.product.types import Finding, Product
from fullstack_ml.workspace.errors import suggest
from fullstack_ml.workspace.paths import PRODUCT
from fullstack_ml.workspace.seams import find_choice


class Watched(NamedTuple):
    """``unit``; ``operator``: the only one that makes sense, or None; ``of``: what ``of`` may name; ``means``."""

    unit: str
    operator: str | None
    of: str
    means: str


# {main} is the answer's main metric, such as accuracy; {late} a share that late labels show beside it, if any does.
WATCHED = {
    "records": Watched("records", None, "", "records that were answered or given back in the window"),
    "answered_share": Watched("share", None, "", "share of the records that were answered"),
    "unfamiliar_share": Watched("share", "<=", "slice", "share of the records that were unlike the training data"),
    "failed_share": Watched("share", "<=", "", "share of the records whose scores were not finite"),
    "failed_requests_share": Watched("share", "<=", "", "share of the requests that the server could not answer"),
    "missing_share": Watched("share", "<=", "feature", "share of the records without a value of a feature"),
    "drift": Watched("PSI", "<=", "feature", "how far the features moved from the reference, the worst of them"),
    "answer_drift": Watched("PSI", "<=", "", "how far the answers moved from the reference"),
    "novelty_drift": Watched("PSI", "<=", "", "how far the novelty scores moved from the reference"),
    "estimated_{main}": Watched("", None, "", "of what was answered, estimated from the scores before labels come"),
    "drawn_{main}": Watched("", None, "", "of what was answered, on late labels of a random sample"),
    "drawn_{late}": Watched("share", ">=", "", "of everything, on late labels of a random sample"),
    "corrected_share": Watched("share", "<=", "", "share of what was answered that people said was wrong, unasked"),
    "latency_p50_ms": Watched("ms", "<=", "", "time to answer, median"),
    "latency_p99_ms": Watched("ms", "<=", "", "time to answer, 99th of 100"),
    "model_age_days": Watched("days", "<=", "", "age of the version that answers"),
    "data_age_days": Watched("days", "<=", "", "age of the newest record that it was made from"),
}


def watched(answer: Any) -> dict[str, Watched]:
    """Return the metrics by name; ``answer`` is the module that the seam found."""
    main, found = answer.METRICS[answer.MAIN], dict[str, Watched]()
    wanted = ">=" if main.better == "higher" else "<="
    for name, row in WATCHED.items():
        if "{late}" in name:
            found |= {name.format(late=one): row for one in answer.LATE}
        elif "{main}" in name:
            found[name.format(main=answer.MAIN)] = row._replace(operator=wanted, unit=main.unit)
        else:
            found[name] = row
    return found


def units(answer: Any, product: Product) -> dict[str, str]:
    """Return the unit of every metric for people, by its name."""
    return {name: unit_of(row, product) for name, row in watched(answer).items()}


def strange_watches(product: Product) -> Iterator[Finding]:
    """Find rows of ``monitoring`` that name nothing, or the same id."""
    chosen = product.formulation  # its modules by name, since they lie above this package
    answer = find_choice("answers", chosen.answer.type, f"{PRODUCT}, formulation.answer.type")
    columns = find_choice("inputs", chosen.input.type, f"{PRODUCT}, formulation.input.type").slice_columns(product)
    known = watched(answer)
    names = {"feature": columns, "slice": [part.id for part in product.data.slices], "": list[str]()}
    seen = set[str]()
    for i, row in enumerate(product.monitoring.watch if product.monitoring else []):
        at = ("monitoring", "watch", i)
        if row.id in seen:
            yield (*at, "id"), f"id {row.id!r} stands twice", "give every row its own id"
        seen.add(row.id)
        if row.metric not in known:
            yield (*at, "metric"), f"{row.id} watches the unknown metric {row.metric!r}", suggest(row.metric, known)
            continue
        metric = known[row.metric]
        if metric.operator and row.operator != metric.operator:
            yield (*at, "operator"), f"{row.id} has the operator {row.operator!r}", f"{row.metric}: {metric.operator}"
        if metric.unit == "share" and not 0 <= row.threshold <= 1:
            fix = "a share is from 0 to 1, such as 0.05 for 5 %"
            yield (*at, "threshold"), f"{row.id} has the threshold {row.threshold:g} for {row.metric}", fix
        if row.of not in ("all", *names[metric.of]):
            fix = suggest(row.of, ["all", *names[metric.of]])
            yield (*at, "of"), f"{row.id} watches {row.metric} of the unknown {metric.of or 'part'} {row.of!r}", fix


def strange_cells(product: Product) -> Iterator[Finding]:
    """Find requirements that traffic cannot decide: their metric asks for answers that nobody learns."""
    seen = {*ONLINE, *own_metrics()}
    metrics = {r.id: r.metric for r in product.requirements}
    for i, cell in enumerate(product.evaluation):
        for name in cell.decides if cell.cell == "online-quantitative" else []:
            if metrics.get(name, ONLINE[0]) not in seen:
                what = f"{cell.cell} decides {name}, and traffic does not show {metrics[name]} of all records"
                fits = [other for other, metric in metrics.items() if metric in seen]
                better = f"name one of {', '.join(fits)}" if fits else f"ask for one of {', '.join(ONLINE)}"
                yield ("evaluation", i, "decides"), what, f"{better}; leave {name} to an offline cell"
