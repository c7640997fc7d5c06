"""A generated product whose answer is several labels: set up, run, tested, served, and asked in a browser."""

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from chromium import chromium, served
from projects import Finished
from server import running

TASK = "image-labels"
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group(TASK)]


def test_several_labels_go_from_the_question_to_the_served_answer(
    finish: Callable[[str], Finished], tmp_path: Path
) -> None:
    project = finish(TASK).project
    evaluation, registration = project.json("reports/evaluation.json"), project.json("reports/registration.json")
    assert registration["alias"] == "champion"
    measured = evaluation["metrics"]
    assert measured["subset_accuracy"] > evaluation["baseline"]["most frequent"]["subset_accuracy"] + 0.4
    assert {row["labels"] for row in evaluation["sets"]["by_number"]} == {0, 1, 2}
    for page in ("reports/analysis.html", "docs/3-model/model-card.md"):
        text = (project.folder / page).read_text(encoding="utf-8")
        assert "candidates include it" in text.lower()
        assert "Confused labels" not in text
    record = pl.read_parquet(project.folder / "data/splits/test.parquet")["id"][0]
    assert "answers where every candidate" in project.ok("make", "explain", f"ID={record}")
    project.ok("make", "edge", ".venv-serve/.done")
    project.ok("python", "-m", "fullstack_ml.serving.follow", "once")
    with running(project) as server:
        status, answer = server.ask("POST", "/v1/predict", server.example())
        assert status == 200, answer
        (prediction,) = answer["predictions"]
        assert prediction["answer"] is None or isinstance(prediction["answer"], list)
        assert len(prediction["scores"]) == 7
        late = {"prediction_id": prediction["prediction_id"], "who": "ana", "answer": ["late", "damaged"]}
        assert server.ask("POST", "/v1/feedback", late)[0] in (200, 201)
        late["answer"] = ["too large", "too small"]
        status, refused = server.ask("POST", "/v1/feedback", late)
        assert status == 422
        assert "exclude each other" in str(refused)
    many = pl.read_parquet(project.folder / "data/raw/*.parquet").head(20)["payload"]
    (tmp_path / "slips").mkdir()
    for number, payload in enumerate(many):
        (tmp_path / f"slips/{number:02}.png").write_bytes(payload)
    project.ok("make", "predict", f"INPUT={tmp_path}/slips", f"OUTPUT={tmp_path}/answers.parquet")
    answers = pl.read_parquet(tmp_path / "answers.parquet")
    assert len(answers) == 20
    labels = [name.removeprefix("score_") for name in answers.columns if name.startswith("score_")]
    assert len(labels) == 7
    given = answers["answer"].drop_nulls().to_list()
    assert given
    assert {name for text in given for name in text.split(";")} <= {*labels, "none"}
    failed = "document.getElementById('verdict').dataset.state === 'error'"
    with served(project.folder / "dist" / "edge") as url, chromium() as tab:
        tab.open(url, f"performance.getEntriesByName('ready').length || {failed}")
        assert tab.run("return document.querySelectorAll('#probabilities li').length") == 7
