"""Make the copy of the project in which the month is played, and hold a part of its records back as the future.

Reads the project's files that git does not ignore, ``data/raw`` and ``data/labelled.parquet``; writes
``.simulation/project/``, a project of its own: its own repository, registry, log and labels.
"""

import hashlib
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from ruamel.yaml import YAML

from fullstack_ml.data.collect.names import ROW_KEY
from fullstack_ml.inputs import input_of
from fullstack_ml.pipeline.tables import raw
from fullstack_ml.product.types import Product
from fullstack_ml.workspace import git
from fullstack_ml.workspace.errors import UserError
from fullstack_ml.workspace.files import write_text
from fullstack_ml.workspace.paths import CONTRACT, LABELLED, LOCK, PARAMS, PRODUCT, RAW_LOCK
from fullstack_ml.workspace.seams import package_name

PLACE = Path(".simulation")
PROJECT = PLACE / "project"
HELD = (0.4, 0.3, 0.2)  # share of the labelled records that are the future; less where a model of the rest is rejected
FEWEST = 50  # records of each part of the future
LABELS_PER_CALIBRATION = 12  # labelled records to have one for calibration, and some to spare
SPARE = 2  # times the smallest slice, since slices are of different size
FOLDS = 5  # of a project that is too small for splits
MOST = 6000  # records that take part, of a larger project a random sample
# What the pipeline wrote or people labelled here: the copy makes its own. Of data/ it takes what git has beside them.
OWN = (LOCK, RAW_LOCK, PARAMS, CONTRACT, Path("reports"), Path("data/labels"), Path("data/rounds"))
LENT = (".venv", ".venv-serve")
PAST = Path("data/inbox/past.parquet")
SAID = ("source_label", "kind", "group", "source", "licence")


@dataclass(frozen=True)
class Future:
    """Records that the first model never saw, in the payload's columns and ``label``, by what they are sent as.

    ``normal``: as they are; ``shifted``: after something changed, for the round; ``later``: the same, for the release.
    """

    normal: pl.DataFrame
    shifted: pl.DataFrame
    later: pl.DataFrame


def chance(name: str) -> float:
    """Return a number from 0 to 1 that a name always has."""
    return int(hashlib.sha256(name.encode()).hexdigest()[:13], 16) / 16**13


def drawn_records(product: Product) -> pl.DataFrame:
    """Read the records that take part, with the column ``label`` (null where there is none) and ``draw`` from 0 to 1.

    Records of one group have the same ``draw``.

    Raises:
        UserError: if there is no finished project, its log would keep no input, or nothing of it can change.
    """
    shifted = input_of(product).shifted
    if shifted is None:
        what = f"the input {product.formulation.input.type} does not say what may change: it has no function shifted"
        raise UserError(what, "its module in src/", "write one as inputs/__init__.py of the engine says")
    if not LABELLED.exists():
        raise UserError("there are no labelled records", str(LABELLED), "make, which finishes the project")
    if product.data.privacy == "personal":
        what = "data.privacy is personal: the log keeps no input, so that nothing can come back"
        raise UserError(what, str(PRODUCT), "try it in a project on the sample data")
    labels = pl.read_parquet(LABELLED, columns=["id", "label"])
    found = raw().collect().join(labels, on="id", how="left")
    few = found.head(FEWEST).select(list(input_of(product).columns(product)))
    if shifted(few, product, 1).equals(few):
        what = "nothing of a record can change: the month plays a change of measured numbers, and no feature is one"
        raise UserError(what, f"{PRODUCT}, formulation.input.features", "try it in a project on the sample data")
    return found.with_columns(draw=draws(found)).sort("draw", "id").head(MOST)


def draws(found: pl.DataFrame) -> pl.Series:
    """Return a number from 0 to 1 for every record, the same for those of one group.

    Stage ``split`` places a group by the hash of its name: held back by that, groups would be whole splits of the copy.
    """
    keys = [f"month {group}" if group else name for group, name in found.select("group", "id").iter_rows()]
    return pl.Series("draw", [chance(key) for key in keys], dtype=pl.Float64)


def told(found: pl.DataFrame, product: Product) -> list[str]:
    """Name the columns by which the project's own source names, dates and splits its records."""
    wanted = {ROW_KEY: product.data.row_key, "happened_at": product.data.time}
    given = "given_split" in found.columns and found["given_split"].null_count() < len(found)
    return [*(name for name, column in wanted.items() if column), *["given_split"] * given]


