"""Stage ``split``: train, validation, calibration and test by a hash of the group or the content, or by time.

Reads ``data/labelled.parquet`` once, batch by batch; writes ``data/splits/*.parquet`` and
``data/splits/manifest.json``, all of them or none. The test split is frozen: its share cannot change any more, and
stands in ``reports/frozen.json``, which git holds, so that it is known where the data is not.
Run: ``python -m fullstack_ml.data.split``.
"""

import hashlib
import math
import shutil
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from fullstack_ml.answers import answer_of
from fullstack_ml.data.split.folds import write_folds
from fullstack_ml.data.split.place import NAMES
from fullstack_ml.data.split.when import COLUMNS, Plan, placed, plan_of
from fullstack_ml.pipeline.config import Config
from fullstack_ml.pipeline.stage import stage
from fullstack_ml.pipeline.tables import batch_rows, parquet_writer, repeated
from fullstack_ml.product.contract import load
from fullstack_ml.product.formulation import Abstain
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.errors import UserError
from fullstack_ml.workspace.files import read_json, write_json
from fullstack_ml.workspace.paths import FROZEN, LABELLED, SPLITS

WORK = Path("data/.splitting")
ROWS = 100_000


class Part:
    """One split while it is written: its file, rows and labels."""

    def __init__(self, name: str, schema: pa.Schema, named: Callable[[str], list[str]]) -> None:
        """Open the file of the split ``name``; ``named`` gives the labels of an answer."""
        self.name, self.rows, self.named = name, 0, named
        self.answers, self.labels = Counter[str](), Counter[str]()
        self.path = WORK / f"{name}.parquet"
        self.writer = parquet_writer(self.path, schema)
        self.written, self.sha256 = self.path.open("rb"), hashlib.sha256()

    def add(self, batch: pa.RecordBatch, mask: pl.Series) -> None:
        """Write the records of ``batch`` that ``mask`` selects."""
        chosen = batch.filter(mask.to_arrow())
        self.rows += len(chosen)
        for label in chosen.column("label").value_counts().to_pylist():
            self.answers[label["values"]] += label["counts"]
        if len(chosen):
            self.writer.write_table(pa.Table.from_batches([chosen]))
            self.sha256.update(self.written.read())  # while it is in memory

    def end(self, names: list[str], interval: tuple[float, float], folded: bool) -> dict[str, Any]:
        """Close the file and return its row of the manifest; where the data is ``folded``, a split may lack anything.

        Raises:
            UserError: if no record of train has one of the labels, which could never be answered then, or if a split
                is empty. Where another split has none of a rare label, that is said: it is not measurable there.
        """
        self.writer.close()
        with self.written:
            self.sha256.update(self.written.read())
        for text, records in self.answers.items():
            for label in self.named(text):
                self.labels[label] += records
        missing = [label for label in names if not self.labels[label]]
        if missing and not folded and (self.name == NAMES[0] or not self.rows):
            what = f"the {self.name} split has {self.rows} records, and none with the label(s) {', '.join(missing)}"
            fix = "collect or label more records of them, or raise its share in conf/split.yaml"
            raise UserError(what, str(SPLITS / f"{self.name}.parquet"), fix)
        if missing and not folded:
            print(f"split: {self.name} has no record with the label(s) {', '.join(missing)}: not measurable there")
        labels = {label: self.labels[label] for label in names}
        return {"rows": self.rows, "labels": labels, "sha256": self.sha256.hexdigest(), "interval": interval}


def write_parts(plan: Plan, product: Product, folded: bool) -> tuple[dict[str, Any], int]:
    """Write every split into the work folder, a thread per core while the next batch is read; count what is in none."""
    as_dictionary = repeated(pq.read_schema(LABELLED))
    with (
        pq.ParquetFile(LABELLED, pre_buffer=False, read_dictionary=as_dictionary) as file,
        ThreadPoolExecutor() as pool,
    ):
        parts = {name: Part(name, file.schema_arrow, answer_of(product).named) for name in NAMES}
        waiting: list[Any] = []
        rows = file.metadata.num_rows
        for batch in file.iter_batches(batch_rows(file, ROWS), use_threads=False):
            frame = pl.DataFrame({name: pl.from_arrow(batch.column(name)) for name in COLUMNS})
            chosen = placed(frame, plan)
            for one in waiting:
                one.result()
            waiting = [pool.submit(part.add, batch, chosen[name]) for name, part in parts.items()]
        for one in waiting:
            one.result()
    labels = product.formulation.label_names
    splits = {name: part.end(labels, plan.edges[name], folded) for name, part in parts.items()}
    return splits, rows - sum(entry["rows"] for entry in splits.values())


