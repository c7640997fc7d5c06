"""Inputs that the model has never seen, made from the test images or taken from real photographs.

Reads the two photographs that are bundled with scikit-learn; writes nothing. ``evaluate`` asks whether the novelty
score tells them from the test split. A new kind is a new entry of ``kinds``.
"""

import numpy as np
from PIL import Image, ImageFilter

PHOTOGRAPHS = 100


def kinds(inputs: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Return unfamiliar inputs by kind, each uint8 (records, height, width) like ``inputs``."""
    random = np.random.default_rng(seed)
    flat = inputs.reshape(len(inputs), -1)
    quarters = 1 if inputs.shape[1] == inputs.shape[2] else 2  # a quarter turn would give another shape
    blank = np.full((20, *inputs.shape[1:]), 255, np.uint8)
    return {
        f"turned by {90 * quarters} degrees": np.ascontiguousarray(np.rot90(inputs, quarters, axes=(1, 2))),
        "inverted": 255 - inputs,
        "blurred": np.stack([blurred(image) for image in inputs]),
        "noise": random.integers(0, 256, inputs.shape, np.uint8),
        "shuffled pixels": random.permuted(flat, axis=1).reshape(inputs.shape),
        "blank with dust": blank - random.integers(0, 8, blank.shape, np.uint8),
        "photographs": photographs(inputs.shape[1:], random),
    }


def blurred(image: np.ndarray) -> np.ndarray:
    """Blur an image by a sixth of its height."""
    return np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(image.shape[0] / 6)))


def photographs(shape: tuple[int, ...], random: np.random.Generator) -> np.ndarray:
    """Cut squares out of the photographs and reduce them to ``shape``."""
    from sklearn.datasets import load_sample_images  # slow to import

    cuts = []
    for photograph in load_sample_images().images:
        grey = np.asarray(Image.fromarray(photograph).convert("L"))
        for _ in range(PHOTOGRAPHS // 2):
            side = int(random.integers(32, 128))
            top, left = (int(random.integers(0, edge - side)) for edge in grey.shape)
            cut = Image.fromarray(grey[top : top + side, left : left + side])
            cuts.append(np.asarray(cut.resize((shape[1], shape[0]), Image.Resampling.BOX)))
    return np.stack(cuts)
