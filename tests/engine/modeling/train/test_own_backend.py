"""A backend of the product's own: found by its name, through every stage, and honest about what it cannot do."""

import copy
import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from omegaconf import DictConfig, OmegaConf

from fullstack_ml.artefact.session import Artefact
from fullstack_ml.inputs import input_of
from fullstack_ml.modeling.train.backends import backend_of
from fullstack_ml.pipeline.config import Model

Refused = Callable[..., AbstractContextManager[None]]
PLACE = Path("src/my_product/backends/constant.py")
CONSTANT = '''
"""Gives every record the shares of the labels, sharpened by a setting of its own."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper


def fit(model, seed, lesson):
    assert lesson.rows.dtype == np.float32
    shares = np.bincount(lesson.truth) ** float(model.estimator["power"])
    return (shares / shares.sum()).astype(np.float32)


def outputs(fitted, rows):
    return np.tile(fitted, (len(rows), 1))


def to_onnx(fitted, width, answer_width, output):
    stored = [numpy_helper.from_array(np.zeros((width, answer_width), np.float32), "nothing")]
    stored.append(numpy_helper.from_array(fitted, "shares"))
    nodes = [helper.make_node("Gemm", ["features", "nothing", "shares"], [output])]
    given = helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", width])
    made = helper.make_tensor_value_info(output, TensorProto.FLOAT, ["batch", answer_width])
    graph = helper.make_graph(nodes, "constant", [given], [made], stored)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def history(fitted):
    return {"loss": [1.0, 0.5]}
'''
CHOSEN = Model("constant", scale=False, estimator={"power": 3.0}, backend="constant")


def write(text: str) -> None:
    """Write the backend into the product's package."""
    PLACE.parent.mkdir(parents=True, exist_ok=True)
    PLACE.write_text(text, encoding="utf-8")


def test_a_backend_of_the_products_own_goes_through_every_stage_and_is_rejected_for_what_it_is(
    stages: Callable[[DictConfig], None], composed: DictConfig, product: Any
) -> None:
    write(CONSTANT)
    chosen = copy.deepcopy(composed)
    chosen.model = OmegaConf.create(vars(CHOSEN))
    stages(chosen)
    model = Artefact(Path("models/model.onnx"))
    labels = model.score(input_of(product).random_inputs(product, 50, 0)).outputs
    assert (labels == labels[0]).all()
    frequent = pl.read_parquet("data/splits/train.parquet")["label"].value_counts().sort("count")["label"][-1]
    evaluation = json.loads(Path("reports/evaluation.json").read_text(encoding="utf-8"))
    tested = pl.read_parquet("data/splits/test.parquet")["label"]
    assert evaluation["model"] == "constant"
    assert evaluation["metrics"]["accuracy"] == pytest.approx((tested == frequent).mean())
    acceptance = json.loads(Path("reports/acceptance.json").read_text(encoding="utf-8"))
    assert not acceptance["accepted"]
    failed = {row["metric"] for row in acceptance["verdicts"] if row["verdict"] != "pass"}
    assert {"margin_over_baseline"} & failed or {"accuracy"} & failed
    assert Path("reports/plots/history.csv").read_text(encoding="utf-8") == "step,loss\n0,1.0\n1,0.5\n"
    assert "constant" in Path("docs/3-model/model-card.md").read_text(encoding="utf-8")


def test_without_a_choice_scikit_learn_fits() -> None:
    assert vars(backend_of(Model("m", False, {})))["__name__"] == "fullstack_ml.modeling.train.backends.sklearn"


def test_a_backend_that_is_not_there_is_named_with_the_nearest(project: Path, refused: Refused) -> None:
    with refused("no backends module 'sklaern'", "backend in conf/model/m.yaml", "'sklearn'"):
        backend_of(Model("m", False, {}, backend="sklaern"))


@pytest.mark.parametrize(
    ("text", "what", "where"),
    [
        (CONSTANT.replace("def history", "def curves"), "'constant' lacks history", str(PLACE)),
        (CONSTANT.replace("import numpy", "import numpie"), "ModuleNotFoundError", f"{PLACE}:4"),
    ],
    ids=["a-function-is-missing", "raises-at-import"],
)
def test_a_backend_that_cannot_be_one_is_three_lines(
    text: str, what: str, where: str, project: Path, refused: Refused
) -> None:
    write(text)
    with refused(what, where):
        backend_of(CHOSEN)
