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

MADE = "_made"  # behind the names of the outputs while the exporter works


def scored(answering: Answering, rows: np.ndarray, which: int = 0) -> Iterator[np.ndarray]:
    """Yield answers, or embeddings where ``which`` is 1, part by part: float32 (records, values)."""
    step = answering.network.at_once(rows)
    with torch.inference_mode():
        for i in range(0, max(1, len(rows)), step):
            yield answering(torch.from_numpy(rows[i : i + step]))[which].numpy()


def exported(answering: Answering, width: int, output: str) -> onnx.ModelProto:
    """Return the graph, from ``features`` (batch, width) to ``output`` (batch, values) and the embedding.

    What the exporter notes of its way is left out: it names files of this machine.
    """
    example, sizes = torch.zeros(2, width), {0: torch.export.Dim("batch")}
    if answering.network.letters:
        sizes[1] = torch.export.Dim("letters", min=3)
    with quiet(), torch.no_grad():
        program = torch.onnx.export(
            answering.eval(),
            (example,),
            dynamo=True,
            dynamic_shapes=(sizes,),
            input_names=[FEATURES],
            output_names=[f"{name}{MADE}" for name in (output, EMBEDDING)],
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
    rename(model.graph)
    return with_outputs(model, {one.name: one.type.tensor_type.shape.dim[1].dim_value for one in model.graph.output})


def rename(graph: onnx.GraphProto) -> None:
    """Give the outputs their names; what the exporter calls alike on its way, such as a layer, gets another."""
    wanted = {one.name: one.name.removesuffix(MADE) for one in graph.output}
    new = {name: f"{name}_inside" for name in wanted.values()} | wanted
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = [new.get(name, name) for name in names]
    for one in (*graph.output, *graph.initializer):
        one.name = new.get(one.name, one.name)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep the exporter's talk from the screen."""
    for name in ("onnxscript", "torch.onnx"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield
