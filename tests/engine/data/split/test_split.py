"""Stage split: records stay where they are, groups stay together, shares are what they should be."""

import json
import math
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from hashlib import sha256
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from fullstack_ml.data.split import __main__ as split
from fullstack_ml.data.split import place

Refused = Callable[..., AbstractContextManager[None]]
SHARES = {"train": 0.6, "validation": 0.1, "calibration": 0.1, "test": 0.2}


def made(count: int, group: Callable[[int], str | None] = lambda _: None) -> pl.DataFrame:
    """Make records with the ids that so many contents would have."""
    ids = [sha256(str(i).encode()).hexdigest() for i in range(count)]
    return pl.DataFrame({"id": ids, "group": [group(i) for i in range(count)]}, schema_overrides={"group": pl.String})


def places(frame: pl.DataFrame, shares: dict[str, float] | None = None) -> list[str]:
    """Name the split of every record."""
    masks = place.masks(frame, place.bounds(shares or SHARES))
    rows = zip(*masks.values(), strict=True)
    return [next(name for name, here in zip(masks, row, strict=True) if here) for row in rows]


def split_manifest() -> dict[str, Any]:
    """Read the manifest of the splits."""
    manifest: dict[str, Any] = json.loads(Path("data/splits/manifest.json").read_text(encoding="utf-8"))
    return manifest


def test_the_shares_are_as_large_as_chance_allows() -> None:
    count = 20_000
    found = Counter(places(made(count)))
    for name, share in SHARES.items():
        deviation = math.sqrt(count * share * (1 - share))
        assert abs(found[name] - count * share) < 4 * deviation, name


def test_a_record_never_moves_when_data_grows() -> None:
    assert places(made(2000))[:500] == places(made(500))


def test_the_order_of_the_records_does_not_matter() -> None:
    frame = made(500)
    assert places(frame.reverse()) == places(frame)[::-1]


def test_a_group_stays_together() -> None:
    frame = made(2000, lambda i: f"writer {i % 50}")
    found = frame.with_columns(split=pl.Series(places(frame)))
    assert found.group_by("group").agg(pl.col("split").n_unique())["split"].max() == 1
    assert found["split"].n_unique() == 4


def test_a_record_without_a_group_stands_alone_among_groups() -> None:
    alone = made(300)
    mixed = made(300, lambda i: "clinic" if i % 2 else None)
    assert places(mixed)[::2] == places(alone)[::2]
    assert len(set(places(mixed)[1::2])) == 1


@pytest.mark.parametrize(
    "shares",
    [
        {"train": 0.7, "validation": 0.05, "calibration": 0.05, "test": 0.2},
        {"train": 0.2, "validation": 0.3, "calibration": 0.3, "test": 0.2},
    ],
    ids=["more-train", "less-train"],
)
def test_other_shares_leave_the_test_split_as_it_is(shares: dict[str, float]) -> None:
    frame = made(2000)
    before = [name == "test" for name in places(frame)]
    assert [name == "test" for name in places(frame, shares)] == before


def test_a_larger_test_split_keeps_its_records() -> None:
    frame = made(2000)
    larger = places(frame, {"train": 0.5, "validation": 0.1, "calibration": 0.1, "test": 0.3})
    assert all(after == "test" for before, after in zip(places(frame), larger, strict=True) if before == "test")


@pytest.mark.parametrize(
    "shares",
    [
        {"train": 0.6, "validation": 0.2, "test": 0.2},
        {**SHARES, "holdout": 0.0},
        {**SHARES, "train": 0.5},
        {**SHARES, "train": 0.8, "test": 0.0},
        {**SHARES, "train": 0.9, "test": -0.1},
        {**SHARES, "train": float("nan")},
    ],
    ids=["missing", "unknown", "sum", "zero", "negative", "not-a-number"],
)
def test_shares_that_make_no_sense_are_refused(shares: dict[str, float], refused: Refused) -> None:
    with refused("shares are", "conf/split.yaml", "sum to 1"):
        place.bounds(shares)


def test_every_record_is_in_exactly_one_split(finished: Path) -> None:
    parts = [pl.read_parquet(finished / f"data/splits/{name}.parquet") for name in SHARES]
    found = pl.concat(parts)["id"]
    assert found.n_unique() == len(found)
    assert set(found) == set(pl.read_parquet(finished / "data/labelled.parquet")["id"])


def test_the_manifest_counts_and_names_the_bytes_of_every_split(finished: Path, product: Any) -> None:
    for name, entry in split_manifest().items():
        path = finished / f"data/splits/{name}.parquet"
        frame = pl.read_parquet(path)
        assert entry["rows"] == len(frame) == sum(entry["labels"].values())
        assert entry["sha256"] == sha256(path.read_bytes()).hexdigest()
        assert set(entry["labels"]) == set(product.formulation.label_names)


def test_splitting_again_gives_the_same_bytes(finished: Path, config: Any) -> None:
    before = {path.name: path.read_bytes() for path in Path("data/splits").iterdir()}
    split.run(config)
    assert {path.name: path.read_bytes() for path in Path("data/splits").iterdir()} == before


