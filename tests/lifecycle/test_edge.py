"""The edge page of baked projects in a real Chromium: it answers as the pipeline does, and sends nothing."""

import base64
import functools
import io
import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from chromium import Page, barriers, chromium, served
from fullstack_ml.inputs.canvas import flattened
from projects import IMAGE, TABLE, Finished, Project

pytestmark = pytest.mark.slow

image_only = pytest.mark.parametrize("project", [IMAGE], indirect=True)
table_only = pytest.mark.parametrize("project", [TABLE], indirect=True)
both = pytest.mark.parametrize("project", [IMAGE, TABLE], indirect=True)

STATE = "document.getElementById('verdict').dataset.state"
READY = f"performance.getEntriesByName('ready').length || {STATE} === 'error'"

# Run in the project's own environment: 200 records as the pipeline stores them, 25 blends of two records and
# 25 of noise, so that every decision occurs, and the pipeline's answers to them.
RECORDS = """
import base64, io, json, sys
import numpy as np, polars as pl
from PIL import Image
from fullstack_ml.answers.label import rule
from fullstack_ml.artefact import session
from fullstack_ml.pipeline import examples
from fullstack_ml.product import contract
product, model = contract.load(), session.Artefact("models/model.onnx")
splits = [examples.read(name, product) for name in ("test", "validation", "calibration")]
frame = pl.concat([split.frame for split in splits], how="diagonal")[:200]
inputs = np.concatenate([split.inputs for split in splits])[:200]
random = np.random.default_rng(7)
blends = ((inputs[:25].astype(float) + inputs[25:50]) / 2).astype(inputs.dtype)
low, high = inputs.min(axis=0), inputs.max(axis=0)
noise = random.uniform(low, high, (25, *inputs.shape[1:])).astype(inputs.dtype)
inputs = np.concatenate([inputs, blends, noise])
def stored(i):
    if i < 200 and "payload" in frame.columns:
        return base64.b64encode(frame["payload"][i]).decode()
    if inputs.ndim == 3:
        buffer = io.BytesIO()
        Image.fromarray(inputs[i]).save(buffer, "PNG")
        return base64.b64encode(buffer.getvalue()).decode()
    return inputs[i].tolist()
scored = model.score(inputs)
print(json.dumps({
    "records": [stored(i) for i in range(len(inputs))],
    "probabilities": scored.outputs.tolist(),
    "novelty": scored.novelty.tolist(),
    "labels": [model.labels[i] for i in scored.outputs.argmax(axis=1)],
    "decisions": rule.decide(scored.outputs, scored.novelty, model.rule).tolist(),
}))
"""
# The page's own modules, from stored record to answer.
ANSWERS = """
const { load } = await import("./model.js");
const { description, predict } = await load();
const decode = description.parts.input === "paper.js" ? (await import("./image.js")).decode : null;
const answers = [];
for (const record of records) {
  const bytes = typeof record === "string" ? Uint8Array.from(atob(record), (c) => c.charCodeAt(0)) : null;
  const data = bytes
    ? await decode(new Blob([bytes]), description.input, description.max_pixels)
    : Float32Array.from(record);
  answers.push(await predict(data));
}
return answers;
"""

DIGIT = [(0.36, 0.34), (0.4, 0.24), (0.47, 0.2), (0.55, 0.2), (0.61, 0.27), (0.61, 0.36), (0.57, 0.46)]
DIGIT += [(0.5, 0.57), (0.43, 0.67), (0.37, 0.76), (0.37, 0.8), (0.45, 0.77), (0.55, 0.78), (0.66, 0.82)]
LETTER = [[(0.3, 0.8), (0.5, 0.2), (0.7, 0.8)], [(0.38, 0.58), (0.62, 0.58)]]


@pytest.fixture(scope="session")
def built(finish: Callable[[str], Finished], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Project]:
    """Build the page of a task once, in a copy of its finished project."""

    @functools.cache
    def build(task: str) -> Project:
        project = finish(task).project.copy(tmp_path_factory.mktemp("edge") / "my-product")
        assert "make edge-serve" in project.ok("make", "edge")
        return project

    return build


