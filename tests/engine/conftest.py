"""The engine where it lies, without baking: a small project in a temporary folder, for each task in turn.

The project is the one that the template would lay: its ``product.yaml``, ``conf/`` and annotation guide, with records
that are drawn from the contract. A test that takes a fixture of the project runs once for every task; ``pytestmark =
pytest.mark.task("image-classification")`` keeps it to one. Each fixture that names a project makes it the working
folder of the test.
"""

import contextlib
import copy
import importlib
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

# Small matrices: on shared cores, threads wait for each other longer than they work. Read when numpy is imported.
os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

import numpy as np
import polars as pl
import pytest
import yaml
from omegaconf import DictConfig, OmegaConf
from PIL import Image

from fullstack_ml.inputs import input_of
from fullstack_ml.pipeline import compose, config, stage
from fullstack_ml.product import contract
from fullstack_ml.product import types as product
from fullstack_ml.workspace import errors, seams
from laid import PACKAGE, TASKS, TEMPLATE, lay_template, render

LANGUAGES = sorted(path.name for path in (TEMPLATE / "_overlays/sample").iterdir())
# Enough that every label reaches every split, few enough that the stages take seconds.
RECORDS = 1500
STAGES = [f"data.{name}" for name in ("collect", "validate", "label", "split")]
STAGES += [f"modeling.{name}" for name in ("train", "export", "evaluate", "accept", "cards")]


def part(name: str) -> Any:
    """Import a module of the package."""
    return importlib.import_module(f"fullstack_ml.{name}")


def draw_images(folder: Path, shape: tuple[int, ...], labels: list[str], count: int) -> None:
    """Write noisy copies of one random picture per label; every tenth has a wrong label, as in life."""
    random = np.random.default_rng(0)
    pictures = random.integers(0, 256, (len(labels), *shape))
    for i, label in enumerate(labels):
        (folder / label).mkdir(parents=True)
        for n in range(count):
            picture = pictures[(i + (n % 10 == 0)) % len(labels)] + random.normal(0, 60, shape)
            Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8)).save(folder / label / f"{n:03}.png")


