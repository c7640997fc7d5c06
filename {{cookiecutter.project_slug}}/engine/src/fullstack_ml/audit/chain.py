"""The links of the chain: what is known of an answer, a version, a record, or of the labels of a person or a round.

Reads the prediction log, the registry, git, ``data/`` and DVC's cache; writes nothing.
"""

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import polars as pl

from fullstack_ml.audit import answers
from fullstack_ml.data.forget.trained import found_in
from fullstack_ml.data.label.standing import annotations
from fullstack_ml.data.store.index import HALF
from fullstack_ml.pages.formats import number, quantity, threshold
from fullstack_ml.pages.words import translated, words
from fullstack_ml.registry import tracking
from fullstack_ml.registry.versions import BEFORE, ROLLED_BACK, SHA256, Version
from fullstack_ml.workspace import git
from fullstack_ml.workspace.errors import UserError
from fullstack_ml.workspace.paths import LABELLED

UNKNOWN = "unknown"
RAW_FACTS = ("source", "source_row", "kind", "group", "licence", "happened_at", "collected_at", "source_label", "shard")


@dataclass
class Link:
    """A part of the page: ``facts`` by name, and a table with the names of its columns first."""

    title: str
    facts: list[tuple[str, str]]
    rows: list[list[str]] = field(default_factory=list)


def shown(value: Any) -> str:
    """Write a value, a moment to the second; what is not there is a dash."""
    if isinstance(value, datetime):
        return value.isoformat(" ", "seconds")
    return "-" if value is None or value == "" else number(value) if isinstance(value, float) else str(value)


def table(columns: list[str], rows: list[dict[str, Any]]) -> list[list[str]]:
    """Return rows as texts, the names of the columns first; nothing where there is no row."""
    return [columns, *([shown(row.get(name)) for name in columns] for row in rows)] if rows else []


# --- an answer -----------------------------------------------------------------------------------------------


def answer_links(said: list[dict[str, Any]], heard: list[dict[str, Any]]) -> list[Link]:
    """Tell of one request: what was answered, by which arm, what the other arm said, and what people said since."""
    first = said[0]
    names = ("prediction_id", "requested_at", "arm", "model_version", "answer", "decision", "reason", "novelty")
    facts = [(name, shown(first[name])) for name in (*names, "scores", "caller", "latency_ms", "input_sha256")]
    facts.append(("input kept", words("no") if first["input"] is None else words("%(n)s bytes", n=len(first["input"]))))
    others = table(["arm", "model_version", "answer", "decision", "reason"], said[1:])
    links = [Link("Request and answer", facts, others)]
    said_since = table(["answer", "who", "how", "received_at"], heard)
    return [*links, Link("What people said of it", [("entries", str(len(heard)))], said_since)]


# --- a version -----------------------------------------------------------------------------------------------


def kept(registry: Any, version: Version, path: str) -> Any:
    """Return a report that the run of a version keeps, or nothing."""
    try:
        return json.loads(registry.text(version, path))
    except UserError:
        return {}


def version_links(registry: Any, version: Version) -> list[Link]:
    """Tell of a version: code, data, labels, the verdicts of its day, and what it answered."""
    tags, aliases = version.tags, registry.aliases()
    commit = tags.get("git.commit", words("unknown"))
    named = [alias for alias, held in aliases.items() if held == version.number]
    facts = [("version", f"{registry.name} {version.number}"), ("aliases", ", ".join(sorted(named)) or words("none"))]
    facts += [("artefact SHA-256", shown(tags.get(SHA256))), ("run", shown(version.run_id))]
    facts += [("replaced version", shown(tags.get(BEFORE))), ("rolled back", tags.get(ROLLED_BACK, words("no")))]
    about = (git.git("show", "--no-patch", "--format=%an, %ad: %s", "--date=short", commit) or "").strip()
    dirty = tags.get("git.dirty") == "true"
    code = [("commit", words("%(commit)s and changes that are not committed", commit=commit) if dirty else commit)]
    code += [("who and when", about or words("the commit is not in this clone"))]
    code += [("lock", words("pipeline/dvc.lock of the run"))]
    code += [
        ("problem", shown(tags.get("formulation.sha256"))),
        ("bring it back", f"make checkout VERSION={version.number}"),
    ]
    judged = kept(registry, version, "reports/acceptance.json").get("verdicts", [])
    for row in judged:
        row["required"], row["value"] = threshold(row, row["unit"]), quantity(row["value"], row["unit"])
        row["verdict"] = translated(row["verdict"])
    verdicts = table(["id", "metric", "slice", "value", "required", "verdict", "owner"], judged)
    spoken = table(["model_version", "decision", "answers", "first", "last"], answers.of_versions([version.number]))
    return [
        Link("Version", facts),
        Link("Code", code),
        data_link(registry, version),
        Link(
            "Requirements, as they were judged that day",
            [("verdict", translated(shown(tags.get("verdict"))))],
            verdicts,
        ),
        Link("What it answered", [("in the log", words("yes") if spoken else words("nothing yet"))], spoken),
    ]


