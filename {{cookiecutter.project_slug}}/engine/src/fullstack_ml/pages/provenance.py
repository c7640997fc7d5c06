"""Where a page comes from: date, commit, versions of data and guide, model, run and version. One place for all pages.

A page of a stage has the same bytes wherever and whenever the stage runs, so it states what it was made from and leads
to ``docs/provenance.md`` (``made_from``); stage ``register``, which runs last, writes that page with what is known only
then (``write``). A page that a command writes states all of it as it stands at that moment (``today``).
Reads ``dvc.lock``, the guide, git and ``reports/provenance.json``; writes the latter and ``docs/provenance.md``.
"""

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from fullstack_ml.pages.words import words
from fullstack_ml.product.guide import guide_version
from fullstack_ml.workspace import git
from fullstack_ml.workspace.errors import UserError
from fullstack_ml.workspace.files import read_json, sha256, write_json, write_text
from fullstack_ml.workspace.paths import LOCK, MODEL, PROVENANCE, PROVENANCE_PAGE

UNKNOWN = "unknown"  # what git, too, says of a commit that is not there
SHORT = 12  # characters of a hash that people compare
Facts = Mapping[str, Any]
# A line: its name, its value, the address or file that it leads to, if any.
Line = tuple[str, str, str]


def data_version(stages: Mapping[str, Any]) -> str:
    """Return the hash under which DVC keeps ``data/splits``, out of the stages of ``dvc.lock``."""
    outs = stages.get("split", {}).get("outs", [])
    return next((str(out["md5"]) for out in outs if out["path"] == "data/splits"), UNKNOWN)


def locked_data() -> str:
    """Return the version of the data that the pipeline ran with last."""
    lock = yaml.safe_load(LOCK.read_text(encoding="utf-8")) if LOCK.exists() else None
    return data_version((lock or {}).get("stages", {}))


def lines(facts: Facts) -> list[Line]:
    """Write what is known, in one order; what is not known is left out."""
    commit = facts.get("commit", "")[:SHORT]
    if commit not in ("", UNKNOWN) and facts.get("uncommitted"):
        commit = words("%(commit)s and changes that are not committed", commit=commit)
    found = [
        (words("date"), facts.get("date", ""), ""),
        (words("commit"), commit, ""),
        (words("raw data"), facts.get("raw_data", "")[:SHORT], ""),
        (words("data version"), facts.get("data_version", "")[:SHORT], ""),
        (words("guide version"), facts.get("guide_version", ""), ""),
        (words("model"), facts.get("model", ""), ""),
        (words("artefact"), facts.get("artefact_sha256", "")[:SHORT], ""),
        (words("MLflow run"), facts.get("run_id", "")[:SHORT], facts.get("run_link", "")),
        (words("version"), facts.get("version", ""), facts.get("version_link", "")),
    ]
    return [line for line in found if line[1] not in ("", UNKNOWN)]


def made_from(page: Path, **facts: str) -> list[Line]:
    """Return the lines of a page that a stage writes: what it was made from, and where the rest of it stands."""
    place = Path(os.path.relpath(PROVENANCE_PAGE, page.parent)).as_posix()
    return [*lines(facts), (words("date, commit, MLflow run and version"), PROVENANCE_PAGE.as_posix(), place)]


def today() -> list[Line]:
    """Return the lines of a page that a command writes: this day and commit, and the last run of the pipeline.

    Run and version stand there only while the artefact is the one that they kept.
    """
    told = read_json(PROVENANCE) if PROVENANCE.exists() else {}
    if told and not (MODEL.exists() and told["artefact_sha256"] == sha256(MODEL)):
        told = {}
    return lines({**told, **moment(), "data_version": locked_data(), "guide_version": _guide()})


def moment() -> dict[str, Any]:
    """Return the day, in UTC, and the commit, and whether the code differs from it."""
    day = datetime.now(UTC).date().isoformat()
    return {"date": day, "commit": git.commit(), "uncommitted": bool(git.uncommitted())}


def _guide() -> str:
    try:
        return guide_version()
    except UserError:  # a page about something else does not stop at the guide
        return ""


def write(facts: Facts) -> None:
    """Write what is known of the pipeline's last run, for programs and for people."""
    write_json(PROVENANCE, dict(facts))
    rows = [f"| {name} | {f'[{value}]({link})' if link else value} |" for name, value, link in lines(facts)]
    title, said = (
        words("Where the generated pages come from"),
        words("Written by stage `register`, at the end of a run."),
    )
    verdict = f"| {words('verdict')} | {words(facts['verdict'])} |"
    local = words("Links to this machine open while `make mlflow` runs.")
    hashes = words("Hashes are cut; `reports/provenance.json` has all of each.")
    table = "\n".join(["| | |", "|---|---|", *rows, verdict])
    write_text(PROVENANCE_PAGE, f"# {title}\n\n*{said}*\n\n{table}\n\n{local} {hashes}\n")
