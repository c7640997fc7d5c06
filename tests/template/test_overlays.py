"""The post-generation hook alone, on made folders, and the overlays that the template holds."""

import ast
import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cookiecutter.utils import create_env_with_context

from conftest import ROOT, Bake, Generate

HOOK = ROOT / "hooks" / "post_gen_project.py"
OVERLAYS = ROOT / "{{cookiecutter.project_slug}}" / "_overlays"
SETTINGS: dict[str, Any] = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))
ANSWERS = {"task": "image", "license": "MIT"}
# The smallest project that has an overlay for every answer above.
WHOLE = {
    "README.md": "own",
    "_overlays/task/image/src/pkg/a.py": "image",
    "_overlays/task/table/src/pkg/a.py": "table",
    "_overlays/license/MIT/LICENSE": "mit",
    "_overlays/license/BSD/LICENSE": "bsd",
}
LAID = {"README.md": "own", "src/pkg/a.py": "image", "LICENSE": "mit"}


def write(root: Path, files: Mapping[str, str]) -> Path:
    """Write a made folder from a map of paths to texts."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root


def read(root: Path) -> dict[str, str]:
    """Read a made folder back as the map it was written from."""
    files = (path for path in root.rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): path.read_text(encoding="utf-8") for path in files}


def lay(project: Path, **answers: str) -> subprocess.CompletedProcess[str]:
    """Run the hook in a folder, rendered as cookiecutter renders it."""
    context = {"cookiecutter": ANSWERS | answers}
    source = create_env_with_context(context).from_string(HOOK.read_text(encoding="utf-8")).render(**context)
    command = [sys.executable, "-c", source]
    return subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)


def assert_refused(done: subprocess.CompletedProcess[str], *expected: str) -> None:
    """A refusal is three lines that name what is wrong, with exit code 1."""
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 3, done.stderr
    for part in expected:
        assert part in done.stderr


def test_the_chosen_files_are_laid_and_the_rest_is_dropped(tmp_path: Path) -> None:
    done = lay(write(tmp_path, WHOLE))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert read(tmp_path) == LAID
    assert not (tmp_path / "_overlays").exists()


def test_files_join_the_folders_that_the_project_has(tmp_path: Path) -> None:
    assert lay(write(tmp_path, WHOLE | {"src/pkg/b.py": "own"})).returncode == 0
    assert read(tmp_path) == LAID | {"src/pkg/b.py": "own"}


def test_bytes_and_modes_are_kept(tmp_path: Path) -> None:
    script = write(tmp_path, WHOLE) / "_overlays/task/image/run.sh"
    script.write_bytes(b"\x00\xff\r\n")
    script.chmod(0o755)
    assert lay(tmp_path).returncode == 0
    laid = tmp_path / "run.sh"
    assert (laid.read_bytes(), laid.stat().st_mode & 0o777) == (b"\x00\xff\r\n", 0o755)


def test_running_again_changes_nothing(tmp_path: Path) -> None:
    lay(write(tmp_path, WHOLE))
    assert lay(tmp_path).returncode == 0
    assert read(tmp_path) == LAID


def test_a_project_without_overlays_is_left_alone(tmp_path: Path) -> None:
    files = {"README.md": "own", "LICENSE": "own"}
    assert lay(write(tmp_path, files), task="unknown").returncode == 0
    assert read(tmp_path) == files


@pytest.mark.parametrize("choice", ["sound", "../license/MIT", "", "."], ids=["unknown", "path", "empty", "dot"])
def test_a_choice_without_a_folder_is_refused(choice: str, tmp_path: Path) -> None:
    assert_refused(lay(write(tmp_path, WHOLE), task=choice), f"task is {choice!r}", "['image', 'table']")
    assert read(tmp_path) == WHOLE


def test_an_option_without_a_folder_is_refused(tmp_path: Path) -> None:
    files = {name: text for name, text in WHOLE.items() if "license" not in name}
    assert_refused(lay(write(tmp_path, files)), "license is 'MIT'")
    assert read(tmp_path) == files


@pytest.mark.parametrize("there", ["LICENSE", "src/pkg/a.py"])
def test_a_file_of_the_project_is_never_overwritten(there: str, tmp_path: Path) -> None:
    files = WHOLE | {there: "own"}
    assert_refused(lay(write(tmp_path, files)), Path(there).name)
    assert read(tmp_path) == files


def test_a_folder_of_the_project_is_never_replaced(tmp_path: Path) -> None:
    files = WHOLE | {"LICENSE/text": "own"}
    assert_refused(lay(write(tmp_path, files)), "LICENSE")
    assert read(tmp_path) == files


def test_a_dangling_link_of_the_project_is_never_replaced(tmp_path: Path) -> None:
    (write(tmp_path, WHOLE) / "LICENSE").symlink_to("nowhere")
    assert_refused(lay(tmp_path), "LICENSE")


def test_two_options_never_lay_one_file(tmp_path: Path) -> None:
    files = WHOLE | {"_overlays/license/MIT/src/pkg/a.py": "other"}
    assert_refused(lay(write(tmp_path, files)), "task", "license", "a.py")
    assert read(tmp_path) == files


def test_a_file_only_another_choice_lays_is_no_collision(tmp_path: Path) -> None:
    files = WHOLE | {"_overlays/license/BSD/src/pkg/a.py": "other"}
    assert lay(write(tmp_path, files)).returncode == 0
    assert read(tmp_path) == LAID


def test_pages_of_a_language_take_the_place_of_the_english_ones(tmp_path: Path) -> None:
    files = WHOLE | {"docs/index.md": "own", "docs/task.md": "own"}
    pages = {"_overlays/language/ko/README.md": "쪽", "_overlays/language/ko/docs/index.md": "차례"}
    pages |= {"_overlays/sample/ko/image/docs/task.md": "과제", "_overlays/sample/ko/table/docs/task.md": "다른 과제"}
    assert lay(write(tmp_path / "ko", files | pages), language="ko").returncode == 0
    assert read(tmp_path / "ko") == LAID | {"README.md": "쪽", "docs/index.md": "차례", "docs/task.md": "과제"}
    assert lay(write(tmp_path / "en", files | pages), language="en").returncode == 0
    assert read(tmp_path / "en") == LAID | {"docs/index.md": "own", "docs/task.md": "own"}


def test_a_refused_overlay_leaves_no_project(generate: Generate, tmp_path: Path) -> None:
    template = tmp_path / "template"
    shutil.copytree(ROOT / "hooks", template / "hooks")
    shutil.copy(ROOT / "cookiecutter.json", template)
    write(template / "{{cookiecutter.project_slug}}", {"_overlays/license/MIT/LICENSE": "mit"})
    run = generate(template=template)
    assert run.code == 1
    assert run.stderr.startswith("task is 'image-classification'")
    assert list(run.folder.iterdir()) == []


def test_the_hook_only_moves_files() -> None:
    """Generation works without git and without a network: only git is started, and nothing depends on it."""
    source = HOOK.read_text(encoding="utf-8")
    nodes = list(ast.walk(ast.parse(source)))
    imported = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    imported |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
    engine = {"fullstack_ml.workspace", "fullstack_ml.project"}
    assert imported == {"json", "os", "shutil", "subprocess", "sys", "pathlib", *engine}
    assert not {"system", "popen", "spawn"} & {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    assert len(source.splitlines()) <= 84


@pytest.mark.parametrize("option", ["task", "license"])
def test_choices_and_folders_are_the_same(option: str) -> None:
    assert sorted(path.name for path in (OVERLAYS / option).iterdir()) == sorted(SETTINGS[option])


def test_every_language_but_that_of_the_project_has_a_folder() -> None:
    assert ["en", *sorted(path.name for path in (OVERLAYS / "language").iterdir())] == SETTINGS["language"]


def test_every_folder_of_overlays_is_an_option() -> None:
    assert sorted(path.name for path in OVERLAYS.iterdir()) == ["language", "license", "sample", "task"]


@pytest.mark.parametrize(
    ("choice", "title", "named"),
    [
        ("MIT", "MIT License", True),
        ("Apache-2.0", "Apache License", False),
        ("BSD-3-Clause", "BSD 3-Clause License", True),
        ("LicenseRef-Proprietary", "All rights reserved.", True),
    ],
)
def test_the_licence_names_its_owner(choice: str, title: str, named: bool, bake: Bake) -> None:
    text = (bake(license=choice, author_name="Kim & Söhne") / "LICENSE").read_text(encoding="utf-8")
    assert title in "\n".join(text.splitlines()[:3])
    assert ("Kim & Söhne" in text) is named
    assert (str(datetime.now(UTC).year) in text) is named
    assert "{" not in text


def test_the_apache_licence_is_whole(bake: Bake) -> None:
    text = (bake(license="Apache-2.0") / "LICENSE").read_text(encoding="utf-8")
    assert "END OF TERMS AND CONDITIONS" in text
    assert "APPENDIX: How to apply the Apache License to your work." in text
