"""What is done of a run, in a folder beside its output: a part per batch, so that a killed run goes on.

Writes ``.<output>.parts/``, and from its parts the output and the refused records, each in one step; then the folder
goes.
"""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl

from fullstack_ml.serving.batch.scoring import RECORD, REJECTED
from fullstack_ml.workspace.errors import UserError
from fullstack_ml.workspace.files import read_json, replacing, write_json
from fullstack_ml.workspace.spreadsheet import FORMULA, NUMBER

FORMS = (".csv", ".parquet")
KEPT = ".arrow"  # of a part, as it lies in memory: written and read once, it would not repay a denser form


def check_output(output: Path, force: bool) -> None:
    """Refuse an output of another form, one that is there, and one that the next run would read.

    Raises:
        UserError: with what to type.
    """
    if output.suffix.lower() not in FORMS:
        raise UserError(f"{output} has another ending than {' or '.join(FORMS)}", "OUTPUT", "OUTPUT=answers.csv")
    for path in (output, rejected_file(output)):
        if path.is_dir() or (path.exists() and not force):
            raise UserError(f"{path} is there already", "OUTPUT", "name another file, or add FORCE=1 to replace it")


def rejected_file(output: Path) -> Path:
    """Return where the refused records go: a table for a person."""
    return output.with_name(f"{output.stem}.rejected.csv")


class Parts:
    """The parts of one run; ``run`` says what makes it the same run."""

    def __init__(self, output: Path, run: dict[str, Any], steady: bool) -> None:
        """Go on with the parts of the same run, or begin; ``steady``: the input comes in the same order again."""
        self._output = output
        self.folder = output.with_name(f".{output.name}.parts")
        note = self.folder / "run.json"
        before = read_json(note) if note.exists() else None
        self.resumed = steady and before is not None and before["run"] == run
        if before and not self.resumed:
            print("predict: input, model or contract changed since the run that was stopped: it begins anew")
        if not self.resumed:
            self.clear()
            write_json(note, {"run": run})
        self.rows = sum(len(pl.read_ipc(path, columns=[REJECTED])) for path in self.files)

    @property
    def files(self) -> list[Path]:
        """Return the parts in their order."""
        return sorted(self.folder.glob(f"[0-9]*{KEPT}"))

    def add(self, frame: pl.DataFrame) -> None:
        """Keep the next part; once this returns, a killed run goes on behind it."""
        first = self.files[:1]
        if first:  # what a database or lines of JSON hold may look otherwise from batch to batch
            schema = pl.read_ipc(first[0], n_rows=1).schema
            frame = frame.cast({name: kind for name, kind in schema.items() if name in frame.columns}, strict=False)
        with replacing(self.folder / f"{len(self.files):06}{KEPT}") as temporary:
            frame.write_ipc(temporary, compat_level=pl.CompatLevel.newest())
        self.rows += len(frame)

    def join(self) -> dict[str, int]:
        """Write the output, and the refused records where there are any; return how often each decision was made."""
        parts = pl.scan_ipc(self.files)
        word = pl.coalesce(pl.col("reason", "decision").cast(pl.String), pl.lit(REJECTED)).alias("word")
        counts = dict(parts.select(word).group_by("word").len().collect(engine="streaming").iter_rows())
        if REJECTED in counts:
            _write(rejected_file(self._output), _refused(parts))
        else:
            rejected_file(self._output).unlink(missing_ok=True)
        if counts.keys() - {REJECTED}:
            _write(self._output, _answered(parts))
        return counts

    def clear(self) -> None:
        """Remove the parts."""
        for path in self.folder.glob("*"):
            if path.name != "lock":
                path.unlink()


@contextmanager
def alone(output: Path) -> Iterator[None]:
    """Keep a second run of the same output away; the folder of the lock goes with the run that ends well.

    Raises:
        UserError: if another process writes this output.
    """
    folder = output.with_name(f".{output.name}.parts")
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(f"another process writes {output} now", "OUTPUT", "wait for it, or name another") from error
        try:
            yield
        except BaseException:
            if not any(folder.glob(f"[0-9]*{KEPT}")):
                shutil.rmtree(folder)
            raise
        shutil.rmtree(folder)


def _answered(parts: pl.LazyFrame) -> pl.LazyFrame:
    return parts.filter(pl.col(REJECTED).is_null()).drop(REJECTED, RECORD)


def _refused(parts: pl.LazyFrame) -> pl.LazyFrame:
    names = [name for name in ("source", "row") if name in parts.collect_schema()]
    return parts.filter(pl.col(REJECTED).is_not_null()).select(*names, pl.col(REJECTED).alias("reason"), RECORD)


def guarded(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Return a table that a spreadsheet shows as it stands (``workspace/spreadsheet.py``, for many rows)."""
    text = pl.col(pl.String)
    formula = text.str.contains(f"^(?:{FORMULA.pattern})") & ~text.str.contains(f"^(?:{NUMBER.pattern})$")
    return rows.with_columns(pl.when(formula).then(pl.lit("'") + text).otherwise(text).name.keep())


def _write(path: Path, rows: pl.LazyFrame) -> None:
    """Write in one step, a part after the other on all cores; words are texts for whoever reads the file."""
    texts = rows.with_columns(pl.col(pl.Enum).cast(pl.String))
    with replacing(path) as temporary:
        if path.suffix.lower() == ".csv":
            guarded(texts).sink_csv(temporary)
        else:
            texts.sink_parquet(temporary, compression="snappy")