@pytest.fixture
def project(request: pytest.FixtureRequest, built: Callable[[str], Project]) -> Project:
    """Return a project with its page; it is shared, so a test only looks at it."""
    return built(request.param)


@pytest.fixture(scope="session")
def tab() -> Iterator[Page]:
    with chromium("--window-size=1000,1000") as page:
        yield page


@pytest.fixture
def page(project: Project, tab: Page) -> Iterator[Page]:
    with served(project.folder / "dist" / "edge") as url:
        tab.events.clear()
        tab.open(url, READY)
        yield tab


def said(page: Page) -> list[str]:
    """Return the state, the heading and the reason that a reader sees."""
    script = "const text = (id) => document.getElementById(id).innerText;"
    return list(page.run(f"{script} return [{STATE}, text('label'), text('reason')];"))


def draw(page: Page, *strokes: list[tuple[float, float]]) -> None:
    """Draw on the paper with the mouse, in shares of its sides, and wait for the answer."""
    page.run("document.querySelector('.paper').scrollIntoView();")
    box = page.run(
        "const { x, y, width, height } = document.querySelector('.paper').getBoundingClientRect();"
        "return [x, y, width, height];"
    )
    for stroke in strokes:
        page.drag([(box[0] + x * box[2], box[1] + y * box[3]) for x, y in stroke])
    page.run(f"while ({STATE} === 'empty') {{ await new Promise((again) => setTimeout(again, 5)); }}")


# --- the page and the pipeline ------------------------------------------------------------------------------


@both
def test_the_page_answers_as_the_pipeline_does(project: Project, page: Page) -> None:
    expected = json.loads(project.ok("python", "-c", RECORDS))
    found = page.run(ANSWERS, records=expected["records"])
    assert len(found) == 250
    assert [answer["decision"] for answer in found] == expected["decisions"]
    assert [answer["said"] for answer in found] == expected["labels"]
    for answer, probabilities, novelty in zip(found, expected["probabilities"], expected["novelty"], strict=True):
        # The two builds of the engine cut the tails of the logistic function at different places.
        assert answer["outputs"] == pytest.approx(probabilities, abs=1e-4)
        assert answer["novelty"] == pytest.approx(novelty, rel=1e-4)
    assert set(expected["decisions"]) == {"accept", "unfamiliar", "uncertain"}, "nothing was compared there"


@image_only
def test_the_rule_is_the_same_on_its_thresholds(project: Project, page: Page) -> None:
    rules: list[tuple[Any, ...]] = [
        (0.0, 0.0, None, 1.0),
        (0.1, 0.9, 0.3, 0.9),
        (0.4, 0.6, None, 0.9),
        (0.0, 0.0, 0.3, 1.0),
    ]
    rules += [(0.2, 0.9, None, 0.9), (0.9, 0.5, None, 0.9)]  # 0.9 as float32 is less than 0.9
    rules += [(0.0, 0.0, None, 1.0, [[0, 9], [1, 0]]), (0.45, 0.0, None, 0.9, [[0, 9], [1, 0]])]
    rules += [(0.45, 0.0, 0.3, 0.9, [[0, 0.1], [1, 0]]), (0.1, 0.0, None, 0.9, [[0, 1], [1, 0]])]
    scores = [([0.9, 0.1], 0.3), ([0.4, 0.6], 0.3), ([0.6, 0.4], 0.30001), ([0.95, 0.05], float("nan"))]
    scores += [([0.1, 0.9], float("inf")), ([0.5, 0.5], 0.0), ([0.9000001, 0.0999999], 0.29999999)]
    cases = [(rule, score) for rule in rules for score in scores]
    script = (
        "import json, sys; import numpy as np; from fullstack_ml.answers.label.rule import Rule, chosen, decide\n"
        "print(json.dumps([[decide(np.array([p], np.float32), np.array([n], np.float32), Rule(*r))[0],"
        " int(chosen(np.array([p], np.float32), Rule(*r))[0])] for r, (p, n) in json.loads(sys.argv[1])]))"
    )
    expected = json.loads(project.ok("python", "-c", script, json.dumps(cases)))
    found = page.run(
        'const { chosen, decide } = await import("./decision.js"); const f = Math.fround; return cases.map('
        "([[floor, confidence, novelty, coverage, costs], [p, n]]) => {"
        "const rule = { floor, confidence, novelty, coverage, costs: costs ?? null };"
        "return [decide(p.map(f), f(n === null ? NaN : Number(n)), rule), chosen(p.map(f), rule)]; });",
        cases=[(rule, (p, str(n).replace("inf", "Infinity"))) for rule, (p, n) in cases],
    )
    assert found == expected
    assert {word for word, _ in found} == {"accept", "unfamiliar", "uncertain"}


