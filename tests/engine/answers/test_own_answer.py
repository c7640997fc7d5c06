"""An answer of the product's own, how much to order, goes through every stage and is judged by what its errors cost."""

import base64
import hashlib
import json
import re
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import polars as pl
import pytest
from omegaconf import DictConfig, OmegaConf
from pydantic import SecretStr
from starlette.testclient import TestClient

from fullstack_ml.annotation import annotate, interface, labels, suspects
from fullstack_ml.annotation.opinion import ask
from fullstack_ml.answers import NEEDED
from fullstack_ml.artefact.session import Artefact
from fullstack_ml.data.label import __main__ as label
from fullstack_ml.data.label.rounds import Round
from fullstack_ml.edge import build
from fullstack_ml.inputs import table
from fullstack_ml.pipeline import examples, stage
from fullstack_ml.product import contract
from fullstack_ml.product.guide import guide_version
from fullstack_ml.product.types import Product
from fullstack_ml.serving import online
from fullstack_ml.serving.app import create_app
from fullstack_ml.serving.model import Version
from fullstack_ml.serving.settings import Settings
from fullstack_ml.workspace import seams
from fullstack_ml.workspace.paths import SUSPECTS
from laid import requirement

pytestmark = pytest.mark.task("tabular-classification")
Refused = Callable[..., AbstractContextManager[None]]
Own = tuple[Path, DictConfig]
PLACE = Path("src/my_product/answers/order.py")
DOCS = Path(__file__).parents[3] / "docs"
ORDER = (DOCS / "examples/order.py").read_text(encoding="utf-8")


def order_cost(ordered: Any, needed: Any) -> Any:
    """Five euros for every unit that is missing, one for every one that is left over."""
    return np.maximum(5 * (needed - ordered), ordered - needed)


def ask_for_orders(written: dict[str, Any]) -> None:
    """Ask for orders, judged by what their errors cost, and compare versions by it."""
    written["formulation"]["answer"] = {"type": "order", "options": {"low": -1000, "high": 1000, "unit": "kg"}}
    at_most = {"operator": "<=", "unit": "euros"}
    written["requirements"] = [
        requirement("R1", "order_cost", 2.0, decide="bound", **at_most),
        requirement("R2", "worst_slice_order_cost", 3.0, **at_most),
        requirement("R3", "order_cost", 0.001, slice="small", **at_most),
    ]
    plan = {"test": "sequential", "detect": 2.0}
    online = {"cell": "online-quantitative", "method": "m", "who": "o", "when": "weekly", "decides": [], "plan": plan}
    written["evaluation"] = [online]
    cut = {"column": "mean_radius", "reason": "both halves are frequent"}
    middle = sum(written["formulation"]["input"]["features"][0][end] for end in ("low", "high")) / 2
    written["data"]["slices"] = [{**cut, "id": "small", "below": middle}, {**cut, "id": "large", "at_least": middle}]
    written["release"] = {"better_on": "order_cost"}


@pytest.fixture
def orders(product: Product, lay_own: Callable[..., Own]) -> Own:
    """Write the answer, a contract that asks for it, and rows whose need follows from their features."""
    features = product.formulation.input.features
    random = np.random.default_rng(0)
    shares = random.uniform(0.1, 0.9, (900, len(features)))
    low, high = (np.array([getattr(f, end) for f in features], float) for end in ("low", "high"))
    need = 40 * shares[:, 0] - 10 * shares[:, 1] + random.normal(0, 1, 900)
    table = pl.DataFrame(low + shares * (high - low), schema=[f.name for f in features], orient="row")
    own, chosen = lay_own(ask_for_orders, table.with_columns(label=pl.Series(need.round(4))), {PLACE: ORDER})
    estimator = {"_target_": "sklearn.linear_model.Ridge", "alpha": 1e-3}
    chosen.model = OmegaConf.create({"name": "ridge", "scale": True, "estimator": estimator})
    chosen.export.calibration = "quantile"
    return own, chosen


