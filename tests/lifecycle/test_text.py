"""A project of texts, once from generation to the page: set up, run, explained, served, and asked in a browser; and one
whose model is a network on letters, which the page gets as it gets the others.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import polars as pl
import pytest

from chromium import chromium, served
from conftest import Bake
from projects import Finished, Project
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


def test_a_network_of_letters_says_the_same_on_the_page_as_on_the_server(
    bake: Bake, environment: Mapping[str, str]
) -> None:
    project = Project(bake(task=TASK, author_name="Kim Min-seo"), environment)
    project.replace("conf/config.yaml", "- model: ngrams", "- model: text_cnn")
    settings, contract = (project.folder / name for name in ("conf/model/text_cnn.yaml", "product.yaml"))
    small = {"epochs": 3, "channels": 16}  # it has to answer, and need not be good
    text = settings.read_text(encoding="utf-8")
    for key, value in small.items():
        text = re.sub(rf"(?m)^  {key}: \d+", f"  {key}: {value}", text)
    settings.write_text(text, encoding="utf-8")
    text = re.sub(r'(operator: ">=", threshold:) [\d.]+', r"\1 0", contract.read_text(encoding="utf-8"))
    text = re.sub(r'(operator: "<=", threshold:) 0\.\d+', r"\1 1", text)
    contract.write_text(re.sub(r'(operator: "<=", threshold:) \d\d+', r"\1 100000", text), encoding="utf-8")
    project.ok("make", "setup")  # the backend of the chosen model comes along
    assert "alias champion" in project.ok("make")
    assert (project.json("reports/training.json")["model"], len(project.json("reports/training.json")["history"])) == (
        "text_cnn",
        2,
    )
    project.ok("make", "edge", ".venv-serve/.done")
    project.ok("python", "-m", "fullstack_ml.serving.follow", "once")
    messages = [*MESSAGES, "ok", "a much longer message, " * 6]
    with running(project) as server:
        status, answer = server.ask("POST", "/v1/predict", {"records": [{"text": text} for text in messages]})
    assert status == 200, answer
    scores = [[*said["scores"].values()] for said in answer["predictions"]]
    assert max(abs(one[0] - scores[0][0]) for one in scores) > 0.01, "the letters decide"
    with served(project.folder / "dist" / "edge") as url, chromium() as tab:
        for text, said in zip(messages, scores, strict=True):
            tab.open(url, f"performance.getEntriesByName('ready').length || {STATE} === 'error'")
            assert tab.run(WRITE, text=text) == pytest.approx([100 * share for share in said], abs=0.06)
