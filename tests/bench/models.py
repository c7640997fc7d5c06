"""Quality and cost of the models of `conf/model` on the sample of a task: each is fitted, exported and tested.

Run it in a generated project in which a model was evaluated, with its interpreter; models of an extra that is not there
are left out: `cd my-product && .venv/bin/python <template>/tests/bench/models.py`.
"""

import importlib.util
import tempfile
import time
from pathlib import Path

from measure import table

# By input and by what the answer asks of a backend.
MODELS = {
    ("image", "classifier"): ("majority", "logistic", "mlp", "boosted", "lightgbm", "cnn"),
    ("image", "multilabel"): ("majority", "logistic", "mlp", "cnn"),
    ("table", "classifier"): ("majority", "logistic", "mlp", "boosted", "lightgbm", "mlp_torch"),
    ("table", "regressor"): ("mean", "linear", "boosted_number", "lightgbm", "mlp_torch"),
    ("text", "classifier"): ("majority", "ngrams", "lightgbm", "mlp_torch", "ngrams_torch", "text_cnn"),
}
EXTRAS = ("lightgbm", "torch")


def main() -> None:
    """Print a line per model."""
    from fullstack_ml.answers import answer_of
    from fullstack_ml.modeling.study.compare import assess, trained
    from fullstack_ml.pipeline.compose import resolve
    from fullstack_ml.pipeline.stage import typed
    from fullstack_ml.product.contract import load

    product, config, rows = load(), typed(resolve([])), []
    answer, kind = answer_of(product), product.formulation.input.type
    wanted = [*dict.fromkeys((*answer.HEADLINE[:2], "cost_per_record", "answered_share"))]
    with tempfile.TemporaryDirectory() as folder:
        for name in MODELS[kind, answer.ESTIMATOR]:
            library = typed(resolve([f"model={name}"])).model.backend
            if library in EXTRAS and importlib.util.find_spec(library) is None:
                continue
            start = time.perf_counter()
            path = trained(name, product, Path(folder))
            took, found = time.perf_counter() - start, assess(path, product, config)
            measured = [f"{found[metric]:.4g}" for metric in wanted]
            size, p50 = found["artefact_kib"] or 0, found["latency_p50_ms"] or 0
            rows.append([name, *measured, f"{took:.1f}", f"{size:.0f}", f"{p50:.2f}"])
    note = (
        "Seconds are those of fitting, conversion, parity and calibration; p50 is of one answer from the stored record."
    )
    header = ["model", *wanted, "seconds", "KiB", "p50 ms"]
    table(f"{kind}, {product.formulation.answer.type}", header, rows, note)


if __name__ == "__main__":
    main()
