"""Describe the data in Croissant 1.0 (MLCommons, JSON-LD), which data catalogues and loaders read.

Reads ``product.yaml``, the manifests of raw records and splits, and the columns of a split; writes
``docs/2-data/croissant.json``, beside the data card. Stage ``cards`` calls it. Files are named from there, so that the
file can be loaded where it lies; a question of ``cards`` that is open is left out.
"""

import os
from pathlib import Path
from typing import Any

import polars as pl

from fullstack_ml.inputs import input_of
from fullstack_ml.pages.provenance import locked_data
from fullstack_ml.pages.words import language, words
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.files import write_json
from fullstack_ml.workspace.paths import CROISSANT, SPLITS
from fullstack_ml.workspace.seams import package_name

CONFORMS = ["http://mlcommons.org/croissant/1.0", "http://mlcommons.org/croissant/RAI/1.0"]
# The context that the specification gives: readers compare it whole, also the names that are not used here.
NAMES = """
citeAs column equivalentProperty extract field fileObject fileProperty fileSet format includes isLiveDataset jsonPath
key md5 parentField path recordSet references regex repeated replace samplingRate separator source subField transform
"""
CONTEXT: dict[str, Any] = {
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
} | {name: f"cr:{name}" for name in NAMES.split()}
PARQUET = "application/x-parquet"
SPDX = "https://spdx.org/licenses/"


def data_type(kind: pl.DataType, picture: bool) -> str:
    """Return the type of a column as Croissant names it."""
    if kind.is_integer():
        return "sc:Integer"
    if kind.is_float():
        return "sc:Float"
    if kind.is_temporal():
        return "sc:DateTime"
    if kind == pl.Boolean:
        return "sc:Boolean"
    return "sc:ImageObject" if kind == pl.Binary and picture else "sc:Text"


def meanings(product: Product) -> dict[str, str]:
    """Say what the columns hold: those of the contract in its words."""
    given = product.formulation.input
    defined = "".join(f" {label.name}: {label.definition}." for label in product.formulation.answer.labels)
    told = {
        "id": words("Names the record: a hash of its content and its group."),
        "group": words("Records of one group never stand in two splits."),
        "kind": words("Kind of the record, as product.yaml names kinds."),
        "source": words("Where the record came from."),
        "source_row": words("Row or key of the record in its source."),
        "happened_at": words("When it happened, in UTC."),
        "given_split": words("The split that the source states, if any."),
        "label": words("The answer that is right.") + defined,
        "votes": words("How many people labelled it."),
        "share": words("Share of them that gave this answer."),
        "guide_version": words("Version of the annotation guide that they read."),
        "labelled_by": words("Who labelled it: people or the source."),
    }
    payload = input_of(product).columns(product)
    told |= dict.fromkeys(payload, given.meaning)
    return told | {f.name: f"{f.meaning} ({f.unit})" if f.unit else f.meaning for f in given.features}


def record_set(split: str, rows: int, columns: dict[str, pl.DataType], product: Product) -> dict[str, Any]:
    """Describe the records of a split: a field for each column of its file."""
    told, payload = meanings(product), input_of(product).columns(product)
    picture = input_of(product).planes(product) is not None
    fields = [
        {
            "@type": "cr:Field",
            "@id": f"{split}/{name}",
            "name": name,
            **({"description": told[name]} if told.get(name) else {}),
            "dataType": data_type(kind, picture and name in payload),
            "source": {"fileObject": {"@id": f"{split}.parquet"}, "extract": {"column": name}},
        }
        for name, kind in columns.items()
    ]
    said = words("%(rows)s labelled records of the split %(split)s", rows=rows, split=split)
    return {
        "@type": "cr:RecordSet",
        "@id": split,
        "name": split,
        "description": said,
        "key": {"@id": f"{split}/id"},
        "field": fields,
    }


def file_of(split: str, row: dict[str, Any]) -> dict[str, Any]:
    """Describe the file of a split."""
    path = SPLITS / f"{split}.parquet"
    return {
        "@type": "cr:FileObject",
        "@id": path.name,
        "name": path.name,
        "contentUrl": Path(os.path.relpath(path, CROISSANT.parent)).as_posix(),
        "contentSize": f"{path.stat().st_size} B",
        "encodingFormat": PARQUET,
        "sha256": row["sha256"],
    }


def answered(product: Product) -> dict[str, Any]:
    """Return what people answered about the data, by Croissant's names; what is open is left out."""
    cards, formulation = product.cards, product.formulation
    known = {
        "citeAs": cards.attribution,
        "creator": cards.made_by and {"@type": "Organization", "name": cards.made_by},
        "usageInfo": cards.distribution,
        "rai:dataCollection": "; ".join(filter(None, (cards.sampling, cards.collection, cards.collectors))),
        "rai:dataPreprocessingProtocol": cards.changes,
        "rai:personalSensitiveInformation": f"{product.data.privacy}{f': {cards.harm}' if cards.harm else ''}",
        "rai:dataUseCases": formulation.in_scope,
        "rai:dataLimitations": formulation.out_of_scope,
        "rai:dataReleaseMaintenancePlan": cards.maintenance,
    }
    return {name: value for name, value in known.items() if value}


def described(product: Product, manifest: dict[str, Any], splits: dict[str, Any]) -> dict[str, Any]:
    """Return the whole description; ``manifest``: of the raw records, ``splits``: of the splits."""
    filled = {name: row for name, row in splits.items() if row["rows"]}
    licences = sorted({licence for shard in manifest["shards"] for licence in shard["licences"]})
    named = [licence if "://" in licence else f"{SPDX}{licence}.html" for licence in licences if " " not in licence]
    columns = dict(pl.read_parquet_schema(SPLITS / f"{next(iter(filled))}.parquet"))
    return {
        "@context": {"@language": language(), **CONTEXT},
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS,
        "name": package_name(),
        "alternateName": product.service.name,
        "description": f"{product.formulation.input.meaning}. {product.service.decision}",
        "inLanguage": language(),
        "identifier": locked_data(),
        "dateModified": max(shard["collected"][1][:10] for shard in manifest["shards"]),
        "license": [*named, *(licence for licence in licences if " " in licence)],
        **answered(product),
        "distribution": [file_of(name, row) for name, row in filled.items()],
        "recordSet": [record_set(name, row["rows"], columns, product) for name, row in filled.items()],
    }


def write_croissant(known: dict[str, Any]) -> None:
    """Write the description in one step; ``known`` holds the product and the reports by name."""
    write_json(CROISSANT, described(known["product"], known["manifest"], known["splits"]))
