"""Remove what came from the sample, before a product's own data come in.

Reads ``dvc.yaml``, ``conf/config.yaml`` and ``data/raw/manifest.json``; removes what the stages wrote, labels and
rounds of the sample, models and reports, and the sample's contract and guide where nobody has changed them. Labels and
rounds of people must be in git, so that git and DVC's cache bring all of it back.
Run: ``make clear-sample``.
"""

import shutil
from pathlib import Path

import yaml

from fullstack_ml.workspace import git
from fullstack_ml.workspace.errors import UserError, guard
from fullstack_ml.workspace.files import read_json
from fullstack_ml.workspace.paths import (
    CONF,
    CONTRACT,
    LABELS,
    LOCK,
    PARAMS,
    PRODUCT,
    RAW,
    REJECTED,
    REPORTS,
    ROUNDS,
    SWEEPS,
)
from fullstack_ml.workspace.seal import FILES, is_untouched

SAMPLE = "scikit-learn: load_"  # how the records of both samples say where they come from
BESIDE = (
    REJECTED,
    Path("data/.collecting"),
    Path("data/.splitting"),
    Path("models"),
    REPORTS,
    SWEEPS,
    Path("dist/edge"),
)
KEPT = {PARAMS, CONTRACT}  # of conf/ and product.yaml, not of data


def outputs() -> set[Path]:
    """Return what the stages of ``dvc.yaml`` write."""
    stages = yaml.safe_load(Path("dvc.yaml").read_text(encoding="utf-8"))["stages"].values()
    entries = [entry for stage in stages for kind in ("outs", "metrics") for entry in stage.get(kind, [])]
    return {Path(entry if isinstance(entry, str) else next(iter(entry))) for entry in entries}


def texts() -> list[Path]:
    """List contract and guide where they are still the sample's: a draft of the team's own has another source."""
    config = CONF / "config.yaml"
    chosen = yaml.safe_load(config.read_text(encoding="utf-8"))["defaults"] if config.exists() else []
    there = [Path(name) for name in FILES if {"source": "sample"} in chosen and Path(name).exists()]
    return [path for path in there if is_untouched(path.read_text(encoding="utf-8"))]


def of_the_sample() -> list[Path]:
    """List what is there of the sample, a folder for all that lies in it."""
    named = (outputs() - KEPT) | {*BESIDE, LOCK, *by_people(), *texts()}
    return sorted(path for path in named if path.exists() and named.isdisjoint(path.parents))


def own_sources() -> list[str]:
    """List the sources of the records in ``data/raw`` that are not the sample's."""
    manifest = RAW / "manifest.json"
    shards = read_json(manifest)["shards"] if manifest.exists() else []
    return sorted({source for shard in shards for source in shard["sources"] if not source.startswith(SAMPLE)})


def check_sample() -> None:
    """Raise if ``data/raw`` holds records that are not the sample's: nobody could give them back."""
    manifest = RAW / "manifest.json"
    if own := own_sources():
        fix = "to remove them too: rm -r data/raw, then make clear-sample"
        raise UserError(f"data/raw holds records of your own: {', '.join(own[:3])}", str(manifest), fix)


def by_people() -> list[Path]:
    """List what people made of the sample: nothing but git could bring it back, all else comes back with make."""
    return sorted(path for folder in (LABELS, ROUNDS) for path in folder.glob("*") if path.name != "README.md")


def check_people() -> None:
    """Raise if labels or rounds of people are not in git."""
    made = [str(path) for path in by_people()]
    kept = (git.git("-c", "core.quotePath=false", "ls-files", *made) or "").splitlines() if made else []
    changed = (git.git("status", "--porcelain", "--", *made) or "").splitlines() if made else []
    if lost := sorted({*made} - {*kept}) or [line[3:] for line in changed]:
        what = f"{len(lost)} uncommitted file(s): {', '.join(lost[:3])}"
        raise UserError(what, "the git work tree", "commit them first: git add -A && git commit")


def remove() -> list[Path]:
    """Remove what came from the sample, and return it.

    Raises:
        UserError: if records of the product's own, or labels that git does not have, would be lost.
    """
    check_sample()
    check_people()
    gone = of_the_sample()
    for path in gone:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    return gone


def main() -> None:
    """Remove it all, and say what comes next."""
    gone = remove()
    if not gone:
        raise UserError("there is nothing of the sample", "the project", "nothing is left to remove")
    print("\n".join(f"removed: {path}" for path in gone))
    print("kept: the versions of the sample in the registry (make mlflow)")
    if PRODUCT.exists():
        print("next: your contract in product.yaml, your source in conf/config.yaml (README.md, Your own data);")
    else:
        print("next: make draft FROM=<your data> writes a contract; by hand: git restore product.yaml, and change it;")
    print("      then git add -A && git commit, and make")


if __name__ == "__main__":
    guard(main)
