"""Requirements that a first model can meet and that one which learned nothing cannot.

Reads and writes nothing. A threshold is what the quick model reached, minus the room that the size of the test split
asks for; where a metric cannot be measured at this size, there is no requirement, and the contract says why.
"""

from dataclasses import dataclass

import numpy as np

from fullstack_ml.draft.asked import Asked
from fullstack_ml.draft.numbers import least_of, room
from fullstack_ml.draft.trial import Trial
from fullstack_ml.pages.words import words
from fullstack_ml.product.formulation import least_records

SMALLEST = 20  # records of a slice that stage evaluate measures, as in conf/evaluate.yaml
RARE = 0.9  # share of one label from which on the others are rare
COVERAGES = (0.95, 0.9)  # of prediction sets, the best first
ALARMS = (0.02, 0.05, 0.1)  # familiar records called unfamiliar, likewise
LEAST = least_records(COVERAGES[-1])  # calibration records of the loosest rule
ANSWERED = 0.1  # share of the records below which a model that answers so few is no product
LOOSEST = "abstain: {coverage: 0.9, false_alarms: 0.1}"


@dataclass(frozen=True)
class Size:
    """``labels`` counts the records per label; ``test`` and ``calibration`` are the shares of those splits."""

    labels: dict[str, int]
    test: float
    calibration: float
    whole: int = 0  # labelled records, where one may have several labels

    @property
    def records(self) -> int:
        """Return the number of labelled records."""
        return self.whole or sum(self.labels.values())

    @property
    def majority(self) -> float:
        """Return the share of the most frequent label."""
        return max(self.labels.values()) / max(self.records, 1)


def abstaining(size: Size) -> tuple[dict[str, float] | None, str]:
    """Return the rule to abstain that the calibration split can carry, and the reason."""
    strict = needed_records(least_records(1 - ALARMS[0]), size.calibration)
    text = "with %(records)s records, coverage: %(coverage)s and false_alarms: %(alarms)s are possible"
    best = words(text, records=strict, coverage=COVERAGES[0], alarms=ALARMS[0])
    wanted = needed_records(LEAST, size.calibration)
    if not size.records:
        text = "there are no labels yet; with %(records)s labelled records write %(rule)s"
        return None, words(text, records=wanted, rule=LOOSEST) + words("; ") + best
    held = least_of(size.records, size.calibration)
    coverage = next((value for value in COVERAGES if held >= least_records(value)), None)
    alarms = next((value for value in ALARMS if held >= least_records(1 - value)), None)
    if coverage is None or alarms is None:
        text = (
            "of %(records)s labelled records about %(held)s calibrate, and the rule to abstain needs %(least)s; "
            "with %(wanted)s records write %(rule)s"
        )
        few = {"records": size.records, "held": f"{size.records * size.calibration:.0f}"}
        return None, words(text, **few, least=LEAST, wanted=wanted, rule=LOOSEST) + words("; ") + best
    text = "%(records)s labelled records leave at least %(held)s for calibration"
    said = words(text, records=size.records, held=held)
    if (coverage, alarms) != (COVERAGES[0], ALARMS[0]):
        said += words("; ") + best
    return {"coverage": coverage, "false_alarms": alarms}, said


