"""Which models of ``conf/model/`` fit a contract: for all five tasks, and what is said of one that does not."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fullstack_ml.modeling.study import ablate, compare, repro, sweep
from fullstack_ml.modeling.train import __main__ as train
from fullstack_ml.modeling.train import compatible
from fullstack_ml.pipeline.compose import resolve
from fullstack_ml.pipeline.stage import typed
from fullstack_ml.product.contract import load
from laid import lay_template

Refused = Callable[..., AbstractContextManager[None]]
ANY_LABEL = "boosted lightgbm logistic majority mlp mlp_torch"
FITTING = {
    "image-classification": f"{ANY_LABEL} cnn pretrained",
    "image-labels": f"{ANY_LABEL} cnn pretrained",
    "tabular-classification": ANY_LABEL,
    "tabular-regression": "boosted_number lightgbm linear mean mlp_torch",
    "text-classification": f"{ANY_LABEL} ngrams ngrams_torch pretrained_text text_cnn",
}
STRANGER = {"text-classification": "cnn", "tabular-regression": "boosted"}  # else text_cnn
BACKEND = """
def fit(model, seed, lesson): ...
def outputs(fitted, rows): ...
def to_onnx(fitted, width, answer_width, output): ...
def history(fitted): ...
def misfit(model, product): return "it wants the moon" if model.estimator.get("moon") else None
"""


@pytest.fixture(params=FITTING)
def laid(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Lay a project of every task, and enter it."""
    lay_template(request.param, tmp_path)
    monkeypatch.chdir(tmp_path)
    return str(request.param)


def chosen(name: str) -> Any:
    """The configuration with a model of conf/model/."""
    return typed(resolve([f"model={name}"]))


def test_a_task_has_the_models_that_fit_its_input_and_its_answer(laid: str, capsys: pytest.CaptureFixture[str]) -> None:
    product, new = load(), typed(resolve([]))
    fitting = compatible.compatible_models(product)
    assert fitting == sorted(FITTING[laid].split())
    assert new.model.name in fitting
    searched = sorted({path.stem for path in Path("conf/search").glob("*.yaml")} & {*fitting})
    assert [one.model.name for one in sweep.contenders(new, True, 1, product)] == searched
    assert capsys.readouterr().out == f"sweep: searches {', '.join(searched)}\n"


def test_a_model_that_does_not_fit_stops_before_any_work_and_those_that_do_are_named(
    laid: str, monkeypatch: pytest.MonkeyPatch, refused: Refused
) -> None:
    name, fix = STRANGER.get(laid, "text_cnn"), "choose one that fits: one, two"
    config, what, where = chosen(name), f"model {name} does not fit: ", "model in conf/config.yaml"
    nothing: Any = SimpleNamespace()
    monkeypatch.setattr(compatible, "compatible_models", lambda _: ["one", "two"])  # see above
    with refused(what, where, fix):
        train.make(config, load(), nothing, nothing, Path("nowhere"))
    with refused(what, where, fix):
        ablate.run(config)
    with refused(what, f"make sweep MODEL={name}", fix):
        sweep.run(config)
    monkeypatch.setattr("sys.argv", ["compare", f"model={config.model.name}"])
    monkeypatch.setattr(compare, "artefacts", lambda _: pytest.fail("it has begun"))
    with refused(what, "make compare MODELS", fix):
        compare.main()
    monkeypatch.setattr(repro, "resolve", lambda _: resolve([f"model={name}"]))
    monkeypatch.setattr(repro, "repro", lambda *_: pytest.fail("a stage has run"))
    with refused(what, where, fix):
        repro.main()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("ngrams", "it is made for an input of type text, and this one is of type image"),
        ("text_cnn", "it takes letters, and an input of type image has none"),
        ("linear", "Ridge is no classifier, which the answer label needs"),
    ],
)
@pytest.mark.task("image-classification")
def test_why_a_model_does_not_fit_is_said(name: str, said: str, project: Path, product: Any) -> None:
    assert compatible.misfit(chosen(name).model, product) == said


@pytest.mark.task("text-classification")
def test_a_network_of_pictures_says_that_there_are_none(project: Path, product: Any) -> None:
    said = "the network residual takes pictures, and this input is none"
    assert compatible.misfit(chosen("cnn").model, product) == said


@pytest.mark.task("tabular-classification")
def test_a_backend_of_the_products_own_has_a_say_and_a_broken_file_is_nobodys_choice(
    project: Path, product: Any
) -> None:
    own = Path("src/my_product/backends/lunar.py")
    own.parent.mkdir(exist_ok=True)
    own.write_text(BACKEND, encoding="utf-8")
    for name, moon in (("full", "true"), ("new", "false")):
        text = f"name: {name}\nscale: false\nbackend: lunar\nestimator: {{moon: {moon}}}\n"
        Path(f"conf/model/{name}.yaml").write_text(text, encoding="utf-8")
    Path("conf/model/broken.yaml").write_text("name: broken\nscael: false\n", encoding="utf-8")
    found = compatible.compatible_models(product)
    assert set(found) == {*FITTING["tabular-classification"].split(), "new"}
    assert compatible.misfit(chosen("full").model, product) == "it wants the moon"


@pytest.mark.task("tabular-classification")
def test_a_search_without_a_model_that_fits_says_so(project: Path, config: Any, product: Any, refused: Refused) -> None:
    for path in Path("conf/search").glob("*.yaml"):
        if path.stem != "text_cnn":
            path.unlink()
    with refused("no model with ranges fits the contract", "conf/search/", "boosted"):
        sweep.contenders(config, True, 1, product)
