"""What git says of the code that is about to be registered, on real repositories."""

from collections.abc import Callable
from pathlib import Path

import pytest

from fullstack_ml.workspace import git as asked

Git = Callable[..., str]


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, git: Git) -> Path:
    """A repository with one committed file, as the working folder."""
    monkeypatch.chdir(tmp_path)
    Path("code.py").write_text("1\n")
    git("init", "--quiet")
    git("add", "--all")
    git("commit", "--quiet", "-m", "Begin")
    return tmp_path


def test_a_committed_tree_has_no_change(repository: Path, git: Git) -> None:
    assert asked.uncommitted() == []
    assert asked.commit() == git("rev-parse", "HEAD").strip()


def test_changed_new_staged_and_renamed_files_are_listed(repository: Path, git: Git) -> None:
    for name in ("kept.py", "old.py"):
        Path(name).write_text(f"{name}\n" * 9)
    git("add", "--all")
    git("commit", "--quiet", "-m", "Add")
    Path("code.py").write_text("2\n")
    Path("src").mkdir()
    Path("src/new.py").touch()
    Path("staged.py").touch()
    git("add", "staged.py")
    git("mv", "old.py", "renamed.py")
    assert sorted(asked.uncommitted()) == ["code.py", "renamed.py", "src/new.py", "staged.py"]


@pytest.mark.parametrize("name", ["größe.py", "with space.py", "데이터.py"], ids=["umlaut", "space", "hangul"])
def test_a_name_is_listed_as_it_is_written(name: str, repository: Path) -> None:
    Path(name).touch()
    assert asked.uncommitted() == [name]


def test_what_the_pipeline_writes_is_no_change(repository: Path) -> None:
    for name in (
        "dvc.lock",
        "params.yaml",
        "reports/metrics.json",
        "docs/1-requirements/requirements.md",
        "docs/2-data/data-card.md",
        "docs/3-model/model-card.md",
    ):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()
    assert asked.uncommitted() == []


@pytest.mark.parametrize(
    "name",
    [
        "product.yaml",
        "dvc.yaml",
        "conf/train.yaml",
        "docs/2-data/annotation-guide.md",
        # names that only begin like those of the pipeline
        "reports_tool.py",
        "params.yaml.j2",
        "dvc.lock.py",
        "src/reports/module.py",
    ],
)
def test_what_people_write_is_a_change(name: str, repository: Path) -> None:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).touch()
    assert asked.uncommitted() == [name]


def test_a_project_inside_a_repository_sees_only_itself(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("product/reports").mkdir(parents=True)
    Path("beside.py").touch()
    monkeypatch.chdir("product")
    Path("reports/metrics.json").touch()
    Path("own.py").touch()
    assert asked.uncommitted() == ["own.py"]


def test_a_folder_without_a_repository_has_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert asked.uncommitted() == ["no commit"]
    assert asked.commit() == "unknown"


def test_a_repository_without_a_commit_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, git: Git) -> None:
    monkeypatch.chdir(tmp_path)
    git("init", "--quiet")
    assert asked.uncommitted() == ["no commit"]


def test_a_machine_without_git_has_no_commit(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert asked.uncommitted() == ["no commit"]
    assert asked.commit() == "unknown"
