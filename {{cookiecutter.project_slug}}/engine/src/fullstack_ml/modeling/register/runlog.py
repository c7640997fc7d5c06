"""Write a pipeline run into MLflow: parameters, history, metrics, datasets, reports and figures, in batches.

Reads ``params.yaml`` and the reports; writes one run, found again by its tag ``pipeline``.
"""

from typing import Any

import yaml

from fullstack_ml.registry import tracking
from fullstack_ml.workspace.files import read_json
from fullstack_ml.workspace.paths import (
    ACCEPTANCE,
    AGREEMENT,
    ANALYSIS,
    DATA_CARD,
    EVALUATION,
    FIGURES,
    MODEL_CARD,
    PARAMS,
    PERFORMANCE,
    REPORTS,
    REQUIREMENTS_PAGE,
    SPLITS,
    TRAINING,
    VALIDATION,
)


def log_run(mlflow: Any, tags: dict[str, str], stages: dict[str, Any]) -> str:
    """Find or make the run of this pipeline, write everything into it, and return its id."""
    found = tracking.find_run(mlflow, {"pipeline": tags["pipeline"]})
    training = read_json(TRAINING)
    name = f"{training['model']} {tags['verdict']}"
    with mlflow.start_run(run_id=found, run_name=None if found else name) as active:
        # MLflow shows the note as the run's description: the verdict, as a table.
        mlflow.set_tags({**tags, "mlflow.runName": name, "kind": "pipeline", "mlflow.note.content": verdict_table()})
        mlflow.log_params(tracking.flatten(yaml.safe_load(PARAMS.read_text())))
        log_numbers(mlflow, active.info, training["history"])
        log_datasets(mlflow, tags)
        for report in [*sorted(REPORTS.glob("*.json")), ANALYSIS]:
            if report.stem != "registration":
                mlflow.log_artifact(str(report), "reports")
        for page in (REQUIREMENTS_PAGE, MODEL_CARD, DATA_CARD, PARAMS):
            mlflow.log_artifact(str(page), "cards" if page.suffix == ".md" else "reports")
        for figure in sorted(FIGURES.glob("*.png")):
            mlflow.log_artifact(str(figure), "figures")
        return str(active.info.run_id)


def verdict_table() -> str:
    """Write the verdicts as a Markdown table."""
    rows = read_json(ACCEPTANCE)["verdicts"]
    lines = []
    for row in rows:
        value = "" if row["value"] is None else f"{row['value']:.4g}"
        required = f"{row['operator']} {row['threshold']:g} {row['unit']}"
        lines.append(f"| {row['id']} | {row['verdict']} | {row['metric']} | {value} | {required} |")
    return "\n".join(["| id | verdict | metric | measured | required |", "|---|---|---|---|---|", *lines])


def numbers() -> dict[str, float]:
    """Collect the metrics of all reports, those of a slice as ``slice.<id>.<metric>``."""
    evaluation = read_json(EVALUATION)
    found = {**evaluation["metrics"], **read_json(PERFORMANCE)}
    found |= {**read_json(VALIDATION)["metrics"], **read_json(AGREEMENT)["metrics"]}
    for name, part in evaluation["slices"].items():
        found |= {f"slice.{name}.{metric}": part[metric] for metric in ("accuracy", "macro_f1") if metric in part}
    for name, part in evaluation["labels"].items():
        found |= {f"label.{name}.recall": part["recall"]}
    return {name: float(value) for name, value in found.items() if value is not None}


def log_numbers(mlflow: Any, info: Any, history: dict[str, list[float]]) -> None:
    """Log metrics and training history in one batch.

    The time of a point is the run's start plus its step: logging the same run twice then writes the same points.
    """
    from mlflow.entities import Metric

    start = info.start_time
    points = [Metric(name, value, start, 0) for name, value in numbers().items()]
    for name, values in history.items():
        points += [Metric(f"history.{name}", value, start + step, step) for step, value in enumerate(values)]
    client = mlflow.MlflowClient()
    for begin in range(0, len(points), 1000):  # the largest batch that a server takes
        client.log_batch(info.run_id, metrics=points[begin : begin + 1000])


def log_datasets(mlflow: Any, tags: dict[str, str]) -> None:
    """Name the splits that the run used, by their hash, without reading them."""
    from mlflow.data.meta_dataset import MetaDataset

    for name, split in read_json(SPLITS / "manifest.json").items():
        source = mlflow.data.sources.LocalArtifactDatasetSource(str(SPLITS / f"{name}.parquet"))
        dataset = MetaDataset(source, name=name, digest=split["sha256"][:32])
        mlflow.log_input(dataset, context=name, tags={"dvc.md5": tags["data.version"], "rows": str(split["rows"])})
