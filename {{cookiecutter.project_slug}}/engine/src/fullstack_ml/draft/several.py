"""The contract of an answer of several labels: seen in what is written, tried with a quick model, and asked for that.

Reads and writes nothing. A record's labels stand in one text, ``late;damaged``, as a list of JSON, or as ``none``.
Every value is measured out of fold, by the functions that stage ``evaluate`` uses.
"""

import warnings
from collections import Counter
from collections.abc import Mapping

import numpy as np

from fullstack_ml.answers import answer_of
from fullstack_ml.answers.labels.contract import joined
from fullstack_ml.answers.words import NONE, names_in
from fullstack_ml.draft.asked import Asked
from fullstack_ml.draft.numbers import room
from fullstack_ml.draft.requirements import Size, by_label, of_service
from fullstack_ml.draft.seen import Seen, defined
from fullstack_ml.draft.trial import FOLDS, SEED, Trial, attempt, quick_model
from fullstack_ml.pages.words import words
from fullstack_ml.product.types import Product

MOST_LABELS = 200
WRONG = 3  # looks that a wrong answer costs at first
HALF = 0.5


def sets_in(values: Mapping[str, int] | None) -> dict[str, int]:
    """Return the answers of several labels as the tables keep them, with their counts; nothing where they are no such.

    They are where some text names more than one label, there are no more labels than different texts, and of the texts
    that name several most share one with another text: a name may have a sign that separates others.
    """
    texts = {text: count for text, count in (values or {}).items() if text.strip()}
    stand = Counter(name for text in texts for name in names_in(text))
    shared = [any(stand[name] > 1 for name in names_in(text)) for text in texts if len(names_in(text)) > 1]
    if 2 * sum(shared) <= len(shared) or len(stand) > min(MOST_LABELS, len(texts)):
        return {}
    found: Counter[str] = Counter()
    for text, count in texts.items():
        found[joined(names_in(text))] += count
    return dict(sorted(found.items()))


def by_name(answers: Mapping[str, int]) -> dict[str, int]:
    """Return how many records have each label, in the order of their names."""
    found: Counter[str] = Counter()
    for text, count in answers.items():
        found.update(dict.fromkeys(names_in(text), count))
    return dict(sorted(found.items()))


def take_several(seen: Seen, answers: dict[str, int]) -> None:
    """Take sets of labels as the answer; ``answers`` counts the records of every set, or is empty."""
    if not answers:
        return
    seen.answers, total = answers, sum(answers.values())
    seen.facts |= {"labels": defined(seen.labels, total), "several": True}
    several = sum(count for text, count in answers.items() if len(names_in(text)) > 1)
    text = "%(several)s of %(records)s records have several labels, and %(none)s have none"
    seen.notes.append(words(text, several=several, records=total, none=answers.get(NONE, 0)))
    text = "are there labels that exclude each other? Then options: {excludes: [[one, other]]}"
    seen.questions.append(words(text))


def out_of_fold(
    inputs: np.ndarray, truth: np.ndarray, product: Product, groups: list[str] | None
) -> tuple[np.ndarray, str]:
    """Return the probability of every label by models that have not seen the record, nor its group, and their name."""
    from sklearn.base import clone
    from sklearn.model_selection import GroupKFold, KFold
    from sklearn.multiclass import OneVsRestClassifier

    model, rows, name = quick_model(inputs, product, "none")
    cut = GroupKFold(FOLDS) if groups else KFold(FOLDS, shuffle=True, random_state=SEED)
    outputs = np.zeros(truth.shape, np.float32)
    for known, unseen in cut.split(rows, groups=groups):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Label .* is present in all training examples")
            warnings.filterwarnings("ignore", message="Label not .* is present in all training examples")
            fitted = OneVsRestClassifier(clone(model)).fit(rows[known], truth[known].astype(int))
        outputs[unseen] = fitted.predict_proba(rows[unseen]).reshape(len(unseen), -1)
    return outputs, words("%(model)s for each label", model=name)


def tried(inputs: np.ndarray, answers: list[str], product: Product, groups: list[str] | None) -> Trial:
    """Try a quick model on records with their ``answers`` as text."""
    truth = answer_of(product).truth(answers, product)
    outputs, model = out_of_fold(inputs, truth, product, groups)
    return attempt(inputs, truth, outputs, model, product)


def unmeasured(reason: str) -> Asked:
    """Return what may be asked before a model can be tried."""
    asked, why = Asked(), words("a guess, since %(reason)s", reason=reason)
    asked.ask("micro_f1", ">=", 0.7, "share", why)
    asked.ask("margin_over_baseline", ">=", 0.05, "share", why)
    return asked


def thresholds(
    size: Size, trial: Trial, slices: dict[str, np.ndarray], abstains: bool, kib: int, milliseconds: int
) -> Asked:
    """Return the requirements; ``slices`` says per slice which records of the sample it holds."""
    asked, values, tested = Asked(), trial.values, size.records * size.test
    asked.at_least("micro_f1", values["micro_f1"], tested, floor=0.05)
    learned = values["margin_over_baseline"]
    # Above the baseline, also where the quick model is not: then the model is rejected, rightly.
    text = "the quick model has all labels right in %(share)s more of the records than the baseline"
    reached = words(text, share=f"{learned:.3f}")
    asked.ask("margin_over_baseline", ">=", round(max(0.01, learned / 2), 3), "share", reached)
    asked.at_most("ece", values["ece"] + 0.5 / np.sqrt(tested), tested)
    by_label(asked, size, values["worst_label_recall"], values["collapse"])
    by_part(asked, trial, slices, tested)
    of_service(asked, size, values, abstains, (kib, milliseconds), 1 - values["subset_accuracy"])
    return asked


def by_part(asked: Asked, trial: Trial, slices: dict[str, np.ndarray], tested: float) -> None:
    """Ask that no slice is served badly."""
    right = ((trial.outputs >= HALF) == trial.truth).all(axis=1)
    parts = [(float(right[mask].mean()), float(mask.mean())) for mask in slices.values()]
    if not parts:
        asked.leave("worst_slice_subset_accuracy", words("there are no slices"))
        return
    worst, share = min(parts)
    if worst - room(worst, tested * share) < 0.05:
        asked.leave("worst_slice_subset_accuracy", words("the worst slice has %(worst)s", worst=f"{worst:.2f}"))
        return
    asked.at_least("worst_slice_subset_accuracy", worst - 0.05, tested * share)
