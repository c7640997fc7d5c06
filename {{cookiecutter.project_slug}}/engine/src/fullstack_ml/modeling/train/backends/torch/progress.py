"""How far a training is, for whoever waits for it.

Prints; reads and writes nothing.
"""

import time
from dataclasses import dataclass

SHOWN_EVERY = 10.0  # seconds


@dataclass
class Watch:
    """Says every few seconds how far it is, and about how long it will take."""

    began: float
    first: int
    shown: float

    def tell(self, epoch: int, epochs: int, curves: dict[str, list[float]]) -> None:
        """Print a line, if the last one is old enough; ``epoch`` counts those that are done."""
        now, done = time.monotonic(), epoch - self.first
        if now - self.shown < SHOWN_EVERY:
            return
        self.shown = now
        left = (now - self.began) / done * (epochs - epoch)
        losses = ", ".join(f"{name.replace('_', ' ')} {values[-1]:.4f}" for name, values in curves.items())
        print(f"train: epoch {epoch} of {epochs}, {losses}, at most {left:.0f} s more", flush=True)
