"""What a change runs again: one line is edited in each kind of file of a finished project, and DVC says what follows.

Only stage compose really runs, since it writes the keys; of the others DVC is asked which it would run next.
"""

import json
import re
from collections.abc import Callable

import pytest

from projects import Finished, Project

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("image-classification")]

ENGINE = "engine/src/fullstack_ml"
OWN = "src/my_product"
FROM_TRAIN = {"train", "export", "evaluate", "accept", "cards", "register"}
ALL = {"compose", "collect", "validate", "label", "split", *FROM_TRAIN}
# What is edited, how, and the stages that follow from the edit itself; theirs follow from what they write.
CHANGES: dict[str, tuple[str, str, str, set[str]]] = {
    "a-stage's-helper": (f"{ENGINE}/modeling/train/novelty.py", "", "\n# edited\n", {"train"}),
    "a-stage-itself": (f"{ENGINE}/modeling/accept/__main__.py", "", "\n# edited\n", {"accept"}),
    "a-page": (f"{ENGINE}/modeling/cards/templates/model-card.md.j2", "", "edited\n", {"cards"}),
    "a-shared-store": (f"{ENGINE}/data/store/index.py", "", "\n# edited\n", {"collect", "validate", "split"}),
    "a-shared-module": (f"{ENGINE}/pipeline/tables.py", "", "\n# edited\n", ALL - {"compose"}),
    "a-command-of-people": (f"{ENGINE}/modeling/study/compare.py", "", "\n# edited\n", set()),
    "the-server": (f"{ENGINE}/serving/app.py", "", "\n# edited\n", set()),
    "an-own-source": (f"{OWN}/sources/erp.py", "", "def read():\n    yield\n", {"collect"}),
    "an-owner": ("product.yaml", "owner: platform engineer", "owner: Kim Min-seo", {"accept", "cards"}),
    "a-reason": ("product.yaml", "reason: the scanner waits 100 ms", "reason: it waits 100 ms", {"accept", "cards"}),
    "a-threshold": ("product.yaml", "threshold: 50,", "threshold: 40,", {"accept", "cards", "register"}),
    "the-cost-of-an-error": ("product.yaml", "{wrong: 30,", "{wrong: 31,", {"export", "evaluate", "cards", "register"}),
    "a-definition": (
        "product.yaml",
        "two bows that are open",
        "two arcs that are open",
        {"validate", "export", "cards", "register"},
    ),
    "a-new-label": (
        "product.yaml",
        '      - {name: "0",',
        '      - {name: "x", definition: a cross}\n      - {name: "0",',
        {"validate", "label", "split", *FROM_TRAIN},
    ),
    "the-schedule": ("product.yaml", "schedule:\n", "schedule:\n  a rehearsal: week 1\n", {"cards"}),
    "the-model": ("conf/model/mlp.yaml", "alpha: 0.001", "alpha: 0.002", {"train", "cards"}),
    "the-guide": ("docs/2-data/annotation-guide.md", "", "\nOne more line.\n", {"label", "cards"}),
    "a-page-of-docs": ("docs/3-model/experiments.md", "", "\nOne more line.\n", set()),
    "a-test": ("tests/test_contract.py", "", "\n# edited\n", set()),
}


@pytest.fixture(scope="module")
def project(finish: Callable[[str], Finished], tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Copy the finished project; every test takes back what it changed."""
    return finish("image-classification").project.copy(tmp_path_factory.mktemp("changes") / "my-product")


def pending(project: Project) -> set[str]:
    """Return the stages whose own files, code or keys have changed, apart from what other stages would write."""
    status = json.loads(project.ok("dvc", "status", "--json"))
    return {name for name, changes in status.items() if any("changed deps" in change for change in changes)}


def test_a_finished_project_has_nothing_to_run(project: Project) -> None:
    assert pending(project) == set()


@pytest.mark.parametrize(("path", "old", "new", "stages"), CHANGES.values(), ids=CHANGES)
def test_a_change_runs_the_stages_that_it_concerns(
    path: str, old: str, new: str, stages: set[str], project: Project
) -> None:
    file = project.folder / path
    before = file.read_bytes() if file.exists() else None
    kept = {name: (project.folder / name).read_bytes() for name in ("dvc.lock", "contract.json", "params.yaml")}
    try:
        if old:
            text = file.read_text(encoding="utf-8")
            assert old in text
            file.write_text(text.replace(old, new, 1), encoding="utf-8")
        else:
            file.write_bytes((before or b"") + new.encode())
        output = project.ok("dvc", "repro", "compose")
        assert set(re.findall(r"^Running stage '(\w+)'", output, re.MULTILINE)) <= {"compose"}
        assert pending(project) == stages
    finally:
        file.write_bytes(before) if before is not None else file.unlink()
        for name, content in kept.items():
            (project.folder / name).write_bytes(content)
