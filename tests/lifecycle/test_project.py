"""Commands on a project itself, in a finished one: a stage of its own, and the sample cleared."""

from collections.abc import Callable
from pathlib import Path

import pytest

from projects import Finished, Project

TASK = "tabular-classification"
LONGEST = "a_name_of_exactly_thirty_chars"
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group(TASK)]


@pytest.fixture
def project(finish: Callable[[str], Finished], tmp_path: Path) -> Project:
    """A copy of the finished project, committed."""
    copy = finish(TASK).project.copy(tmp_path / "my-product")
    copy.commit()
    return copy


def test_a_new_stage_is_green_at_once(project: Project) -> None:
    project.ok("make", "new-stage", "NAME=augment", "AFTER=split")
    project.ok("make", "new-stage", f"NAME={LONGEST}", "AFTER=augment")
    project.ok("make", "check")
    project.ok("make", "augment")
    assert len(project.json("reports/augment.json")) == 3
    project.ok("make", LONGEST)
    assert list(project.json(f"reports/{LONGEST}.json")) == ["reports/augment.json"]
    project.ok("make", "test", "T=tests/test_augment.py tests/test_pipeline.py tests/test_configuration.py")
    assert "augment" in project.ok("make", "help")
    project.ok("dvc", "repro")
    assert "up to date" in project.ok("dvc", "status")


def test_a_cleared_sample_can_be_brought_back_and_the_pipeline_begins_anew(project: Project) -> None:
    before = project.files()
    told = project.ok("make", "clear-sample")
    assert "next: make draft FROM=<your data>" in told
    gone = ("data/raw", "models", "reports", "dvc.lock", "product.yaml", "docs/2-data/annotation-guide.md")
    assert not any((project.folder / name).exists() for name in gone)
    without = project.run("make", "check")
    assert without.returncode
    fix = "fix:   make draft FROM=<your data> writes it; git restore product.yaml brings the old one back\n"
    assert fix in without.stderr
    project.ok("git", "restore", ".")
    project.ok("dvc", "checkout")
    kept = {name for name in before if name.startswith(("data/raw/", "data/splits/", "models/"))}
    after = project.files()
    assert {name: after.get(name) for name in kept} == {name: before[name] for name in kept}
    project.ok("make", "clear-sample")
    project.ok("git", "restore", "product.yaml", "docs/2-data/annotation-guide.md")
    project.commit()
    assert "registered: my_product version" in project.ok("make")