def needed_records(calibration: int, share: float) -> int:
    """Return how many labelled records leave ``calibration`` of them in a split of ``share``, but for bad luck."""
    records = int(calibration / share)
    while least_of(records, share) < calibration:
        records += max(1, records // 50)
    return -(-records // 10) * 10


def sensible_cost(outputs: np.ndarray, truth: np.ndarray) -> tuple[int, str]:
    """Return how many looks a wrong answer costs: as many as leave eight of ten records sure enough, 20 at most."""
    top = outputs.max(axis=1)
    for wrong in (20, 10, 5, 3):
        share = float((top >= 1 - 1 / wrong).mean())
        if share >= 0.8:
            break
    else:
        wrong, share = 2, float((top >= 0.5).mean())
    text = "with a wrong answer as dear as %(wrong)s looks the quick model would answer %(share)s itself"
    return wrong, words(text, wrong=wrong, share=f"{share:.0%}")


def thresholds(
    size: Size, trial: Trial, slices: dict[str, np.ndarray], abstains: bool, kib: int, milliseconds: int
) -> Asked:
    """Return the requirements; ``slices`` says per slice which records of the sample it holds."""
    asked, values, tested = Asked(), trial.values, size.records * size.test
    (_right if size.majority < RARE else _rare)(asked, size, values, tested)
    asked.at_most("ece", values["ece"] + 0.5 / np.sqrt(tested), tested)
    _by_part(asked, size, trial, slices)
    of_service(asked, size, values, abstains, (kib, milliseconds), 1 - values["accuracy"])
    return asked


def of_service(
    asked: Asked, size: Size, values: dict[str, float], abstains: bool, limits: tuple[int, int], wrong: float
) -> None:
    """Ask for what labels share: size and time (``limits``, KiB and ms), records, candidates, answers, strangers.

    A share ``wrong`` of the records would be answered wrongly, if all were answered.
    """
    tested = size.records * size.test
    of_size(asked, size, limits)
    if abstains:
        held = least_of(size.records, size.calibration)
        aim = COVERAGES[0] if held >= least_records(COVERAGES[0]) else COVERAGES[-1]
        few = min(tested, held)
        asked.at_least("set_coverage", aim, few)
        answered(asked, values, few, wrong)
    else:
        asked.leave("set_coverage, answered_share, answered_error", words("there is no rule to abstain yet"))
    novelty(asked, values, tested)


def of_size(asked: Asked, size: Size, limits: tuple[int, int]) -> None:
    """Ask for KiB and ms, which are the ``limits``, and for most of the records that are there."""
    for metric, limit, unit in zip(("artefact_kib", "latency_p99_ms"), limits, ("KiB", "ms"), strict=True):
        asked.ask(metric, "<=", limit, unit, words("with room"))
    there = words("there are %(records)s", records=size.records)
    asked.ask("records", ">=", max(1, int(size.records * 0.8)), "records", there)


def _right(asked: Asked, size: Size, values: dict[str, float], tested: float) -> None:
    """Ask for more right answers than the most frequent label gives."""
    accuracy = values["accuracy"]
    learned = accuracy - size.majority
    # Between the majority and the model, also where there is hardly a difference: then the model is rejected, rightly.
    lowest = size.majority + max(0.02, learned / 2)
    text = "the quick model reached %(reached)s, the most frequent label alone %(alone)s"
    reached = words(text, reached=f"{accuracy:.3f}", alone=f"{size.majority:.3f}")
    threshold = round(min(0.99, max(lowest, accuracy - room(accuracy, tested))), 3)
    asked.ask("accuracy", ">=", threshold, "share", reached)
    margin = round(max(0.01, learned / 2), 3)
    asked.ask("margin_over_baseline", ">=", margin, "share", reached)


def _rare(asked: Asked, size: Size, values: dict[str, float], tested: float) -> None:
    """Ask that rare labels are found: where one label is nearly all, being right says nothing of the others."""
    alone = 2 * size.majority / (1 + size.majority) / len(size.labels)  # F1 of the one label that is always given
    f1 = values["macro_f1"]
    lowest = round(alone + max(0.02, (f1 - alone) / 2), 3)
    text = "the quick model reached %(reached)s, the most frequent label alone %(alone)s"
    asked.ask("macro_f1", ">=", lowest, "share", words(text, reached=f"{f1:.3f}", alone=f"{alone:.3f}"))
    text = "always giving the most frequent label is right in %(share)s, so they say nothing of the rare ones"
    asked.leave("accuracy, margin_over_baseline", words(text, share=f"{size.majority:.1%}"))


def answered(asked: Asked, values: dict[str, float], records: float, wrong: float) -> None:
    """Ask for answers, and that they are wrong less often than all would be, of which a share is ``wrong``."""
    share, error = values["answered_share"], values["answered_error"]
    # The share moves with every calibration of so few records. Where the quick model hardly ever answers, a model that
    # does no better is rejected, rightly.
    lowest = max(ANSWERED, 0.6 * share - room(share, records))
    why = words("the quick model answered %(share)s", share=f"{share:.3f}")
    asked.ask("answered_share", ">=", round(lowest, 2), "share", why)
    if share < ANSWERED:
        text = (
            "the quick model answers %(share)s itself, too few to say; make needs a better one: if it rejects its "
            'model, type make setup EXTRAS="--extra torch --extra lightgbm", make sweep MODEL=all, make adopt and make'
        )
        asked.leave("answered_error", words(text, share=f"{share:.0%}"))
        return
    limit = min(error + room(error, records * share), max(error + 0.02, wrong))
    why = words("the quick model had %(error)s, and %(all)s of all", error=f"{error:.3f}", all=f"{wrong:.3f}")
    asked.ask("answered_error", "<=", round(limit, 3), "share", why)


def _by_part(asked: Asked, size: Size, trial: Trial, slices: dict[str, np.ndarray]) -> None:
    """Ask for labels and slices, as far as the test split can measure them."""
    by_label(asked, size, trial.values["worst_label_recall"], trial.values["collapse"])
    right = trial.outputs.argmax(axis=1) == trial.truth
    parts = {name: (float(right[mask].mean()), float(mask.mean())) for name, mask in slices.items()}
    if not parts:
        asked.leave("worst_slice_accuracy, group_gap", words("there are no slices"))
        return
    worst, share = min(parts.values())
    tested = size.records * size.test * share
    gap = max(value for value, _ in parts.values()) - worst
    if gap + 2 * room(worst, tested) > 0.6:
        text = "the worst slice has %(worst)s, %(gap)s behind the best"
        asked.leave("worst_slice_accuracy, group_gap", words(text, worst=f"{worst:.2f}", gap=f"{gap:.2f}"))
        return
    asked.at_least("worst_slice_accuracy", worst - 0.02, tested)
    asked.at_most("group_gap", gap + room(worst, tested), tested)


def by_label(asked: Asked, size: Size, recall: float, collapse: float) -> None:
    """Ask that no label is forgotten, and none is never said; not a number, where the trial left a label out."""
    if np.isnan(recall) or np.isnan(collapse):
        name = min(size.labels, key=lambda label: size.labels[label])
        why = words("%(label)s has too few records to try", label=repr(name))
        asked.leave("worst_label_recall, collapse", why)
        return
    rarest = min(size.labels.values()) * size.test
    if rarest >= 8 and recall - room(recall, rarest) > 0.05:
        asked.at_least("worst_label_recall", recall, rarest)
    else:
        text = "about %(records)s test records of the rarest label, %(recall)s seen"
        asked.leave("worst_label_recall", words(text, records=f"{rarest:.0f}", recall=f"{recall:.2f}"))
    if collapse + room(0.5, rarest) < 0.9:
        limit = max(0.5, round(collapse + room(0.5, rarest), 2))
        why = words("the quick model had %(value)s", value=f"{collapse:.3f}")
        asked.ask("collapse", "<=", limit, "share", why)
    else:
        text = "the quick model had %(value)s, and the rarest label has few records"
        asked.leave("collapse", words(text, value=f"{collapse:.2f}"))


def novelty(asked: Asked, values: dict[str, float], tested: float) -> None:
    """Ask that strangers are noticed where they can be."""
    auroc, alarms = values.get("novelty_auroc"), values.get("novelty_false_alarms")
    if auroc is None or alarms is None:
        asked.leave("novelty_auroc, novelty_false_alarms", words("too few records to try them"))
        return
    if auroc >= 0.7:
        asked.at_least("novelty_auroc", min(auroc, 0.97), tested)
    else:
        why = words("made-up strangers look like records (%(auroc)s of 1)", auroc=f"{auroc:.2f}")
        asked.leave("novelty_auroc", why)
    if alarms <= 0.5:
        asked.at_most("novelty_false_alarms", alarms + 0.03, tested)
    else:
        text = "catching 95 %% of strangers would flag %(share)s of good records"
        asked.leave("novelty_false_alarms", words(text, share=f"{alarms:.0%}"))
