"""Show where the challenger stands on its way to champion, and do what the plan of product.yaml decides.

The way has four steps: offline, where the gate measured it; shadow, where it answers and nobody sees it; canary, where
it answers some callers; and the decision, by the plan of the cell online-quantitative. Reads the registry, the
prediction log and ``reports/registration.json``; writes ``reports/release.json`` and, once the plan decides, the alias.
Run: ``make release``.
"""

import time
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from fullstack_ml.answers import answer_of
from fullstack_ml.pages.words import told, words
from fullstack_ml.product.contract import load
from fullstack_ml.product.types import Plan
from fullstack_ml.registry import tracking
from fullstack_ml.registry.tracking import ClientRegistry
from fullstack_ml.registry.versions import CHALLENGER, CHAMPION, Registry
from fullstack_ml.serving.evidence import measures, plan_of, rows, window_of
from fullstack_ml.serving.online import by_mode, compare, difference_said
from fullstack_ml.serving.release import by_number, let_servers_have, promote
from fullstack_ml.serving.settings import Settings, read
from fullstack_ml.workspace.errors import UserError, first_line, guard
from fullstack_ml.workspace.files import read_json, write_json
from fullstack_ml.workspace.paths import REGISTRATION, REPORTS
from fullstack_ml.workspace.sentences import in_english, sentence

REPORT = REPORTS / "release.json"
TAG = "release"  # of a version: what the plan decided, and on what
Modes = dict[str, dict[str, Any]]  # the comparison in shadow and in canary, where there is one
WAIT, PROMOTE, WITHDRAW = "wait", "promote", "withdraw"


def holds(report: dict[str, Any], plan: Plan, sign: int) -> bool:
    """Say whether a comparison is what the plan promotes on; ``sign`` is 1 where more of the metric is better."""
    row = report["measures"][report["main"]]
    if report["verdict"].startswith("open:") or row["low"] is None:
        return False
    worst = min(sign * row["low"], sign * row["high"])
    return bool(worst > (0 if plan.promote == "better" else -plan.detect))


def decide(modes: Modes, plan: Plan, sign: int, rollout: str) -> tuple[str, dict[str, Any]]:
    """Return what the plan decides, and why, or what is missing until it does: a ``sentence()``."""
    for mode, report in modes.items():
        if report["verdict"] == "worse":
            return WITHDRAW, sentence("it is worse in %(mode)s", mode=mode)
    last = modes.get("canary") or modes.get("shadow")
    if last is None:
        text = "it has scored no record yet: make serve scores with it"
        if rollout == "off":
            text = "it has scored no record yet: SERVE_ROLLOUT=shadow in .env, then make serve"
        return WAIT, sentence(text)
    count = {"labelled": last["labelled"], "planned": last["planned"]}
    shown, wanted = holds(last, plan, sign), sentence(plan.promote)
    if last["mode"] == "canary" and shown:
        text = "it is %(promote)s in canary, on %(labelled)s of %(planned)s planned late answers"
        return PROMOTE, sentence(text, promote=wanted, **count)
    if last["labelled"] < last["planned"] and not shown:
        text = "%(mode)s has %(labelled)s of %(planned)s planned late answers; POST /v1/feedback takes more"
        return WAIT, sentence(text, mode=last["mode"], **count)
    if last["mode"] == "shadow":
        text = "shadow is over; next SERVE_ROLLOUT=canary in .env, then start the server again"
        return WAIT, sentence(text)
    text = (
        "canary has %(labelled)s of %(planned)s planned late answers, and whether it is %(promote)s by them stays "
        "open: make promote or leave it, with the product owner"
    )
    return WAIT, sentence(text, promote=wanted, **count)


def line(mode: str, report: dict[str, Any] | None) -> str:
    """Say in one line how a comparison stands."""
    if report is None:
        return "not begun"
    count = f"{report['labelled']} of {report['planned']} planned late answers"
    return f"{report['verdict']}: {report['main']} {difference_said(report['measures'][report['main']])}, {count}"


def offline(number: str) -> str:
    """Say why the gate left the champion where it is, if it was this very version that it measured last."""
    known: dict[str, Any] = read_json(REGISTRATION) if REGISTRATION.exists() else {}
    stays = known.get("champion_stays", []) if known.get("version") == number else []
    return "accepted" + ("; the champion stayed: " + "; ".join(stays) if stays else "")


def evidence(settings: Settings, number: str, plan: Plan) -> Modes:
    """Compare the version with the champion in each mode in which it scored.

    Raises:
        UserError: if the log cannot be read.
    """
    answer = answer_of(load())
    try:
        window = window_of(settings, CHALLENGER)
        if window is None or window[0] != number:
            return {}
        found = by_mode(rows(settings, window[1]), *window)
        return {mode: compare(part, mode, *window, plan, answer) for mode, part in found.items()}
    except SQLAlchemyError as error:
        what = f"the log cannot be read: {first_line(error)}"
        raise UserError(what, "SERVE_DATABASE_URL", "make serve makes it") from error


def act(registry: Registry, decision: str, number: str, why: dict[str, Any]) -> str:
    """Do what was decided; return what there is to say."""
    facts = {"number": number, "why": told(why)}
    if decision == WAIT:
        return words("open: %(why)s", why=told(why))
    registry.set_tag(number, TAG, f"{time.strftime('%Y-%m-%d %H:%M')} {decision}: {in_english(why)}")
    if decision == PROMOTE:
        before, _ = promote(registry, number)
        text = "version %(number)s is champion now, it was %(before)s: %(why)s; to go back: make rollback"
        return words(text, before=before, **facts)
    registry.set_alias(CHALLENGER, None)
    text = "version %(number)s is no challenger any more: %(why)s; it stays registered, make promote VERSION=%(number)s"
    return words(text, **facts)


def main() -> None:
    """Show the four steps, and let the plan decide."""
    settings, product = read(), load()
    plan, answer = plan_of(product), answer_of(product)
    mlflow = tracking.connect()
    registry = ClientRegistry(mlflow)
    named = registry.aliases()
    if CHALLENGER not in named:
        print(f"release: there is no challenger; champion is version {named.get(CHAMPION, 'none')}")
        print(f"next: {by_number([version for version in registry.accepted() if version != named.get(CHAMPION)])}")
        return
    number = named[CHALLENGER]
    modes = evidence(settings, number, plan)
    decision, why = decide(modes, plan, measures(answer)[answer.MAIN], settings.rollout)
    print(f"release: version {number} against champion {named.get(CHAMPION, 'none')}, {plan.test}, {plan.promote}")
    print(f"  offline   {offline(number)}")
    for mode in ("shadow", "canary"):
        print(f"  {mode:<9} {line(mode, modes.get(mode))}")
    print(f"  decision  {act(registry, decision, number, why)}")
    write_json(REPORT, {"version": number, "decision": decision, "why": why, "plan": plan.model_dump(), **modes})
    if decision != WAIT:
        let_servers_have(settings, mlflow)


if __name__ == "__main__":
    guard(main)
