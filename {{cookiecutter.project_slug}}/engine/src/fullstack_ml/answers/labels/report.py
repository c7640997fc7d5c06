"""What an evaluation says of several labels beside its metrics: each label, how many, reliability, risk, cases.

Reads and writes nothing.
"""

from collections import Counter
from typing import Any

import numpy as np

from fullstack_ml.answers.label.metrics import f1_of
from fullstack_ml.answers.label.report import binned, risk_curve
from fullstack_ml.answers.labels.contract import texts
from fullstack_ml.answers.labels.metrics import BINS, METRICS, columns
from fullstack_ml.answers.labels.rule import Rule, candidates, chosen, confidences, decide, plain
from fullstack_ml.answers.words import ACCEPT, Scored
from fullstack_ml.product.metrics import Sums
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.sentences import sentence

HEADLINE: tuple[str, ...] = ("subset_accuracy", "micro_f1", "macro_f1", "hamming_loss", "log_loss", "brier", "ece")
SHOWN = 12  # pairs of labels, and sets, that are listed


def headline(outputs: np.ndarray, truth: np.ndarray, bins: int = BINS) -> dict[str, float]:
    """Return the metrics of ``HEADLINE`` where every label is answered that is more probable than not."""
    sums = Sums.of(columns(outputs, truth, np.zeros(len(truth)), plain(truth.shape[1]), bins=bins))
    values = {name: METRICS[name].value for name in HEADLINE}
    return {name: float(value(sums)[0]) for name, value in values.items() if value is not None}


def per_label(
    names: list[str], outputs: np.ndarray, truth: np.ndarray, words: np.ndarray, rule: Rule
) -> dict[str, Any]:
    """Give records, threshold, F1, recall, precision, and the share that candidates hold, per label; null where none.

    ``answered_share`` is that of the records that have the label.
    """
    given, shown = chosen(outputs, rule), candidates(outputs, rule)
    rows = {}
    for i, name in enumerate(names):
        mine, said, hits = truth[:, i], given[:, i], (truth[:, i] & given[:, i]).sum()
        rows[name] = {
            "records": int(mine.sum()),
            "predicted": int(said.sum()),
            "threshold": rule.thresholds[i],
            "f1": float(f1_of(*(np.array([float(n)]) for n in (mine.sum(), said.sum(), hits)))[0]),
            "recall": float(hits / mine.sum()) if mine.any() else None,
            "precision": float(hits / said.sum()) if said.any() else None,
            "set_coverage": float(shown[mine, i].mean()) if mine.any() else None,
            "answered_share": float((words[mine] == ACCEPT).mean()) if mine.any() else None,
        }
    return rows


def by_number(given: np.ndarray, truth: np.ndarray, words: np.ndarray) -> list[dict[str, float]]:
    """Cut the records by how many labels they have: how many are answered on average, and all of them rightly."""
    many = truth.sum(axis=1)
    return [
        {
            "labels": int(number),
            "records": int(mine.sum()),
            "given": float(given[mine].sum(axis=1).mean()),
            "subset_accuracy": float((given[mine] == truth[mine]).all(axis=1).mean()),
            "answered_share": float((words[mine] == ACCEPT).mean()),
        }
        for number, mine in ((number, many == number) for number in np.unique(many))
    ]


def mistaken(given: np.ndarray, truth: np.ndarray, names: list[str]) -> list[dict[str, Any]]:
    """List pairs of a label that was missed and one that stood there wrongly in the same record, the most frequent
    first; of a record of which only one is wrong the other is null."""
    counts: Counter[tuple[str | None, str | None]] = Counter()
    nothing: list[str | None] = [None]
    wrong = (given != truth).any(axis=1)
    for right, said in zip(truth[wrong], given[wrong], strict=True):
        missed, added = ([names[i] for i in np.flatnonzero(one)] or nothing for one in (right & ~said, said & ~right))
        counts.update((a, b) for a in missed for b in added)
    return [{"missed": a, "added": b, "records": n} for (a, b), n in counts.most_common(SHOWN)]


def sections(
    outputs: np.ndarray, truth: np.ndarray, words: np.ndarray, rule: Rule, product: Product, bins: int
) -> dict[str, Any]:
    """Return what the evaluation report holds beside the metrics of any answer."""
    names, given = product.formulation.label_names, chosen(outputs, rule)
    sets = {
        "labels": per_label(names, outputs, truth, words, rule),
        "by_number": by_number(given, truth, words),
        "mistaken": mistaken(given, truth, names),
        "floor": rule.floor,
        "coverage": rule.coverage,
    }
    curve = risk_curve(confidences(outputs, given), (given == truth).all(axis=1))
    sizes = np.bincount(candidates(outputs, rule).sum(axis=1)[words != ACCEPT])
    shown = {"floor": rule.floor, "given_back": sizes.tolist()}
    bars = binned(outputs.ravel(), truth.ravel(), bins)
    return {"sets": sets, "candidates": shown, "reliability": bars, "risk_curve": curve}


