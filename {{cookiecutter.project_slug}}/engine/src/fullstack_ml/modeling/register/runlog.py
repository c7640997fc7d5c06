"""What MLflow keeps of a pipeline run: the run with all that it measured, and the version of an accepted artefact.

Reads ``dvc.lock``, ``params.yaml``, ``product.yaml``, the reports and ``models/model.onnx``; writes one run, which is
found again by its tag ``pipeline``, and one version for the same bytes.
"""

from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import yaml

from fullstack_ml.answers import answer_of
from fullstack_ml.artefact.session import Artefact
from fullstack_ml.pages.formats import quantity, row, share, threshold
from fullstack_ml.pages.words import words
from fullstack_ml.pipeline.examples import Examples, read, read_folds
from fullstack_ml.product.metrics import unit_of
from fullstack_ml.product.types import Product
from fullstack_ml.registry import tracking
from fullstack_ml.registry.tracking import ClientRegistry
from fullstack_ml.registry.versions import SHA256
from fullstack_ml.workspace.errors import UserError
from fullstack_ml.workspace.files import read_json, sha256
from fullstack_ml.workspace.paths import (
    ACCEPTANCE,
    AGREEMENT,
    ANALYSIS,
    CROISSANT,
    DATA_CARD,
    ENVIRONMENT_LOCK,
    EVALUATION,
    FIGURES,
    LOCK,
    METRICS,
    MODEL,
    MODEL_CARD,
    PARAMS,
    PERFORMANCE,
    PRODUCT,
    RAW_LOCK,
    REPORTS,
    REQUIREMENTS_PAGE,
    SPLITS,
    TRAINING,
    VALIDATION,
)


def log_run(mlflow: Any, tags: dict[str, str], product: Product) -> str:
    """Find or make the run of this pipeline, write everything into it, and return its id."""
    found = tracking.find_run(mlflow, {"pipeline": tags["pipeline"]})
    training = read_json(TRAINING)
    name = f"{training['model']} {tags['verdict']}"
    with mlflow.start_run(run_id=found, run_name=None if found else name) as active:
        # MLflow shows the note as the run's description: the verdict, as a table.
        mlflow.set_tags({**tags, "mlflow.runName": name, "kind": "pipeline", "mlflow.note.content": verdict_table()})
        mlflow.log_params(tracking.flatten(yaml.safe_load(PARAMS.read_text(encoding="utf-8"))))
        log_numbers(mlflow, active.info, training["history"], product)
        log_datasets(mlflow, tags)
        for report in [*sorted(REPORTS.glob("*.json")), ANALYSIS]:
            if report.stem not in ("registration", "provenance"):  # they are of the run before
                mlflow.log_artifact(str(report), "reports")
        for page in (REQUIREMENTS_PAGE, MODEL_CARD, DATA_CARD, CROISSANT):
            mlflow.log_artifact(str(page), "cards")
        # What made it: make checkout brings data and model back from the lock.
        for path in filter(Path.exists, (LOCK, RAW_LOCK, PARAMS, PRODUCT, ENVIRONMENT_LOCK)):
            mlflow.log_artifact(str(path), "pipeline")
        for figure in sorted(FIGURES.glob("*.png")):
            mlflow.log_artifact(str(figure), "figures")
        return str(active.info.run_id)


def verdict_table() -> str:
    """Write the verdicts as a Markdown table."""
    rows = read_json(ACCEPTANCE)["verdicts"]
    head = map(words, ("id", "verdict", "metric", "measured", "required"))
    lines = [
        (
            r["id"],
            words(r["verdict"]),
            r["metric"],
            quantity(r["value"], r["unit"]),
            threshold(r, r["unit"]),
        )
        for r in rows
    ]
    return "\n".join([row(head), "|---|---|---|---|---|", *map(row, lines)])


