"""Which labels are likely wrong, by confident learning (Northcutt, Jiang and Chuang 2021, JAIR 70)."""

import numpy as np


def likely_label_errors(
    probabilities: np.ndarray, truth: np.ndarray, ranked_by: str = "normalized_margin"
) -> np.ndarray:
    """Return the indices of records whose label is likely wrong, the most suspicious first.

    A record is suspect when the model gives another label a probability above what that label's own records get on
    average.
    """
    from cleanlab.filter import find_label_issues  # slow to import

    # With one label in the split there is nothing to be confused with, and cleanlab refuses it.
    if len(np.unique(truth)) < 2:
        return np.array([], dtype=np.int64)
    ranked: np.ndarray = find_label_issues(truth, probabilities, return_indices_ranked_by=ranked_by, n_jobs=1)
    return ranked
