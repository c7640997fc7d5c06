"""Golden samples: what the artefact answers to a few inputs, kept in its own metadata.

Whoever loads the file compares before it is used: another onnxruntime, another processor or a
damaged graph shows. An input is the mean of the records of one label, so that no record of a
person travels with the file.
"""

import json
import warnings

import numpy as np

from fullstack_ml.artefact.session import Artefact


def golden(artefact: Artefact, inputs: np.ndarray, strata: np.ndarray) -> str:
    """Return the mean input of every stratum with its outputs (strata, values) and novelty (strata,), as JSON."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a feature that is missing in a whole stratum counts as 0
        means = np.stack([np.nan_to_num(np.nanmean(inputs[strata == one], axis=0)) for one in np.unique(strata)])
    means = means.astype(inputs.dtype)
    scored = artefact.score(means)
    kept = {"inputs": means, artefact.output_name: scored.outputs, "novelty": scored.novelty}
    return json.dumps({name: values.tolist() for name, values in kept.items()})
