"""The keys of product.yaml: each stage lists those that it reads, and no other, as its runs show.

Every field that a stage reads of the contract is recorded while the stage runs, and held against dvc.yaml. So a change
of what a stage reads is never missed, and a change of what it does not read runs nothing.
"""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import yaml

from fullstack_ml.pipeline import compose, stage
from fullstack_ml.pipeline.config import Config
from fullstack_ml.product.contradictions import contradictions
from fullstack_ml.product.formulation import Strict
from laid import TEMPLATE

STAGES = yaml.safe_load((TEMPLATE / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
READERS = [name for name in STAGES if name != "compose"]


# What a stage reads only where another version is champion already.
LATER = {"register": {"requirements", "release", "service.error_cost"}}
LATER |= {name: {"service.language"} for name in ("validate", "evaluate")}  # pages read it where a text is looked up


def modules(name: str) -> list[str]:
    """Return the modules that a stage runs, below the engine."""
    command = STAGES[name]["cmd"]
    return [line.split()[0].partition(".")[2] for line in ([command] if isinstance(command, str) else command)]


def listed(name: str) -> set[str]:
    """Return the keys of contract.json that a stage lists."""
    files = [entry for entry in STAGES[name].get("params", []) if isinstance(entry, dict)]
    return {key for file in files for key in file.get("contract.json", [])}


class Watch:
    """Records which fields are read of every contract that is loaded while it is in force."""

    def __init__(self) -> None:
        self.reads: set[str] = set()
        self.places: dict[int, str] = {}
        self.kept: list[Any] = []

    def know(self, value: Any, place: str = "") -> None:
        """Remember where in product.yaml a part of the contract stands."""
        if isinstance(value, Strict):
            self.places[id(value)] = place
            self.kept.append(value)
            for name in set(value.__dict__) - set(type(value).model_fields):  # kept by the check: it counts again
                del value.__dict__[name]
            for name, part in value.__dict__.items():
                self.know(part, f"{place}.{name}".lstrip("."))
        elif isinstance(value, list):
            for part in value:
                self.know(part, place)

    def note(self, part: Strict, name: str) -> None:
        """Note that a field is read; a part of the contract only counts by what is read of it."""
        value = part.__dict__.get(name)
        parts = value if isinstance(value, list) and value else [value]
        if id(part) in self.places and not any(isinstance(item, Strict) for item in parts):
            self.reads.add(f"{self.places[id(part)]}.{name}".lstrip("."))

    def whole(self, part: Any, only: Any = None) -> None:
        """Note that a part is written out."""
        for name, value in part.__dict__.items():
            if only is None or name in only:
                self.note(part, name)
                for item in value if isinstance(value, list) else [value]:
                    if isinstance(item, Strict):
                        self.whole(item)


@pytest.fixture
def watch() -> Iterator[Watch]:
    watch, check = Watch(), contradictions

    def checked(product: Any) -> Iterator[Any]:
        yield from check(product)
        product.formulation.__dict__.pop("label_names", None)  # which the check has read, and would hide a stage's read
        watch.know(product)

    def read(part: Any, name: str) -> Any:
        value = object.__getattribute__(part, name)
        if name in type(part).__pydantic_fields__:
            watch.note(part, name)
        return value

    def written(write: Callable[..., Any]) -> Callable[..., Any]:
        def dump(part: Any, **options: Any) -> Any:
            watch.whole(part, options.get("include"))
            return write(part, **options)

        return dump

    with (
        mock.patch("fullstack_ml.product.contract.contradictions", checked),
        mock.patch.object(Strict, "__getattribute__", read, create=True),
        mock.patch.object(Strict, "model_dump", written(Strict.model_dump)),
        mock.patch.object(Strict, "model_dump_json", written(Strict.model_dump_json)),
    ):
        yield watch


def run(name: str, config: Config) -> None:
    """Run a stage in this process."""
    for module in modules(name):
        path = f"fullstack_ml.{module}"
        main = __import__(path if module.endswith("leakage") else f"{path}.__main__", fromlist=["run"])
        main.run(config)


@pytest.fixture
def reads(
    watch: Watch, project: Path, config: Config, git: Callable[..., str], empty_store: Path
) -> dict[str, set[str]]:
    """Run every stage in turn in a new project and return what each read of the contract."""
    (project / "mlflow.db").write_bytes(empty_store.read_bytes())
    git("init", "--quiet")
    compose.main()
    config.register.allow_dirty = True
    found: dict[str, set[str]] = {}
    for name in READERS:
        if name == "register":
            lock = {"schema": "2.0", "stages": {"train": {"cmd": "train"}}}
            Path("dvc.lock").write_text(yaml.safe_dump(lock), encoding="utf-8")
            accept()
            git("add", "--all")
            git("commit", "--quiet", "-m", "Begin")
        watch.reads.clear()
        run(name, config)
        found[name] = set(watch.reads)
    return found


def accept() -> None:
    """Let every requirement hold, so that the version is registered whatever was drawn."""
    path = Path("reports/acceptance.json")
    report = json.loads(path.read_text(encoding="utf-8"))
    report |= {"accepted": True, "failed": [], "verdicts": [row | {"verdict": "pass"} for row in report["verdicts"]]}
    path.write_text(json.dumps(report), encoding="utf-8")


def key(place: str) -> str:
    """Return where contract.json holds a field of product.yaml."""
    return f"says.{place}" if compose.is_said(place) else place


def holds(entry: str, place: str) -> bool:
    """Tell whether a listed key holds a place."""
    return place == entry or place.startswith(f"{entry}.")


def test_each_stage_lists_the_keys_that_it_reads_and_no_other(reads: dict[str, set[str]]) -> None:
    faults = []
    for name, places in reads.items():
        keys = {key(place) for place in places}
        entries = {entry for entry in listed(name) if not entry.startswith("own.")}
        # What is read of an input differs from type to type, so a stage lists all of it.
        needed = {entry for entry in entries - LATER.get(name, set()) if not entry.endswith("formulation.input")}
        faults += [f"{name} reads {key}" for key in sorted(keys) if not any(holds(entry, key) for entry in entries)]
        faults += [f"{name} lists {entry}, unread" for entry in needed if not any(holds(entry, key) for key in keys)]
    assert not faults, "\n".join(faults)


def test_what_is_said_stands_apart_from_what_decides(project: Path) -> None:
    before = compose.keys_of_contract()
    text = Path("product.yaml").read_text(encoding="utf-8")
    Path("product.yaml").write_text(text.replace("owner: ML engineer", "owner: somebody else"), encoding="utf-8")
    after = compose.keys_of_contract()
    assert before != after
    assert {**before, "says": None} == {**after, "says": None}
    changed = {name for name, digest in after["says"].items() if digest != before["says"][name]}
    assert changed == {"requirements", "monitoring"}


def test_the_pages_follow_when_a_guess_is_settled(project: Path) -> None:
    before = compose.keys_of_contract()["says"]
    with Path("product.yaml").open("a", encoding="utf-8") as text:
        text.write("# draft: say who\n")
    after = compose.keys_of_contract()["says"]
    assert {name for name in after if after[name] != before[name]} == {"guesses"}
    assert "says" in listed("cards")


def test_what_is_left_out_is_the_same_as_its_default_written_down(project: Path) -> None:
    before = compose.keys_of_contract()
    text = Path("product.yaml").read_text(encoding="utf-8")
    written = text.replace("  - {id: R2, ", "  - {id: R2, split: test, slice: all, decide: point, ")
    assert written != text
    Path("product.yaml").write_text(written, encoding="utf-8")
    assert compose.keys_of_contract() == before
    Path("product.yaml").write_text(written.replace("decide: point", "decide: bound", 1), encoding="utf-8")
    assert compose.keys_of_contract()["requirements"] != before["requirements"]


def test_an_own_module_of_a_seam_is_seen(project: Path) -> None:
    package = next(Path("src").iterdir())
    before = compose.own_code(package)
    (package / "inputs").mkdir()
    (package / "inputs/bytes.py").write_text("", encoding="utf-8")
    first = compose.own_code(package)
    assert first["inputs"] != before["inputs"]
    assert {**before, "inputs": None} == {**first, "inputs": None}
    (package / "inputs/bytes.py").write_text("FORM_FIELD = None\n", encoding="utf-8")
    assert compose.own_code(package)["inputs"] != first["inputs"]


def test_an_own_module_that_others_may_import_is_seen_by_all(project: Path) -> None:
    package = next(Path("src").iterdir())
    before = compose.own_code(package)
    (package / "units.py").write_text("INCH = 25.4\n", encoding="utf-8")
    after = compose.own_code(package)
    assert all(after[place] != before[place] for place in compose.OWN)


def test_a_day_in_the_contract_is_text(project: Path) -> None:
    contract = Path("product.yaml")
    text = contract.read_text(encoding="utf-8")
    contract.write_text(text.replace("schedule:\n", "schedule:\n  a day of its own: '2027-01-31'\n"), encoding="utf-8")
    compose.main()
    days = json.loads(Path("contract.json").read_text())["says"]["schedule"]
    assert days["a day of its own"] == compose.digest("2027-01-31")


def test_an_experiment_writes_the_keys_too(project: Path) -> None:
    compose.main()
    Path("contract.json").unlink()
    with mock.patch.dict(os.environ, {"DVC_EXP_NAME": "bold-idea"}):
        compose.main()
    assert json.loads(Path("contract.json").read_text(encoding="utf-8")) == compose.keys_of_contract()
    assert stage.typed(compose.resolve([]))
