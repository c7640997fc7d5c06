"""Give a round to annotators: start Label Studio, make its project and accounts, load the records of the round.

Reads ``data/rounds/<name>.json``, ``product.yaml`` and ``data/raw``; writes a project of Label Studio. A second run
adds only what is missing. Run: ``make annotate`` (the newest round) or ``make annotate ROUND=pilot``.
"""

import os
from datetime import UTC, datetime
from typing import Any

import polars as pl

from fullstack_ml.annotation.interface import guide_shown, instruction, interface, model_says, shown, suggestion
from fullstack_ml.annotation.server import OWNER, access, email, place, start, watch
from fullstack_ml.annotation.studio import Studio
from fullstack_ml.answers import answer_of
from fullstack_ml.data.label.agreement import CANNOT
from fullstack_ml.data.label.rounds import Round, check_collected, named, noted
from fullstack_ml.data.label.standing import annotations
from fullstack_ml.pipeline.config import Annotation, Config
from fullstack_ml.pipeline.stage import stage
from fullstack_ml.pipeline.tables import raw_records
from fullstack_ml.product.contract import load
from fullstack_ml.product.guide import guide_version, major
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.errors import UserError
from fullstack_ml.workspace.paths import GUIDE, LABELS, PULLED
from fullstack_ml.workspace.seams import package_name

# Tasks sent at once: few enough for one request of pictures.
BATCH = 100


def identity(one: Round, product: Product) -> tuple[str, str]:
    """Return the title of a round's project, and the description by which make annotate knows its own."""
    return f"{one.name}: {product.service.name}"[:50], f"Round {one.name} of {package_name()}, kept by make annotate"


def wanted(one: Round, product: Product) -> dict[str, Any]:
    """Return the settings of a round's project."""
    title, mark = identity(one, product)
    return {
        "title": title,
        "description": mark,
        "label_config": interface(
            product, one.kind == "adjudication", bool(one.shown), guide_shown(product, one.items)
        ),
        "expert_instruction": instruction(product, one.guide_at(datetime.now(UTC)), bool(one.shown)),
        "show_instruction": True,
        "show_skip_button": False,
        "enable_empty_annotation": False,
        "show_collab_predictions": bool(one.shown),
        "maximum_annotations": len(one.annotators) if len(one.overlap) == len(one.items) else 1,
    }


def said_so_far(ids: list[str]) -> dict[str, str]:
    """Write what annotators said of each record, for the adjudicator."""
    said = annotations().filter(pl.col("id").is_in(ids)).sort("annotator")
    why = pl.when(pl.col("note").is_not_null()).then(pl.format(" ({})", "note")).otherwise(pl.lit(""))
    line = pl.format("{}: {}{}", "annotator", pl.col("label").fill_null(CANNOT), why)
    lines = said.group_by("id").agg(line.str.join("\n"))
    return dict(lines.iter_rows())


def pulled_before(one: Round, people: dict[str, int], product: Product) -> dict[str, list[dict[str, Any]]]:
    """Return what was said of each record of a round, as annotations of those who have an account.

    A project that somebody deleted comes back with what was brought home from it.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    answer = answer_of(product)
    files = [folder / f"{one.name}.parquet" for folder in (LABELS, PULLED)]
    tables = [pl.read_parquet(file) for file in files if file.exists()]
    for row in pl.concat(tables, how="diagonal").unique(["id", "annotator"]).to_dicts() if tables else []:
        if row["annotator"] in people:
            result = [answer.suggestion(row["label"] or CANNOT)]
            if row.get("note"):
                result.append(
                    {"from_name": "note", "to_name": "record", "type": "textarea", "value": {"text": [row["note"]]}}
                )
            said = {"result": result, "completed_by": people[row["annotator"]], "lead_time": row["seconds"]}
            found.setdefault(row["id"], []).append(said)
    return found


def tasks(one: Round, ids: list[str], product: Product, before: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the tasks of the records ``ids``, with what was said ``before``; those in ``shown`` with a hint."""
    said = said_so_far(ids) if one.kind == "adjudication" else None
    made = []
    for record in raw_records(ids).iter_rows(named=True):
        data = shown(record, product) | ({} if said is None else {"said": said.get(record["id"], "nothing")})
        name, hints = record["id"], []
        if one.shown:
            data["hint"] = ""
        if name in one.shown:
            sure = one.certainty.get(name)
            data["hint"] = model_says(one.model[name], sure)
            hints = [suggestion(one.model[name], f"model at {one.name}", product, sure)]
        made.append({"data": data, "predictions": hints} | ({"annotations": before[name]} if name in before else {}))
    return made


def fill(studio: Studio, project: int, one: Round, product: Product) -> int:
    """Load the records that the project lacks, let those in ``overlap`` be labelled by all; return how many were new.

    Raises:
        UserError: if a record of the round is not in ``data/raw`` any more.
    """
    there = {task["data"].get("id"): (task["id"], task["overlap"]) for task in studio.tasks(project)}
    missing = sorted(set(one.items) - set(there))  # by id, which is a hash: no place tells why an item is there
    known = set(raw_records(missing, "id")["id"])
    check_collected(one, [record for record in missing if record not in known])
    whole = len(one.overlap) == len(one.items)
    before = pulled_before(one, {name: number for number, name in studio.names().items()}, product) if missing else {}
    for start_at in range(0, len(missing), BATCH):
        part = missing[start_at : start_at + BATCH]
        loaded = studio.load(project, tasks(one, part, product, before))
        there |= {record: (number, 1) for record, number in zip(part, loaded, strict=True)}
    for number, overlap in [] if whole else [there[record] for record in one.overlap]:
        if overlap != len(one.annotators):
            studio.overlap(number, len(one.annotators))
    return len(missing)


def sign_in(studio: Studio, settings: Annotation) -> list[str]:
    """Make the accounts of this machine's server and return a line with user and password of each."""
    if "LABEL_STUDIO_URL" in os.environ:
        return ["  accounts: those of your team's server"]
    passwords = access(settings.annotators)["passwords"]
    for name in settings.annotators:
        studio.sign_up(name, passwords[name])
    return [f"  user {email(name):<24} password {passwords[name]}" for name in [OWNER, *settings.annotators]]


def run(config: Config) -> None:
    """Provide the round, and print where and as whom to sign in."""
    settings, product = config.annotation, load()
    assert settings is not None
    one, guide, names = named(settings.round), guide_version(), product.formulation.label_names
    if one.labels and set(one.labels) != set(names):
        what = f"round {one.name!r} was made for the labels {', '.join(one.labels)}"
        fix = f"make labels ROUND={one.name}, then a new round: it asks for what is left"
        raise UserError(what, "product.yaml, formulation.answer.labels", fix)
    if major(one.guide_version) != major(guide):
        what = f"round {one.name!r} was made under guide {one.guide_version}, and the guide is {guide} now"
        raise UserError(what, str(GUIDE), "make a new round: labels of two guides do not mix")
    one = noted(one, guide)
    if "LABEL_STUDIO_URL" not in os.environ:
        start(settings)
        watch()
    studio = Studio(*place(settings))
    accounts = sign_in(studio, settings)
    project = studio.save_project(studio.project(*identity(one, product)), wanted(one, product))
    new = fill(studio, project["id"], one, product)
    print(f"annotate: round {one.name} has {len(one.items)} items, {new} of them new in Label Studio")
    print("\n".join([f"  {studio.url}/projects/{project['id']}/data", *accounts, "then: make labels"]))


if __name__ == "__main__":
    stage(run, "annotation")
