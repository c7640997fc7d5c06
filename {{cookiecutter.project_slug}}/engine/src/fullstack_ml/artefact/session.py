"""The ONNX file as the rest of the lifecycle sees it: labels, input, probabilities, versions.

Reads ``models/*.onnx``; writes nothing. Needs only numpy and onnxruntime.
"""

import json
from pathlib import Path

import numpy as np
import onnxruntime as ort

from fullstack_ml.answers.label.rule import ALWAYS, Rule
from fullstack_ml.answers.words import Scored
from fullstack_ml.workspace.errors import UserError


class Artefact:
    """A loaded model: ``labels`` in the order of the probabilities, ``metadata`` as stored in the file."""

    def __init__(self, source: Path | bytes) -> None:
        """Load a file or its bytes; raise a ``UserError`` when onnxruntime cannot."""
        options = ort.SessionOptions()
        # One thread: a record takes microseconds, and many workers share the cores better than many threads.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        if isinstance(source, Path) and not source.exists():
            raise UserError(f"{source} is not there", "the working folder", "run dvc repro, which makes it")
        try:
            given = source if isinstance(source, bytes) else str(source)
            self.session = ort.InferenceSession(given, options, providers=["CPUExecutionProvider"])
        except Exception as error:
            name = "the graph" if isinstance(source, bytes) else str(source)
            raise UserError(f"{name} is no ONNX model: {error}", name, "run dvc repro export") from error
        self.metadata: dict[str, str] = dict(self.session.get_modelmeta().custom_metadata_map)
        self.labels: list[str] = json.loads(self.metadata.get("labels", "[]"))
        self.input_name: str = self.session.get_inputs()[0].name

    def score(self, inputs: np.ndarray, batch: int = 8192) -> Scored:
        """Score the model's input (records first), ``batch`` records at a time, so that memory stays bounded."""
        parts = [
            self.session.run(["probabilities", "novelty"], {self.input_name: inputs[start : start + batch]})
            for start in range(0, len(inputs), batch)
        ]
        if len(parts) == 1:
            return Scored(*parts[0])
        return Scored(np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts]))

    @property
    def rule(self) -> Rule:
        """The rule to answer or abstain that the file carries."""
        return Rule.from_json(self.metadata["decision"]) if "decision" in self.metadata else ALWAYS
