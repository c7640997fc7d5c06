"""Time the intervals of an evaluation: 1,000 bootstrap resamples of 1 million predictions of 10 labels.

Bakes nothing: run it with the interpreter of a generated project, which has the package installed.
`my-product/.venv/bin/python tests/bench/evaluate.py [records] [resamples]`
"""

import resource
import sys
import time

import numpy as np

LABELS, BINS = 10, 10


def main() -> None:
    """Print seconds and the process's largest memory."""
    records, resamples = (
        int(sys.argv[i]) if len(sys.argv) > i else default for i, default in ((1, 1_000_000), (2, 1000))
    )
    from fullstack_ml.answers.label.metrics import METRICS, columns
    from fullstack_ml.answers.label.rule import Rule
    from fullstack_ml.modeling.measuring import intervals
    from fullstack_ml.product.metrics import Sums

    random = np.random.default_rng(0)
    truth = random.integers(0, LABELS, records)
    scores = random.random((records, LABELS), dtype=np.float32)
    scores[np.arange(records), truth] += 0.5
    scores /= scores.sum(axis=1, keepdims=True)
    answers = scores.max(axis=1) > 0.25
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    start = time.perf_counter()
    one, rule = np.ones(records, np.float32), Rule(floor=0.2, confidence=0.0, novelty=None, coverage=0.95)
    table = {"one": one, "answered": answers.astype(np.float32)} | columns(scores, truth, answers, rule, 30.0, BINS)
    sums = Sums(intervals.totals(table, resamples, seed=0), {"majority": 0})
    found = {name: METRICS[name].value(sums) for name in ("accuracy", "macro_f1", "ece", "log_loss", "brier")}
    accuracy = intervals.interval(found["accuracy"][1:])
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    memory = f"{peak:.2f} GiB ({before:.2f} GiB of it inputs)"
    print(f"{records} records, {resamples} resamples: {seconds:.1f} s, {memory}")
    print(f"accuracy {found['accuracy'][0]:.5f}, 95 % {accuracy[0]:.5f} to {accuracy[1]:.5f}")


if __name__ == "__main__":
    main()
