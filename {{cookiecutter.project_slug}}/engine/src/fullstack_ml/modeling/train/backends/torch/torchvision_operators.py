"""Let torchvision be imported beside a CPU build of PyTorch, which timm and transformers do where it is installed.

The index builds it for GPUs: beside a CPU build its operators do not load, and its import fails without their names.
Reads the files of torchvision; writes nothing.
"""

import importlib.util
from pathlib import Path
from typing import Any

import torch

OPERATORS = ("nms", "qnms")  # no network here uses them
KEPT: list[Any] = []  # a library of operators is gone with the last that holds it


def declare_operators() -> None:
    """Load the operators of torchvision, or declare their names where they do not load."""
    found = importlib.util.find_spec("torchvision")
    if found is None or found.origin is None or hasattr(torch.ops.torchvision, OPERATORS[0]):
        return
    try:
        for file in Path(found.origin).parent.glob("_C*.so"):
            torch.ops.load_library(file)
    except OSError:
        fragment = torch.library.Library("torchvision", "FRAGMENT")
        for name in OPERATORS:
            fragment.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        KEPT.append(fragment)
