"""Fill the table of what was tried, from MLflow, into the research log; the text around the table stays.

Reads the MLflow store; writes ``docs/3-model/research.md`` between its two markers. Run: ``make research``.
"""

import time
from typing import Any

from fullstack_ml.answers import answer_of
from fullstack_ml.pages.formats import measured, row
from fullstack_ml.product.contract import load
from fullstack_ml.product.metrics import wilson
from fullstack_ml.registry import tracking
from fullstack_ml.registry.versions import Registry
from fullstack_ml.workspace.errors import UserError, guard
from fullstack_ml.workspace.files import write_text
from fullstack_ml.workspace.paths import RESEARCH

BEGIN, END = "<!-- make research: begin -->", "<!-- make research: end -->"
HEAD = (
    "| when | approach | source | judged on | {main} (95 %) | above the baseline (95 %) | verdict | run |",
    "|---|---|---|---|---|---|---|---|",
)
MOST = 1000


def approach(parameters: dict[str, str]) -> str:
    """Name a model with its parameters."""
    prefix = "model.estimator."
    named = {key.removeprefix(prefix): value for key, value in sorted(parameters.items()) if key.startswith(prefix)}
    said = [f"{key}={value}" for key, value in named.items() if key != "_target_"]
    return f"{parameters.get('model.name', '?')}: {', '.join(said)}"


def run_row(run: Any, place: str, accuracy: str, margin: str, said: str) -> str:
    """Return a run as a line of the table."""
    day = time.strftime("%Y-%m-%d", time.gmtime(run.info.start_time / 1000))
    reference = run.data.params.get("model.reference") or "not stated"
    return row([day, approach(run.data.params), reference, place, accuracy, margin, said, run.info.run_id[:8]])


def baseline_row(evaluation: dict[str, Any], main: str) -> str:
    """Return the baselines as the newest evaluation reproduced them; ``main`` is the metric of the answer."""
    records, known = evaluation["records"], evaluation["baseline"]
    if "majority" not in known:
        name, floor = next(iter(known.items()))
        reached = measured(floor[main], None)
        return row(
            ["every evaluation", f"always the {name}", "baseline", f"test, {records}", reached, "0", "the floor", ""]
        )
    right = known["majority"]["accuracy"]
    accuracy = measured(right, wilson(round(right * records), records))
    said = f"the floor; the labels' shares as probabilities have log loss {known['prior']['log_loss']:.3f}"
    often = f"always {known['majority']['label']}"
    return row(["every evaluation", often, "baseline", f"test, {records}", accuracy, "0", said, ""])


def verdict(acceptance: dict[str, Any], margin: list[float] | None, aliases: list[str]) -> str:
    """Say in a few words what became of a pipeline run."""
    words = ["accepted" if acceptance["accepted"] else f"rejected by {', '.join(acceptance['failed'])}", *aliases]
    return ", ".join(words if margin is None or margin[0] > 0 else [*words, "not above the baseline"])


