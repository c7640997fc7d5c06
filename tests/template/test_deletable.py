"""A part that a product does not need goes with its files, and everything else still passes."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import ROOT
from projects import Finished, Project

IMAGE, TABLE = "image-classification", "tabular-classification"
# Besides its folders in the package and in tests/, and mk/<part>.mk.
ALSO = {
    "annotation": [
        "conf/annotation.yaml",
        "docs/2-data/annotation-tool.md",
        "docs/2-data/annotation-operation.md",
    ],
    "serving": ["docker", "tests/docker", "mk/image.mk", "compose.yaml", "docs/4-deployment/serving.md"],
    "edge": ["docs/4-deployment/edge.md"],
}


def delete(part: str, project: Project) -> None:
    """Do what docs/3-extend.md says."""
    for name in (f"src/my_product/{part}", f"tests/{part}", f"mk/{part}.mk", *ALSO[part]):
        path = project.folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("part", "task"),
    [
        pytest.param(part, task, marks=pytest.mark.xdist_group(task))
        for part, task in (("annotation", TABLE), ("serving", IMAGE), ("edge", TABLE))
    ],
)
def test_everything_else_passes_without_it(
    part: str, task: str, finish: Callable[[str], Finished], tmp_path: Path
) -> None:
    project = finish(task).project.copy(tmp_path / "project")
    delete(part, project)
    project.ok("make", "check")
    project.ok("make", "test")
    project.commit()
    assert "registered: my_product version" in project.ok("make")


def test_the_documents_name_what_goes_with_a_part() -> None:
    text = (ROOT / "docs" / "3-extend.md").read_text(encoding="utf-8").split("## Delete a part")[1]
    for name in [name for names in ALSO.values() for name in names]:
        assert re.search(rf"`{re.escape(name)}/?`", text), name
