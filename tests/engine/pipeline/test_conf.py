"""Every choice in conf/ composes and works: models train, search spaces fit their model, sources exist."""

import atexit
import importlib
import inspect
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import optuna
import pytest
import yaml
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from fullstack_ml.answers import label, number
from fullstack_ml.pipeline import stage
from laid import TASKS, lay_template

ROOT = Path(tempfile.mkdtemp(prefix="conf-"))
atexit.register(shutil.rmtree, ROOT, ignore_errors=True)
lay_template(TASKS[0], ROOT)
CONF = ROOT / "conf"
NUMBERS = ("boosted_number", "linear", "mean")
PICTURES = ("cnn", "pretrained")  # in tests of backend torch
LETTERS = ("text_cnn", "pretrained_text")  # which take letters; tests of their own make them learn
MODELS = sorted(path.stem for path in (CONF / "model").glob("*.yaml"))
SOURCES = sorted(path.stem for path in (CONF / "source").glob("*.yaml"))
SEARCHES = sorted(path.stem for path in (CONF / "search").glob("*.yaml"))
FILES = sorted(path.stem for path in CONF.glob("*.yaml"))
DEFAULTS = yaml.safe_load((CONF / "config.yaml").read_text(encoding="utf-8"))["defaults"]
STAGES = [str(entry).partition("@")[0] for entry in DEFAULTS if "@" in str(entry)]


def composed(name: str, *overrides: str) -> DictConfig:
    """Compose a file of conf/ with the given overrides."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose(name, list(overrides))


def module(name: str) -> Any:
    """Import a module of the package."""
    return importlib.import_module(f"fullstack_ml.{name}")


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("source", SOURCES)
def test_every_choice_composes_with_every_other(source: str, model: str) -> None:
    typed = stage.typed(composed("config", f"source={source}", f"model={model}"))
    name = yaml.safe_load((CONF / "source" / f"{source}.yaml").read_text(encoding="utf-8"))["name"]
    assert (typed.source.name, typed.model.name) == (name, model)


@pytest.mark.parametrize("name", FILES)
def test_every_file_composes(name: str) -> None:
    assert composed(name)


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_is_configured_by_the_file_of_its_name(stage: str) -> None:
    written = yaml.safe_load((CONF / f"{stage}.yaml").read_text(encoding="utf-8"))
    assert OmegaConf.to_container(composed("config")[stage]) == written


@pytest.mark.parametrize("path", sorted(CONF.rglob("*.yaml")), ids=lambda path: str(path.relative_to(CONF)))
def test_a_file_is_short_enough_to_be_read(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 40


@pytest.mark.filterwarnings("ignore:Field onnx:DeprecationWarning")
@pytest.mark.parametrize("name", [name for name in MODELS if name not in (*PICTURES, *LETTERS)])
def test_every_model_learns_and_leaves_as_onnx(name: str) -> None:
    train, backends = module("modeling.train.__main__"), module("modeling.train.backends")
    random = np.random.default_rng(0)
    truth = np.arange(60) % 3
    inputs = (truth[:, None] + random.normal(0, 0.3, (60, 4))).astype(np.float32)
    typed = stage.typed(composed("config", f"model={name}"))
    backend = backends.backend_of(typed.model)
    answer: Any = number if name in NUMBERS else label
    fitted = backend.fit(typed.model, typed.seed, backends.Lesson(inputs, truth, answer, False))
    expected = backend.outputs(fitted, inputs)
    if answer is label:
        right = (expected.argmax(axis=1) == truth).mean()
        assert right > 0.9 if name != "majority" else right == pytest.approx(1 / 3)
    else:
        error = np.abs(expected[:, 0] - truth).mean()
        assert error < 0.4 if name != "mean" else error == pytest.approx(2 / 3)
    graph = backend.to_onnx(fitted, 4, expected.shape[1], answer.OUTPUT)
    (actual,) = onnxruntime.InferenceSession(graph.SerializeToString()).run([answer.OUTPUT], {"features": inputs})
    train.check_parity(answer, expected, actual, typed.train.parity)


@pytest.mark.parametrize("name", SEARCHES)
def test_a_search_names_parameters_of_its_model(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    sweep = module("modeling.study.space")
    space = sweep.read_conf(f"search/{name}.yaml", sweep.Space)
    assert space
    model = stage.typed(composed("config", f"model={name}")).model
    if model.backend == "torch":
        known = set(model.estimator)
    else:
        library, _, kind = model.estimator.get("_target_", "lightgbm.LGBMClassifier").rpartition(".")
        known = set(inspect.signature(getattr(importlib.import_module(library), kind)).parameters)
    study = optuna.create_study()
    for _ in range(5):
        tried = sweep.draw(study.ask(), space, model)
        assert set(tried.estimator) - {"_target_", "early_stopping", "monotone"} <= known
        assert tried != model


@pytest.mark.parametrize("name", SOURCES)
def test_a_source_takes_the_options_of_its_file(name: str) -> None:
    chosen = composed("config", f"source={name}").source
    options = chosen.options
    known = inspect.signature(module(f"data.collect.sources.{chosen.name}").read).parameters
    assert set(options) <= set(known)
    needed = [word for word, parameter in known.items() if parameter.default is inspect.Parameter.empty]
    assert {*needed} - {"product"} <= {*options}
