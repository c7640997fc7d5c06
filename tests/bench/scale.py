"""A million rows of 30 columns through every stage, a draft of 60 columns, 22,000 pictures up to the split.

Each stage is a process of its own, as `dvc repro` starts it; beside them stands the plain script that somebody would
write instead. `ROWS=100000` makes it smaller; a command that takes longer than LIMIT seconds ends the group.
"""

import multiprocessing
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from measure import table, verdict
from stages import measured

from lifecycle import commands, generate
from projects import Project, machine

ROWS = int(os.environ.get("ROWS", "1000000"))
PICTURES = int(os.environ.get("PICTURES", "22000"))
LIMIT = "900"
SLOWEST, LARGEST = 5.0, 2048.0  # times the plain script, MiB
TREES, TREES_MEMORY = 2.5, 3072.0  # with LightGBM
DRAFT, DRAFT_MEMORY, FOLDER = 20.0, 1536.0, 1.3
PATH = ("collect", "validate", "label", "split")  # what pictures go through

PLAIN = """
import sys
import numpy as np
import polars as pl
from sklearn.ensemble import HistGradientBoostingClassifier
frame = pl.read_csv(sys.argv[1])
texts = [name for name in frame.columns[:-1] if frame[name].dtype == pl.String]
inputs = frame.drop("label").with_columns(pl.col(texts).rank("dense")).to_numpy()
truth = frame["label"].to_numpy()
part = np.random.default_rng(0).random(len(truth))
model = HistGradientBoostingClassifier(
    categorical_features=[frame.columns.index(name) for name in texts], max_iter=1000, early_stopping=True,
    n_iter_no_change=20, random_state=0,
)
model.fit(inputs[part < 0.6], truth[part < 0.6])
print(model.score(inputs[part > 0.8], truth[part > 0.8]))
"""

BOOSTED = """
import sys
import lightgbm
import numpy as np
import polars as pl
frame = pl.read_csv(sys.argv[1])
texts = [name for name in frame.columns[:-1] if frame[name].dtype == pl.String]
inputs = frame.drop("label").with_columns(pl.col(texts).rank("dense")).to_numpy()
truth = frame["label"].to_numpy()
part = np.random.default_rng(0).random(len(truth))
learned, proof, tested = part < 0.6, (part >= 0.6) & (part < 0.7), part > 0.8
model = lightgbm.LGBMClassifier(n_estimators=300, learning_rate=0.1, verbosity=-1, random_state=0)
model.fit(
    inputs[learned], truth[learned], eval_set=[(inputs[proof], truth[proof])],
    categorical_feature=[frame.columns.index(name) for name in texts],
    callbacks=[lightgbm.early_stopping(50, verbose=False)],
)
print(model.score(inputs[tested], truth[tested]))
"""

HASHES = """
import sys
from hashlib import sha256
from pathlib import Path
import numpy as np
import polars as pl
from PIL import Image
rows = []
for path in sorted(Path(sys.argv[1]).rglob("*.png")):
    content = path.read_bytes()
    pixels = np.asarray(Image.open(path))
    rows.append((sha256(pixels.tobytes()).hexdigest(), path.parent.name, content))
frame = pl.DataFrame(rows, schema=["id", "label", "content"], orient="row").unique("id")
at = pl.col("id").hash() % 10
frame.with_columns(split=pl.when(at < 6).then(0).when(at < 8).then(1).otherwise(2)).write_parquet("plain.parquet")
"""


def write_table(file: Path, columns: int) -> None:
    """Write numbers and four categories, and a label of three values that follows from some of them."""
    import numpy as np
    import polars as pl

    random = np.random.default_rng(0)
    numbers = {f"n{i:02}": random.normal(size=ROWS).round(3) for i in range(columns - 4)}
    kinds = {f"c{i}": random.integers(0, 5 + i, ROWS) for i in range(4)}
    score = sum(numbers[f"n{i:02}"] * (i % 3 - 1) for i in range(6)) + numbers["n06"] * numbers["n07"]
    score = score + 0.4 * kinds["c0"] + random.normal(size=ROWS)
    label = np.array(["low", "mid", "high"])[np.digitize(score, [-0.5, 1.5])]
    texts = {name: np.array([f"{name}-{value}" for value in range(9)])[values] for name, values in kinds.items()}
    pl.DataFrame({**numbers, **texts, "label": label}).write_csv(file)


def draw(folder: Path) -> None:
    """Write small random pictures, a folder per label."""
    import numpy as np
    from PIL import Image

    random = np.random.default_rng(0)
    for i in range(PICTURES):
        file = folder / f"label-{i % 10}" / f"{i:05}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (48, 48), dtype=np.uint8)).save(file)


def beside(work: Callable[..., None], *values: Any) -> None:
    """Make data in a process of its own: what this one holds would count as memory of every child."""
    process = multiprocessing.get_context("spawn").Process(target=work, args=values)
    process.start()
    process.join()
    assert process.exitcode == 0


