"""A fitted network as an ONNX graph, and what it says without one.

Reads and writes nothing.
"""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator

import numpy as np
import onnx
import torch

from fullstack_ml.artefact.graph import EMBEDDING, OPSET, with_outputs
from fullstack_ml.inputs import FEATURES
from fullstack_ml.modeling.train.backends.torch.answering import Answering

AT_ONCE = 2**22  # values that are scored at once


def scored(answering: Answering, rows: np.ndarray, which: int = 0) -> Iterator[np.ndarray]:
    """Yield answers, or embeddings where ``which`` is 1, part by part: float32 (records, values)."""
    step = max(1, AT_ONCE // max(1, rows.shape[1]))
    with torch.inference_mode():
        for i in range(0, max(1, len(rows)), step):
            yield answering(torch.from_numpy(rows[i : i + step]))[which].numpy()


def exported(answering: Answering, width: int, output: str) -> onnx.ModelProto:
    """Return the graph, from ``features`` (batch, width) to ``output`` (batch, values) and the embedding.

    What the exporter notes of its way is left out: it names files of this machine.
    """
    example, batch = torch.zeros(2, width), torch.export.Dim("batch")
    with quiet(), torch.no_grad():
        program = torch.onnx.export(
            answering.eval(),
            (example,),
            dynamo=True,
            dynamic_shapes=({0: batch},),
            input_names=[FEATURES],
            output_names=[output, EMBEDDING],
            opset_version=OPSET[""],
            external_data=False,
            verbose=False,
        )
    model = program.model_proto
    for part in (model.graph, *model.graph.node, *model.graph.initializer, *model.graph.input, *model.graph.output):
        del part.metadata_props[:]
        part.doc_string = ""
    del model.graph.value_info[:], model.metadata_props[:]
    model.ir_version, model.producer_version = 10, ""
    return with_outputs(model, {one.name: one.type.tensor_type.shape.dim[1].dim_value for one in model.graph.output})


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep the exporter's talk from the screen."""
    for name in ("onnxscript", "torch.onnx"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield
