"""What came from the sample goes, what is the product's own stays."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from fullstack_ml.project import clear_sample
from fullstack_ml.workspace.files import write_json

Refused = Callable[..., AbstractContextManager[None]]
pytestmark = pytest.mark.task("tabular-classification")
MADE = (
    "data/labelled.parquet",
    "data/splits/test.parquet",
    "data/labels/pilot.parquet",
    "data/rounds/pilot.json",
    "models/model.onnx",
    "models/variants/int8.onnx",
    "reports/metrics.json",
    "reports/agreement.html",
    "docs/3-model/model-card.md",
    "docs/2-data/croissant.json",
    "docs/provenance.md",
    "dvc.lock",
)
TEXTS = ("product.yaml", "docs/2-data/annotation-guide.md")
OWN = ("conf/split.yaml", "data/labels/README.md", "data/rounds/README.md", "docs/index.md")


@pytest.fixture
def worked(project: Path, git: Callable[..., str]) -> Path:
    """A committed project in which the stages have run on the sample, and people have labelled it."""
    for name in (*MADE, "data/labels/README.md", "data/rounds/README.md"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text("made\n", encoding="utf-8")
    write_json(Path("data/raw/manifest.json"), {"shards": [{"sources": ["scikit-learn: load_breast_cancer"]}]})
    git("init", "--quiet")
    commit(git)
    return project


def commit(git: Callable[..., str]) -> None:
    """Commit everything."""
    git("add", "--all")
    git("commit", "--quiet", "--message", "change")


def content() -> set[Path]:
    """List every file of the project."""
    return {path for path in Path().rglob("*") if path.is_file() and ".git" not in path.parts}


def test_what_came_from_the_sample_goes_and_all_else_stays(worked: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = content()
    clear_sample.main()
    assert before - content() == {*map(Path, (*MADE, *TEXTS)), Path("data/raw/manifest.json")}
    assert [name for name in OWN if not Path(name).is_file()] == []
    told = capsys.readouterr().out
    assert "removed: data/raw\n" in told
    assert "next: make draft FROM=<your data>" in told


@pytest.mark.parametrize("name", TEXTS)
def test_a_contract_or_guide_that_somebody_has_changed_stays(worked: Path, name: str) -> None:
    text = Path(name).read_text(encoding="utf-8")
    Path(name).write_text(text.replace("\n", " \n", 1), encoding="utf-8")
    clear_sample.main()
    assert [other for other in TEXTS if Path(other).exists()] == [name]


def test_the_draft_of_an_own_contract_stays(worked: Path) -> None:
    config = Path("conf/config.yaml")
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace("- source: sample", "- source: files"), encoding="utf-8")
    clear_sample.main()
    assert [name for name in TEXTS if Path(name).exists()] == [*TEXTS]


def test_an_output_of_an_own_stage_goes_too(worked: Path, git: Callable[..., str]) -> None:
    with Path("dvc.yaml").open("r+", encoding="utf-8") as file:
        text = file.read()
        file.seek(0)
        file.write(text.replace("stages:\n", "stages:\n  augment:\n    cmd: 'true'\n    outs: [data/augmented]\n", 1))
    Path("data/augmented").mkdir()
    Path("data/augmented/a.parquet").touch()
    commit(git)
    clear_sample.main()
    assert not Path("data/augmented").exists()


def test_records_of_the_products_own_are_not_touched(worked: Path, git: Callable[..., str], refused: Refused) -> None:
    sources = ["scikit-learn: load_breast_cancer", "data/inbox/a.csv"]
    write_json(Path("data/raw/manifest.json"), {"shards": [{"sources": sources}]})
    before = content()
    with refused("records of your own: data/inbox/a.csv", "data/raw/manifest.json"):
        clear_sample.main()
    assert content() == before


def test_changes_that_git_does_not_have_are_not_touched(worked: Path, refused: Refused) -> None:
    Path("data/rounds/second.json").write_text("{}\n", encoding="utf-8")
    before = content()
    with refused("1 uncommitted file(s): data/rounds/second.json", "the git work tree"):
        clear_sample.main()
    assert content() == before


def test_a_project_without_a_sample_says_so(worked: Path, git: Callable[..., str], refused: Refused) -> None:
    clear_sample.main()
    commit(git)
    with refused("there is nothing of the sample"):
        clear_sample.main()