def reports(mlflow: Any, run: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the evaluation and the acceptance that a pipeline run logged."""
    read, place = mlflow.artifacts.load_dict, f"runs:/{run.info.run_id}/reports"
    return read(f"{place}/evaluation.json"), read(f"{place}/acceptance.json")


def pipeline_row(
    run: Any, evaluation: dict[str, Any], acceptance: dict[str, Any], aliases: list[str], main: str
) -> str:
    """Return a pipeline run as a line of the table."""
    metrics, bounds = evaluation["metrics"], evaluation["intervals"]
    over = metrics.get("margin_over_baseline")
    if over is None:  # how far a number is off, and how far the first baseline is
        over = next(iter(evaluation["baseline"].values()))[main] - metrics[main]
    reached, margin = measured(metrics[main], bounds.get(main)), measured(over, bounds.get("margin_over_baseline"))
    said = verdict(acceptance, bounds.get("margin_over_baseline"), aliases)
    return run_row(run, f"test, {evaluation['records']}", reached, margin, said)


def sweep_row(trials: list[Any], best: Any, main: str) -> str:
    """Return the best trial of a sweep as a line of the table; it was judged on the validation split."""
    metrics = best.data.metrics
    reached, records = metrics[f"validation.{main}"], int(metrics.get("validation.records", 0))
    bounds = wilson(round(reached * records), records) if records and main == "accuracy" else None
    loss = "log_loss" if "validation.log_loss" in metrics else "loss"
    margin = measured(metrics.get("validation.margin_over_baseline"), None)
    named = f"{loss.replace('_', ' ')} {metrics[f'validation.{loss}']:.3f}"
    said = f"best of {len(trials)} trials, {named}; make adopt takes it over"
    return run_row(best, f"validation, {records}", measured(reached, bounds), margin, said)


def aliases_of(registry: Registry) -> dict[str, list[str]]:
    """Return the aliases of the registered versions by the run that each came from."""
    found: dict[str, list[str]] = {}
    runs = {version.number: version.run_id for version in registry.versions()}
    for alias, number in registry.aliases().items():
        found.setdefault(runs[number], []).append(alias)
    return found


def table(mlflow: Any, main: str) -> list[str]:
    """Return the lines of the table: the floor, the newest run of every approach, the best trial of every sweep."""

    def search(query: str) -> list[Any]:
        found: list[Any] = mlflow.search_runs(filter_string=query, max_results=MOST, output_format="list")
        return found

    aliases = aliases_of(tracking.ClientRegistry(mlflow))
    newest: dict[tuple[str, str | None], Any] = {}
    named: dict[tuple[str, str | None], list[str]] = {}
    for run in reversed(search("tags.kind = 'pipeline' and attributes.status = 'FINISHED'")):  # the newest last
        tried = (approach(run.data.params), run.data.tags.get("data.version"))
        newest = {key: old for key, old in newest.items() if key != tried} | {tried: run}
        named[tried] = [*named.get(tried, []), *aliases.get(run.info.run_id, [])]
    known = [(run, *reports(mlflow, run), named[tried]) for tried, run in newest.items()]
    known = [one for one in known if main in one[1]["metrics"]]  # not of an earlier contract's answer
    lines = [baseline_row(known[-1][1], main)] if known else []
    lines += [pipeline_row(*one, main) for one in known]
    for sweep in search("tags.kind = 'sweep'"):
        trials = search(f"tags.`mlflow.parentRunId` = '{sweep.info.run_id}'")
        trials = [trial for trial in trials if f"validation.{main}" in trial.data.metrics]
        best = sweep.data.tags.get("best")
        lines += [sweep_row(trials, trial, main) for trial in trials if trial.info.run_id == best]
    return lines


def fill(text: str, lines: list[str], main: str) -> str:
    """Put the lines between the markers of the page, below a head that names the metric ``main``.

    Raises:
        UserError: if the page does not have both markers once, in their order.
    """
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        fix = f"put the lines {BEGIN} and {END} where the table belongs"
        raise UserError("the research log has no place for the table", str(RESEARCH), fix)
    return "\n".join(
        [text.split(BEGIN)[0] + BEGIN, "", HEAD[0].format(main=main), *HEAD[1:], *lines, "", END + text.split(END)[1]]
    )


def main() -> None:
    """Write the table."""
    text = RESEARCH.read_text(encoding="utf-8") if RESEARCH.exists() else ""
    measure = answer_of(load()).MAIN
    fill(text, [], measure)  # a page without a place is said before the store is asked
    lines = table(tracking.connect(), measure)
    if not lines:
        raise UserError("there is no run in the store", tracking.without_password(tracking.tracking_uri()), "make")
    write_text(RESEARCH, fill(text, lines, measure))
    print(f"research: {len(lines)} approaches in {RESEARCH}")


if __name__ == "__main__":
    guard(main)
