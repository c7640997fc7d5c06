"""Hold ``data/labels`` against what git says that it is, before a run that would note what lies there as right.

Beside each table of labels git keeps a ``.dvc`` file with its MD5, and ``dvc repro`` writes there whatever it finds:
after ``git switch`` it would give one branch the labels of the other. After a merge the file names the table of each
side (``.gitattributes``): their labels come together here, of two by one person the later one.

Reads and writes ``data/labels``. Run: ``python -m fullstack_ml.data.label.held``, as make does before ``dvc repro``.
"""

import re
import shutil
from pathlib import Path

from fullstack_ml.workspace.errors import UserError, guard
from fullstack_ml.workspace.files import digest, replacing, write_text
from fullstack_ml.workspace.paths import LABELS


def named(pointer: Path) -> list[str]:
    """Return the MD5s that a ``.dvc`` file names: one, or after a merge that of each side."""
    return list(dict.fromkeys(re.findall(r"md5: ([0-9a-f]{32})\b", pointer.read_text(encoding="utf-8"))))


def bring(pointer: Path, wanted: list[str], here: str | None) -> None:
    """Let the table beside ``pointer`` be what git names: of the MD5s ``wanted``, where that of ``here`` lies.

    Raises:
        UserError: if that is nowhere, or what lies there is kept nowhere else and would be lost.
    """
    import polars as pl

    from fullstack_ml.data.forget.keep import keep
    from fullstack_ml.data.store.lineage import kept
    from fullstack_ml.pipeline.tables import write_parquet

    table = pointer.with_suffix("")
    if here and here not in wanted and not kept([here], needed=False):
        what = f"{table} is not the table that git names, and DVC keeps no copy of it"
        fix = f"to keep what lies there: dvc add {table}; to take what git names: dvc checkout --force {pointer}"
        raise UserError(what, str(pointer), fix)
    found = kept(wanted)
    if len(found) < len(wanted):
        what = f"{table}, as git names it, is neither here nor in DVC's cache and remote"
        fix = f"dvc push where it was made, then make here; to do without it: rm -f {table} {pointer}"
        raise UserError(what, str(pointer), fix)
    if len(found) == 1:
        with replacing(table) as temporary:
            shutil.copyfile(found[wanted[0]], temporary)
    else:
        sides = pl.concat([pl.read_parquet(path) for path in found.values()], how="diagonal_relaxed")
        later = sides.sort("annotated_at", maintain_order=True).unique(["id", "annotator"], keep="last")
        write_parquet(table, [later.sort("id", "annotator")])
        both = pointer.read_text(encoding="utf-8")
        pointer.unlink()  # DVC does not read a file that names two
        if fault := keep(table):
            write_text(pointer, both)
            raise UserError(f"dvc add did not work: {fault}", str(table), f"dvc add {table}")
    print(f"labels: {table} is now what git names")


def hold_labels() -> None:
    """Let every table of labels be the one that git names.

    Raises:
        UserError: as ``bring``.
    """
    for pointer in sorted(LABELS.glob("*.dvc")):
        table, wanted = pointer.with_suffix(""), named(pointer)
        here = digest(table) if table.exists() else None
        if wanted and wanted != [here]:
            bring(pointer, wanted, here)


if __name__ == "__main__":
    guard(hold_labels)
