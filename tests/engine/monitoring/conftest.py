"""A log as the server writes it: answers of the artefact of the drawn records, at any time, and words of people."""

import os
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import polars as pl
import pytest
import yaml

from fullstack_ml.inputs import input_of
from fullstack_ml.pipeline.config import Config, Monitor
from fullstack_ml.registry.versions import model_name
from fullstack_ml.serving import model, settings, store
from fullstack_ml.workspace.files import sha256

DATABASE = "sqlite:///predictions.db"
MODEL = Path("models/model.onnx")


@pytest.fixture(autouse=True)
def serving_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Serve the artefact of the project, with no setting of whoever runs the tests."""
    for name in [name for name in os.environ if name.startswith("SERVE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SERVE_MODEL", str(MODEL))


@pytest.fixture
def monitored(config: Config) -> Config:
    """conf/ with its file of the monitor, which asks nobody outside.

    The model of a few drawn records answers fewer of them than the product's: the contract asks for less here.
    """
    contract = Path("product.yaml")
    text = contract.read_text(encoding="utf-8")
    asked = re.compile(r"(metric: answered_share, operator: \">=\", threshold: )[\d.]+(?=, owner: [^,]*, follows)")
    contract.write_text(asked.sub(r"\g<1>0.01", text), encoding="utf-8")
    given = yaml.safe_load(Path("conf/monitoring.yaml").read_text(encoding="utf-8"))["monitoring"]
    config.monitoring = Monitor(**{**given, "mlflow": False, "seconds": 10, "attempts": 2})
    return config


@pytest.fixture
def log(finished: Path, product: Any) -> Callable[..., list[str]]:
    """Return how records are logged: scored, a week long up to ``days`` ago; it returns their ids.

    Where ``labels`` are given, people say these, ``how``; ``accepted``: every one was answered.
    """
    digest = sha256(MODEL)
    version = model.Version(model_name(), f"file-{digest[:12]}", digest, str(MODEL))
    kept: dict[str, Any] = {}

    def write(
        frame: pl.DataFrame,
        days: float = 0,
        labels: list[str] | None = None,
        how: str = "drawn",
        name: str = version.name,
        keep: bool = True,
        accepted: bool = False,
    ) -> list[str]:
        matrix = input_of(product).matrix(frame, product)
        kept.setdefault("served", model.Served(version, product, matrix[:1]))
        opened = store.Store(settings.read())
        opened.open()
        scores, rows = kept["served"].score(matrix), []
        columns = frame.select(list(input_of(product).columns(product))).to_dicts()
        inputs = [row["payload"] if "payload" in row else orjson.dumps(row) for row in columns]
        for i, stored in enumerate(inputs):
            at = datetime.now(UTC) - timedelta(days=days + 0.01 + 6.9 * i / len(inputs))
            made = store.time_prefix(at) + os.urandom(10).hex()
            said = orjson.dumps(scores.scores[i]).decode()
            row = (made, "champion", opened.writer.moment(at), name, version.version, True, f"{i:016x}", "0" * 64)
            decision = ("accept", None) if accepted else (scores.decisions[i], scores.reasons[i])
            found = (scores.texts[i], *decision, said, scores.novelty[i], 5.0)
            rows.append((*row, stored if keep else None, *found))
        opened.writer.append(rows)
        for row, label in zip(rows, labels or [], strict=False):
            opened.add_feedback(row[0], answer=label, who="reviewer", how=how)
        opened.close()
        return [row[0] for row in rows]

    return write


@pytest.fixture
def usual(records: pl.DataFrame) -> pl.DataFrame:
    """Records as they always come: more than the reference has."""
    return records.head(600)


@pytest.fixture
def shifted(usual: pl.DataFrame, product: Any) -> pl.DataFrame:
    """Records of which the first feature is half of what it was, or pictures that are much darker."""
    if "payload" not in usual.columns:
        return usual.with_columns(pl.col(product.formulation.input.features[0].name) * 0.5)
    return usual.with_columns(payload=pl.Series([darker(one) for one in usual["payload"]], dtype=pl.Binary))


def darker(payload: bytes) -> bytes:
    """Return a picture as a worse scanner would have made it."""
    import io

    from PIL import Image

    picture, file = np.asarray(Image.open(io.BytesIO(payload))), io.BytesIO()
    Image.fromarray((picture * 0.8).astype(np.uint8)).save(file, "PNG")
    return file.getvalue()
