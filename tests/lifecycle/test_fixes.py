"""Every way out that an error offers is typed here where it is printed: afterwards the command works."""

import resource
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from projects import Finished, Project

TASK = "tabular-classification"
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group(TASK)]
STAGE = "python -m fullstack_ml.{} --config-dir . --config-name params"
BROKEN = "head -c 100 {0} > cut && mv cut {0}"

# What happened, what is typed, what the error says, and what of its last line is typed then, as it is printed.
WAYS = [
    ("rm models/model.onnx", "python -m fullstack_ml.edge.build", "models/model.onnx is not there", "dvc repro accept"),
    ("rm -r models/variants", "python -m fullstack_ml.modeling.study.compare", "no exported model", "dvc repro export"),
    (
        BROKEN.format("models/model.onnx"),
        STAGE.format("modeling.evaluate"),
        "models/model.onnx is no ONNX model",
        "dvc repro export",
    ),
    ("rm models/candidate.onnx", STAGE.format("modeling.export"), "models/candidate.onnx is not there", "dvc repro"),
    (
        "rm reports/evaluation.json",
        STAGE.format("modeling.accept"),
        "reports/evaluation.json is not there",
        "dvc repro",
    ),
    ("rm dvc.lock", STAGE.format("modeling.register"), "dvc.lock is not there", "dvc repro"),
    ("rm -r data/raw", STAGE.format("data.label"), "data/labelled.parquet would hold no record", "dvc repro"),
    ("rm data/raw/*.parquet", STAGE.format("data.validate"), "is listed and not there", "dvc checkout"),
    (
        BROKEN.format("data/labelled.parquet"),
        STAGE.format("data.split"),
        "a table is damaged",
        "dvc checkout --force",
    ),
    (
        BROKEN.format("data/splits/test.parquet"),
        STAGE.format("modeling.evaluate"),
        "a table is damaged",
        "dvc checkout --force",
    ),
    (
        "for i in data/raw/*.parquet; do head -c 100 $i > cut && mv cut $i; done",
        STAGE.format("data.validate"),
        "is damaged",
        "dvc checkout --force data/raw/shard-",
    ),
    (
        BROKEN.format("data/raw/manifest.json"),
        STAGE.format("data.label"),
        "manifest.json is damaged",
        "dvc checkout --force data/raw/manifest.json",
    ),
    (
        BROKEN.format("reports/validation.json"),
        STAGE.format("modeling.cards"),
        "validation.json is damaged",
        "git checkout reports/validation.json",
    ),
    (
        "echo '{' > data/tombstones.json",
        "make collect",
        "tombstones.json is damaged",
        "git checkout data/tombstones.json",
    ),
    ("true", "make checkout", "VERSION is missing", "make checkout VERSION=champion"),
    ("echo '# mine' >> conf/train.yaml", "make checkout VERSION=1", "1 uncommitted file(s)", "git stash"),
]


@pytest.fixture(scope="module")
def kept(finish: Callable[[str], Finished], tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy of the finished project, committed; every way leads back to what it was."""
    copy = finish(TASK).project.copy(tmp_path_factory.mktemp("fixes") / "my-product")
    copy.commit()
    return copy


def typed(project: Project, line: str) -> subprocess.CompletedProcess[str]:
    return project.run("bash", "-c", line)


@pytest.mark.parametrize(("happened", "command", "error", "way"), WAYS, ids=[one[2] for one in WAYS])
def test_the_way_out_that_is_printed_leads_out(
    happened: str, command: str, error: str, way: str, kept: Project
) -> None:
    assert typed(kept, happened).returncode == 0
    failed = typed(kept, command)
    told = [line for line in failed.stderr.splitlines() if line.startswith(("error: ", "where: ", "fix:   "))]
    assert failed.returncode
    assert error in told[0]
    fix = told[2].removeprefix("fix:   ")
    assert way in fix
    mended = typed(kept, fix[fix.index(way) :] if way.endswith("-") else way)
    assert mended.returncode == 0, mended.stdout + mended.stderr
    if not way.startswith(command):
        again = typed(kept, command)
        assert again.returncode == 0, again.stdout + again.stderr


def full() -> None:
    """Let this process write no byte into a file, as on a full disk."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


@pytest.mark.parametrize(
    "command",
    [
        STAGE.format("modeling.register"),
        "python -m fullstack_ml.edge.build",
        "python -m fullstack_ml.modeling.study.compare",
        "python -m fullstack_ml.modeling.study.sweep boosted 2",
        "python -m fullstack_ml.project.checkout 1",
    ],
)
def test_a_full_disk_ends_in_three_lines_also_where_a_library_writes(
    command: str, finish: Callable[[str], Finished], tmp_path: Path
) -> None:
    kept = finish(TASK).project.copy(tmp_path / "my-product")
    kept.commit()
    before = kept.files()
    done = subprocess.run(
        command.split(), cwd=kept.folder, env=kept.variables(), capture_output=True, text=True, preexec_fn=full
    )
    assert done.returncode == 1, done.stdout
    assert "Traceback" not in done.stderr
    assert [line[:7] for line in done.stderr.splitlines()[-3:]] == ["error: ", "where: ", "fix:   "]
    assert "make room on the disk" in done.stderr.splitlines()[-1]
    changed = [name for name, content in kept.files().items() if before.get(name) != content]
    assert [name for name in changed if (kept.folder / name).stat().st_size] == []  # an empty database is a whole one


def test_the_extra_that_a_model_needs_is_typed_then_it_is_searched_adopted_and_trained(
    kept: Project, tmp_path: Path
) -> None:
    project = kept.copy(tmp_path / "my-product")
    (project.folder / ".venv").unlink()  # a loan, from which nothing may be taken
    project.ok("make", "setup")
    assert "sweep: lightgbm is left out" in project.ok("make", "sweep", "MODEL=all", "TRIALS=3")
    failed = typed(project, "make sweep MODEL=lightgbm TRIALS=2")
    told = failed.stderr.splitlines()
    assert told[0] == "error: LightGBM is not installed"
    assert told[2] == "fix:   uv sync --extra lightgbm"
    assert typed(project, told[2].removeprefix("fix:   ")).returncode == 0
    assert "sweep: lightgbm wins" in project.ok("make", "sweep", "MODEL=lightgbm", "TRIALS=2")
    (project.folder / "pyproject.toml").touch()  # which lets make update the environment: the extra stays
    assert "conf/model/lightgbm.yaml has the parameters" in project.ok("make", "adopt")
    project.commit()
    assert "lightgbm" in project.ok("make", "evaluate")
    assert project.json("reports/evaluation.json")["model"] == "lightgbm"
