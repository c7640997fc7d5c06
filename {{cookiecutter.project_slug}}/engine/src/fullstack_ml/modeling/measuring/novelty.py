"""How well the novelty score tells unfamiliar records from familiar ones.

Reads and writes nothing.
"""

import numpy as np


def apart(familiar: np.ndarray, strange: np.ndarray) -> dict[str, np.ndarray]:
    """Say how well a score (higher is stranger) tells strange records from familiar ones, per familiar record.

    The mean of ``novelty_auroc`` is the chance that a strange record scores higher than a familiar one, ties counting
    half (Mann and Whitney 1947); that of ``novelty_false_alarms`` is the share of familiar records above the limit that
    catches 95 % of the strange.
    """
    familiar = np.nan_to_num(familiar, nan=np.inf, posinf=np.inf)
    ranked = np.sort(np.nan_to_num(strange, nan=np.inf, posinf=np.inf))
    not_above, below = (np.searchsorted(ranked, familiar, side) for side in ("right", "left"))
    limit = ranked[int(0.05 * len(ranked))]
    return {
        "novelty_auroc": 1 - (not_above + below) / (2 * len(ranked)),
        "novelty_false_alarms": (familiar >= limit).astype(np.float32),
    }


def separation(familiar: np.ndarray, strange: np.ndarray) -> dict[str, float]:
    """Return the means of ``apart``."""
    found = apart(familiar, strange)
    return {name.removeprefix("novelty_"): float(values.mean()) for name, values in found.items()}
