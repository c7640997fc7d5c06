"""A project of texts, once from generation to the page: set up, run, explained, served, and asked in a browser."""

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from chromium import chromium, served
from projects import Finished
from server import running

TASK = "text-classification"
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group(TASK)]
STATE = "document.getElementById('verdict').dataset.state"
WRITE = """
const box = document.getElementById("message");
box.value = text;
box.dispatchEvent(new Event("input"));
while (document.getElementById("novelty").textContent === "") {
  await new Promise((again) => setTimeout(again, 5));
}
return [...document.querySelectorAll("#probabilities .value")].map((value) => parseFloat(value.textContent));
"""
MOVED = """
while (document.querySelectorAll("#words span").length === 0) {
  await new Promise((again) => setTimeout(again, 5));
}
return document.getElementById("moved").textContent;
"""
MESSAGES = ["What is the capital of France?", "너는 화가 나니?"]


def test_a_project_of_texts_is_registered_served_and_asked_on_a_page(
    finish: Callable[[str], Finished], tmp_path: Path
) -> None:
    project = finish(TASK).project
    evaluation, registration = project.json("reports/evaluation.json"), project.json("reports/registration.json")
    assert registration["alias"] == "champion"
    assert evaluation["metrics"]["accuracy"] > evaluation["baseline"]["majority"]["accuracy"] + 0.2
    assert sum(evaluation["unknown"].values()) > 100
    page = (project.folder / "reports/analysis.html").read_text(encoding="utf-8")
    assert "moved most by" in page
    assert "unknown_detected" in page
    assert len(project.ok("make", "explain").splitlines()) > 10
    project.ok("make", "edge", ".venv-serve/.done")
    project.ok("python", "-m", "fullstack_ml.serving.follow", "once")
    with running(project) as server:
        status, answer = server.ask("POST", "/v1/predict", {"records": [{"text": text} for text in MESSAGES]})
        assert status == 200, answer
        _, told = server.ask("POST", "/v1/predict?explain=true", {"records": [{"text": text} for text in MESSAGES]})
        assert server.ask("POST", "/v1/predict", {"records": [{"text": "x" * 1_000_000}]})[0] in (413, 422)
    pl.DataFrame({"text": MESSAGES, "ticket": [7, 8]}).write_csv(tmp_path / "messages.csv")
    project.ok("make", "predict", f"INPUT={tmp_path}/messages.csv", f"OUTPUT={tmp_path}/answers.csv")
    many = pl.read_csv(tmp_path / "answers.csv").to_dicts()
    assert [(one["ticket"], one["answer"], one["decision"]) for one in many] == [
        (ticket, one["answer"], one["decision"]) for ticket, one in zip((7, 8), answer["predictions"], strict=True)
    ]
    with served(project.folder / "dist" / "edge") as url, chromium() as tab:
        for text, said, moved in zip(MESSAGES, answer["predictions"], told["predictions"], strict=True):
            tab.open(url, f"performance.getEntriesByName('ready').length || {STATE} === 'error'")
            shown = tab.run(WRITE, text=text)
            assert shown == pytest.approx([100 * share for share in said["scores"].values()], abs=0.06)
            first, *_ = moved["moved_by"]["parts"]
            without = 100 * (moved["moved_by"]["value"] - first["effect"])
            assert f"without “{first['part']}” {without:.1f} %" in tab.run(MOVED)