def numbers(product: Product) -> dict[str, float]:
    """Collect the metrics of all reports, the first two of the answer for a slice as ``slice.<id>.<metric>``."""
    evaluation, shown = read_json(EVALUATION), answer_of(product).HEADLINE[:2]
    found = {**evaluation["metrics"], **read_json(PERFORMANCE)}
    found |= {**read_json(VALIDATION)["metrics"], **read_json(AGREEMENT)["metrics"]}
    for name, part in evaluation["slices"].items():
        found |= {f"slice.{name}.{metric}": part[metric] for metric in shown if metric in part}
    for name, part in evaluation.get("labels", {}).items():
        found |= {f"label.{name}.recall": part["recall"]}
    return {name: float(value) for name, value in found.items() if value is not None}


def log_numbers(mlflow: Any, info: Any, history: dict[str, list[float]], product: Product) -> None:
    """Log metrics and training history in one batch.

    The time of a point is the run's start plus its step: logging the same run twice then writes the same points.
    """
    from mlflow.entities import Metric

    start = info.start_time
    points = [Metric(tracking.entity_name(name), value, start, 0) for name, value in numbers(product).items()]
    for name, values in history.items():
        points += [
            Metric(tracking.entity_name(f"history.{name}"), value, start + step, step)
            for step, value in enumerate(values)
        ]
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


def tried_on(product: Product) -> Examples:
    """Return records to try a model on: the validation split, or a fold where there is none."""
    return (read_folds(product) or [read("validation", product)])[0]


def checked_version(registry: ClientRegistry, mlflow: Any, run_id: str, tags: dict[str, str], product: Product) -> str:
    """Register the artefact of ``run_id``, load it back and compare; return its version.

    The same bytes are the same version, however often and from whichever run they are registered.
    """
    known = [version.number for version in registry.versions() if version.tags.get(SHA256) == tags[SHA256]]
    number = known[0] if known else add_version(registry, mlflow, run_id, tags, product)
    check_loaded(registry, number, product)
    return number


def add_version(registry: ClientRegistry, mlflow: Any, run_id: str, tags: dict[str, str], product: Product) -> str:
    """Log the artefact to the run and make it a new version with the run's tags."""
    example = tried_on(product).inputs[:2]
    with mlflow.start_run(run_id=run_id):
        logged = mlflow.onnx.log_model(
            onnx.load(MODEL),
            name="model",
            signature=signature(product, example),
            pip_requirements=[f"{name}=={installed(name)}" for name in ("onnx", "onnxruntime", "numpy")],
            save_as_external_data=False,
            registered_model_name=registry.name,
        )
    version = str(logged.registered_model_version)
    scores = read_json(METRICS)
    main = answer_of(product).MAIN
    values = {
        "value": quantity(scores[main], unit_of(answer_of(product).METRICS[main], product)),
        "share": share(scores["answered_share"]),
    }
    said = words("%(metric)s %(value)s, answers %(share)s", metric=main, **values)
    mlflow.MlflowClient().update_model_version(registry.name, version, description=f"{said}\n\n{verdict_table()}")
    for key, value in tags.items():
        registry.set_tag(version, key, value)
    return version


def signature(product: Product, example: np.ndarray) -> Any:
    """Describe the graph's input and output to MLflow; the first dimension is the records."""
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    given = TensorSpec(example.dtype, (-1, *example.shape[1:]), product.formulation.input.name)
    answer = TensorSpec(np.dtype(np.float32), (-1, answer_of(product).width(product)), answer_of(product).OUTPUT)
    strange = TensorSpec(np.dtype(np.float32), (-1,), "novelty")
    return ModelSignature(Schema([given]), Schema([answer, strange]))


def check_loaded(registry: ClientRegistry, version: str, product: Product) -> None:
    """Raise unless the registered file has the bytes that were evaluated and answers the same."""
    loaded = registry.file(version)
    inputs = tried_on(product).inputs[:100]
    back, here = Artefact(loaded).score(inputs), Artefact(MODEL).score(inputs)
    same = np.array_equal(back.outputs, here.outputs) and np.array_equal(back.novelty, here.novelty)
    if sha256(loaded) != sha256(MODEL) or not same:
        what = f"version {version} loaded back is not the artefact that was evaluated"
        raise UserError(what, f"models:/{registry.name}/{version}", "delete the version, then make")
