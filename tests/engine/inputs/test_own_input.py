"""An input of the product's own, a short string of bytes, goes from a CSV file to the answer of the server."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from omegaconf import DictConfig, OmegaConf
from pydantic import SecretStr
from starlette.testclient import TestClient

from fullstack_ml.artefact.session import Artefact
from fullstack_ml.product import contract
from fullstack_ml.serving import app, settings
from laid import requirement

pytestmark = pytest.mark.task("tabular-classification")
Refused = Callable[..., AbstractContextManager[None]]
Own = tuple[Path, DictConfig]
PLACE = Path("src/my_product/inputs/code.py")
CODE = '''
"""Input ``code``: up to eight letters, one byte each; shorter ones end in zeros."""

import hashlib
from html import escape

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

WIDTH = 8
FILES, MEDIA, FORM_FIELD, LAYOUT, PAGE, ALIKE = (), (), None, "rows", (), False
SCREEN = '<Text name="record" value="$code"/>'


def check(product):
    if product.formulation.input.features:
        yield ("formulation", "input", "features"), "a code has no features", "leave them out"


def slice_columns(product):
    return ["length"]


def columns(product):
    import polars as pl

    return {"code": pl.String()}


def identity(text):
    return hashlib.sha256(text.encode()).hexdigest()


def content_id(frame, product):
    import polars as pl

    return pl.Series("id", [identity(text) for text in frame["code"]])


def as_inputs(texts):
    rows = [list(text.encode()[:WIDTH].ljust(WIDTH, bytes(1))) for text in texts]
    return np.array(rows, np.uint8).reshape(len(rows), WIDTH)


def matrix(frame, product):
    return as_inputs(frame["code"])


def describe(frame, product):
    import polars as pl

    return frame.with_columns(length=pl.col("code").str.len_bytes().cast(pl.Float64))


def faults(frame, product):
    return [(row, "longer than 8 bytes") for row, text in frame.select("id", "code").iter_rows() if len(text) > WIDTH]


def fingerprints(frame, product):
    return None


def strangers(inputs, product, seed):
    random = np.random.default_rng(seed)
    return {"any bytes": random.integers(0, 256, inputs.shape).astype(np.uint8)}


def regions(product, values=None):
    for i in range(WIDTH):
        yield f"byte {i}", np.array([i]), (np.array([i]),)


def omissions(product, values=None):
    return iter(())


def front(model, product):
    from onnx import TensorProto, helper

    name = product.formulation.input.name
    model.graph.node.insert(0, helper.make_node("Cast", [name], ["features"], to=TensorProto.FLOAT))
    del model.graph.input[:]
    model.graph.input.append(helper.make_tensor_value_info(name, TensorProto.UINT8, ["batch", WIDTH]))
    return model


def planes(product):
    return None


def random_inputs(product, count, seed):
    return np.random.default_rng(seed).integers(0, 256, (count, WIDTH)).astype(np.uint8)


def typical(inputs, product):
    return {}


class Record(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"code": "abc"}})

    code: str = Field(strict=True, max_length=WIDTH, pattern="^[a-z]+$")


def record_type(product):
    return Record


def example(product):
    return {"code": "abc"}


def opened(records):
    return 0, records


def logged(stored, product):
    import polars as pl

    return pl.DataFrame({"code": [one.decode() for one in stored]})


def decoder(product):
    def decode_all(records, until=0.0):
        texts = [record.code for record in records]
        return as_inputs(texts), [identity(text) for text in texts], [text.encode() for text in texts]

    return decode_all


def fields(record, product):
    return {"code": record["code"]}


def html(record, product):
    return f"<p>{escape(record['code'])}</p>"


def draw(values, product):
    return bytes(values).decode(errors="replace")
'''


def ask_for_codes(written: dict[str, Any]) -> None:
    """Ask for which half of the alphabet a code begins with."""
    written["formulation"]["input"] = {"name": "code", "type": "code", "meaning": "the letters of a shelf"}
    labels = [{"name": name, "definition": f"the {name} half"} for name in ("early", "late")]
    written["formulation"]["answer"] = {"type": "label", "labels": labels}
    written["requirements"] = [requirement("R1", "accuracy", 0.95), requirement("R2", "accuracy", 0.9, slice="short")]
    written["data"]["slices"] = [{"id": "short", "column": "length", "below": 5, "reason": "little to go by"}]


@pytest.fixture
def codes(lay_own: Callable[..., Own]) -> Own:
    """Write the input, a contract that asks for it, and codes that are ``early`` where the first letter is before n."""
    random = np.random.default_rng(0)
    texts = {"".join(chr(97 + k) for k in random.integers(0, 26, random.integers(3, 9))) for _ in range(1500)}
    table = pl.DataFrame({"code": sorted(texts)})
    table = table.with_columns(label=pl.when(pl.col("code") < "n").then(pl.lit("early")).otherwise(pl.lit("late")))
    own, chosen = lay_own(ask_for_codes, table, {PLACE: CODE})
    trees = {"_target_": "sklearn.ensemble.HistGradientBoostingClassifier", "max_iter": 30}
    chosen.model = OmegaConf.create({"name": "trees", "scale": False, "estimator": trees})
    return own, chosen


def test_a_string_of_bytes_goes_through_every_stage_to_the_server(stages: Callable[..., None], codes: Own) -> None:
    own, chosen = codes
    stages(chosen, own)
    verdicts = json.loads(Path("reports/acceptance.json").read_text(encoding="utf-8"))
    assert verdicts["accepted"], verdicts["failed"]
    evaluation = json.loads(Path("reports/evaluation.json").read_text(encoding="utf-8"))
    assert evaluation["baseline"]["majority"]["accuracy"] == pytest.approx(0.5, abs=0.1), "half the alphabet"
    assert "<p>" in Path("reports/analysis.html").read_text(encoding="utf-8") or not evaluation["errors"]
    model = Artefact(Path("models/model.onnx"))
    by_hand = np.array([[*b"apple", 0, 0, 0], [*b"zebra", 0, 0, 0]], np.uint8)
    outputs = model.score(by_hand).outputs
    assert [model.labels[i] for i in outputs.argmax(axis=1)] == ["early", "late"]
    served = settings.Settings(model="models/model.onnx", database_url=SecretStr("sqlite:///predictions.db"))
    with TestClient(app.create_app(served), "http://localhost") as client:
        answer = client.post("/v1/predict", json={"records": [{"code": "apple"}, {"code": "zebra"}]})
        assert answer.status_code == 200, answer.text
        shares = [one["scores"] for one in answer.json()["predictions"]]
        for given, row in zip(shares, outputs, strict=True):
            assert [given["early"], given["late"]] == pytest.approx(row.tolist(), abs=1e-4)
        refused = client.post("/v1/predict", json={"records": [{"code": "far too long"}]})
        assert refused.status_code == 422
        assert "code" in refused.text


def test_an_input_that_lacks_a_function_is_named_with_its_seam(project: Path, refused: Refused) -> None:
    PLACE.parent.mkdir(parents=True)
    PLACE.write_text(CODE.replace("def matrix", "def matrices"), encoding="utf-8")
    text = Path("product.yaml").read_text(encoding="utf-8")
    Path("product.yaml").write_text(text.replace("type: table", "type: code"), encoding="utf-8")
    with refused("inputs 'code' lacks matrix", "code.py", "define what is missing"):
        contract.load()
