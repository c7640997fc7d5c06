"""The research log: the table comes from MLflow, the text around it stays."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fullstack_ml.modeling.study import research

PAGE = Path("docs/3-model/research.md")
TEXT = f"# Research\n\nBefore.\n\n{research.BEGIN}\nold\n{research.END}\n\nAfter.\n"
Refused = Callable[..., Any]


def log_pipeline(mlflow: Any, name: str, accepted: bool, margin: list[float]) -> str:
    """Log a pipeline run with its reports and return its id."""
    evaluation = {
        "records": 200,
        "metrics": {"accuracy": 0.9, "margin_over_baseline": 0.4},
        "intervals": {"accuracy": [0.85, 0.94], "margin_over_baseline": margin},
        "baseline": {"majority": {"label": "a", "accuracy": 0.5}, "prior": {"log_loss": 0.69}},
    }
    with mlflow.start_run(tags={"kind": "pipeline", "data.version": "v1"}) as run:
        mlflow.log_params({"model.name": name, "model.reference": "Someone 1958", "model.estimator.C": "1.0"})
        mlflow.log_dict(evaluation, "reports/evaluation.json")
        mlflow.log_dict({"accepted": accepted, "failed": ["R1"]}, "reports/acceptance.json")
        return str(run.info.run_id)


def log_sweep(mlflow: Any, losses: list[float]) -> None:
    """Log a sweep whose trials reached ``losses``."""
    with mlflow.start_run(tags={"kind": "sweep"}) as parent:
        pass
    for number, loss in enumerate(losses):
        with mlflow.start_run(tags={"kind": "trial", "mlflow.parentRunId": parent.info.run_id}) as trial:
            mlflow.log_params({"model.name": "swept", "model.estimator.alpha": str(number)})
            mlflow.log_metrics({"validation.log_loss": loss, "validation.accuracy": 0.8, "validation.records": 100})
        if loss == min(losses):
            mlflow.MlflowClient().set_tag(parent.info.run_id, "best", trial.info.run_id)


def filled() -> list[list[str]]:
    """Run the command on a page and return the cells of the table's lines."""
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(TEXT, encoding="utf-8")
    research.main()
    text = PAGE.read_text(encoding="utf-8")
    assert text.startswith("# Research\n\nBefore.\n\n")
    assert text.endswith("\n\nAfter.\n")
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_runs_sweeps_and_the_floor_stand_in_the_table(mlflow: Any) -> None:
    run = log_pipeline(mlflow, "first", accepted=True, margin=[0.3, 0.5])
    log_pipeline(mlflow, "second", accepted=False, margin=[-0.1, 0.1])
    log_sweep(mlflow, [0.5, 0.3, 0.4])
    floor, first, second, trial = filled()
    assert floor[1:4] == ["always a", "baseline", "test, 200"]
    assert floor[4].startswith("0.500 (0.431 to 0.569)")
    assert first[1:] == [
        "first: C=1.0",
        "Someone 1958",
        "test, 200",
        "0.900 (0.850 to 0.940)",
        "0.400 (0.300 to 0.500)",
        "accepted",
        run[:8],
    ]
    assert second[6] == "rejected by R1, not above the baseline"
    assert trial[1] == "swept: alpha=1"
    assert trial[6].startswith("best of 3 trials, log loss 0.300")
    assert trial[2:4] == ["not stated", "validation, 100"]


def test_a_run_whose_version_has_an_alias_says_so(mlflow: Any) -> None:
    run, client, name = log_pipeline(mlflow, "best", True, [0.3, 0.5]), mlflow.MlflowClient(), "my_product"
    client.create_registered_model(name.partition(".")[0])
    client.create_model_version(name.partition(".")[0], source="nowhere", run_id=run)
    client.set_registered_model_alias(name.partition(".")[0], "champion", "1")
    assert filled()[1][6] == "accepted, champion"


def test_the_same_approach_on_the_same_data_stands_once_with_its_newest_run(mlflow: Any) -> None:
    log_pipeline(mlflow, "same", accepted=False, margin=[0.3, 0.5])
    newest = log_pipeline(mlflow, "same", accepted=True, margin=[0.3, 0.5])
    assert [row[7] for row in filled()[1:]] == [newest[:8]]


def test_a_run_that_was_interrupted_before_its_reports_is_left_out(mlflow: Any) -> None:
    run = log_pipeline(mlflow, "whole", accepted=True, margin=[0.3, 0.5])
    mlflow.start_run(tags={"kind": "pipeline"})
    mlflow.end_run("KILLED")
    assert [row[7] for row in filled()[1:]] == [run[:8]]


def test_an_empty_store_is_said_and_the_page_stays(mlflow: Any, refused: Refused) -> None:
    with refused("there is no run in the store", "sqlite", "make"):
        filled()
    assert PAGE.read_text(encoding="utf-8") == TEXT


@pytest.mark.parametrize(
    "text", ["", "no marker", f"{research.END}{research.BEGIN}", f"{research.BEGIN * 2}{research.END}"]
)
def test_a_page_without_a_place_is_refused(text: str, project: Path, refused: Refused) -> None:
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(text, encoding="utf-8")
    with refused("no place for the table", str(PAGE), research.BEGIN):
        research.main()


def test_the_page_of_the_project_has_a_place(root: Path) -> None:
    text = (root / PAGE).read_text(encoding="utf-8")
    assert research.fill(text, [], "accuracy").startswith(text.split(research.BEGIN)[0])
