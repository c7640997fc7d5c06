"""The ONNX file as the rest of the lifecycle sees it: labels, input, probabilities, versions.

Reads ``models/*.onnx``; writes nothing. Needs only numpy and onnxruntime.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnxruntime as ort

from ..errors import UserError


class Artefact:
    """A loaded model: ``labels`` in the order of the probabilities, ``metadata`` as stored in the file."""

    def __init__(self, path: Path) -> None:
        """Load the file; raise a ``UserError`` when onnxruntime cannot."""
        options = ort.SessionOptions()
        # One thread: a record takes microseconds, and many workers share the cores better than many threads.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        try:
            self.session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise UserError(f"{path} is no ONNX model: {error}", str(path), "run dvc repro export") from error
        self.path = path
        self.metadata: dict[str, str] = dict(self.session.get_modelmeta().custom_metadata_map)
        self.labels: list[str] = json.loads(self.metadata.get("labels", "[]"))
        self.input_name: str = self.session.get_inputs()[0].name

    def probabilities(self, inputs: np.ndarray) -> np.ndarray:
        """Score the model's input (records first); returns float32 of shape (records, labels)."""
        result: np.ndarray = self.session.run(["probabilities"], {self.input_name: inputs})[0]
        return result

    def in_batches(self, inputs: np.ndarray, size: int) -> np.ndarray:
        """Score ``size`` records at a time, so that memory does not grow with the records."""

        def parts() -> Iterator[np.ndarray]:
            for start in range(0, len(inputs), size):
                yield self.probabilities(inputs[start : start + size])

        return np.concatenate(list(parts()))