def test_a_number_goes_through_every_stage(
    stages: Callable[..., None], orders: Own, capsys: pytest.CaptureFixture[str]
) -> None:
    own, chosen = orders
    stages(chosen, own)
    product = contract.load()
    known, model = examples.read("test", product), Artefact(Path("models/model.onnx"))
    given = model.score(known.inputs)
    expected = order_cost(given.outputs[:, 0], known.truth).mean()
    assert expected == pytest.approx(1.5, abs=0.3), "of N(0, 1), of which five of six are covered; half of them: 2.4"
    before = json.loads(Path("reports/training.json").read_text(encoding="utf-8"))["validation"]["order_cost"]
    assert expected < 0.8 * before, "the graph adds what costs least"
    evaluation = json.loads(Path("reports/evaluation.json").read_text(encoding="utf-8"))
    assert evaluation["metrics"]["order_cost"] == pytest.approx(expected, rel=1e-5)
    assert evaluation["baseline"]["mean"]["order_cost"] > 3 * expected
    low, high = evaluation["intervals"]["order_cost"]
    assert low < expected < high
    verdicts = {
        row["id"]: row["verdict"]
        for row in json.loads(Path("reports/acceptance.json").read_text(encoding="utf-8"))["verdicts"]
    }
    assert verdicts == {"R1": "pass", "R2": "pass", "R3": "fail"}
    assert "REJECTED by R3" in capsys.readouterr().out
    assert (model.decide(given) == "accept").mean() > 0.9
    page = Path("reports/analysis.html").read_text(encoding="utf-8")
    assert "order_cost" in page
    assert "Confused labels" not in page or "confusion" not in evaluation
    assert "| order_cost |" in Path("docs/3-model/model-card.md").read_text(encoding="utf-8")


@pytest.fixture
def trained(stages: Callable[..., None], orders: Own) -> list[dict[str, float]]:
    """Train, and return the test split as records of requests, each with its ``order``."""
    own, chosen = orders
    stages(chosen, own)
    known = examples.read("test", contract.load())
    names = [feature.name for feature in contract.load().formulation.input.features]
    return [
        dict(zip(names, map(float, row), strict=True)) | {"order": need}
        for row, need in zip(known.inputs, known.truth.tolist(), strict=True)
    ]


def shelve() -> None:
    """Put the artefact on the shelf of the server as champion and as challenger."""
    data = Path("models/model.onnx").read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    Path("served").mkdir()
    Path(f"served/{digest}.onnx").write_bytes(data)
    arms = ("champion", "challenger")
    held = {arm: Version("product", str(i), digest, f"{digest}.onnx") for i, arm in enumerate(arms, start=1)}
    Path("served/arms.json").write_text(json.dumps({arm: asdict(version) for arm, version in held.items()}))


