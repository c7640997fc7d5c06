"""Which labels are likely wrong, by confident learning (Northcutt, Jiang and Chuang 2021, JAIR 70).

Reads and writes nothing.
"""

import numpy as np


def likely_label_errors(probabilities: np.ndarray, truth: np.ndarray, by: str = "margin") -> np.ndarray:
    """Return the indices of records whose label is likely wrong, the most suspicious first.

    A record counts for another label when its probability is above what that label's own records get on average. Of
    each pair of labels as many records are suspect as were counted, those with the largest margin ("prune by noise
    rate" in the paper), and none on which the model agrees.

    Args:
        probabilities: (records, labels), of a model that was not fitted on these records.
        truth: (records,), the index of each label.
        by: what orders them: ``margin`` to the most likely other label, or ``confidence`` in the label.
    """
    records, own = np.arange(len(truth)), probabilities[np.arange(len(truth)), truth]
    others = probabilities.copy()
    others[records, truth] = -np.inf
    margin, suspect = own - others.max(axis=1), np.zeros(len(truth), dtype=bool)
    for label, counts in enumerate(mistaken(probabilities, truth)):
        of_label = np.flatnonzero(truth == label)
        for other in np.flatnonzero(counts):
            nearer = np.argsort(probabilities[of_label, label] - probabilities[of_label, other], kind="stable")
            suspect[of_label[nearer[: counts[other]]]] |= other != label
    found = np.flatnonzero(suspect & (margin < -1e-6))
    order = np.argsort((margin if by == "margin" else own)[found], kind="stable")
    return np.asarray(found[order])


def mistaken(probabilities: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Estimate (labels, labels) whole numbers: records that have a row's label and belong to a column's."""
    labels = probabilities.shape[1]
    totals = np.bincount(truth, minlength=labels)
    usual = np.array([probabilities[truth == i, i].mean() if totals[i] else np.inf for i in range(labels)])
    above = probabilities >= usual - 1e-6
    meant = np.where(above.sum(axis=1) > 1, probabilities.argmax(axis=1), above.argmax(axis=1))
    joint = np.zeros((labels, labels))
    np.add.at(joint, (truth[above.any(axis=1)], meant[above.any(axis=1)]), 1)
    np.fill_diagonal(joint, np.maximum(np.diag(joint), 1))
    joint *= (totals / joint.sum(axis=1))[:, None]
    whole = joint.round()
    for exact, row in zip(joint, whole, strict=True):  # rounding must not change how many records have a label
        short = round(exact.sum() - row.sum())
        nearest = np.argsort(exact - row)[:: -1 if short > 0 else 1]
        row[nearest[: abs(short)]] += np.sign(short)
    return whole.astype(int)
