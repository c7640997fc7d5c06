"""Inputs that the model has never seen, made from the test rows as faults of collection make them.

Reads and writes nothing. ``evaluate`` asks whether the novelty score tells them from the test split. A new kind is a
new entry of ``kinds``.
"""

import numpy as np


def kinds(inputs: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Return unfamiliar inputs by kind, each float32 (records, features) like ``inputs``."""
    random = np.random.default_rng(seed)
    spread = inputs.std(axis=0)
    return {
        "rows mixed": random.permuted(inputs, axis=0),
        "columns swapped": random.permuted(inputs, axis=1),
        "another unit (x 10)": inputs * np.float32(10),
        "all zero": np.zeros_like(inputs[:20]) + random.normal(0, 1e-3, (20, inputs.shape[1])).astype(np.float32),
        "noise of three deviations": inputs + (3 * spread * random.normal(size=inputs.shape)).astype(np.float32),
    }
