"""A generated product whose answer is a number: set up, run, served."""

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
import yaml

from projects import Finished, Project
from server import running

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("tabular-regression")]


def test_a_number_goes_from_the_question_to_the_served_answer(
    finish: Callable[[str], Finished], tmp_path: Path
) -> None:
    done = finish("tabular-regression")
    project = done.project
    assert "registered: my-product version 1, alias champion" in done.make.replace("my_product", "my-product")
    measured = project.json("reports/metrics.json")
    baseline = project.json("reports/evaluation.json")["baseline"]["mean"]["mae"]
    assert measured["mae"] < 0.8 * baseline
    assert measured["interval_coverage"] > 0.8
    pages = [project.folder / name for name in ("reports/analysis.html", "docs/3-model/model-card.md")]
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert "right, on average" in text
        assert "Confused labels" not in text and "probabilities" not in text
    project.ok("make", ".venv-serve/.done")
    project.ok("python", "-m", "fullstack_ml.serving.follow", "once")
    with running(project) as server:
        status, answer = server.ask("POST", "/v1/predict", server.example())
        assert status == 200, answer
        (prediction,) = answer["predictions"]
        scores = prediction["scores"]
        assert scores["low"] <= scores["value"] <= scores["high"]
        assert prediction["decision"] == "abstain" or prediction["answer"] == pytest.approx(scores["value"], rel=1e-5)
    pl.read_parquet(project.folder / "data/raw/*.parquet").head(50).write_parquet(tmp_path / "patients.parquet")
    project.ok("make", "predict", f"INPUT={tmp_path}/patients.parquet", f"OUTPUT={tmp_path}/answers.parquet")
    many = pl.read_parquet(tmp_path / "answers.parquet")
    assert len(many) == 50
    assert many["answer"].dtype == pl.Float64
    assert many["answer"].drop_nulls().len() == (many["decision"] == "accept").sum() > 0
    assert ((many["score_low"] <= many["score_value"]) & (many["score_value"] <= many["score_high"])).all()
    watched_every_night(project, tmp_path)


def watched_every_night(project: Project, place: Path) -> None:
    """Do what the nightly workflow does, as its runner would: too few records are no alarm."""
    workflow = yaml.safe_load((project.folder / ".github/workflows/monitor.yml").read_text(encoding="utf-8"))
    (step,) = (one for one in workflow["jobs"]["monitor"]["steps"] if "make --silent monitor" in one.get("run", ""))
    summary = place / "summary.md"
    shell = ("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"])
    done = project.run(*shell, GITHUB_STEP_SUMMARY=str(summary))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "not measured" in summary.read_text(encoding="utf-8")
    other = project.run(*shell, GITHUB_STEP_SUMMARY=str(summary), SERVE_DATABASE_URL=f"sqlite:///{place}/gone.db")
    assert other.returncode != 0, "a pipe hides the exit code"
