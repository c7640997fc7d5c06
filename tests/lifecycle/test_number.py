"""A generated product whose answer is a number: set up, run, served."""

from collections.abc import Callable
from pathlib import Path

import pytest

from projects import Finished
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
