"""Time agreement and aggregation over a million annotations: what stage `label` computes from them.

Bakes nothing: run it with the interpreter of a generated project, which has the package installed.
`my-product/.venv/bin/python tests/bench/agreement.py [annotations]`
"""

import importlib
import resource
import sys
import time
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl

LABELS, ANNOTATORS, EACH, ERROR = 10, 20, 3, 0.1


def annotated(annotations: int) -> pl.DataFrame:
    """Draw records that three of the annotators label, each wrong on one of ten."""
    random = np.random.default_rng(0)
    records = annotations // EACH
    truth = np.repeat(random.integers(0, LABELS, records), EACH)
    who = (random.integers(0, ANNOTATORS, records)[:, None] + [0, 1, 5]).ravel() % ANNOTATORS
    said = np.where(random.random(len(truth)) < ERROR, random.integers(0, LABELS, len(truth)), truth)
    columns = {
        "id": pl.Series(np.repeat(np.arange(records), EACH)).cast(pl.String).str.zfill(64),
        "label": pl.Series(said).cast(pl.String),
        "annotator": pl.Series([f"annotator-{n}" for n in range(ANNOTATORS)]).gather(who),
        "seconds": random.exponential(4, len(truth)),
    }
    when = datetime(2026, 1, 1, tzinfo=UTC)
    origin = {"round": pl.lit("first"), "guide_version": pl.lit("1.0"), "annotated_at": pl.lit(when)}
    return pl.DataFrame(columns).with_columns(**origin)


def main() -> None:
    """Print seconds and the process's largest memory."""
    annotations = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    aggregate, agreement = (
        importlib.import_module(f"fullstack_ml.data.label.{name}") for name in ("aggregate", "agreement")
    )
    said = annotated(annotations)
    names = [str(n) for n in range(LABELS)]
    found: dict[str, Any] = {}
    print(f"| {len(said)} annotations, {ANNOTATORS} annotators | seconds |\n|---|---|")
    for name, work in {
        "one vote per annotator and record": lambda: aggregate.votes(said),
        "alpha, pairs and intervals": lambda: agreement.measure(said, names),
        "majority": lambda: aggregate.majority(said),
        "dawid_skene": lambda: aggregate.dawid_skene(said),
    }.items():
        start = time.perf_counter()
        found[name] = work()
        print(f"| {name} | {time.perf_counter() - start:.1f} |", flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    value = found["alpha, pairs and intervals"]["alpha"]
    print(f"\nalpha {value['alpha']:.4f} ({value['low']:.4f} to {value['high']:.4f}), peak {peak:.2f} GiB")


if __name__ == "__main__":
    main()
