"""A model class of the product's own is trained, converted and judged: the one that the page of research shows."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from omegaconf import DictConfig, OmegaConf

from fullstack_ml.artefact.session import Artefact

pytestmark = pytest.mark.task("tabular-classification")


def test_the_model_of_the_page_goes_through_every_stage(
    stages: Callable[..., None], composed: DictConfig, root: Path, tmp_path: Path
) -> None:
    page = (root / "docs/3-model/research.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    own = tmp_path / "stages/src/my_product/models/clipped.py"
    own.parent.mkdir(parents=True)
    own.write_text(code, encoding="utf-8")
    chosen = OmegaConf.merge(composed, {"model": None})
    estimator = {"_target_": "my_product.models.clipped.Clipped", "C": 0.5}
    chosen.model = OmegaConf.create({"name": "clipped", "scale": True, "estimator": estimator})
    stages(chosen)
    training = json.loads(Path("reports/training.json").read_text(encoding="utf-8"))
    assert training["model"] == "clipped"
    evaluation = json.loads(Path("reports/evaluation.json").read_text(encoding="utf-8"))
    assert evaluation["metrics"]["accuracy"] > 0.8, "nine of ten labels are right"
    inner = [node.op_type for node in _nodes(Path("models/model.onnx"))]
    assert {"Max", "Min"} <= set(inner), "what is beyond training is clipped inside the file"
    assert Artefact(Path("models/model.onnx")).metadata["model"] == "clipped"


def _nodes(path: Path) -> list[onnx.NodeProto]:

    return list(onnx.load(path).graph.node)
