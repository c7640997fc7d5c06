"""Features of every type in product.yaml: what is read as it stands, and what does not go together."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
import yaml

from fullstack_ml.product import contract
from fullstack_ml.product.formulation import Feature

pytestmark = pytest.mark.task("tabular-classification")
Refused = Callable[..., AbstractContextManager[None]]


def with_feature(root: Path, place: Path, text: str, more: str = "") -> Path:
    """Write product.yaml with one more feature, in line 17, as a person would write it."""
    rows = (root / "product.yaml").read_text(encoding="utf-8").splitlines()
    at = rows.index("    features:") + 1
    rows.insert(at, f"      - {{{text}, meaning: m}}")
    slices = rows.index("  slices:") + 1
    place.write_text("\n".join([*rows[:slices], *([f"    - {{{more}}}"] if more else []), *rows[slices:]]), "utf-8")
    return place


def loaded(root: Path, tmp_path: Path, text: str) -> Feature:
    """Return the feature that stands in product.yaml as ``text``."""
    return contract.load(with_feature(root, tmp_path / "product.yaml", text)).formulation.input.features[0]


NAMES = ("json", "copy", "schema", "model_config", "_x", "a.b", "left (Y/N)", "나이", "share of it", "f0")


@pytest.mark.parametrize("name", NAMES)
def test_a_feature_may_have_any_name(name: str, root: Path, tmp_path: Path) -> None:
    assert loaded(root, tmp_path, f"name: '{name}', low: 0, high: 1").name == name


def test_a_name_that_is_taken_is_kept_in_the_source(root: Path, tmp_path: Path) -> None:
    assert loaded(root, tmp_path, "name: the share, column: share, low: 0, high: 1").origin == "share"


def test_values_that_yaml_reads_as_numbers_are_text(root: Path, tmp_path: Path) -> None:
    feature = loaded(root, tmp_path, "name: n, type: ordered, values: [1, 2.5, '03', None, x]")
    assert feature.values == ["1", "2.5", "03", "None", "x"]


@pytest.mark.parametrize("low", ["2020-01-31", "'2020-01-31'", "2020-01-31 00:00:00", "'2020-01-31T09:00:00+09:00'"])
def test_a_date_is_written_as_one_likes(low: str, root: Path, tmp_path: Path) -> None:
    feature = loaded(root, tmp_path, f"name: n, type: date, low: {low}")
    assert feature.bounds == (50 * 365 + 12 + 30, float("inf")), "50 years with 12 leap days, and 30 days of January"


MISTAKES = {
    "name: n, high: 1": ("n' has no low", "name", "add low"),
    "name: n, low: x, high: 1": ("has the low 'x'", "low", "write a number"),
    "name: n, low: 2, high: 1": ("has no value from 2 to 1", "low", "below high"),
    "name: n, type: whole, low: 0.5, high: 1": ("has the low 0.5", "low", "write a whole number"),
    "name: n, type: date, low: soon": ("has the low 'soon'", "low", "write a date"),
    "name: n, type: date, low: 3": ("has the low 3.0", "low", "write a date"),
    "name: n, type: date, low: 2021-01-01, high: 2020-01-01": ("has no value from 2021", "low", "below high"),
    "name: n, type: category": ("is of type category and has no values", "type", "add values"),
    "name: n, type: category, values: [a, b, a]": ("has the value 'a' 2 times", "values", "once"),
    "name: n, type: category, values: [a], low: 0": ("is a category and has a low", "low", "leave low out"),
    "name: n, type: ordered, values: [a], other: allowed": ("allows other values", "other", "leave other out"),
    "name: n, low: 0, high: 1, values: [a]": ("is a number and has values", "values", "leave the values out"),
    "name: n, type: flag, high: 1": ("is a flag and has a high", "high", "leave high out"),
    "name: n, type: category, values: [yes, no]": ("is True", "values[0]", "put it in quotes"),
    "name: n, type: sound": ("is 'sound'", "type", ""),
    "name: n, low: 0, high: 1, missing: maybe": ("is 'maybe'", "missing", ""),
}


@pytest.mark.parametrize(("text", "said"), MISTAKES.items(), ids=MISTAKES)
def test_what_does_not_go_together_is_refused_with_its_place(
    text: str, said: tuple[str, str, str], root: Path, tmp_path: Path, refused: Refused
) -> None:
    path = with_feature(root, tmp_path / "product.yaml", text)
    what, key, fix = said
    with refused(what, f"formulation.input.features[0].{key}", fix):
        contract.load(path)


SLICES = {
    "column: n, equals: b": ("slice 's' equals 'b'", "did you mean|allowed: a"),
    "column: n, below: 3": ("in the wrong way", "use equals alone"),
    "column: mean_radius, equals: a": ("in the wrong way", "use at_least, below or both"),
    "column: mean_radius, below: 2020-01-01": ("a bound that is no number", "write a number"),
}


@pytest.mark.parametrize(("text", "said"), SLICES.items(), ids=SLICES)
def test_a_slice_selects_by_values_that_the_feature_has(
    text: str, said: tuple[str, str], root: Path, tmp_path: Path, refused: Refused
) -> None:
    feature = "name: n, type: category, values: [a]"
    path = with_feature(root, tmp_path / "product.yaml", feature, f"id: s, reason: r, {text}")
    with refused(said[0], "data.slices[0]", said[1].split("|")[-1]):
        contract.load(path)


@pytest.mark.parametrize("wrong", ["yes", "2026-01-31"])
def test_a_value_is_to_be_written_as_text(wrong: Any, root: Path, tmp_path: Path, refused: Refused) -> None:
    path = with_feature(root, tmp_path / "product.yaml", f"name: n, type: category, values: [{wrong}]")
    with refused("values[0]", "features[0].values[0]", "put it in quotes"):
        contract.load(path)
    assert yaml.safe_load(path.read_text(encoding="utf-8"))