# --- what a person sees -------------------------------------------------------------------------------------


@image_only
def test_a_drawn_digit_is_answered_and_a_letter_is_not(page: Page) -> None:
    assert said(page)[0] == "empty"
    draw(page, DIGIT)
    assert said(page)[:2] == ["accept", "2"]
    page.run("document.querySelector('button').click();")
    assert said(page)[0] == "empty"
    draw(page, *LETTER)
    state, heading, reason = said(page)
    assert (state, heading) == ("unfamiliar", "Unfamiliar")
    assert reason.startswith("No answer:")


@image_only
def test_a_small_drawing_in_a_corner_is_centred_and_scaled(page: Page) -> None:
    draw(page, [(0.02 + x / 4, 0.6 + y / 4) for x, y in DIGIT])
    assert said(page)[:2] == ["accept", "2"]


@image_only
def test_a_chosen_image_is_answered(project: Project, page: Page, tmp_path: Path) -> None:
    expected = json.loads(project.ok("python", "-c", RECORDS))
    accepted = expected["decisions"].index("accept")
    picture = tmp_path / "scan.png"
    picture.write_bytes(base64.b64decode(expected["records"][accepted]))
    choose(page, picture)
    assert said(page)[:2] == ["accept", expected["labels"][accepted]]


@image_only
def test_a_transparent_image_lies_on_white_as_in_the_pipeline(page: Page, tmp_path: Path) -> None:
    rgba = np.full((8, 8, 4), (0, 0, 0, 0), np.uint8)
    rgba[2:6, 2:4], rgba[2:6, 4:6] = (0, 0, 0, 255), (90, 90, 90, 128)
    buffer = io.BytesIO()
    Image.fromarray(rgba).save(buffer, "PNG")
    expected = np.asarray(flattened(Image.open(io.BytesIO(buffer.getvalue())), "L", 255))
    found = page.run(
        'const { decode } = await import("./image.js"); '
        "const bytes = Uint8Array.from(atob(cases), (c) => c.charCodeAt(0)); "
        "return Array.from(await decode(new Blob([bytes]), { shape: [8, 8] }, 1000));",
        cases=base64.b64encode(buffer.getvalue()).decode(),
    )
    assert np.abs(np.array(found) - expected.ravel().astype(int)).max() <= 1


@image_only
def test_a_file_that_is_no_image_is_said_to_be_none(page: Page, tmp_path: Path) -> None:
    picture = tmp_path / "scan.png"
    picture.write_text("no image")
    choose(page, picture)
    state, _, reason = said(page)
    assert state == "error"
    assert "is no PNG, JPEG" in reason


def choose(page: Page, file: Path) -> None:
    """Choose a file, as with the file dialog, and wait for the answer."""
    document = page.call("DOM.getDocument")["root"]["nodeId"]
    node = page.call("DOM.querySelector", nodeId=document, selector="input[type=file]")["nodeId"]
    page.call("DOM.setFileInputFiles", nodeId=node, files=[str(file)])
    page.run(f"while ({STATE} === 'empty') {{ await new Promise((again) => setTimeout(again, 5)); }}")