def keep_frozen(edges: dict[str, tuple[float, float]]) -> None:
    """Refuse another share of the test split: models have been chosen on, or trained on, what would be in it."""
    before = read_json(FROZEN)["test"] if FROZEN.exists() else None
    if before and list(edges["test"]) != before:
        share = before[1] - before[0]
        fix = f"set it back to {share:g}; to begin anew, with new models, delete {FROZEN} and data/splits"
        what = f"the share of test was {share:g} and is {edges['test'][1] - edges['test'][0]:g}"
        raise UserError(what, "conf/split.yaml", fix)


def check_folds(folds: int, plan: Plan) -> None:
    """Refuse folds of what is split by time or by the source, and a test split that models have learned from."""
    if folds == 1:
        raise UserError("there is 1 fold", "folds in conf/split.yaml", "set 0 for one test split, or 2 and more")
    if folds and (plan.moments or pl.scan_parquet(LABELLED).select(pl.col("given_split").count()).collect().item()):
        what = "folds are cut at random, and these records are split by time or by their source"
        raise UserError(what, "conf/split.yaml", "set folds: 0; or by: hash, and no column split in the source")
    before = read_json(FROZEN).get("folded", False) if FROZEN.exists() else bool(folds)
    if before != bool(folds):
        what = "until now there was no test split" if before else "until now there was a test split"
        fix = f"set folds as before; to begin anew, with new models, delete {FROZEN} and data/splits"
        raise UserError(f"folds is {folds}, and {what}", "conf/split.yaml", fix)


def check_abstaining(held: int, total: int, abstain: Abstain | None) -> None:
    """Refuse a calibration split of ``held`` records on which no rule can be fitted, before a model is trained."""
    if abstain and held < abstain.fewest:
        about = f", about {math.ceil(abstain.fewest * total / held)} labels" if held else ""
        what = f"{total} labels leave {held} calibration records; the rule to abstain wants {abstain.fewest}{about}"
        fix = "label more, raise the share of calibration, set folds: 5, or relax or leave out formulation.abstain"
        raise UserError(what, "formulation.abstain in product.yaml and conf/split.yaml", fix)


def run(config: Config) -> None:
    """Write the four splits and their manifest, then let them take the place of the old ones in one step."""
    product, plan = load(), plan_of(config.split)
    keep_frozen(plan.edges)
    folds = config.split.folds
    check_folds(folds, plan)
    shutil.rmtree(WORK, ignore_errors=True)  # of a run that was killed
    WORK.mkdir(parents=True)
    splits, out = write_parts(plan, product, bool(folds))
    write_folds(WORK, folds, product)
    total = sum(part["rows"] for part in splits.values()) + out
    held = total - total // folds if folds else splits["calibration"]["rows"]
    check_abstaining(held, total, product.formulation.abstain)
    write_json(WORK / "manifest.json", splits)
    moments = {"by": "time", "moments": [moment.isoformat() for moment in plan.moments]} if plan.moments else {}
    few = {"moved": plan.moved} if plan.moved else {}
    write_json(FROZEN, {"test": plan.edges["test"], **moments, **few} | ({"folded": True} if folds else {}))
    shutil.rmtree(SPLITS, ignore_errors=True)
    WORK.replace(SPLITS)
    print("split: " + ", ".join(f"{name} {splits[name]['rows']}" for name in NAMES))
    if folds:
        print(f"split: each of {total} records is tested in one of {folds} folds; sweeps see train and validation")
    if plan.moved:
        what = "stand elsewhere than their hash says, so that no split lacks a rare label"
        print(f"split: {len(plan.moved)} records or groups {what}; frozen in {FROZEN}")
    if out:
        why = "in a gap, without a time, or at another time than the split of their group"
        print(f"split: {out} records are left out: {why}")
    for name, moment in zip(NAMES[1:], plan.moments, strict=False):
        print(f"split: {name} begins {moment:%Y-%m-%d %H:%M}, frozen in {FROZEN}")


if __name__ == "__main__":
    stage(run)
