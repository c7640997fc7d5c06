"""The dashboard asks only for what the server and the monitor really give, with labels that they have."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from fullstack_ml.inputs import input_of
from fullstack_ml.monitoring import monitor
from fullstack_ml.pipeline.config import Config
from fullstack_ml.serving import app, settings

TEMPLATE = Path(__file__).parents[3] / "{{cookiecutter.project_slug}}"
DASHBOARD: dict[str, Any] = json.loads((TEMPLATE / "docker/grafana-dashboard.json").read_text(encoding="utf-8"))
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
TARGETS = [target for panel in PANELS for target in panel["targets"]]
WORD = r"[a-zA-Z_]\w*"
FUNCTIONS = {"sum", "by", "rate", "increase", "delta", "histogram_quantile", "topk", "time"}


def names_of(query: str) -> set[str]:
    """Return the metrics of a query: its words but functions, labels and times."""
    bare = re.sub(r"\{[^}]*\}|\[[^]]*\]|\bby \([^)]*\)|\"[^\"]*\"", "", query)
    return set(re.findall(rf"\b{WORD}\b", bare)) - FUNCTIONS


def labels_of(query: str) -> set[str]:
    """Return the labels that a query selects or groups by."""
    grouped = [one for group in re.findall(r"\bby \(([^)]*)\)", query) for one in re.findall(WORD, group)]
    selected = [one for group in re.findall(r"\{([^}]*)\}", query) for one in re.findall(rf"({WORD})\s*=", group)]
    return {*grouped, *selected}


@pytest.fixture
def given(
    log: Callable[..., list[str]], usual: pl.DataFrame, monitored: Config, product: Any
) -> Iterator[dict[str, set[str]]]:
    """Return the labels of every metric that a server in use and a run of the monitor give."""
    with TestClient(app.create_app(settings.read()), "http://localhost", False) as client:
        record = usual.select(list(input_of(product).columns(product))).row(0, named=True)
        assert client.post("/v1/predict", json={"records": [record]}).status_code == 200
        served = client.get("/metrics").text
    log(usual, labels=usual["source_label"].to_list())
    monitor.run(monitored)
    found: dict[str, set[str]] = {}
    for text in (served, monitor.GAUGES.read_text(encoding="utf-8")):
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                found.setdefault(sample.name, set()).update(sample.labels)
    yield found


@pytest.mark.task("tabular-classification")
def test_every_metric_of_the_dashboard_is_given(given: dict[str, set[str]]) -> None:
    asked = {name for target in TARGETS for name in names_of(target["expr"])}
    assert asked - set(given) == set()
    assert {"http_requests_total", "predict_seconds_bucket", "monitor_value", "monitor_alarm"} <= asked
    for target in TARGETS:
        labels = {"instance"}.union(*(given[name] for name in names_of(target["expr"]) if name in given))
        assert labels_of(target["expr"]) - labels == set(), target["expr"]
        assert set(re.findall(rf"{{{{({WORD})}}}}", target["legendFormat"])) - labels == set(), target["expr"]


def test_grafana_can_lay_the_panels_out() -> None:
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    taken: set[tuple[int, int]] = set()
    for place in (panel["gridPos"] for panel in DASHBOARD["panels"]):
        mine = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not mine & taken
        assert max(x for x, _ in mine) < 24
        taken |= mine
    variable = "${" + DASHBOARD["templating"]["list"][0]["name"] + "}"
    assert {panel["datasource"]["uid"] for panel in PANELS} == {variable}
