"""A month of production in a few minutes: normal weeks, a change, an alarm, a round, and the release of a better model.

Plays in a copy of the project (``copying.py``): the project itself, its registry, its labels and its repository stay as
they are. Reads what the project's own ``make`` left; writes ``.simulation/``: the copy, ``story.json`` and
``story.html``. It begins anew each time. Killed or interrupted, it leaves nothing running. Run: ``make simulate``.
"""

import fcntl
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fullstack_ml.answers import answer_of
from fullstack_ml.pages.words import words
from fullstack_ml.product.contract import load
from fullstack_ml.simulation.copying import PLACE, PROJECT
from fullstack_ml.simulation.first import first_model
from fullstack_ml.simulation.page import EXAMPLES, examples, write_page
from fullstack_ml.simulation.weeks import ROLLOUTS, Month, alarms_text, score
from fullstack_ml.workspace.errors import UserError, guard
from fullstack_ml.workspace.files import write_json

STORY, PAGE = PLACE / "story.json", PLACE / "story.html"


def audited(month: Month) -> dict[str, Any]:
    """Return what ``make audit`` found: minimum, sections, and which tests are not whole."""
    found = month.copy.report("reports/audit.json")
    missing = {
        name: [f"{row['id']} {row['score']:g}" for row in found["tests"] if row["section"] == name and row["score"] < 1]
        for name in found["sections"]
    }
    return {"minimum": found["minimum"], "sections": found["sections"], "missing": missing}


def verdict(proved: bool, promoted: bool) -> str:
    """Say in one sentence how it went."""
    if proved:
        return words("The change was noticed, and the model that learned from it was released because it was better.")
    if promoted:
        return words("A new model was released, but not all went as it should: read below.")
    return words("No new model was released: read below why.")


def afterwards(promoted: bool, last: dict[str, Any]) -> str:
    """Say how the month ends."""
    if not promoted:
        return words("In the last week the first model still answers; %(said)s.", said=alarms_text(last))
    if not last["alarms"]:
        return words("In the last week the new model answers everybody, and the monitor is quiet.")
    text = (
        "In the last week the new model answers everybody, and the monitor goes on: %(said)s. What comes in is still "
        "unlike most of what the model was made from; more rounds like this one make it usual."
    )
    return words(text, said=alarms_text(last))


def story(month: Month) -> dict[str, Any]:
    """Return the figures of the month."""
    watched = [step["monitor"] for step in month.steps if step["monitor"]]
    changed, last = watched[2], watched[-1]
    report: dict[str, Any] = {"decision": "wait"} if month.over else month.copy.report("reports/release.json")
    release, main = report.get("canary"), answer_of(month.product).MAIN
    row = release["measures"][main] if release else {"champion": None, "challenger": None}
    promoted, before = report["decision"] == "promote", sum(len(one["alarms"]) for one in watched[:2])
    proved = promoted and not before and bool(changed["alarms"])
    return {
        "product": month.product.service.name,
        "main": main,
        "seconds": month.seconds,
        "proved": proved,
        "verdict": verdict(proved, promoted),
        "alarms_before": before,
        "alarms": changed["alarms"],
        "alarms_after": last["alarms"],
        "came_back": month.back,
        "before": row["champion"],
        "after": row["challenger"],
        "release": release,
        "decision": {name: report.get(name) for name in ("version", "decision", "why")},
        "afterwards": afterwards(promoted, last),
        "audit": audited(month),
        "weeks": month.steps,
    }


def play() -> None:
    """Play the month and tell it."""
    product = load()
    print(words("a copy of the project makes its first model: %(folder)s", folder=PROJECT), flush=True)
    month = first_model(product)
    for rollout, parts in ROLLOUTS.items():
        if month.over:
            break
        with month.copy.serve(SERVE_ROLLOUT=rollout, SERVE_CANARY_SHARE="0.5") as client:
            for part in parts:
                if not month.over:
                    part(month, client)
    score(month)
    told = story(month)
    few = month.future.later.head(EXAMPLES)
    write_page(told, examples(few, month.shifted(few, 2), product), product, PAGE)
    write_json(STORY, told)
    print(told["verdict"])
    if told["after"] is not None:
        shown = {name: f"{told[name]:.3g}" for name in ("before", "after")}
        text = "%(main)s after the change: %(before)s with the first model, %(after)s with the new one"
        print(words(text, main=told["main"], **shown))
    print(words("simulate: %(seconds)s s; the story: %(page)s", seconds=f"{month.seconds:.0f}", page=PAGE))


@contextmanager
def alone() -> Iterator[None]:
    """Let one simulation run at a time.

    Raises:
        UserError: if another one runs.
    """
    PLACE.mkdir(exist_ok=True)
    with (PLACE / "lock").open("wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the system opens the lock of a process that was killed
        except BlockingIOError as error:
            raise UserError("another simulation runs", str(PROJECT), "wait for it, or end it") from error
        yield


def stop(number: int, _: Any) -> None:
    """End in order, so that everything that was started is ended too."""
    raise SystemExit(128 + number)


def main() -> None:
    """Play it, alone; a kill ends what was started."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    with alone():
        play()


if __name__ == "__main__":
    guard(main)