def parted(found: pl.DataFrame, product: Product, share: float = HELD[0]) -> tuple[pl.DataFrame, Future]:
    """Part the records into the past, as a source yields it, and the future, which is a ``share`` of them."""
    future = (pl.col("draw") < found["draw"][int(share * len(found))]) & pl.col("label").is_not_null()
    held, past = found.filter(future), found.filter(~future)
    payload = list(input_of(product).columns(product))
    given = past.with_columns(pl.coalesce("label", "source_label").alias("source_label"), pl.col("id").alias(ROW_KEY))
    extra = [name for name in (*product.data.columns, *told(found, product)) if name in given.columns]
    ends = [len(held) * 30 // 100, len(held) * 70 // 100]
    held = held.select(*payload, "label")
    parts = held[: ends[0]], held[ends[0] : ends[1]], held[ends[1] :]
    return given.select(*payload, *SAID, *extra), Future(*parts)


def lay_files(project: Path) -> None:
    """Copy what git has or would take, but for what the pipeline or people made here."""
    listed = git.git("ls-files", "-z", "--cached", "--others", "--exclude-standard")
    if not listed:
        git.check_git()
    for name in sorted(set((listed or "").split("\0")) - {""}):
        path = Path(name)
        readme = path.name == "README.md"  # of data/labels and data/rounds
        if path.is_file() and (readme or not {path, *path.parents} & set(OWN)):
            (project / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, project / path, follow_symlinks=False)
    for name in LENT:
        (project / name).symlink_to(Path(name).resolve())


def edit(path: Path, change: Callable[[Any], None]) -> None:
    """Change a YAML file and keep its comments."""
    yaml = YAML()
    yaml.preserve_quotes, yaml.width = True, 4096
    content = yaml.load(path)
    change(content)
    yaml.dump(content, path)


def set_up(project: Path, share: float, small: bool) -> None:
    """Let the copy learn from the past alone, tell nobody of an alarm, and let real traffic decide on a release.

    ``share``: of all records, for which the contract was written; ``small``: too few are left to set some apart.
    """

    def contract(content: Any) -> None:
        for row in content["requirements"]:
            if row["metric"] == "records":  # fewer take part
                row["threshold"] = int(row["threshold"] * share)

    def folded(content: Any) -> None:
        if small:  # as make status advises
            content["folds"] = content["folds"] or FOLDS

    def quiet(content: Any) -> None:
        content["monitoring"] |= {"command": None, "webhook": None, "server": None}

    def since(content: Any) -> None:  # what came since the change, and not what was usual before
        content["options"] |= {"records": 400, "days": 7, "url": "env:SERVE_DATABASE_URL"}

    def waits(content: Any) -> None:
        content["crown"] = False

    edits = {"product.yaml": contract, "conf/monitoring.yaml": quiet}
    edits |= {"conf/split.yaml": folded, "conf/source/predictions.yaml": since, "conf/register.yaml": waits}
    for name, change in edits.items():
        edit(project / name, change)
    config = (project / "conf/config.yaml").read_text(encoding="utf-8")  # whose layout others read, as text
    write_text(project / "conf/config.yaml", re.sub(r"(?m)^(\s*- source: ).*$", r"\g<1>past", config))
    write_text(project / "conf/source/past.yaml", f"name: past\noptions:\n  path: {PAST}\n")
    own = project / "src" / package_name() / "sources/past.py"
    own.parent.mkdir(exist_ok=True)
    shutil.copy2(Path(__file__).with_name("past.py"), own)


def is_small(records: int, product: Product) -> bool:
    """Tell whether splits of so many records are too small: to calibrate the rule to abstain, or to measure slices."""
    abstain, parts = product.formulation.abstain, max(1, len(product.data.slices))
    split, evaluation = (YAML(typ="safe").load(Path(f"conf/{name}.yaml")) for name in ("split", "evaluate"))
    tested = records * split["shares"]["test"] / parts
    return (abstain is not None and records < abstain.fewest * LABELS_PER_CALIBRATION) or (
        tested < SPARE * evaluation["min_slice"]
    )


def enough(future: Future) -> bool:
    """Tell whether a future has the records of a month."""
    return min(map(len, (future.normal, future.shifted, future.later))) >= FEWEST


def make_copy(product: Product, found: pl.DataFrame, share: float) -> Future:
    """Make the copy anew, hold a ``share`` of the records back, and return these.

    Raises:
        UserError: if they are too few.
    """
    past, future = parted(found, product, share)
    if not enough(future):
        what = f"{found['label'].count()} labelled records are too few to hold some back for a month"
        raise UserError(what, str(LABELLED), "label more, or try it in a project on the sample data")
    shutil.rmtree(PROJECT, ignore_errors=True)
    lay_files(PROJECT)
    set_up(PROJECT, len(past) / raw().select(pl.len()).collect().item(), is_small(len(past), product))
    (PROJECT / PAST).parent.mkdir(parents=True, exist_ok=True)
    past.write_parquet(PROJECT / PAST)
    subprocess.run(["git", "init", "--quiet", "--initial-branch=main", "--object-format=sha1", PROJECT], check=True)
    return future