def draw_table(file: Path, features: list[Any], labels: list[str], count: int) -> None:
    """Write rows around one random point per label; every tenth has a wrong label, as in life."""
    random = np.random.default_rng(0)
    centres = random.uniform(0.2, 0.8, (len(labels), len(features)))
    chosen = np.arange(count * len(labels)) % len(labels)
    right = (chosen + (np.arange(len(chosen)) // len(labels) % 10 == 0)) % len(labels)
    shares = np.clip(centres[right] + random.normal(0, 0.15, (len(right), len(features))), 0, 1)
    columns = {f.name: f.low + shares[:, i] * (f.high - f.low) for i, f in enumerate(features)}
    pl.DataFrame({**columns, "label": [labels[i] for i in chosen]}).write_csv(file)


def draw_numbers(file: Path, features: list[Any], options: dict[str, Any], count: int) -> None:
    """Write rows whose number follows from the first two features, with noise."""
    shares = np.random.default_rng(0).uniform(0.1, 0.9, (count, len(features)))
    said = np.clip(shares[:, :2].mean(axis=1) + np.random.default_rng(1).normal(0, 0.05, count), 0, 1)
    columns: dict[str, Any] = {}
    for i, one in enumerate(features):
        drawn = one.low + shares[:, i] * (one.high - one.low) if one.low is not None else shares[:, i]
        columns[one.name] = [one.values[n % len(one.values)] for n in range(count)] if one.values else drawn.round(3)
    low, high = (float(options[end]) for end in ("low", "high"))
    pl.DataFrame({**columns, "label": (low + said * (high - low)).round(2)}).write_csv(file)


def compose_with(root: Path, options: dict[str, Any] | None) -> DictConfig:
    """Compose conf/ with the drawn records as source, or as it stands; the source's path is made absolute."""
    with contextlib.chdir(root):
        composed = compose.resolve(["source=files"] if options else [])
    composed.source.options = {**composed.source.options, **(options or {})}
    if "path" in composed.source.options:
        composed.source.options.path = str(root / composed.source.options.path)
    return composed


def forget_own_modules(path: list[str]) -> None:
    """Forget what stands in ``src/`` of one project, before another one of the same name is used."""
    sys.path[:] = path
    seams._imported.cache_clear()
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]


def run_stages(root: Path, folder: Path, composed: DictConfig) -> None:
    """Run the stages from collect to cards in ``folder``."""
    shutil.copytree(root, folder, dirs_exist_ok=True)
    path = list(sys.path)
    with contextlib.chdir(folder):
        Path("params.yaml").write_text(OmegaConf.to_yaml(composed), encoding="utf-8")
        for name in STAGES:
            part(f"{name}.__main__").run(stage.typed(composed))
            if name == "data.split":
                part("data.split.leakage").run(stage.typed(composed))
    forget_own_modules(path)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that needs a project once for every task, or for those that it is marked with."""
    if "task" in metafunc.fixturenames:
        marks = list(metafunc.definition.iter_markers("task"))
        tasks = marks[0].args if marks else TASKS
        # One process per task, so that its projects are made once.
        values = [
            pytest.param(name, id=name.split("-")[0], marks=pytest.mark.xdist_group(f"engine-{name}")) for name in tasks
        ]
        metafunc.parametrize("task", values, indirect=True, scope="session")


@pytest.fixture(autouse=True)
def clean_environment() -> Iterator[None]:
    """Keep the settings of whoever runs the tests away from them, and those of the tests away from each other."""
    author = {"GIT_AUTHOR_NAME": "Tests", "GIT_AUTHOR_EMAIL": "tests@example.com"}
    committer = {"GIT_COMMITTER_NAME": "Tests", "GIT_COMMITTER_EMAIL": "tests@example.com"}
    with mock.patch.dict(os.environ):
        for name in [name for name in os.environ if name.startswith(("MLFLOW_", "DVC_", "GIT_"))]:
            del os.environ[name]
        os.environ.update({**author, **committer, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"})
        yield


@pytest.fixture(autouse=True)
def own_modules_are_forgotten() -> Iterator[None]:
    """Forget what a test wrote into ``src/``: Python and the engine keep a module once it is imported."""
    path = list(sys.path)
    yield
    forget_own_modules(path)


@pytest.fixture(autouse=True)
def no_log_of_an_earlier_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away what DVC logs to: it keeps the stream of the test that called it first, which pytest has closed."""
    for name in ("dvc", "dvc_data", "dvc_objects"):
        monkeypatch.setattr(logging.getLogger(name), "handlers", [])


@pytest.fixture(scope="session")
def task(request: pytest.FixtureRequest) -> str:
    """The task of the project."""
    return str(request.param)


@pytest.fixture(scope="session")
def root(task: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new project of the task, on which nothing has run; only read it."""
    folder = tmp_path_factory.mktemp("root") / "project"
    lay_template(task, folder)
    return folder


@pytest.fixture(name="product", scope="session")
def contract_of_project(root: Path) -> product.Product:
    """What product.yaml says."""
    return contract.load(root / "product.yaml")


@pytest.fixture(scope="session")
def source_options(product: product.Product, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Options for the source ``files``: the place of the drawn records, and what they say of themselves."""
    place = tmp_path_factory.mktemp("drawn") / "inbox"
    wanted, labels = product.formulation.input, product.formulation.label_names
    if wanted.shape:
        draw_images(place, wanted.shape, labels, RECORDS // len(labels))
    elif not labels:
        place = place.with_suffix(".csv")
        draw_numbers(place, wanted.features, product.formulation.answer.options, RECORDS)
    else:
        place = place.with_suffix(".csv")
        draw_table(place, wanted.features, labels, RECORDS // len(labels))
    kind = next(kind.name for kind in product.data.kinds if kind.scope == "in")
    return {"path": str(place), "licence": product.data.licences[0], "kind": kind, "label": "label", "group": None}


@pytest.fixture(scope="session")
def composed(root: Path, source_options: dict[str, Any]) -> DictConfig:
    """What conf/ says, with the drawn records as source."""
    return compose_with(root, source_options)


@pytest.fixture(scope="session")
def lay_own(
    root: Path, composed: DictConfig, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., tuple[Path, DictConfig]]:
    """Return how a project is laid whose contract, table and modules are its own; and what its conf/ then says.

    ``change`` gets what product.yaml says, without slices, costs and evaluation, and changes it; ``modules`` maps a
    place in the project to its text.
    """

    def lay(
        change: Callable[[dict[str, Any]], None], table: pl.DataFrame, modules: dict[Path, str] | None = None
    ) -> tuple[Path, DictConfig]:
        own = tmp_path_factory.mktemp("own") / "project"
        shutil.copytree(root, own)
        for place, text in (modules or {}).items():
            (own / place).parent.mkdir(parents=True)
            (own / place).write_text(text, encoding="utf-8")
        written = yaml.safe_load((root / "product.yaml").read_text(encoding="utf-8"))
        written["evaluation"], written["data"]["slices"] = [], []
        del written["monitoring"]
        written["data"].pop("costs", None)  # of the features of the sample
        change(written)
        (own / "product.yaml").write_text(yaml.safe_dump(written, allow_unicode=True), encoding="utf-8")
        table.write_csv(own.parent / "own.csv")
        chosen = copy.deepcopy(composed)
        chosen.source.options.path = str(own.parent / "own.csv")
        return own, chosen

    return lay


@pytest.fixture(name="config")
def configuration(composed: DictConfig) -> config.Config:
    """What conf/ says, typed; the test may change it."""
    return stage.typed(composed)


@pytest.fixture
def project(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of its own, on which nothing has run."""
    folder = tmp_path / "project"
    shutil.copytree(root, folder)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def stages(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a run of the stages from collect to cards with another configuration, or from another ``source``."""
    folder = tmp_path / "stages"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return lambda composed, source=root: run_stages(source, folder, composed)


@pytest.fixture(scope="session")
def drawn(root: Path, composed: DictConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The one project on which the stages from collect to cards run with the drawn records; only read it."""
    folder = tmp_path_factory.mktemp("drawn")
    run_stages(root, folder, composed)
    return folder


@pytest.fixture
def finished(drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of its own, on which the stages from collect to cards have run."""
    folder = tmp_path / "project"
    shutil.copytree(drawn, folder)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture(params=LANGUAGES)
def translate(request: pytest.FixtureRequest, task: str) -> Callable[[], None]:
    """Return how the project of the test gets its contract in another language, whatever was measured before."""
    contract = TEMPLATE / "_overlays/sample" / request.param / task / "product.yaml"
    return lambda: render(contract, Path("product.yaml"), task)


@pytest.fixture(scope="session")
def records(drawn: Path) -> pl.DataFrame:
    """The drawn records as stage collect stored them, in an order that mixes the labels."""
    return pl.read_parquet(drawn / "data/raw/*.parquet").sort("id")


@pytest.fixture(scope="session")
def batch(records: pl.DataFrame, product: product.Product) -> pl.DataFrame:
    """The drawn records as their source gave them."""
    return records.select(*input_of(product).columns(product), "source_label", "kind", "group", "source", "licence")


@pytest.fixture
def refused() -> Callable[..., contextlib.AbstractContextManager[None]]:
    """Return a check: the block raises a UserError whose three lines hold the given texts."""

    @contextlib.contextmanager
    def check(what: str, where: str = "", fix: str = "") -> Iterator[None]:
        with pytest.raises(errors.UserError) as caught:
            yield
        lines = str(caught.value).splitlines()
        assert len(lines) == 3
        for line, start, text in zip(lines, ("error: ", "where: ", "fix: "), (what, where, fix), strict=True):
            assert line.startswith(start)
            assert text in line

    return check


@pytest.fixture
def git() -> Callable[..., str]:
    """Return git, run in the working folder."""

    def run(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], capture_output=True, text=True, check=True).stdout

    return run


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow database: making its tables takes seconds, copying the file none."""
    import mlflow

    file = tmp_path_factory.mktemp("store") / "mlflow.db"
    mlflow.MlflowClient(f"sqlite:///{file}").search_experiments()
    return file


@pytest.fixture
def mlflow(empty_store: Path, finished: Path) -> Any:
    """MLflow, connected to an empty store in the project ``finished``."""
    shutil.copy(empty_store, "mlflow.db")
    return part("registry.tracking").connect()


@pytest.fixture(scope="session")
def real(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project on which the stages have run with the records of conf/source/."""
    folder = tmp_path_factory.mktemp("real")
    run_stages(root, folder, compose_with(root, None))
    return folder


@pytest.fixture(scope="session")
def model(real: Path) -> Any:
    """The artefact of the project ``real``."""
    return part("artefact.session").Artefact(real / "models/model.onnx")


@pytest.fixture(scope="session")
def unseen(real: Path, product: product.Product) -> Any:
    """The examples of the project ``real`` that neither training nor calibration saw."""
    with contextlib.chdir(real):
        return part("pipeline.examples").read("test", product)


@pytest.fixture(scope="session")
def decisions(model: Any) -> Callable[[np.ndarray], np.ndarray]:
    """Return accept, uncertain or unfamiliar for inputs of the model."""

    def decide(inputs: np.ndarray) -> np.ndarray:
        scored = model.score(inputs)
        return np.asarray(part("answers.label.rule").decide(scored.outputs, scored.novelty, model.rule))

    return decide