def summary(truth: np.ndarray, product: Product, moments: np.ndarray | None = None) -> dict[str, Any]:
    """Count the records of every label, those that have it alone, those without one, and the most frequent sets."""
    names, many = product.formulation.label_names, truth.sum(axis=1)
    alone = (truth & (many == 1)[:, np.newaxis]).sum(axis=0)
    return {
        "records": len(truth),
        "labels": dict(zip(names, truth.sum(axis=0).tolist(), strict=True)),
        "alone": dict(zip(names, alone.tolist(), strict=True)),
        "none": int((many == 0).sum()),
        "sets": dict(Counter(texts(truth, product)).most_common(SHOWN)),
    }


def missing(summary: dict[str, Any], product: Product) -> list[str]:
    """Return the labels without a training record: the model could never answer them."""
    return [name for name, records in summary["labels"].items() if not records]


def training_facts(summary: dict[str, Any], product: Product) -> dict[str, Any]:
    """Return what metrics ask beside the records: the place of the label that is most frequent alone, or of none."""
    return {"majority": int(np.argmax([*summary["alone"].values(), summary["none"]]))}


def baselines(
    summary: dict[str, Any], truth: np.ndarray, product: Product, bins: int, moments: np.ndarray | None = None
) -> dict[str, Any]:
    """Measure what needs no model: always the most frequent label alone, or none, and the labels' shares."""
    labels, majority = truth.shape[1], training_facts(summary, product)["majority"]
    often = np.eye(labels + 1)[majority][:labels]
    always = headline(np.broadcast_to(often, truth.shape), truth, bins)
    shares = np.array([*summary["labels"].values()]) / summary["records"]
    kept = ("subset_accuracy", "micro_f1", "macro_f1", "hamming_loss")  # it answers with certainty: no log loss
    said = {"answer": texts(often[np.newaxis].astype(bool), product)[0], **{name: always[name] for name in kept}}
    return {"most frequent": said, "shares": headline(np.broadcast_to(shares, truth.shape), truth, bins)}


def worst(outputs: np.ndarray, truth: np.ndarray, words: np.ndarray, rule: Rule) -> np.ndarray:
    """Return the indices of the records with a wrong label: those that were answered first, then the surest."""
    given = chosen(outputs, rule)
    wrong = np.flatnonzero((given != truth).any(axis=1))
    sure = confidences(outputs, given)[wrong]
    return np.asarray(wrong[np.lexsort((-sure, words[wrong] != ACCEPT))])


def suspects(outputs: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return the indices of records with a label that is likely wrong or lacking, the most suspicious first.

    Every label is a question of yes or no for confident learning; a record stands where its worst label does.
    """
    from fullstack_ml.answers.label.confident import likely_label_errors

    least: dict[int, float] = {}
    for share, mine in zip(outputs.T, truth.T, strict=True):
        two = np.column_stack([1 - share, share])
        for i in likely_label_errors(two, mine.astype(int)).tolist():
            least[i] = min(least.get(i, 1.0), float(two[i, int(mine[i])]))
    return np.array(sorted(least, key=lambda i: (least[i], i)), dtype=np.int64)


def case_columns(outputs: np.ndarray, truth: np.ndarray, rule: Rule, product: Product) -> dict[str, list[Any]]:
    """Return what is shown of a case: both sets of labels, each with how probable it is as a whole."""
    given = chosen(outputs, rule)
    return {
        "label": texts(truth, product),
        "predicted": texts(given, product),
        "probability": confidences(outputs, given).tolist(),
        "right_probability": confidences(outputs, truth).tolist(),
    }


def explain(before: np.ndarray, final: Scored, rule: Rule, product: Product) -> list[str]:
    """Tell every label of one record before and after calibration, and why the record is answered or not."""
    names, after = product.formulation.label_names, final.outputs
    given, shown = chosen(after, rule)[0], candidates(after, rule)[0]
    rows = [
        f"  {names[i]:<16} {before[i]:.4f} -> {after[0, i]:.4f}   from {rule.thresholds[i]:.3f}"
        + ("   answered" if given[i] else "   a candidate" if shown[i] else "")
        for i in np.argsort(-after[0])
    ]
    limit = "no limit" if rule.novelty is None else f"limit {rule.novelty:.3f}"
    word = decide(after, final.novelty, rule)[0]
    sure = confidences(after, given[np.newaxis])[0]
    return [
        "labels, before and after calibration, and their thresholds",
        *rows,
        "novelty",
        f"  {final.novelty[0]:.3f}, {limit}",
        "decision",
        f"  {word}: answers where every candidate (from {rule.floor:.3f}) is answered, and all are right with a "
        f"probability of {rule.confidence:.3f}; here it is {sure:.3f}",
    ]


def note(verdict: dict[str, Any], evaluation: dict[str, Any]) -> dict[str, Any] | None:
    """Say which labels a failed verdict is about, or None."""
    if verdict["verdict"] != "fail" or not verdict["metric"].startswith(("worst_label", "collapse")):
        return None
    key = {"worst_label_f1": "f1", "worst_label_recall": "recall"}.get(verdict["metric"])
    rows = evaluation["sets"]["labels"]
    if key:
        low = sorted((row[key] or 0, name) for name, row in rows.items())
        return sentence("the lowest: %(names)s", names=", ".join(f"{name} {value:.3f}" for value, name in low[:3]))
    rare = [name for name, row in rows.items() if row["predicted"] < (1 - verdict["threshold"]) * row["records"]]
    return sentence("collapsed: the model too rarely predicts %(rare)s", rare=", ".join(rare)) if rare else None