def relabelled(labels: list[str], groups: list[str | None] | None = None) -> pl.DataFrame:
    """Give the labelled records of the project other labels and groups, from the first on, and begin anew."""
    frame = pl.read_parquet("data/labelled.parquet").head(len(labels))
    frame = frame.with_columns(label=pl.Series(labels, dtype=frame.schema["label"]))
    frame = frame.with_columns(group=pl.Series(groups or [None] * len(labels), dtype=frame.schema["group"]))
    frame.write_parquet("data/labelled.parquet")
    Path("reports/frozen.json").unlink()
    return frame


def splits_of() -> dict[str, str]:
    """Return the split of every record by id."""
    return {id: name for name in place.NAMES for id in pl.read_parquet(f"data/splits/{name}.parquet")["id"]}


@pytest.mark.parametrize("count", [4, 9])
def test_a_label_of_four_records_stands_in_every_split(count: int, finished: Path, product: Any, config: Any) -> None:
    """Chance alone leaves one of four splits empty of four records in 97 of 100 draws: 1 - 4! * .6 * .1 * .1 * .2."""
    first, *others = product.formulation.label_names
    frame = relabelled([first] * (1000 - count * len(others)) + others * count)
    split.run(config)
    for name, row in split_manifest().items():
        assert all(row["labels"].values()), (name, row["labels"])
    by_hash = frame.with_columns(split=pl.Series(places(frame)))
    stayed = [splits_of()[id] == where for id, where in by_hash.select("id", "split").rows()]
    assert sum(not same for same in stayed) <= 3 * len(others), "at most three of each label move"


def test_the_only_record_of_a_label_is_learned(finished: Path, product: Any, config: Any) -> None:
    first, *others = product.formulation.label_names
    tested = [i for i, split in enumerate(places(pl.read_parquet("data/labelled.parquet"))) if split == "test"]
    labels = [first] * len(pl.read_parquet("data/labelled.parquet"))
    for label, place_ in zip(others, tested, strict=False):
        labels[place_] = label
    relabelled(labels)
    split.run(config)
    assert all(split_manifest()["train"]["labels"].values())


def test_new_data_moves_no_record_of_a_rare_label(finished: Path, product: Any, config: Any) -> None:
    first, *others = product.formulation.label_names
    whole = pl.read_parquet("data/labelled.parquet")
    relabelled([first] * 800 + others * 4)
    split.run(config)
    before = splits_of()
    more = whole.with_columns(label=pl.lit(others[0], dtype=whole.schema["label"]))
    old = pl.read_parquet("data/labelled.parquet")
    pl.concat([more.filter(~pl.col("id").is_in(old["id"].to_list())), old]).write_parquet("data/labelled.parquet")
    split.run(config)
    after = splits_of()
    assert len(after) == len(whole)
    assert {id: after[id] for id in before} == before


def test_a_rare_label_moves_with_its_whole_group(finished: Path, product: Any, config: Any) -> None:
    """The second label is in five groups only, each of which has records of the first one too."""
    first, second, *_ = names = product.formulation.label_names
    labels = [first, second] * 20 + [first] * 700 + [name for name in names[2:] for _ in range(60)]
    groups = [f"clinic {i // 8}" for i in range(40)] + [None] * (len(labels) - 40)
    frame = relabelled(labels, groups)
    split.run(config)
    assert all(row["labels"][second] for row in split_manifest().values())
    where = splits_of()
    for _, ids in frame.filter(pl.col("group").is_not_null()).group_by("group").agg("id").rows():
        assert len({where[id] for id in ids}) == 1


@pytest.mark.parametrize("name", ["train", "calibration"])
def test_a_label_that_a_split_lacks_is_named(
    name: str,
    finished: Path,
    product: Any,
    config: Any,
    refused: Refused,
    capsys: pytest.CaptureFixture[str],
) -> None:
    rare = product.formulation.label_names[-1]
    frame = pl.read_parquet("data/labelled.parquet")
    inside = place.masks(frame, place.bounds(config.split.shares))[name]
    frame.filter(~((frame["label"] == rare) & inside)).write_parquet("data/labelled.parquet")
    if name == "train":
        with refused(f"with the label(s) {rare}", "train.parquet", "collect or label"):
            split.run(config)
    else:
        split.run(config)
        assert f"{name} has no record with the label(s) {rare}: not measurable there" in capsys.readouterr().out
        assert split_manifest()[name]["labels"][rare] == 0


def test_too_few_calibration_records_are_refused_before_a_model_is_trained(
    finished: Path, config: Any, refused: Refused
) -> None:
    """The rule to abstain asks for 0.02 false alarms: 49 records of which one is beyond the others."""
    frame = pl.read_parquet("data/labelled.parquet")
    inside = place.masks(frame, place.bounds(config.split.shares))["calibration"]
    kept = pl.concat([frame.filter(~inside), frame.filter(inside).head(48)])
    kept.write_parquet("data/labelled.parquet")
    before = Path("data/splits/manifest.json").read_bytes()
    about = math.ceil(49 * len(kept) / 48)
    what = f"{len(kept)} labels leave 48 calibration records; the rule to abstain wants 49, about {about} labels"
    with refused(what, "formulation.abstain", "label more, raise the share of calibration, set folds: 5"):
        split.run(config)
    assert Path("data/splits/manifest.json").read_bytes() == before
    pl.concat([frame.filter(~inside), frame.filter(inside).head(49)]).write_parquet("data/labelled.parquet")
    split.run(config)
    assert split_manifest()["calibration"]["rows"] == 49
