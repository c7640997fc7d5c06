"""Write the parameters of an MLflow run back into ``conf/``, so that ``dvc repro`` reproduces it.

Reads the run's ``model.yaml`` (a sweep trial) or ``pipeline/params.yaml`` (a pipeline run); writes
``conf/model/<name>.yaml`` and the choice of the model in ``conf/config.yaml``. Run: ``make adopt``, which takes the
winner of the last sweep (``sweeps/winner.json``), or ``make adopt RUN=<id>``.
"""

import re
import sys
from io import StringIO
from typing import Any

import yaml
from ruamel.yaml import YAML

from fullstack_ml.registry import tracking
from fullstack_ml.workspace.errors import UserError, guard
from fullstack_ml.workspace.files import read_json, write_text
from fullstack_ml.workspace.paths import CONF, REGISTRATION, WINNER

FIX = "copy the id of a run from make mlflow, or from what make sweep printed"


def model_of(mlflow: Any, run_id: str) -> dict[str, Any]:
    """Return the ``model`` settings that the run was made with."""
    place = tracking.without_password(tracking.tracking_uri())
    try:
        kind = mlflow.get_run(run_id).data.tags.get("kind")
        artifact = "model.yaml" if kind == "trial" else "pipeline/params.yaml"
        settings: dict[str, Any] = yaml.safe_load(mlflow.artifacts.load_text(f"runs:/{run_id}/{artifact}"))["model"]
    except Exception as error:  # what a store raises for "not there" differs from store to store
        raise UserError(f"run {run_id!r} holds no model settings", place, FIX) from error
    return settings


def update(text: str, settings: dict[str, Any]) -> str:
    """Put new values into a YAML text and keep its comments, its order and its other keys."""
    round_trip = YAML()
    round_trip.preserve_quotes = True
    document = round_trip.load(text)
    for key in [key for key in document["estimator"] if key not in settings["estimator"]]:
        del document["estimator"][key]
    document["scale"] = settings["scale"]
    if settings.get("weights", "none") != document.get("weights", "none"):
        document["weights"] = settings["weights"]
    if "backend" in settings and settings["backend"] != document.get("backend", "sklearn"):
        document["backend"] = settings["backend"]
    for key, value in settings["estimator"].items():
        if document["estimator"].get(key) != value:
            document["estimator"][key] = value
    written = StringIO()
    round_trip.dump(document, written)
    return written.getvalue()


def adopt(run_id: str) -> str:
    """Write the run's model into ``conf/`` and return the model's name."""
    settings = model_of(tracking.connect(), run_id)
    path = CONF / "model" / f"{settings['name']}.yaml"
    if not path.exists():
        raise UserError(
            f"the run's model {settings['name']!r} has no file", str(path), "make the file, then adopt again"
        )
    config = (CONF / "config.yaml").read_text(encoding="utf-8")
    write_text(path, update(path.read_text(encoding="utf-8"), settings))
    write_text(CONF / "config.yaml", re.sub(r"(?m)^(  - model: ).*$", rf"\g<1>{settings['name']}", config))
    # An experiment leaves a registration that says "not registered"; without the file, dvc repro registers.
    REGISTRATION.unlink(missing_ok=True)
    return str(settings["name"])


def main() -> None:
    """Adopt the run whose id is the argument, or the winner of the last sweep."""
    winner = read_json(WINNER)["run"] if WINNER.exists() else ""
    given = sys.argv[1] if len(sys.argv) > 1 else winner
    if len(sys.argv) > 2 or not re.fullmatch(r"[0-9a-f]{32}", given):
        raise UserError(f"RUN is {given!r}, not 32 hexadecimal digits", "make adopt RUN=<id>", FIX)
    name = adopt(given)
    print(f"adopt: conf/model/{name}.yaml has the parameters of run {given}")
    print("next: git add -A && git commit -m 'Adopt a run', then make")


if __name__ == "__main__":
    guard(main)
