"""A new stage is five places that fit each other, or nothing at all."""

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
import yaml

from fullstack_ml.pipeline import compose, stage
from fullstack_ml.project import new_stage
from fullstack_ml.workspace import errors
from fullstack_ml.workspace.files import read_json

Refused = Callable[..., AbstractContextManager[None]]
pytestmark = pytest.mark.task("tabular-classification")
PLACES = ("src/my_product/stages/augment/__main__.py", "conf/augment.yaml", "mk/augment.mk", "tests/test_augment.py")


def begin(monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    """Run the command."""
    monkeypatch.setattr("sys.argv", ["new_stage", *words])
    new_stage.main()


def content() -> dict[Path, bytes]:
    """Read every file of the project."""
    return {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}


def written() -> dict[str, dict[str, object]]:
    """Read the stages of dvc.yaml."""
    return dict(yaml.safe_load(Path("dvc.yaml").read_text(encoding="utf-8"))["stages"])


def test_a_stage_comes_behind_the_one_that_is_named_and_reads_what_that_writes(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = Path("dvc.yaml").read_text(encoding="utf-8")
    begin(monkeypatch, "augment", "split")
    stages = written()
    names = list(stages)
    assert names[names.index("split") + 1] == "augment"
    assert "data/splits" in stages["augment"]["deps"]  # type: ignore[operator]
    assert [path for path in PLACES if not Path(path).is_file()] == []
    told = capsys.readouterr().out
    assert [path for path in (*PLACES, "dvc.yaml") if path not in told] == []
    kept = [line for line in Path("dvc.yaml").read_text(encoding="utf-8").splitlines() if line in before.splitlines()]
    assert kept == before.splitlines(), "comments and order stay"


def test_its_numbers_are_part_of_the_configuration(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begin(monkeypatch, "augment", "split")
    config = stage.typed(compose.resolve(["stages.augment.count=5"]))
    assert config.stages == {"augment": {"count": 5}}


@pytest.mark.parametrize("after", ["compose", "collect", "evaluate", "accept", "register"])
def test_it_fits_behind_every_stage(after: str, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begin(monkeypatch, "augment", after)
    names = list(written())
    assert names[names.index(after) + 1] == "augment"


def test_a_stage_may_follow_another_of_the_products_own(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begin(monkeypatch, "augment", "split")
    begin(monkeypatch, "weigh", "augment")
    assert "reports/augment.json" in written()["weigh"]["deps"]  # type: ignore[operator]
    assert set(stage.typed(compose.resolve([])).stages) == {"augment", "weigh"}


@pytest.mark.parametrize(
    ("name", "after", "what"),
    [
        ("split", "label", "there is a stage 'split' already"),
        ("serve", "split", "there is a command `make serve` already"),
        ("model", "split", "mk/model.mk is there already"),
        ("search", "split", "conf/search is there already"),
        ("contract", "split", "tests/test_contract.py is there already"),
        ("Augment", "split", "NAME is 'Augment'"),
        ("my-stage", "split", "NAME is 'my-stage'"),
        ("../x", "split", "NAME is '../x'"),
        ("class", "split", "NAME is 'class'"),
        ("", "split", "NAME is ''"),
        ("augment", "spilt", "there is no stage 'spilt'"),
        ("augment", "", "AFTER is missing"),
    ],
)
def test_what_cannot_be_made_is_three_lines_and_changes_nothing(
    name: str, after: str, what: str, project: Path, monkeypatch: pytest.MonkeyPatch, refused: Refused
) -> None:
    before = content()
    with refused(what):
        begin(monkeypatch, name, after)
    assert content() == before


def test_a_disk_that_fills_up_in_the_middle_changes_nothing(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, write = content(), Path.write_text

    def full(path: Path, text: str, **how: Any) -> int:
        if "conf" in path.parts:
            raise OSError(28, "No space left on device", str(path))
        return write(path, text, **how)

    with monkeypatch.context() as disk:
        disk.setattr(Path, "write_text", full)
        with pytest.raises(SystemExit, match=r"error: No space left on device\nwhere: conf/.*\nfix:   make room"):
            errors.guard(lambda: begin(disk, "augment", "split"))
    assert content() == before
    assert not Path("src/my_product/stages").exists()


def test_a_stage_is_made_once(project: Path, monkeypatch: pytest.MonkeyPatch, refused: Refused) -> None:
    begin(monkeypatch, "augment", "split")
    before = content()
    with refused("there is a stage 'augment' already", "dvc.yaml"):
        begin(monkeypatch, "augment", "split")
    assert content() == before


@pytest.mark.parametrize(
    ("file", "old", "new", "what"),
    [
        ("dvc.yaml", "  split:\n", '  "split":\n', "written in another way"),
        ("conf/config.yaml", "  - _self_\n", "", "no line `- _self_`"),
    ],
)
def test_files_that_are_laid_out_in_another_way_are_left_as_they_are(
    file: str, old: str, new: str, what: str, project: Path, monkeypatch: pytest.MonkeyPatch, refused: Refused
) -> None:
    text = Path(file).read_text(encoding="utf-8")
    assert old in text
    Path(file).write_text(text.replace(old, new), encoding="utf-8")
    before = content()
    with refused(what, file):
        begin(monkeypatch, "augment", "split")
    assert content() == before


def test_an_edit_of_an_own_stage_runs_no_stage_of_the_engine(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begin(monkeypatch, "augment", "split")
    package = Path("src/my_product")
    before = compose.own_code(package)
    with (package / "stages/augment/__main__.py").open("a", encoding="utf-8") as code:
        code.write("# edited\n")
    after = compose.own_code(package)
    assert [place for place in compose.OWN if after[place] != before[place]] == ["stages"]


def run_stage() -> subprocess.CompletedProcess[str]:
    """Run the stage as DVC does."""
    command = [sys.executable, "-m", "my_product.stages.augment"]
    environment = os.environ | {"PYTHONPATH": "src"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_it_runs_at_once(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begin(monkeypatch, "augment", "split")
    Path("data/splits").mkdir(parents=True)
    for size, name in enumerate(("a", "b", "c", "d")):
        Path(f"data/splits/{name}.parquet").write_bytes(b"." * size)
    done = run_stage()
    assert (done.returncode, done.stdout) == (0, "augment: reports/augment.json\n"), done.stderr
    expected = {"data/splits/d.parquet": 3, "data/splits/c.parquet": 2, "data/splits/b.parquet": 1}
    assert read_json(Path("reports/augment.json")) == expected


def test_a_mistake_in_its_numbers_names_its_file(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begin(monkeypatch, "augment", "split")
    Path("conf/augment.yaml").write_text("cuont: 3\n", encoding="utf-8")
    lines = run_stage().stderr.splitlines()
    assert lines[:2] == ["error: largest takes no option 'cuont'", "where: conf/augment.yaml"]
    assert stage.file_of("stages.augment.count") == "conf/augment.yaml"
