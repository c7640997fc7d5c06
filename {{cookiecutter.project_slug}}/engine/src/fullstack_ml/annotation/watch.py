"""Keep a copy of what is finished while Label Studio runs here: who deletes a project there loses nothing.

Reads the projects of all rounds every ``pull_every`` seconds; writes ``.labelstudio/pulled/<round>.parquet``, from
which ``make labels`` and ``make annotate`` take what is gone. ``make annotate`` starts it, ``make annotate-stop`` ends
it. Run: ``python -m fullstack_ml.annotation.watch``.
"""

import time

import polars as pl

from fullstack_ml.annotation.labels import merged, pull, store
from fullstack_ml.annotation.server import place, running
from fullstack_ml.annotation.studio import Studio
from fullstack_ml.data.label.rounds import read_all
from fullstack_ml.pipeline.config import Annotation, Config
from fullstack_ml.pipeline.stage import stage
from fullstack_ml.product.contract import load
from fullstack_ml.workspace.errors import UserError
from fullstack_ml.workspace.paths import PULLED


def copy(settings: Annotation) -> dict[str, pl.DataFrame]:
    """Copy what every round with a project holds now; return what was copied."""
    studio, product, found = Studio(*place(settings)), load(), {}
    for one in read_all().values():
        try:
            pulled = pull(one, studio, product)
        except UserError as error:  # such as a foreign project of its name, which must not keep the others from a copy
            print(error, flush=True)
            continue
        if pulled is not None and len(pulled[0]):
            found[one.name] = merged(PULLED / f"{one.name}.parquet", pulled[0])[0]
            store(PULLED / f"{one.name}.parquet", found[one.name])
    return found


def run(config: Config) -> None:
    """Copy again and again, for at most a tenth of the time, until Label Studio ends."""
    settings = config.annotation
    assert settings is not None
    while running():
        began = time.monotonic()
        try:
            copy(settings)
        except UserError as error:  # such as a round that is just being written
            print(error, flush=True)
        time.sleep(max(settings.pull_every, 9 * (time.monotonic() - began)))


if __name__ == "__main__":
    stage(run, "annotation")
