"""Golden samples: what the artefact answers to a few inputs, kept in its own metadata.

Reads and writes nothing. Whoever loads the file compares before it is used: another onnxruntime, another processor or a
damaged graph shows. An input is the mean of a label's records, so that no record of a person travels with the file.
"""

import json

import numpy as np

from fullstack_ml.artefact.session import Artefact


def golden(artefact: Artefact, inputs: np.ndarray, truth: np.ndarray) -> str:
    """Return the mean input of every label with its probabilities (labels, labels) and novelty (labels,), as JSON."""
    means = np.stack([inputs[truth == label].mean(axis=0) for label in np.unique(truth)]).astype(inputs.dtype)
    scored = artefact.score(means)
    kept = {"inputs": means, "probabilities": scored.outputs, "novelty": scored.novelty}
    return json.dumps({name: values.tolist() for name, values in kept.items()})
