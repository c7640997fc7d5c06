"""The newest window as numbers for other tools: gauges for Prometheus, and metrics of a run in MLflow.

Writes ``reports/monitoring/gauges.prom``, which the textfile collector of node_exporter reads, and the run of MLflow.
"""

from datetime import datetime
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from fullstack_ml.monitoring.chance import Measure
from fullstack_ml.registry.tracking import entity_name, find_run
from fullstack_ml.workspace.files import replacing

KIND = {"kind": "monitoring"}


def values(window: dict[str, Any]) -> dict[tuple[str, str], float]:
    """Return every value that was measured, by metric and by the feature or slice that it is of."""
    parts: dict[tuple[str, str], Measure] = {(name, ""): one for name, one in window["measures"].items()}
    for group in ("columns", "slices"):
        for of, measured in window[group].items():
            parts |= {(name, of): one for name, one in measured.items() if isinstance(one, dict)}
    return {key: float(one["value"]) for key, one in parts.items() if one["value"] is not None}


def write_gauges(report: dict[str, Any], path: Path) -> None:
    """Write the gauges in one step."""
    registry = CollectorRegistry()
    value = Gauge("monitor_value", "What was measured of the newest window", ["metric", "of"], registry=registry)
    for (metric, of), number in values(report["windows"][-1]).items():
        value.labels(metric, of).set(number)
    alarm = Gauge("monitor_alarm", "1 for an alarm", ["id", "metric", "which", "owner"], registry=registry)
    limit = Gauge("monitor_threshold", "Threshold of product.yaml", ["id", "metric"], registry=registry)
    for row in report["verdicts"]:
        alarm.labels(row["id"], row["metric"], row["which"], row["owner"]).set(row["verdict"] == "alarm")
        limit.labels(row["id"], row["metric"]).set(row["threshold"])
    at = Gauge("monitor_time_seconds", "When the monitor last ran, in seconds since 1970", registry=registry)
    at.set(datetime.fromisoformat(report["at"]).timestamp())
    with replacing(path) as temporary:
        temporary.write_bytes(generate_latest(registry))


def log_to_mlflow(report: dict[str, Any], mlflow: Any) -> None:
    """Add the newest window to the one run that holds what was watched, in the order of time."""
    found = find_run(mlflow, KIND)
    moment = datetime.fromisoformat(report["at"])
    named = {".".join(filter(None, key)): number for key, number in values(report["windows"][-1]).items()}
    named |= {f"alarm.{row['id']}": float(row["verdict"] == "alarm") for row in report["verdicts"]}
    with mlflow.start_run(run_id=found, run_name=None if found else "monitoring"):
        mlflow.set_tags(KIND)
        mlflow.log_metrics({entity_name(name): n for name, n in named.items()}, step=int(moment.timestamp() // 60))


def failed_requests(text: str) -> Measure:
    """Read the share of requests that the server could not answer (5xx) from its ``/metrics``, since it started."""
    samples = [one for family in text_string_to_metric_families(text) for one in family.samples]
    requests = [one for one in samples if one.name == "http_requests_total"]
    total = sum(one.value for one in requests)
    failed = sum(one.value for one in requests if one.labels["status"].startswith("5"))
    return {"value": failed / total if total else None, "records": int(total)}
