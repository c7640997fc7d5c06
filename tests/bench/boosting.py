"""The backend of LightGBM beside a plain script: log loss and seconds on three public tables that scikit-learn ships.

Both get the same rows, the same parameters and the same records to stop by; the backend's log loss is that of its ONNX
graph. Run: `make bench ONLY=boosting`.
"""

import warnings
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import onnxruntime
import yaml
from measure import rounds, seconds, table
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from fullstack_ml.answers import label
from fullstack_ml.modeling.train.backends import Lesson
from fullstack_ml.modeling.train.backends import lightgbm as backend
from fullstack_ml.pipeline.config import Model

CONF = Path(__file__).parents[2] / "{{cookiecutter.project_slug}}" / "conf/model/lightgbm.yaml"
TABLES = {"breast_cancer": load_breast_cancer, "wine": load_wine, "digits": load_digits}


def compared(load: Any) -> tuple[dict[str, float], dict[str, float]]:
    """Return log loss and seconds of both on one table, split into learned, stopped by, and tested."""
    rows, truth = load(return_X_y=True)
    rows = rows.astype(np.float32)
    rest, tested, known_rest, right = train_test_split(rows, truth, test_size=0.25, random_state=0, stratify=truth)
    rows, proof, truth, said = train_test_split(rest, known_rest, test_size=0.2, random_state=0, stratify=known_rest)
    model = Model(**yaml.safe_load(CONF.read_text(encoding="utf-8")))
    plain_settings = {**model.estimator, "verbosity": -1, "random_state": 0}
    patience = plain_settings.pop("early_stopping")
    plain_settings.pop("monotone")
    made: dict[str, Any] = {}

    def ours() -> None:
        lesson = Lesson(rows, truth, label, False, proof=(proof, said))  # type: ignore[arg-type]
        made["ours"] = backend.fit(model, 0, lesson)

    def plain() -> None:
        made["plain"] = lightgbm.LGBMClassifier(**plain_settings).fit(
            rows, truth, eval_set=[(proof, said)], callbacks=[lightgbm.early_stopping(patience, verbose=False)]
        )

    took = rounds({"ours": lambda: seconds(ours), "plain": lambda: seconds(plain)})
    graph = backend.to_onnx(made["ours"], rows.shape[1], int(truth.max()) + 1, "probabilities")
    given = onnxruntime.InferenceSession(graph.SerializeToString()).run(None, {"features": tested})[0]
    losses = {"ours": log_loss(right, given), "plain": log_loss(right, made["plain"].predict_proba(tested))}
    return losses, took


def main() -> None:
    """Print a line for every table."""
    warnings.simplefilter("ignore")
    lines = []
    for name, load in TABLES.items():
        losses, took = compared(load)
        ratio = losses["ours"] / losses["plain"]
        reached = "reached" if ratio <= 1.01 else "**missed**"
        cells = [name, f"{losses['ours']:.4f}", f"{losses['plain']:.4f}", f"{ratio:.3f}", f"<= 1.01: {reached}"]
        lines.append([*cells, f"{took['ours']:.2f}", f"{took['plain']:.2f}"])
    header = ("table", "log loss", "plain script", "ratio", "target", "fit, s", "plain, s")
    table("Trees of LightGBM", header, lines, "The same rows, parameters and records to stop by.")


if __name__ == "__main__":
    main()