@table_only
def test_fields_say_their_range_and_unit_and_refuse_what_is_outside(page: Page) -> None:
    assert page.run("return document.querySelector('#about-0').innerText") == "0 to 40 um"
    click = "[...document.querySelectorAll('button')].find((b) => b.textContent === text).click();"
    page.run(click, text="Ask the model")
    assert said(page)[0] == "error"
    page.run(click, text="Typical values")
    page.run(f"while ({STATE} === 'error') {{ await new Promise((again) => setTimeout(again, 5)); }}")
    assert said(page)[0] in ("accept", "uncertain")
    page.run("document.querySelector('#field-0').value = '41';")
    page.run(click, text="Ask the model")
    assert said(page) == ["error", "Not possible", "mean_radius is 41; allowed are 0 to 40 um."]
    assert page.run("return document.activeElement.id + document.activeElement.ariaInvalid") == "field-0true"


@both
def test_the_page_fits_a_phone_and_names_its_controls(page: Page) -> None:
    page.call("Emulation.setDeviceMetricsOverride", width=360, height=740, deviceScaleFactor=2, mobile=True)
    assert page.run("return document.documentElement.scrollWidth") <= 360
    page.call("Emulation.clearDeviceMetricsOverride")
    nodes = page.call("Accessibility.getFullAXTree")["nodes"]
    controls = [n for n in nodes if n.get("role", {}).get("value") in ("button", "textbox", "image", "status", "list")]
    assert controls
    names = [n["name"]["value"] for n in controls if n["role"]["value"] != "status"]
    assert [name for name in names if not name.strip()] == []
    assert barriers(page) == []


# --- what never happens -------------------------------------------------------------------------------------


@both
def test_nothing_leaves_the_page(project: Project, page: Page) -> None:
    here = page.run("return location.origin + '/'")
    loaded = [event["request"]["url"] for event in page.seen("Network.requestWillBeSent")]
    assert f"{here}model.onnx" in loaded
    assert [url for url in loaded if not url.startswith(here)] == []
    page.events.clear()
    if page.run("return document.querySelector('.paper') !== null"):
        draw(page, DIGIT)
    else:
        page.run("[...document.querySelectorAll('button')].find((b) => b.textContent.includes('Typical')).click();")
        page.run(f"while ({STATE} === 'empty') {{ await new Promise((again) => setTimeout(again, 5)); }}")
    assert said(page)[0] in ("accept", "unfamiliar", "uncertain")
    assert page.seen("Network.requestWillBeSent") == []
    refused = "try { await fetch('https://example.com/'); return 'sent'; } catch { return 'refused'; }"
    assert page.run(refused) == "refused"
    assert any("Content Security Policy" in event["entry"]["text"] for event in page.seen("Log.entryAdded"))


@both
def test_the_page_loads_without_an_error(page: Page) -> None:
    assert page.seen("Log.entryAdded") == []
    assert page.seen("Runtime.exceptionThrown") == []


@image_only
@pytest.mark.parametrize(
    ("name", "change", "reason"),
    [
        ("model.onnx", lambda text: text.replace(b"softmax", b"softmin", 1) + b"\0", "its hash differs"),
        (
            "model.json",
            lambda text: re.sub(rb'"novelty": \[\s*[\d.]+', b'"novelty": [9', text),
            "other scores",
        ),
    ],
    ids=["model", "checks"],
)
def test_a_model_that_is_not_the_accepted_one_answers_nothing(
    name: str, change: Callable[[bytes], bytes], reason: str, project: Project, tab: Page, tmp_path: Path
) -> None:
    site = tmp_path / "site"
    shutil.copytree(project.folder / "dist" / "edge", site)
    before = (site / name).read_bytes()
    (site / name).write_bytes(change(before))
    assert (site / name).read_bytes() != before
    with served(site) as url:
        tab.open(url, READY)
        state, _, told = said(tab)
    assert state == "error"
    assert reason in told


@image_only
def test_the_page_is_served_to_this_machine_only(project: Project) -> None:
    recipe = project.ok("make", "--dry-run", "edge-serve")
    assert "--bind 127.0.0.1 --directory dist/edge" in recipe
