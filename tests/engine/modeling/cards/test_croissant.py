"""The Croissant file: MLCommons' own reader accepts it, and loads the records through it."""

import hashlib
import json
from pathlib import Path
from typing import Any

import mlcroissant
import polars as pl
import pytest
import yaml

from fullstack_ml.modeling.cards import __main__ as cards
from fullstack_ml.product.types import Product

FILE = Path("docs/2-data/croissant.json")


@pytest.fixture
def written(finished: Path, config: Any) -> dict[str, Any]:
    """Run the stage and read what it says of the data."""
    cards.run(config)
    told: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return told


def test_the_reader_of_its_makers_finds_no_error(written: dict[str, Any]) -> None:
    metadata = mlcroissant.Dataset(str(FILE)).metadata  # it raises for an error
    assert metadata.name == "my_product"
    issues = metadata.ctx.issues
    assert issues.errors == set()
    # The data is not published, and its version is a hash, not three numbers.
    assert {text.split('"')[1] for text in issues.warnings} == {
        f"https://schema.org/{n}" for n in ("datePublished", "version")
    }


def test_its_files_are_the_splits_as_they_are(written: dict[str, Any]) -> None:
    splits = json.loads(Path("data/splits/manifest.json").read_text(encoding="utf-8"))
    files = {row["@id"].removesuffix(".parquet"): row for row in written["distribution"]}
    assert sorted(files) == sorted(name for name, row in splits.items() if row["rows"])
    for row in files.values():
        content = (FILE.parent / row["contentUrl"]).read_bytes()
        assert row["sha256"] == hashlib.sha256(content).hexdigest()
        assert row["contentSize"] == f"{len(content)} B"


def test_a_loader_gets_the_records_by_it(written: dict[str, Any]) -> None:
    frame = pl.read_parquet("data/splits/test.parquet")
    loaded = [dict(row) for row in mlcroissant.Dataset(str(FILE)).records("test")]
    assert len(loaded) == len(frame)
    assert [row["test/id"].decode() for row in loaded] == frame["id"].to_list()
    assert {name.removeprefix("test/") for name in loaded[0]} == set(frame.columns)


def test_its_fields_say_what_the_contract_says(written: dict[str, Any], product: Product) -> None:
    fields = {row["name"]: row for row in written["recordSet"][0]["field"]}
    for feature in product.formulation.input.features:
        assert feature.meaning in fields[feature.name]["description"]
    if product.formulation.input.type == "image":
        assert fields["payload"]["dataType"] == "sc:ImageObject"
        assert fields["payload"]["description"] == product.formulation.input.meaning


def test_licence_and_attribution_are_those_of_data_and_contract(finished: Path, config: Any) -> None:
    path = Path("product.yaml")
    contract = yaml.safe_load(path.read_text(encoding="utf-8"))
    contract["cards"] = {"attribution": "Name these people", "made_by": "The makers"}
    path.write_text(yaml.safe_dump(contract), encoding="utf-8")
    cards.run(config)
    told = json.loads(FILE.read_text(encoding="utf-8"))
    manifest = json.loads(Path("data/raw/manifest.json").read_text(encoding="utf-8"))
    found = {name for shard in manifest["shards"] for name in shard["licences"]}
    assert {name.rpartition("/")[2].removesuffix(".html") for name in told["license"]} == found
    assert told["citeAs"] == "Name these people"
    assert told["creator"] == {"@type": "Organization", "name": "The makers"}
    assert "usageInfo" not in told, "the question is open"


def test_it_has_the_same_bytes_every_time(written: dict[str, Any], config: Any) -> None:
    before = FILE.read_bytes()
    cards.run(config)
    assert FILE.read_bytes() == before
