"""The backend of PyTorch beside a plain loop with the same network: pictures per second of learning and of scoring.

Both learn from the same 640 pictures of 32 x 32 pixels in batches of 64, on the device that `auto` finds. Scoring is
the artefact's graph in onnxruntime beside the network itself. Then what calibration and novelty add to the time of one
picture. Run: `make bench ONLY=networks`.
"""

import copy
import os
import tempfile
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime
import torch
from artefact import latency
from measure import rounds, seconds, table, verdict
from torch.nn import functional

from fullstack_ml.answers import label
from fullstack_ml.artefact.graph import EMBEDDING
from fullstack_ml.inputs import image
from fullstack_ml.modeling.train.__main__ import looks_at, novelty_constants
from fullstack_ml.modeling.train.backends import Lesson
from fullstack_ml.modeling.train.backends import torch as backend
from fullstack_ml.modeling.train.backends.torch.devices import device_of
from fullstack_ml.modeling.train.novelty_nodes import with_novelty
from networks import bars, contract, model

PICTURES, EPOCHS, BATCH = 640, 2, 64
ADDED = 20  # per cent


def plain(network: Any, rows: torch.Tensor, truth: torch.Tensor, device: str) -> None:
    """Learn as a script does that knows nothing of the project."""
    network = network.to(device).train()
    optimiser = torch.optim.AdamW(network.parameters(), 0.004, weight_decay=0.05)
    for _ in range(EPOCHS):
        for places in torch.randperm(len(rows)).split(BATCH):
            loss = functional.cross_entropy(network(rows[places].to(device)), truth[places].to(device))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()


def one_picture(fitted: backend.Fitted, lesson: Lesson) -> None:
    """Print the time of one picture on one thread: of the network alone, and with all that an artefact holds."""

    def bare() -> Any:
        graph = backend.to_onnx(fitted, lesson.rows.shape[1], 2, "probabilities")
        del graph.graph.output[1:]
        return graph

    product: Any = lesson.product
    picture = (lesson.rows[:1].reshape(1, 32, 32) * 255).astype(np.uint8)
    works = {"network alone": lambda: latency(bare().SerializeToString(), lesson.rows[:1])}
    for name in (EMBEDDING, "mahalanobis"):
        constants = novelty_constants(name, lesson.rows, lesson.truth, True, looks_at(name, backend, fitted))
        graph = with_novelty(bare(), constants, EMBEDDING if name == EMBEDDING else "features")
        outputs = backend.outputs(fitted, lesson.rows)
        graph = label.calibrate("temperature", graph, outputs, lesson.truth, product, lambda: lesson.rows)
        whole = image.front(graph, product).SerializeToString()
        works[f"complete, novelty: {name}"] = lambda whole=whole: latency(whole, picture)  # type: ignore[misc]
    found = rounds(works)
    alone, lines = found["network alone"], []
    for name, took in found.items():
        added = 100 * (took / alone - 1)
        lines.append([f"{took:.0f}", f"{added:+.0f} %", "" if took == alone else verdict(added, ADDED), name])
    note = "One picture of 32 x 32 pixels on one thread, medians of 3,000 calls."
    table("Novelty of a network", ["microseconds", "added", f"<= {ADDED} %", "graph"], lines, note)


def main() -> None:
    """Print pictures per second of both, and their ratio."""
    rows, truth = bars(PICTURES, side=32)
    lesson = Lesson(rows, truth, label, True, contract(32, 32))  # type: ignore[arg-type]
    asked = model(epochs=EPOCHS, batch=BATCH, patience=0)
    with tempfile.TemporaryDirectory() as place:
        os.chdir(place)
        fitted = backend.fit(asked, 0, lesson)
        fresh = copy.deepcopy(fitted.answering.network)
        settings: Any = SimpleNamespace(device="auto", gpus=1, precision="auto")
        device = device_of(settings, "").name
        given, wanted = torch.from_numpy(rows), torch.from_numpy(truth.astype(np.int64))
        learning = rounds(
            {
                "ours": lambda: seconds(lambda: backend.fit(asked, 0, lesson)),
                "plain": lambda: seconds(lambda: plain(copy.deepcopy(fresh), given, wanted, device)),
            }
        )
        session = onnxruntime.InferenceSession(backend.to_onnx(fitted, rows.shape[1], 2, "p").SerializeToString())

        def scored() -> None:
            with torch.inference_mode():
                fitted.answering(given)

        scoring = rounds(
            {
                "ours": lambda: seconds(lambda: session.run(None, {"features": rows})),
                "plain": lambda: seconds(scored),
            }
        )
        one_picture(fitted, lesson)
        os.chdir("/")
    lines = []
    for what, took, count in (("learning", learning, PICTURES * EPOCHS), ("scoring", scoring, PICTURES)):
        ratio = took["plain"] / took["ours"]
        reached = "reached" if ratio >= 0.9 else "**missed**"
        lines.append([what, f"{count / took['ours']:,.0f}", f"{count / took['plain']:,.0f}", f"{ratio:.2f}", reached])
    header = ("pictures per second", "backend", "plain script", "ratio", ">= 0.9")
    table("Networks of PyTorch", header, lines, f"The same network, pictures and batches, on {device}.")


if __name__ == "__main__":
    main()
