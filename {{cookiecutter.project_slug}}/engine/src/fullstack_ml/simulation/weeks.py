"""The weeks of the simulated month: what is sent, what is typed, and what is told of it.

Every step is a command that people type in the copy, or a request to its server. Reads the reports that these commands
write; writes nothing but through them and ``clock.py``.
"""

import math
import re
import time
from dataclasses import asdict
from random import Random
from typing import Any

import httpx
import polars as pl

from fullstack_ml.inputs import input_of
from fullstack_ml.pages.words import words
from fullstack_ml.product.types import Product
from fullstack_ml.simulation import clock
from fullstack_ml.simulation.commands import Copy, Ran, wait_for_version
from fullstack_ml.simulation.copying import PROJECT, Future
from fullstack_ml.simulation.form import fill_form
from fullstack_ml.simulation.traffic import Sent, react, send

SEED = 20261130
JUDGED = 0.6  # share of a week's records that a random sample has judged
FEWEST = 100  # records of a normal week; where there are not so many, both weeks have the same ones
CANARY = 1600  # records of the canary, about: each comes as often as that takes, each time changed by another amount
LAST = 99  # seed of the last week's change
TRIALS = 2  # of the search after the change, the values of before first
ROUND, OUTSIDE = "shift", "outside-1"


class Month:
    """What happened so far, step by step, and what is needed to go on."""

    def __init__(self, product: Product, future: Future, began: float) -> None:
        """Begin in the copy that was just made."""
        self.product, self.future, self.random = product, future, Random(SEED)  # noqa: S311 - no secret
        self.copy, self.steps = Copy(PROJECT.resolve()), list[dict[str, Any]]()
        self.log, self.truths = self.copy.folder / "predictions.db", dict[str, str]()
        self.began, self.back, self.over = began, 0, False

    @property
    def seconds(self) -> float:
        """Return how long it has taken."""
        return round(time.monotonic() - self.began, 1)

    def say(self, title: str, told: str, monitor: dict[str, Any] | None = None) -> None:
        """Print one line of the story, and keep it with what was typed since the last one."""
        self.steps.append(
            {"title": title, "told": told, "monitor": monitor, "ran": [asdict(one) for one in self.copy.ran]}
        )
        self.copy.ran.clear()
        print(f"{title or '':<8} {told}  [{self.seconds:.0f} s]", flush=True)

    def traffic(
        self, client: httpx.Client, records: pl.DataFrame, judged: float, part: tuple[float, float] = (0.0, 1.0)
    ) -> Sent:
        """Send records, let users react, and date all of it within a part of the last seven days."""
        sent = send(client, records, self.product, self.random)
        react(client, sent, self.product, self.random, judged)
        sent.ids = clock.spread(self.log, sent.ids, *part)
        contents = clock.contents(self.log)
        self.truths |= {contents[name]: truth for name, truth in zip(sent.ids, sent.truths, strict=True)}
        return sent

    def monitor(self) -> dict[str, Any]:
        """Type ``make monitor`` and return what it judged; its exit code 2 says that there is an alarm."""
        self.copy.type("make", "monitor", may=(0, 2))
        report = self.copy.report("reports/monitoring/report.json")
        alarms = [row["id"] for row in report["verdicts"] if row["verdict"] == "alarm"]
        return {"alarms": alarms, "verdicts": report["verdicts"], "now": report["windows"][-1]}

    def shifted(self, records: pl.DataFrame, seed: int) -> pl.DataFrame:
        """Return records as they come after the change."""
        return input_of(self.product).shifted(records, self.product, seed)


def seen(sent: Sent) -> str:
    """Say what a week brought."""
    share = sent.answered / max(1, len(sent.ids))
    text = (
        "%(n)s records, %(share)s answered; users corrected %(right)s wrong answers, changed %(wrong)s right ones by "
        "mistake and typed in %(typed)s; a random sample of %(drawn)s was judged"
    )
    facts = {"n": len(sent.ids), "share": f"{100 * share:.0f} %", "right": sent.corrected, "wrong": sent.mistaken}
    return words(text, **facts, typed=sent.typed, drawn=sent.labelled)


def alarms_text(found: dict[str, Any]) -> str:
    """Say what the monitor said."""
    named = [
        f"{row['id']} {row['metric']} {row['which']}".rstrip() for row in found["verdicts"] if row["verdict"] == "alarm"
    ]
    return words("make monitor: ALARM %(rows)s", rows=", ".join(named)) if named else words("make monitor: quiet")


def decision(ran: Ran) -> str:
    """Return the line of ``make release`` that says what was decided."""
    return next((line.split(maxsplit=1)[1] for line in ran.said if line.split()[0] == "decision"), ran.said[-1])


def why(ran: Ran) -> str:
    """Return what a command says is wrong, without the word for it; nothing where it was content."""
    mark = "error: "
    return next((line.removeprefix(mark) for line in ran.said if line.startswith(mark)), "")


def normal_weeks(month: Month, client: httpx.Client) -> None:
    """Two weeks as before: the monitor has nothing to say."""
    pool = month.future.normal
    half = len(pool) // 2
    for number, records in enumerate([pool[:half], pool[half:]] if half >= FEWEST else [pool, pool], 1):
        sent = month.traffic(client, records, JUDGED)
        found = month.monitor()
        month.say(words("week %(n)s", n=number), f"{seen(sent)}; {alarms_text(found)}", found)
        clock.pass_week(month.log)


