"""What may prove a test of the ML Test Score, and how the proofs make its score.

A test earns 1 when it runs by itself and can fail, 0.5 when a person ran it and the result is written down.
Reads through ``evidence``; writes nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass

from fullstack_ml.audit.evidence import Evidence
from fullstack_ml.audit.proof import Proof
from fullstack_ml.workspace.files import read_json
from fullstack_ml.workspace.paths import REPORTS, TRAINING, WINNER
from fullstack_ml.workspace.sentences import sentence

ABLATION, COMPARISON, RELEASE = (REPORTS / f"{name}.json" for name in ("ablation", "comparison", "release"))
NOBODY = "example.com"  # the address of a project whose author said none

Look = Callable[[Evidence], list[Proof]]


@dataclass(frozen=True)
class Test:
    """``alone`` are looks of which every one has to find something for 1, ``shared`` those for 0.5; ``fix``: to do."""

    id: str
    says: str
    alone: tuple[Look, ...]
    shared: tuple[Look, ...]
    fix: str


def verdict(*metrics: str) -> Look:
    """Look for a requirement on one of the metrics."""
    return lambda e: e.verdict(*metrics)


def tested(pattern: str, what: str) -> tuple[Look, Look]:
    """Look for a test of the project, and for the workflow that runs it."""
    return (lambda e: e.text("tests/*.py", pattern, what)), (lambda e: e.workflow("make test"))


def clean(e: Evidence) -> list[Proof]:
    """Look whether the champion was made from committed code."""
    held = e.champion
    dirty = held is None or held.tags.get("git.dirty") != "false"
    return [] if dirty or held is None else e.version("made from commit %(tag)s", "git.commit")


def owners(e: Evidence) -> list[Proof]:
    """Look for who has to review a change, by an address that is somebody's."""
    places = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS")
    return [p for place in places for p in e.text(place, rf"(?m)^\*\s+(?!.*{NOBODY})\S+", "who reviews what")]


def worth(e: Evidence) -> list[Proof]:
    """Look for what the parts of the input are worth."""
    return e.report(ABLATION, "what each part is worth", "without")


def searched(e: Evidence) -> list[Proof]:
    """Look for the winner of a search."""
    return e.file(WINNER, "winner of a search")


def aged(e: Evidence) -> list[Proof]:
    """Look for what training on older data costs, where records have a time."""
    return e.report(TRAINING, "older data against newer", "over_time")


def tried(e: Evidence) -> list[Proof]:
    """Look for an older version that answered beside a newer one: the paper's experiment with older models."""
    canary = (read_json(RELEASE).get("canary") or {}) if RELEASE.exists() else {}
    old, new = ", ".join(canary.get("champion", [])), canary.get("challenger")
    what = sentence("version %(old)s beside %(new)s on the same traffic", old=old, new=new)
    return e.report(RELEASE, what, "canary", "measures") if canary.get("labelled") else []


def known_age(e: Evidence) -> list[Proof]:
    """Look for either of these; both are measured by themselves, by stage ``train`` or before every release."""
    return aged(e) or tried(e)


def stale(e: Evidence) -> list[Proof]:
    """Look for that, or for an older version measured beside a newer one on today's test split by hand."""
    found = [name for name in read_json(COMPARISON) if name.startswith("version ")] if COMPARISON.exists() else []
    older = e.file(COMPARISON, "older versions on today's data") if len(found) > 1 else []
    return known_age(e) or older


def sliced(e: Evidence) -> list[Proof]:
    """Look for a requirement on a slice."""
    named = [r for r in e.product.requirements if r.slice != "all"]
    return e.verdict("worst_slice_accuracy", "worst_slice_mae", "worst_label_recall", *(r.metric for r in named))


def stable(e: Evidence) -> list[Proof]:
    """Look for answers in the log, none of which was no number."""
    return [] if e.logged("reason = 'not-finite'", "") else e.logged("", "%(count)s answers, each of them a number")


def scored(test: Test, evidence: Evidence) -> tuple[float, list[Proof]]:
    """Return the score of a test with what proves it."""
    for score, looks in ((1.0, test.alone), (0.5, test.shared)):
        found = [look(evidence) for look in looks]
        if looks and all(found):
            return score, [proofs[0] for proofs in found]
    return 0.0, []
