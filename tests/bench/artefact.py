"""Measure what calibration and novelty add to the model, and what int8 takes from it.

Run it in a generated project after `make`, with its interpreter:
`cd my-product && .venv/bin/python <template>/tests/bench/artefact.py`.
"""

import os
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from measure import ROUNDS, table, verdict

CALLS = 3000
RATIO, SIZE, DROP = 1.5, 0.5, 0.5


def bare(path: Path, graph: Any) -> bytes:
    """Return the candidate without its novelty output: the classifier alone."""
    model = onnx.load(path)
    del model.graph.output[1:]
    return bytes(graph.drop_unused(model).SerializeToString())


def latency(model: bytes, row: np.ndarray) -> float:
    """Return the median microseconds of one record on one thread."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    given, wanted, taken = {session.get_inputs()[0].name: row}, [o.name for o in session.get_outputs()], []
    for _ in range(CALLS):
        start = time.perf_counter()
        session.run(wanted, given)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken) * 1e6


def main() -> None:
    """Print latency, size and accuracy of the bare model, the complete artefact and its int8 form."""
    from fullstack_ml.artefact import graph
    from fullstack_ml.artefact.session import Artefact
    from fullstack_ml.pipeline import examples
    from fullstack_ml.product import contract

    held_out = examples.read("validation", contract.load())
    full, small = Path("models/variants/full.onnx"), Path("models/variants/int8.onnx")
    models = {
        "bare model": bare(Path("models/candidate.onnx"), graph),
        "complete artefact": full.read_bytes(),
        "int8 artefact": small.read_bytes(),
    }
    measured: dict[str, list[float]] = {name: [] for name in models}
    for _ in range(ROUNDS):
        for name, model in models.items():
            measured[name].append(latency(model, held_out.inputs[:1]))
    medians = {name: statistics.median(values) for name, values in measured.items()}
    accuracy = {
        path.stem: (Artefact(path).score(held_out.inputs).outputs.argmax(axis=1) == held_out.truth).mean()
        for path in (full, small)
    }
    ratio = medians["complete artefact"] / medians["bare model"]
    size, drop = small.stat().st_size / full.stat().st_size, 100 * (accuracy["full"] - accuracy["int8"])
    rows = [
        [
            f"{ratio:.2f} x",
            f"<= {RATIO} x",
            verdict(ratio, RATIO),
            "latency of the complete artefact to the bare model",
        ],
        [f"{size:.2f} x", f"<= {SIZE} x", verdict(size, SIZE), "size of int8 to full"],
        [f"{drop:.2f} points", f"<= {DROP} points", verdict(drop, DROP), "accuracy that int8 loses"],
    ]
    note = "; ".join(f"{name} {value:.1f} us" for name, value in medians.items())
    table("The artefact", ["measured", "target", "", "what"], rows, f"One record on one thread, median: {note}.")


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
