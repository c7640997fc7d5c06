"""A project takes the template's later changes beside its own, by the real cruft; what cannot be is three lines."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cookiecutter.main import cookiecutter

from conftest import ROOT

pytestmark = pytest.mark.slow  # cruft generates the project twice more
WHO = ["-c", "user.name=A", "-c", "user.email=a@example.com"]
PLACE = "{{cookiecutter.project_slug}}"


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder as its author."""
    return subprocess.run(["git", *WHO, *arguments], cwd=folder, capture_output=True, text=True, check=True).stdout


def commit(folder: Path) -> None:
    """Commit everything."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "-m", "change")


def replace(file: Path, old: str, new: str) -> None:
    """Edit a file: `old` has to be there exactly once."""
    text = file.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{file} holds {old!r} {text.count(old)} times"
    file.write_text(text.replace(old, new), encoding="utf-8")


def upgrade(project: Path) -> subprocess.CompletedProcess[str]:
    """Run what `make upgrade` runs."""
    environment = {**os.environ, "PYTHONPATH": "engine/src", "GIT_TERMINAL_PROMPT": "0"}
    command = [sys.executable, "-m", "fullstack_ml.project.upgrade"]
    return subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def template(tmp_path: Path) -> Path:
    """A clone of this repository, as its users have it."""
    folder = tmp_path / "template"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
    return folder


@pytest.fixture
def project(template: Path, tmp_path: Path, user_config: Path) -> Path:
    """A project of that clone, committed."""
    answers = {"parts": "service", "author_name": "Kim Min-seo"}
    made = cookiecutter(
        str(template), no_input=True, extra_context=answers, output_dir=str(tmp_path), config_file=str(user_config)
    )
    git(Path(made), "init", "--quiet")
    commit(Path(made))
    return Path(made)


def test_the_project_notes_its_template_and_commit(template: Path, project: Path) -> None:
    state = json.loads((project / ".cruft.json").read_text(encoding="utf-8"))
    assert (state["template"], state["commit"]) == (str(template), git(template, "rev-parse", "HEAD").strip())
    assert state["context"]["cookiecutter"]["parts"] == "service"


def test_the_templates_changes_come_beside_the_projects_own(template: Path, project: Path) -> None:
    replace(
        project / "product.yaml",
        'metric: accuracy, operator: ">=", threshold: 0.93',
        'metric: accuracy, operator: ">=", threshold: 0.5',
    )
    (project / "src/my_product/sources/erp.py").write_text('"""Ours."""\n\n\ndef read(product):\n    """Yield."""\n')
    (project / "conf/model/forest.yaml").write_text("name: forest\n")
    with (project / "docs/3-model/research.md").open("a") as page:
        page.write("\nWhat we tried in spring.\n")
    commit(project)
    replace(template / PLACE / "engine/src/fullstack_ml/__init__.py", "An ML product", "An improved ML product")
    replace(template / PLACE / "dvc.yaml", "# The lifecycle:", "# The improved lifecycle:")
    replace(template / PLACE / "docs/2-data/collection.md", "# 2.1 Raw data", "# 2.1 Raw data, improved")
    commit(template)

    done = upgrade(project)
    assert done.returncode == 0, done.stdout + done.stderr
    read = {name: (project / name).read_text(encoding="utf-8") for name in git(project, "ls-files").splitlines()}
    assert "An improved ML product" in read["engine/src/fullstack_ml/__init__.py"]
    assert "# The improved lifecycle:" in read["dvc.yaml"]
    assert "Raw data, improved" in read["docs/2-data/collection.md"]
    assert "threshold: 0.5" in read["product.yaml"]
    assert "Ours." in read["src/my_product/sources/erp.py"]
    assert "name: forest" in read["conf/model/forest.yaml"]
    assert "What we tried in spring." in read["docs/3-model/research.md"]
    assert not (project / "engine/src/fullstack_ml/edge").exists(), "what was left out stays out"
    assert json.loads(read[".cruft.json"])["commit"] == git(template, "rev-parse", "HEAD").strip()
    assert [*project.rglob("*.rej")] == []


def test_a_change_of_both_is_named_as_a_conflict_until_it_is_merged(template: Path, project: Path) -> None:
    replace(project / "dvc.yaml", "# The lifecycle:", "# Our lifecycle:")
    commit(project)
    replace(template / PLACE / "dvc.yaml", "# The lifecycle:", "# The improved lifecycle:")
    commit(template)
    for _ in range(2):
        told = upgrade(project)
        assert told.returncode == 1, told.stdout
        assert told.stderr.splitlines()[-3:-1] == ["error: 1 file(s) hold conflicts", "where: dvc.yaml"]
    text = (project / "dvc.yaml").read_text(encoding="utf-8")
    (project / "dvc.yaml").write_text(
        "".join(line for line in text.splitlines(True) if line[:2] not in ("<<", "==", ">>"))
    )
    commit(project)
    assert upgrade(project).returncode == 0


def test_an_upgrade_needs_a_clean_tree_and_a_known_template(project: Path) -> None:
    (project / "new.txt").touch()
    dirty = upgrade(project)
    assert (dirty.returncode, "1 uncommitted file(s): new.txt" in dirty.stderr) == (1, True)
    (project / "new.txt").unlink()
    (project / ".cruft.json").unlink()
    unknown = upgrade(project)
    assert [line.split(":")[0] for line in unknown.stderr.splitlines()] == ["error", "where", "fix"]
    assert "cruft link" in unknown.stderr