def test_a_number_is_served_logged_and_judged_by_late_answers(
    trained: list[dict[str, float]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shelve()
    given = Settings(model="registry", database_url=SecretStr("sqlite:///predictions.db"), rollout="shadow")
    truth = [row.pop("order") for row in trained]
    errors = []
    with TestClient(create_app(given), "http://localhost") as client:
        sent = client.post("/v1/predict", json={"records": trained}).json()["predictions"]
        expected = Artefact(Path("models/model.onnx")).score(np.array([list(row.values()) for row in trained], "f4"))
        for row, found, novelty, right in zip(sent, expected.outputs[:, 0], expected.novelty, truth, strict=True):
            said = {"prediction_id": row["prediction_id"], "answer": right, "who": "till", "how": "drawn"}
            assert client.post("/v1/feedback", json=said).json()["answer"] == pytest.approx(right, rel=1e-5)
            assert row["scores"] == {"order": pytest.approx(float(found), rel=1e-5)}
            assert row["novelty"] == pytest.approx(float(novelty), rel=1e-4)
            if row["decision"] == "accept":
                assert row["answer"] == pytest.approx(float(found), rel=1e-5)
            else:
                assert (row["answer"], row["reason"]) == (None, "unfamiliar")
            errors.append(float(order_cost(found, right)))
        assert sum(row["decision"] == "accept" for row in sent) > 0.9 * len(sent)
        kept = client.get(f"/v1/predictions/{sent[0]['prediction_id']}").json()
        assert (kept["answer"], kept["scores"]) == (sent[0]["answer"], sent[0]["scores"])
        assert [(word["answer"], word["how"]) for word in kept["feedback"]] == [(pytest.approx(truth[0]), "drawn")]
        for wrong in ("12.5", None, 1001, {"order": 1}):
            said = {"prediction_id": sent[0]["prediction_id"], "answer": wrong, "who": "other"}
            assert client.post("/v1/feedback", json=said).status_code == 422
        other = {"prediction_id": sent[0]["prediction_id"], "answer": truth[0] + 1, "who": "till"}
        assert client.post("/v1/feedback", json=other).status_code == 409
        described = client.get("/openapi.json").json()["components"]["schemas"]
        assert described["Feedback"]["example"]["answer"] == 0
        assert described["Feedback"]["properties"]["answer"]["maximum"] == 1000
        assert client.get("/v1/model").json()["answer"]["type"] == "order"
    monkeypatch.setattr("sys.argv", ["online"])
    online.main()
    assert "verdict on order_cost" in capsys.readouterr().out
    report = json.loads(Path("reports/online.json").read_text(encoding="utf-8"))
    assert report["measures"]["order_cost"]["champion"] == pytest.approx(np.mean(errors), rel=1e-4)
    assert report["measures"]["order_cost"]["difference"] == 0
    assert report["labelled"] == 2 * len(truth)


def number(value: float) -> dict[str, Any]:
    return {"from_name": "answer", "to_name": "record", "type": "number", "value": {"number": value}}


NONE = {"from_name": "none", "to_name": "record", "type": "choices", "value": {"choices": ["cannot be annotated"]}}


def test_a_number_is_asked_of_annotators_and_read_back(
    trained: list[dict[str, float]], orders: Own, refused: Refused
) -> None:
    product, ids = contract.load(), pl.read_parquet("data/labelled.parquet")["id"].head(4).to_list()
    form = ElementTree.fromstring(interface.interface(product))
    box = next(form.iter("Number"))
    assert (box.get("toName"), box.get("min"), box.get("max")) == ("record", "-1000", "1000")
    assert "order" in interface.instruction(product, "1.0")
    opinion = ask(ids, product)
    assert opinion is not None
    model = dict(opinion.select("id", "says").iter_rows())
    one = Round(
        name="first", kind="production", guide_version=guide_version(), made_at="2026-01-01", annotators=["a", "b"],
        items=dict.fromkeys(ids, "random"), model=model, shown=[],
    )  # fmt: skip
    task = annotate.tasks(one.model_copy(update={"shown": ids[:1]}), ids[:1], product, {})[0]
    assert task["predictions"][0]["result"][0]["value"] == {"number": float(model[ids[0]])}
    words = [[number(10), number(11)], [number(20), number(20)], [number(30), NONE], [NONE, NONE]]
    fixed = {"was_cancelled": False, "lead_time": 2.0, "updated_at": "2026-01-01T00:00:00.000000Z"}
    tasks: list[Any] = [
        {
            "data": {"id": i},
            "annotations": [{"result": [word], "completed_by": who, **fixed} for who, word in enumerate(said)],
        }
        for i, said in zip(ids, words, strict=True)
    ]
    tasks[0]["annotations"].append({"result": [number(1), number(2)], "completed_by": 2, **fixed})
    pulled = labels.rows(one, tasks, {0: "a", 1: "b", 2: "c"}, product)
    good, bad = labels.sort_out(pulled)
    assert bad["reason"].to_list() == ["not exactly one answer"]
    Path("data/labels").mkdir()
    good.write_parquet("data/labels/first.parquet")
    label.run(stage.typed(orders[1]))
    said = dict(pl.read_parquet("data/labelled.parquet").filter(labelled_by="people").select("id", "label").iter_rows())
    assert said == {ids[0]: "10", ids[1]: "20", ids[2]: "30"}
    report = json.loads(Path("reports/agreement.json").read_text(encoding="utf-8"))
    # Units 10, 11 and 20, 20: 4 numbers that differ by 1 within, and by 1, 10, 10, 9, 9 between.
    assert report["alpha"]["alpha"] == pytest.approx(1 - 3 * 1 / (1 + 100 + 100 + 81 + 81))
    review = pl.read_parquet("data/review.parquet").sort("reason")
    assert dict(review.select("id", "reason").iter_rows()) == {ids[2]: "tie"}
    good.with_columns(label=pl.lit("lots")).write_parquet("data/labels/first.parquet")
    with refused("label 'lots' of record", "data/labels/first.parquet", "as formulation.answer of product.yaml allows"):
        label.run(stage.typed(orders[1]))
    suspects.run(stage.typed(orders[1]))  # numbers of any type can be far off what a model says of them
    assert set(json.loads(SUSPECTS.read_text(encoding="utf-8"))) == {"suspects", "track_record"}


@pytest.fixture
def accepted(trained: list[dict[str, float]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the artefact pass, and stand in for the page's runtime, which is 14 MB."""
    verdict = {"accepted": True, "failed": [], "verdicts": []}
    Path("reports/acceptance.json").write_text(json.dumps(verdict), encoding="utf-8")
    (tmp_path / "runtime").mkdir()
    monkeypatch.setattr(build, "fetch", lambda: tmp_path / "runtime")


def test_the_page_says_a_number_by_the_part_that_the_answer_names(accepted: None) -> None:
    build.run()
    site = Path("dist/edge")
    assert {path.name for path in site.glob("*.js")} == {*table.PAGE, "page.js", "language.js", "model.js", "value.js"}
    described = json.loads((site / "model.json").read_text(encoding="utf-8"))
    assert described["parts"] == {"input": "fields.js", "answer": "value.js"}
    assert described["answer"]["options"]["unit"] == "kg"
    assert described["rule"] == {"novelty": pytest.approx(Artefact(Path("models/model.onnx")).rule.novelty)}
    model = Artefact(Path("models/model.onnx"))
    drawn = np.frombuffer(base64.b64decode(described["checks"]["inputs"]), "f4").reshape(
        -1, *described["tensor"]["shape"]
    )
    scored = model.score(drawn)
    assert described["checks"]["outputs"] == scored.outputs.tolist()
    assert described["checks"]["decisions"] == model.decide(scored).tolist()
    assert '<link rel="modulepreload" href="value.js">' in (site / "index.html").read_text(encoding="utf-8")


def test_a_product_may_show_its_answer_by_a_file_of_its_own(accepted: None, refused: Refused) -> None:
    text = PLACE.read_text(encoding="utf-8")
    part = PLACE.with_name("scale.js")
    for files, said in (("()", "a page cannot show 'order'"), ('("scale.js",)', "scale.js is not there")):
        PLACE.write_text(text.replace('("value.js",)', files), encoding="utf-8")
        seams._imported.cache_clear()
        sys.modules.pop("my_product.answers.order", None)
        with refused(said, "PAGE of the answers module 'order'", "src/my_product/answers/"):
            build.run()
        assert not Path("dist").exists()
    part.write_text("export const decide = () => 'accept';", encoding="utf-8")
    build.run()
    assert Path("dist/edge/scale.js").read_bytes() == part.read_bytes()


def test_the_docs_list_what_an_answer_defines_step_by_step() -> None:
    section = (DOCS / "3-extend.md").read_text(encoding="utf-8").partition("| step | what an answer defines |")[2]
    table = section.partition("\n\n")[0]
    assert sorted(set(re.findall(r"`(\w+)`", table))) == sorted(NEEDED)


def test_an_answer_that_lacks_a_function_is_named_with_its_seam(project: Path, refused: Refused) -> None:
    PLACE.parent.mkdir(parents=True)
    PLACE.write_text(ORDER.replace("def explain", "def explained"), encoding="utf-8")
    text = Path("product.yaml").read_text(encoding="utf-8")
    Path("product.yaml").write_text(text.replace("type: label", "type: order"), encoding="utf-8")
    with refused("answers 'order' lacks explain", "order.py", "define what is missing"):
        contract.load()


def test_an_answer_that_does_not_exist_names_those_that_do(project: Path, refused: Refused) -> None:
    text = Path("product.yaml").read_text(encoding="utf-8")
    Path("product.yaml").write_text(text.replace("type: label", "type: labl"), encoding="utf-8")
    with refused("there is no answers module 'labl'", "product.yaml", "'label'"):
        contract.load()
