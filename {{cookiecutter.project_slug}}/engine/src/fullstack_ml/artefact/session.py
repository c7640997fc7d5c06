"""The ONNX file as the rest of the lifecycle sees it: its answer, input, outputs, versions.

Reads ``models/*.onnx``. Needs only numpy and onnxruntime.
"""

import json
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from fullstack_ml.answers import Answer, answer_named, answer_of
from fullstack_ml.answers.words import Scored
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.errors import UserError

NOVELTY = "novelty"
VALUES = 2**25  # of inputs that are computed together: 128 MiB as float32
BATCH = 2048  # records that are scored together: what a small graph makes of them still fits into a core's cache
LARGE = 2**36  # bytes of a graph times records: what a large network makes of a record is large too


def stated(product: Product) -> dict[str, str]:
    """Return what an artefact says of the contract: its input, its answer, and what the answer adds."""
    formulation = product.formulation
    return {
        "input": formulation.input.model_dump_json(exclude_none=True, exclude_defaults=True),
        "answer": formulation.answer.model_dump_json(exclude_defaults=True),
        **answer_of(product).metadata(product),
    }


def records_at_once(inputs: np.ndarray, most: int = 8192) -> int:
    """Return how many records to compute together: at most ``most``, and fewer when they are large pictures."""
    return max(1, min(most, VALUES * max(1, len(inputs)) // max(1, inputs.size)))


class Artefact:
    """A loaded model; ``metadata`` as stored in the file."""

    def __init__(self, source: Path | bytes) -> None:
        """Load a file or its bytes; raise a ``UserError`` when onnxruntime cannot."""
        options = ort.SessionOptions()
        # One thread: a record takes microseconds, and many workers share the cores better than many threads.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        if isinstance(source, Path) and not source.exists():
            raise UserError(f"{source} is not there", "the working folder", "run dvc repro, which makes it")
        try:
            given = source if isinstance(source, bytes) else str(source)
            size = len(source) if isinstance(source, bytes) else Path(source).stat().st_size
            self._most = max(1, LARGE // max(1, size))
            self.session = ort.InferenceSession(given, options, providers=["CPUExecutionProvider"])
        except Exception as error:
            name = "the graph" if isinstance(source, bytes) else str(source)
            raise UserError(f"{name} is no ONNX model: {error}", name, "run dvc repro export") from error
        self.metadata: dict[str, str] = dict(self.session.get_modelmeta().custom_metadata_map)
        self.input_name: str = self.session.get_inputs()[0].name
        self._outputs = [self.output_name, NOVELTY]

    def score(self, inputs: np.ndarray, batch: int = BATCH) -> Scored:
        """Score the model's input (records first), ``batch`` records at a time, so that memory stays bounded."""
        batch = records_at_once(inputs, min(batch, self._most))
        parts = [
            Scored(*self.session.run(self._outputs, {self.input_name: inputs[start : start + batch]}))
            for start in range(0, len(inputs), batch)
        ]
        return Scored.joined(parts)

    @cached_property
    def output_name(self) -> str:
        """The graph's output that holds the answer; the other one is ``novelty``."""
        return str(next(output.name for output in self.session.get_outputs() if output.name != NOVELTY))

    @cached_property
    def answer(self) -> Answer:
        """The module of seam ``answers`` that the file names."""
        return answer_named(json.loads(self.metadata["answer"])["type"], "the artefact's metadata, answer.type")

    @cached_property
    def labels(self) -> list[str]:
        """The labels in the order of the outputs; none where the answer is no label."""
        return list(json.loads(self.metadata.get("labels", "[]")))

    def foremost(self, output: np.ndarray) -> tuple[int, str]:
        """Return the place and the name of what the outputs of one record, (values,), say most: the most probable
        label, or the number itself, which stands first."""
        place = int(output.argmax()) if self.labels else 0
        return place, self.labels[place] if self.labels else self.output_name

    @cached_property
    def rule(self) -> Any:
        """The rule to answer or abstain that the file carries."""
        return self.answer.read_rule(self.metadata["decision"])

    def decide(self, scored: Scored) -> np.ndarray:
        """Return ``accept``, ``uncertain`` or ``unfamiliar`` per record."""
        return self.answer.decide(scored.outputs, scored.novelty, self.rule)
