"""What git says of the code that is about to be registered, on real repositories."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fullstack_ml.workspace import git as asked
from fullstack_ml.workspace.errors import UserError

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


def test_the_lock_that_setup_made_is_no_change_until_git_has_it(repository: Path, git: Git) -> None:
    lock = Path("uv.lock")
    lock.write_text("first\n")
    assert asked.uncommitted() == []
    git("add", "uv.lock")
    git("commit", "--quiet", "-m", "Lock")
    lock.write_text("other versions\n")
    assert asked.uncommitted() == ["uv.lock"]


def test_what_the_pipeline_writes_is_no_change(repository: Path) -> None:
    for name in (
        "dvc.lock",
        "params.yaml",
        "reports/metrics.json",
        "docs/1-requirements/requirements.md",
        "docs/2-data/data-card.md",
        "docs/3-model/model-card.md",
        "docs/2-data/croissant.json",
        "docs/provenance.md",
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


# --- code that git does not have although nothing looks changed -------------------------------------------------

ROOM = "engine/src/fullstack_ml/data"
LOCK = """
stages:
  collect:
    deps: [{path: conf}, {path: engine/src/fullstack_ml/data}, {path: src}]
    outs: [{path: data/raw}]
  split:
    deps: [{path: data/raw/manifest.json}, {path: data/labels}]
"""


@pytest.fixture
def pipeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, git: Git) -> Path:
    """A repository with what the stages of ``dvc.lock`` read, caches and data, committed by people who see no rule."""
    repository = tmp_path / "around" / "project"
    repository.mkdir(parents=True)
    monkeypatch.chdir(repository)
    git("init", "--quiet")
    Path("dvc.lock").write_text(LOCK)
    for name in (
        f"{ROOM}/split.py",
        "conf/a.yaml",
        "src/own.py",
        "data/raw/manifest.json",
        f"{ROOM}/__pycache__/s.pyc",
    ):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()
    Path(".gitignore").write_text("/data/raw/\n__pycache__/\n/src/own.local.py\n")
    Path("src/own.local.py").touch()
    return repository


def ignore(rule: str, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(f"{rule}\n.DS_Store\n*~\n")
    for junk in (".DS_Store", "own.py~"):
        Path("src", junk).touch()


@pytest.mark.parametrize("rule", ["data/", "*.py", "split.py", "engine"])
@pytest.mark.parametrize("whose", ["the machine's", "the clone's", "around it"])
def test_code_that_a_rule_of_others_ignores_is_not_in_git(
    rule: str, whose: str, pipeline: Path, git: Git, tmp_path: Path, refused: Callable[..., Any]
) -> None:
    if whose == "the machine's":
        ignore(rule, pipeline.parent / "ignored")
        git("config", "core.excludesFile", str(pipeline.parent / "ignored"))
    elif whose == "the clone's":
        ignore(rule, Path(".git/info/exclude"))
    else:
        shutil.rmtree(".git")
        git("init", "--quiet", "..")
        ignore(rule, Path("../.gitignore"))
    git("add", "--all")
    git("commit", "--quiet", "-m", "Add all that git sees")
    assert f"{ROOM}/split.py" in asked.uncommitted()
    assert not {"src/own.local.py", "src/.DS_Store", "src/own.py~"} & {*asked.uncommitted()}
    with refused("git ignores", f":1:{rule}", "git add -A && git commit"):
        asked.check_code("commit")
    git("add", "--force", *asked.ignored_elsewhere())
    git("commit", "--quiet", "-m", "Add the rest")
    assert asked.uncommitted() == []
    asked.check_code("commit")


def test_what_the_project_itself_ignores_is_meant(pipeline: Path, git: Git) -> None:
    git("add", "--all")
    git("commit", "--quiet", "-m", "Add")
    assert asked.uncommitted() == []


# --- other gits ---------------------------------------------------------------------------------------------------


def test_without_git_without_a_repository_and_without_a_commit_are_three_mistakes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, git: Git, refused: Callable[..., Any]
) -> None:
    monkeypatch.chdir(tmp_path)
    with refused("not a git repository", str(tmp_path), "make setup"):
        asked.check_code("commit")
    git("init", "--quiet")
    with refused("git has no commit", str(tmp_path), "git add -A && git commit"):
        asked.check_code("commit")
    monkeypatch.setenv("PATH", "")
    with refused("git is not installed", "PATH", "install git"):
        asked.check_code("commit")


def test_the_folder_of_another_person_is_named_with_the_command_that_trusts_it(
    repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path.parent / "gitconfig"))
    with pytest.raises(UserError, match="dubious ownership") as caught:
        asked.check_code("commit")
    subprocess.run(["sh", "-c", caught.value.fix], check=True)
    asked.check_code("commit")


def test_a_detached_head_and_longer_hashes_are_commits_like_others(
    repository: Path, git: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git("checkout", "--quiet", "--detach")
    assert (asked.uncommitted(), len(asked.commit())) == ([], 40)
    (tmp_path / "longer").mkdir()
    monkeypatch.chdir(tmp_path / "longer")
    Path("code.py").touch()
    git("init", "--quiet", "--object-format=sha256")
    git("add", "--all")
    git("commit", "--quiet", "-m", "Begin")
    assert (asked.uncommitted(), len(asked.commit())) == ([], 64)
