"""Rows of a table: their names by content, and the model's input. Needs numpy only; the server uses it as well.

Reads and writes nothing.
"""

import hashlib

import numpy as np


def identities(values: np.ndarray) -> list[str]:
    """Name every row of ``values`` (records, features in the contract's order) by the hex SHA-256 of its numbers."""
    exact = values.astype("<f8", order="C") + 0.0  # -0.0 becomes 0.0
    width = exact.shape[1] * 8
    rows = memoryview(exact.tobytes())
    return [hashlib.sha256(rows[i * width : (i + 1) * width]).hexdigest() for i in range(len(exact))]


def inputs(values: np.ndarray) -> np.ndarray:
    """Return the model's input: float32 of shape (records, features)."""
    return values.astype(np.float32, order="C")