def drafted(project: Project, source: Path, *variables: str) -> tuple[float, float]:
    """Draft a product from the data, in seconds and MiB."""
    return measured(project, ["timeout", LIMIT, "make", "draft", f"FROM={source}", "FORCE=1", *variables])


def through(project: Project, wanted: tuple[str, ...]) -> dict[str, tuple[float, float]]:
    """Run stages of a project one after the other, in seconds and MiB."""
    took = {}
    for name, lines in commands(project).items():
        if name in wanted or name == "compose":
            parts = [measured(project, ["timeout", LIMIT, *line]) for line in lines]
            took[name] = (sum(part[0] for part in parts), max(part[1] for part in parts))
    return took


def plain(project: Project, script: str, source: Path) -> tuple[float, float]:
    """Run a script with the libraries of the project."""
    return measured(project, ["env", "OMP_WAIT_POLICY=passive", "timeout", LIMIT, "python", "-c", script, str(source)])


def tables(place: Path) -> None:
    """Print what a table costs per stage, beside the plain script, and what its draft costs."""
    environment = machine(place / "machine")
    project = generate(place / "table", environment, "task=tabular-classification")
    project.ok("make", "setup")
    for columns in (60, 30):
        beside(write_table, place / f"{columns}.csv", columns)
    seconds, memory = drafted(project, place / "60.csv", "ANSWER=label")
    rows = [[f"{seconds:.1f}", f"{memory:.0f}", f"<= {DRAFT:g} s: {verdict(seconds, DRAFT)}"]]
    rows[0].append(f"<= {DRAFT_MEMORY:g} MiB: {verdict(memory, DRAFT_MEMORY)}")
    table(f"`make draft`, {ROWS} rows of 60 columns", ["seconds", "MiB", "target", ""], rows, "A file of CSV.")
    drafted(project, place / "30.csv", "ANSWER=label")
    beside_script(project, place / "30.csv", PLAIN, SLOWEST, LARGEST)


def trees(place: Path) -> None:
    """Print what a table costs per stage with LightGBM, 300 trees, beside a script that fits as many."""
    project = generate(place / "table", machine(place / "machine"), "task=tabular-classification")
    project.replace("conf/config.yaml", "- model: boosted", "- model: lightgbm")  # whose extra setup installs
    for before, now in (("n_estimators: 2000", "n_estimators: 300"), ("learning_rate: 0.05", "learning_rate: 0.1")):
        project.replace("conf/model/lightgbm.yaml", before, now)
    project.ok("make", "setup")
    beside(write_table, place / "30.csv", 30)
    drafted(project, place / "30.csv", "ANSWER=label")
    project.replace("conf/config.yaml", "- model: boosted", "- model: lightgbm")  # a draft chooses its trial's model
    beside_script(project, place / "30.csv", BOOSTED, TREES, TREES_MEMORY)


def beside_script(project: Project, source: Path, script: str, slowest: float, largest: float) -> None:
    """Print what every stage costs on a drafted table, and how many times a plain script all of them take."""
    alone = plain(project, script, source)
    everything = tuple(name for name in commands(project) if name != "register")  # a version needs a dvc.lock
    took = through(project, everything)
    rows = [[name, f"{one:.1f}", f"{most:.0f}", verdict(most, largest)] for name, (one, most) in took.items()]
    total = sum(one for one, _ in took.values())
    rows.append(["all of them", f"{total:.1f}", f"{max(most for _, most in took.values()):.0f}", ""])
    rows.append(["the plain script", f"{alone[0]:.1f}", f"{alone[1]:.0f}", ""])
    ratio = total / alone[0]
    note = f"{ratio:.2f} times the plain script (target <= {slowest:g}: {verdict(ratio, slowest)})."
    table(f"{ROWS} rows of 30 columns", ["stage", "seconds", "MiB", f"<= {largest:g} MiB"], rows, note)


def pictures(place: Path) -> None:
    """Print what pictures cost up to the split, beside a script that reads, hashes and splits them."""
    project = generate(place / "pictures", machine(place / "machine"))
    project.ok("make", "setup")
    beside(draw, place / "drawn")
    drafted(project, place / "drawn")
    script, took = plain(project, HASHES, place / "drawn"), through(project, PATH)
    rows = [[name, f"{one:.1f}", f"{most:.0f}"] for name, (one, most) in {**took, "the plain script": script}.items()]
    ratio = sum(one for one, _ in took.values()) / script[0]
    note = f"{ratio:.2f} times the plain script (target <= {FOLDER:g}: {verdict(ratio, FOLDER)})."
    table(f"{PICTURES} pictures of 48 x 48", ["stage", "seconds", "MiB"], rows, note)


def main() -> None:
    """Print the tables of large data."""
    for part in (tables, trees, pictures):
        with tempfile.TemporaryDirectory() as folder:
            part(Path(folder))


if __name__ == "__main__":
    main()