def change_week(month: Month, client: httpx.Client) -> None:
    """Something changes and the monitor notices; what users sent becomes a round, and a challenger is made of it."""
    sent = month.traffic(client, month.shifted(month.future.shifted, 1), JUDGED)
    found = month.monitor()
    month.say(words("week %(n)s", n=3), f"{words('after the change')}: {seen(sent)}; {alarms_text(found)}", found)
    month.back = label_round(month)
    text = "make feedback, round, export-round, import: %(n)s records labelled by people outside"
    month.say("", words(text, n=month.back))
    search_anew(month)
    ran = month.copy.type("make", may=(0, 2))
    month.copy.commit("A model that knows the change")
    rejected = why(ran)
    told = {"alias": None} if rejected else month.copy.report("reports/registration.json")
    month.over = told["alias"] != "challenger"
    made = words("make: version %(version)s is %(alias)s", version=told.get("version"), alias=told["alias"])
    month.say("", f"make: {rejected}" if rejected else made)
    clock.pass_week(month.log)


def search_anew(month: Month) -> None:
    """Search parameters for the new records, where the project says what to search for its model."""
    model = re.search(
        r"(?m)^\s*- model: *([\w-]+)", (month.copy.folder / "conf/config.yaml").read_text(encoding="utf-8")
    )
    if model and (month.copy.folder / f"conf/search/{model[1]}.yaml").exists():
        month.copy.type("make", "sweep", f"TRIALS={TRIALS}")
        month.copy.type("make", "adopt")
        month.copy.commit("Parameters that suit the new records")


def label_round(month: Month) -> int:
    """Bring what users sent back, and have people outside label it; return how many they labelled.

    A round takes no two records that look alike.
    """
    month.copy.type("make", "feedback")
    listed = "reports/monitoring/feedback.csv"
    waiting = len(pl.read_csv(month.copy.folder / listed))
    month.copy.commit("What users sent and said")
    month.copy.type("make", "round", f"NAME={ROUND}", "KIND=production", f"N={waiting}", f"FILE={listed}")
    month.copy.type("make", "export-round", f"ROUND={ROUND}")
    form, labels = fill_form(month.copy.folder / f"data/exports/{ROUND}.zip", month.truths)
    month.copy.type("make", "import", f"FILE={form.relative_to(month.copy.folder)}", f"BY={OUTSIDE}", f"ROUND={ROUND}")
    month.copy.commit("Labels of what users sent")
    return labels


def shadow_days(month: Month, client: httpx.Client) -> None:
    """The challenger answers too, and nobody is told."""
    wait_for_version(client, "challenger", month.copy.report("reports/registration.json")["version"])
    month.traffic(client, month.shifted(month.future.later, 2), 1.0, (0.0, 0.4))
    ran = month.copy.type("make", "release", SERVE_ROLLOUT="shadow")
    month.say(words("week %(n)s", n=4), words("shadow; make release: %(said)s", said=decision(ran)))


def canary_days(month: Month, client: httpx.Client) -> None:
    """The challenger answers half of the callers, and the plan of product.yaml decides."""
    later = month.future.later
    several = pl.concat([month.shifted(later, 3 + i) for i in range(math.ceil(CANARY / len(later)))])
    month.traffic(client, several, 1.0, (0.4, 1.0))
    month.copy.type("make", "online", SERVE_ROLLOUT="canary")
    ran = month.copy.type("make", "release", SERVE_ROLLOUT="canary")
    found = month.monitor()
    text = words("half of the callers; make release: %(said)s", said=decision(ran))
    month.say(words("canary"), f"{text}; {alarms_text(found)}", found)
    clock.pass_week(month.log)


def last_records(month: Month) -> pl.DataFrame:
    """Return what is sent in the last week: of a small project each record several times, changed in another way.

    Fewer would leave too few judged answers for the monitor to measure anything.
    """
    later = month.future.later
    return pl.concat([month.shifted(later, LAST + i) for i in range(math.ceil(2 * FEWEST / len(later)))])


def last_week(month: Month, client: httpx.Client) -> None:
    """Going back is practised, and the new champion answers everybody."""
    report = month.copy.report("reports/release.json")
    if report["decision"] == "promote":
        month.copy.type("make", "promote", "VERSION=1")
        ran = month.copy.type("make", "rollback")
        took = ran.seconds + wait_for_version(client, "champion", report["version"])
        text = "going back is practised: the first model by make promote; make rollback takes it back in %(s)s s"
        month.say("", words(text, s=f"{took:.1f}"))
    sent = month.traffic(client, last_records(month), JUDGED)
    found = month.monitor()
    month.say(words("week %(n)s", n=5), f"{seen(sent)}; {alarms_text(found)}", found)


def score(month: Month) -> None:
    """Hold the first model against the new one on today's records, and score the lifecycle by what the month left."""
    if not month.over:
        compared = month.copy.type("make", "compare", "VERSIONS=1 champion", may=(0, 2))
        if compared.code:  # of small data no record is left that both have not seen
            month.say("", f"make compare: {why(compared)}")
    month.copy.type("make", "audit")
    minimum = f"{month.copy.report('reports/audit.json')['minimum']:.1f}"
    month.say("", words("make audit: the weakest section has %(minimum)s of 7", minimum=minimum))


# Each part with the way in which the server rolls a challenger out meanwhile.
ROLLOUTS = {"shadow": (normal_weeks, change_week, shadow_days), "canary": (canary_days, last_week)}
