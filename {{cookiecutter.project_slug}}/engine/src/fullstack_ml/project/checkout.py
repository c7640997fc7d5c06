"""Bring back the data and the model of a registered version, byte for byte, from the lock that its run keeps.

Reads the MLflow registry and the run's ``pipeline/dvc.lock``; writes ``dvc.lock``, ``params.yaml``, ``data/raw.lock``
and what DVC keeps under the hashes of that lock, from its cache or the remote. Code and contract are git's: the command
names the commit.
Run: ``make checkout VERSION=3``, or an alias such as ``champion``.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import yaml

from fullstack_ml.registry.tracking import ClientRegistry
from fullstack_ml.registry.versions import SHA256, Version
from fullstack_ml.workspace import git
from fullstack_ml.workspace.errors import UserError, first_line, guard
from fullstack_ml.workspace.files import sha256, write_text
from fullstack_ml.workspace.paths import LOCK, MODEL, PARAMS, PRODUCT, RAW_LOCK


def locked_paths(lock: str) -> set[str]:
    """Return the outputs that a lock names."""
    stages = yaml.safe_load(lock)["stages"].values()
    return {out["path"] for stage in stages for out in stage.get("outs", [])}


@contextmanager
def replaced(texts: dict[Path, str]) -> Iterator[None]:
    """Write the files; when the block fails, bring back those that were there."""
    before = {path: path.read_text(encoding="utf-8") if path.exists() else None for path in texts}
    for path, text in texts.items():
        write_text(path, text)
    try:
        yield
    except BaseException:
        for path, old in before.items():
            path.unlink() if old is None else write_text(path, old)
        with suppress(Exception):
            bring_back(locked_paths(before[LOCK] or "stages: {}"), "")
        raise


def bring_back(paths: set[str], version: str) -> list[str]:
    """Check out those of ``paths`` that DVC keeps, from its cache or else from the remote; return them.

    Raises:
        UserError: if ``dvc.yaml`` does not name a path any more, or its bytes are out of reach.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    with Repo() as repo:
        outs: dict[str, Any] = {Path(out.fs_path).relative_to(repo.root_dir).as_posix(): out for out in repo.index.outs}
        if gone := sorted(paths - set(outs)):
            fix = "check out that commit of the code, then run make checkout again"
            raise UserError(f"dvc.yaml of version {version} had {', '.join(gone)}", "dvc.yaml", fix)
        kept = sorted(path for path in paths if outs[path].use_cache)
        try:
            repo.checkout(targets=kept)
        except DvcException:
            try:
                repo.pull(targets=kept)
            except DvcException as error:
                what = f"the data of version {version} cannot be had: {first_line(error)}"
                raise UserError(what, "the cache and the remote of DVC", "dvc remote list; see dvc pull") from error
    return kept


def describe(version: Version, product: str) -> list[str]:
    """Say which code made the version, and whether today's contract is another one."""
    commit = version.tags.get("git.commit", "unknown")
    dirty = " with uncommitted changes" if version.tags.get("git.dirty") == "true" else ""
    lines = [f"made by commit {commit}{dirty}; its code: git checkout {commit}"]
    if PRODUCT.read_text(encoding="utf-8") != product:
        lines.append(f"{PRODUCT} is another one now; that of the version: git show {commit}:{PRODUCT}")
    return lines


def check_out(name: str) -> list[str]:
    """Bring back the version that is named by number or alias; return what there is to say.

    Raises:
        UserError: for a tree with changes, an unknown version, or data that is out of reach; then nothing is changed.
    """
    # Changes would stand beside data that they were not made with.
    git.check_code("git add -A && git commit, or git stash, then make checkout again")
    registry = ClientRegistry()
    version = registry.find(name)
    kept = {path: registry.text(version, f"pipeline/{path.name}") for path in (LOCK, PARAMS, RAW_LOCK, PRODUCT)}
    lock, product = kept[LOCK], kept.pop(PRODUCT)
    with replaced(kept):
        paths = bring_back(locked_paths(lock), version.number)
        if sha256(MODEL) != version.tags.get(SHA256):
            what = f"{MODEL} is not the file of version {version.number}"
            raise UserError(what, f"tag {SHA256} of the version", "its lock was changed by hand; make mlflow shows it")
    shown = f"version {version.number}" + ("" if name == version.number else f" ({name})")
    back = f"git checkout {LOCK} {PARAMS} {RAW_LOCK} && dvc checkout" if git.git("ls-files", str(LOCK)) else "dvc repro"
    return [f"checkout: {shown} is back in {', '.join(paths)}", *describe(version, product), f"to go back: {back}"]


def main() -> None:
    """Check out the version whose number or alias is the argument."""
    if len(sys.argv) != 2:
        raise UserError(
            "VERSION is missing", "make checkout", "make checkout VERSION=champion, or a number that make mlflow shows"
        )
    print("\n".join(check_out(sys.argv[1])))


if __name__ == "__main__":
    guard(main)