def data_link(registry: Any, version: Version) -> Link:
    """Tell which data and labels a version learned from."""
    validation, agreement = (kept(registry, version, f"reports/{name}.json") for name in ("validation", "agreement"))
    facts = [("data version", version.tags.get("data.version", words("unknown")))]
    facts += [("guide version", version.tags.get("guide.version", words("unknown")))]
    facts += [("records", shown(validation.get("metrics", {}).get("records")))]
    facts += [("labelled by people", shown(agreement.get("labelled_by_people")))]
    facts += [("labelled by the source", shown(agreement.get("labelled_by_source")))]
    people = [one["annotator"] for one in agreement.get("annotators", [])]
    rounds = agreement.get("rounds", [])
    columns = [
        name for name in ("round", "kind", "guide_version", "items", "labels", "alpha") if rounds and name in rounds[0]
    ]
    return Link("Data and labels", [*facts, ("annotators", ", ".join(people) or words("none"))], table(columns, rounds))


# --- records and labels --------------------------------------------------------------------------------------


def record_links(record: dict[str, Any]) -> list[Link]:
    """Tell where a record comes from, who labelled it in which round by which guide, and which label it has."""
    facts = [("id", record["id"]), *((name, shown(record[name])) for name in RAW_FACTS)]
    said = annotations().filter(pl.col("id") == record["id"]).sort("annotated_at").to_dicts()
    columns = ["label", "annotator", "round", "guide_version", "annotated_at", "seconds", "note"]
    links = [
        Link("Raw record", facts),
        Link("What people labelled", [("labels", str(len(said)))], table(columns, said)),
    ]
    if LABELLED.exists():
        found = pl.scan_parquet(LABELLED).filter(pl.col("id") == record["id"]).collect().to_dicts()
        names = ("label", "labelled_by", "votes", "share", "guide_version")
        label = [(name, shown(found[0][name])) for name in names] if found else [("label", words("none yet"))]
        links.append(Link("Label that counts", label))
    return links


def label_link(said: pl.DataFrame, title: str) -> Link:
    """Tell of the labels of a person, of a round, or of a name: how many, of whom, by which guide."""
    groups = said.group_by("annotator", "round", "guide_version", "label").agg(
        labels=pl.len(), first=pl.col("annotated_at").min(), last=pl.col("annotated_at").max()
    )
    rows = groups.sort("round", "annotator", "label").to_dicts()
    columns = ["annotator", "round", "guide_version", "label", "labels", "first", "last"]
    return Link(title, [("labels", str(len(said))), ("records", str(said["id"].n_unique()))], table(columns, rows))


def forward_links(ids: list[str]) -> list[Link]:
    """Tell which versions learned from records, or were judged on them, and what these versions answered."""
    store = tracking.local_store()
    if store and not store.exists():
        return [Link("Versions that it touched", [("versions", words("none is registered yet"))])]
    registry, rows, touched, splits = tracking.ClientRegistry(), [], [], dict[str, list[str] | None]()
    aliases = registry.aliases()
    for version in registry.versions():
        data = version.tags.get("data.version", UNKNOWN)
        if data not in splits:
            splits[data] = found_in(data, ids, None)
        used = splits[data]
        if used or used is None:
            named = ", ".join(alias for alias, held in aliases.items() if held == version.number)
            lost = words("out of reach: its data is neither in the cache nor on the remote")
            what = lost if used is None else ", ".join(used)
            rows.append({"version": version.number, "alias": named, "splits": what, "data version": data})
            touched.append(version.number)
    spoken = table(["model_version", "decision", "answers", "first", "last"], answers.of_versions(touched))
    columns = ["version", "alias", "splits", "data version"]
    return [
        Link("Versions that it touched", [("versions", str(len(rows)))], table(columns, rows)),
        Link("Answers of these versions", [("in the log", words("yes") if spoken else words("none"))], spoken),
    ]


def content_link(record: str) -> Link:
    """Tell which requests brought this very content."""
    count, newest = answers.of_content(record[:HALF])
    columns = ["prediction_id", "requested_at", "model_version", "arm", "answer", "decision"]
    return Link("Requests with this content", [("answers", str(count))], table(columns, newest))
