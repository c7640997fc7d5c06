"""The backend of PyTorch beside a plain loop with the same network: pictures per second of learning and of scoring.

Both learn from the same 640 pictures of 32 x 32 pixels in batches of 64, on the device that `auto` finds. Scoring is
the artefact's graph in onnxruntime beside the network itself. Run: `make bench ONLY=networks`.
"""

import copy
import os
import tempfile
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime
import torch
from measure import rounds, seconds, table
from torch.nn import functional

from fullstack_ml.answers import label
from fullstack_ml.modeling.train.backends import Lesson
from fullstack_ml.modeling.train.backends import torch as backend
from fullstack_ml.modeling.train.backends.torch.devices import device_of
from networks import bars, contract, model

PICTURES, EPOCHS, BATCH = 640, 2, 64


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
