"""How far a training is, for whoever waits for it: a line on the screen, and curves in MLflow while it runs.

Writes a run of MLflow that is gone when the training has ended: stage ``register`` keeps the curves with all else. A
training of a few seconds has none, and one whose store does not answer goes on without.
"""

import time
from dataclasses import dataclass
from typing import Any

from fullstack_ml.registry import tracking
from fullstack_ml.registry.versions import model_name
from fullstack_ml.workspace.errors import UserError

SHOWN_EVERY = 10.0  # seconds
TAG = "training"  # by which a training that was killed finds its run again


@dataclass
class Watch:
    """Says every few seconds how far the training ``key`` is, and about how long it will take."""

    key: str
    began: float
    first: int
    shown: float
    client: Any = None
    run: str | None = None
    sent: int = 0

    def tell(self, epoch: int, epochs: int, curves: dict[str, list[float]]) -> None:
        """Print a line and send the curves, if the last time is long ago; ``epoch`` counts those that are done."""
        now, done = time.monotonic(), epoch - self.first
        if now - self.shown < SHOWN_EVERY:
            return
        self.shown = now
        left = (now - self.began) / done * (epochs - epoch)
        losses = ", ".join(f"{name.replace('_', ' ')} {values[-1]:.4f}" for name, values in curves.items())
        print(f"train: epoch {epoch} of {epochs}, {losses}, at most {left:.0f} s more", flush=True)
        self.send(curves)

    def send(self, curves: dict[str, list[float]]) -> None:
        """Send to MLflow what it has not got."""
        if self.client is None:
            self.open()
        if self.run is None:
            return
        from mlflow.entities import Metric

        moment = int(time.time() * 1000)
        points = [
            Metric(f"history.{name}", value, moment, self.sent + i)
            for name, values in curves.items()
            for i, value in enumerate(values[self.sent :])
        ]
        self.sent = max(len(values) for values in curves.values())
        for begin in range(0, len(points), 1000):  # the largest batch that a server takes
            self.client.log_batch(self.run, metrics=points[begin : begin + 1000])

    def open(self) -> None:
        """Find or make the run."""
        try:
            mlflow = tracking.connect()
        except UserError as error:
            print(f"warning: the curves are not in MLflow: {error.what}", flush=True)
            self.client = False
            return
        self.client = mlflow.MlflowClient()
        self.run = tracking.find_run(mlflow, {TAG: self.key})
        if self.run is None:
            experiment = mlflow.get_experiment_by_name(model_name())
            tags = {TAG: self.key, "mlflow.runName": "training, while it runs", "kind": "training"}
            self.run = str(self.client.create_run(experiment.experiment_id, tags=tags).info.run_id)

    def end(self) -> None:
        """Take the run away."""
        if self.run is not None:
            self.client.delete_run(self.run)
