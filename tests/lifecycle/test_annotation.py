"""The round trip with the real Label Studio, which a baked project starts, fills, empties and stops.

Three annotators with known errors sign in with the passwords that were printed and label through the API.
What comes home is held against what they did, and agreement against a plain count of pairs.
"""

import io
import itertools
import json
import re
import socket
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from openpyxl import load_workbook
from PIL import Image

from chromium import Page, chromium, served
from projects import IMAGE, TABLE, Finished, Project

pytestmark = [pytest.mark.slow, pytest.mark.studio]

LABELS = "data/labels/pilot.parquet"
PEOPLE = ("annotator-1", "annotator-2", "annotator-3")
# Run in the project's own environment: everybody signs in with a password and labels as who they are.
# Annotator n errs where the place of a record is divisible by n + EVERY - 1; the owner never does.
ANNOTATE = """
import json, sys
import httpx, polars as pl
url, printed, people = sys.argv[1].split("/projects/")[0], json.loads(sys.argv[2]), json.loads(sys.argv[3])
project = int(sys.argv[1].split("/projects/")[1].split("/")[0])
named = pl.col("source").str.extract(r"([a-z]+)-[0-9]+[.]png$")  # of pictures without a label
raw = pl.read_parquet("data/raw/*.parquet").select("id", pl.coalesce("source_label", named))
truth, every = dict(raw.iter_rows()), int(sys.argv[4])
names = sorted(set(truth.values()))
given = {}
for number, who in enumerate(people):
    with httpx.Client(base_url=url, timeout=120, follow_redirects=True) as visitor:
        visitor.get("/user/login/")
        form = {"email": who, "password": printed[who], "csrfmiddlewaretoken": visitor.cookies["csrftoken"]}
        visitor.post("/user/login/", data=form, headers={"Referer": url})
        token = visitor.get("/api/current-user/token").raise_for_status().json()["token"]
    client = httpx.Client(base_url=url, timeout=120, headers={"Authorization": "Token " + token})
    page = {"project": project, "fields": "all", "page_size": 1000}
    for place, task in enumerate(client.get("/api/tasks", params=page).json()["tasks"]):
        record = task["data"]["id"]
        right = names.index(truth[record])
        errs = who.startswith("annotator") and place % (number + every) == 0
        said = names[(right + (number + 1) * errs) % len(names)]
        result = {"from_name": "answer", "to_name": "record", "type": "choices", "value": {"choices": [said]}}
        body = {"result": [result], "lead_time": 1.5 + number}
        client.post(f"/api/tasks/{task['id']}/annotations/", json=body).raise_for_status()
        given.setdefault(record, {})[who.split("@")[0]] = said
print(json.dumps(given))
"""
READ = "import sys, polars as pl; print(pl.read_parquet(sys.argv[1]).select(pl.exclude(pl.Binary)).write_json())"
NAMES = "import polars as pl; print(*pl.read_parquet('data/labelled.parquet')['label'].unique().sort()[:2])"
ASK = """
import json, sys
import httpx
url, method, path, *body = sys.argv[1:]
headers = {"Authorization": "Token " + json.load(open(".labelstudio/access.json"))["token"]}
options = {"headers": headers, "timeout": 120, "json": json.loads(body[0]) if body else None}
answer = httpx.request(method, url.split("/projects/")[0] + path, **options)
print(json.dumps(answer.json() if answer.raise_for_status().content else None))
"""

# In a browser: sign in, the choices of the screen, whether one is taken, and a moment.
SIGN_IN = """
const form = document.querySelector("input[name=email]").form;
const given = new FormData(form);
given.set("email", who);
given.set("password", secret);
return (await fetch(form.action || location.href, { method: "POST", body: given })).url;
"""
CHOICES = "document.querySelectorAll('.lsf-choice__item')"
CHECKED = "one.querySelector('input').checked"
PAUSE = "{ await new Promise((again) => setTimeout(again, 50)); }"


def press(page: Page, key: str, number: int, control: bool = False) -> None:
    """Press a key, with the control key held down or not."""
    for kind in ("keyDown", "keyUp"):
        named = {"key": key, "code": f"Digit{key}" if key.isdigit() else key, "windowsVirtualKeyCode": number}
        page.call("Input.dispatchKeyEvent", type=kind, modifiers=2 * control, **named)


class Team:
    """A project with Label Studio on a port of its own."""

    def __init__(self, project: Project) -> None:
        """Choose a free port."""
        self.project = project
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        project.replace("conf/annotation.yaml", "port: 8085", f"port: {self.port}")

    def annotate(self, *options: str) -> str:
        """Open a round and return its URL."""
        printed = self.project.ok("make", "annotate", *options)
        self.passwords = dict(re.findall(r"user (\S+) +password (\S+)", printed))
        self.printed = printed
        urls: list[str] = re.findall(r"http://127\.0\.0\.1:\d+/projects/\d+/data", printed)
        return urls[0]

    def label(self, url: str, *people: str, every: int = 2) -> Any:
        """Let people label everything and return what each said of each record; the first errs in one of ``every``."""
        who = json.dumps([f"{name}@localhost" for name in people])
        return json.loads(self.project.ok("python", "-c", ANNOTATE, url, json.dumps(self.passwords), who, str(every)))

    def ask(self, url: str, *request: str) -> Any:
        """Ask Label Studio as its owner."""
        return json.loads(self.project.ok("python", "-c", ASK, url, *request))

    def table(self, path: str) -> list[dict[str, Any]]:
        """Read a Parquet file."""
        return list(json.loads(self.project.ok("python", "-c", READ, path)))

    def labelled(self) -> set[str]:
        """Return the records that anybody has labelled."""
        tables = self.project.folder.glob("data/labels/*.parquet")
        return {row["id"] for path in tables for row in self.table(str(path))}

    def files(self) -> dict[str, str]:
        """Hash what the project holds, without the database and the log of Label Studio."""
        files = self.project.files()
        return {name: digest for name, digest in files.items() if not name.startswith(".labelstudio/")}

    def answers(self) -> bool:
        """Tell whether anything listens on the port."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


@pytest.fixture(scope="module", params=[IMAGE, TABLE])
def team(
    request: pytest.FixtureRequest,
    finish: Callable[[str], Finished],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Team]:
    """Copy the finished project of a task; what it starts is ended by its own command."""
    team = Team(finish(request.param).project.copy(tmp_path_factory.mktemp("team") / "my-product"))
    yield team
    team.project.run("make", "annotate-stop")
    assert not team.answers(), "Label Studio outlived make annotate-stop"


@pytest.fixture
def fresh(bake: Callable[..., Path], environment: dict[str, str]) -> Iterator[Team]:
    """A project in which nothing has run but its setup, with a folder of pictures that nobody has sorted."""
    project = Project(bake(task="image-classification"), environment)
    project.ok("make", "setup")
    inbox, random = project.folder / "data/inbox", np.random.default_rng(4)
    inbox.mkdir(parents=True)
    for number in range(160):
        values = random.integers(0, 90, (12, 16), dtype=np.uint8)
        side = number % 2
        values[:, 8 * side : 8 * side + 8] += 120
        Image.fromarray(values).save(inbox / f"{('left', 'right')[side]}-{number}.png")
    team = Team(project)
    yield team
    project.run("make", "annotate-stop")
    assert not team.answers(), "Label Studio outlived make annotate-stop"


@pytest.mark.xdist_group("image-classification")
def test_a_folder_without_labels_becomes_a_champion_that_people_keep_improving(fresh: Team) -> None:
    project = fresh.project
    told = project.ok("make", "draft", "FROM=data/inbox", "LABELS=left,right")
    assert "about 210 labels make a first model; here are 160, and more are wanted" in told
    project.commit()
    waits = project.ok("make")
    assert "the stages from split on wait for labels" in waits
    assert waits.count("not yet: no record has a label yet") == 1
    assert "label more: make round NAME=<name> N=<records>, make annotate, make labels" in waits

    # Two pilots, with a better guide in between.
    project.ok("make", "round", "NAME=pilot-1", "N=40")
    assert "label round pilot-1: make annotate, then make labels" in project.ok("make", "status")
    fresh.label(fresh.annotate(), *PEOPLE, every=2)
    assert "120 labels of 40 of 40 items" in project.ok("make", "labels")
    assert "120 labels came home and are not counted yet" in project.ok("make", "status")
    project.replace("docs/2-data/annotation-guide.md", 'version: "1.0"', 'version: "1.1"')
    project.ok("make", "round", "NAME=pilot-2", "N=40")
    fresh.label(fresh.annotate(), *PEOPLE, every=60)
    project.ok("make", "labels")
    project.ok("make", "agreement")
    rounds = {row["round"]: row["alpha"] for row in project.json("reports/agreement.json")["rounds"]}
    assert rounds["pilot-1"] < 0.7 < 0.9 < rounds["pilot-2"]

    # Production, and the first champion.
    project.ok("make", "round", "NAME=first", "KIND=production", "N=70")
    fresh.label(fresh.annotate(), *PEOPLE, every=40)
    project.ok("make", "labels")
    project.commit()
    made = project.ok("make")
    labelled = len(fresh.labelled())
    assert 130 < labelled <= 150, "some of the production round are gold items of the pilots"
    assert f"label: {labelled} records, {labelled} of them labelled by people" in made
    assert "alias champion" in made
    assert "came home" not in made
    assert project.json("reports/acceptance.json")["accepted"]

    # Review of records of one label; where that leaves people two to two, the owner's ruling counts.
    project.ok("make", "round", "NAME=check", "KIND=review", "N=15", "LABEL=left")
    asked = fresh.label(fresh.annotate(), "owner")
    assert len(asked) == 15
    assert "15 labels of 15 of 15 items" in project.ok("make", "labels")
    project.ok("make", "label")
    project.ok("make", "round", "NAME=settle", "KIND=adjudication", "N=50")
    fresh.label(fresh.annotate(), "owner")
    project.ok("make", "labels")
    project.ok("make", "label")
    counted = {row["id"]: row["label"] for row in fresh.table("data/labelled.parquet")}
    assert {record: counted[record] for record in asked} == {record: said["owner"] for record, said in asked.items()}

    # A label gets another name, and people outside label the rest with three bad rows.
    project.replace("product.yaml", "{name: left,", "{name: west, was: [left],")
    project.replace("docs/2-data/annotation-guide.md", "`left`", "`west`")
    project.ok("make", "round", "NAME=outside", "N=10")
    told = send_outside(fresh, "west")
    assert "7 labels of 7 items in data/labels/outside.parquet, 7 of them new" in told
    assert "3 of 10 rows are not taken" in told
    project.commit()
    made = project.ok("make")
    home = len(fresh.labelled())
    assert labelled < home <= labelled + 7, "some of the items of people outside are gold too"
    assert f"label: {home} records, {home} of them labelled by people" in made
    assert set(project.ok("python", "-c", NAMES).split()) == {"right", "west"}
    assert project.json("reports/acceptance.json")["accepted"]


def send_outside(team: Team, name: str) -> str:
    """Fill in the form of round ``outside`` with one label and three bad rows; return what its import says."""
    project = team.project
    assert "10 items of round outside in data/exports/outside.zip" in project.ok("make", "export-round")
    with zipfile.ZipFile(project.folder / "data/exports/outside.zip") as archive:
        book = load_workbook(io.BytesIO(archive.read("form.xlsx")))
    titles, *rows = book["form"].iter_rows()
    place = {title.value: n for n, title in enumerate(titles)}
    assert name in {row[0].value for row in book["labels"].iter_rows()}
    for row in rows:
        row[place["label"]].value = name
    rows[1][place["id"]].value, rows[4][place["label"]].value, rows[7][place["label"]].value = "x", "=1+1", None
    book.save(project.folder / "from outside.xlsx")
    return project.ok("make", "import", "FILE=from outside.xlsx", "BY=vendor-1")


def alpha(given: dict[str, dict[str, str]]) -> float:
    """Krippendorff's alpha by its definition, from ordered pairs of values of a record and of all records."""
    values = [value for said in given.values() for value in said.values()]
    apart = sum(
        sum(a != b for a, b in itertools.permutations(said.values(), 2)) / (len(said) - 1) for said in given.values()
    )
    expected = sum(a != b for a, b in itertools.permutations(values, 2)) / (len(values) - 1)
    return 1 - apart / expected


def test_a_team_annotates_adjudicates_and_trains_on_its_labels(team: Team) -> None:
    project = team.project
    project.ok("make", "round", "NAME=pilot", "N=30")
    url = team.annotate()
    assert len(team.passwords) == 4
    assert team.annotate() == url
    assert "0 of them new" in team.printed, "a second run adds nothing"

    given = team.label(url, *PEOPLE)
    assert "90 labels of 30 of 30 items" in project.ok("make", "labels")
    before = team.files()
    project.ok("make", "labels")
    assert team.files() == before, "a second run changes nothing"
    rows = team.table(LABELS)
    home: dict[str, dict[str, str]] = {}
    for row in rows:
        home.setdefault(row["id"], {})[row["annotator"]] = row["label"]
    assert home == given
    assert {(row["round"], row["guide_version"]) for row in rows} == {("pilot", "1.0")}
    assert {row["annotator"]: row["seconds"] for row in rows} == {f"annotator-{n}": n + 0.5 for n in (1, 2, 3)}

    project.ok("make", "agreement")
    report = project.json("reports/agreement.json")
    assert report["metrics"]["agreement_alpha"] == pytest.approx(alpha(given))
    assert 'class="card"' in (project.folder / "reports" / "agreement.html").read_text(encoding="utf-8")
    ties = [said for said in given.values() if len(set(said.values())) == 3]
    assert report["review"].get("tie", 0) == len(ties)

    if ties:
        project.ok("make", "round", "NAME=settle", "KIND=adjudication")
        team.label(team.annotate(), "owner")
        project.ok("make", "labels")
        project.ok("make", "label")
        assert project.json("reports/agreement.json")["review"] == {}

    project.ok("make", "train")
    assert project.json("reports/agreement.json")["labelled_by_people"] == 30
    people = [row for row in team.table("data/labelled.parquet") if row["labelled_by"] == "people"]
    majorities = {record: max(said.values(), key=list(said.values()).count) for record, said in given.items()}
    assert all(row["label"] == majorities[row["id"]] for row in people if len(set(given[row["id"]].values())) < 3)


def test_control_items_stay_blind_and_other_projects_are_left_alone(team: Team) -> None:
    project = team.project
    project.replace("conf/annotation.yaml", "prelabel: false", "prelabel: true")
    project.replace("conf/annotation.yaml", "gold_from: agreed", "gold_from: source")
    project.ok("make", "round", "NAME=first", "KIND=production", "N=30")
    url = team.annotate()
    one = project.json("data/rounds/first.json")
    number = re.findall(r"projects/(\d+)", url)[0]
    tasks = team.ask(url, "GET", f"/api/tasks?project={number}&fields=all&page_size=100")["tasks"]
    assert sorted(task["data"]["id"] for task in tasks) == sorted(one["items"])
    for task in tasks:
        record = task["data"]["id"]
        hints = [p["result"][0]["value"]["choices"][0] for p in task["predictions"]]
        assert hints == ([one["model"][record]] if record in one["shown"] else [])
        assert task["overlap"] == (3 if record in one["overlap"] else 1)
    assert one["gold"]
    assert not set(one["gold"]) & set(one["shown"])

    project.ok("make", "round", "NAME=second", "KIND=production", "N=10")
    title = team.ask(url, "GET", f"/api/projects/{number}/")["title"].replace("first", "second")
    team.ask(url, "POST", "/api/projects/", json.dumps({"title": title, "label_config": "<View/>"}))
    done = project.run("make", "annotate")
    assert done.returncode != 0
    assert "make annotate of this product did not make it" in done.stderr
    assert "Traceback" not in done.stderr

    project.ok("make", "annotate-stop")
    done = project.run("make", "labels", "ROUND=first")
    assert "does not answer" in done.stderr
    assert "Traceback" not in done.stderr


def test_people_outside_send_a_file_with_three_bad_rows(team: Team) -> None:
    project = team.project
    project.ok("make", "round", "NAME=outside", "N=10")
    name = project.ok("python", "-c", NAMES).split()[0]
    told = send_outside(team, name)
    assert "7 labels of 7 items in data/labels/outside.parquet, 7 of them new" in told
    assert "3 of 10 rows are not taken, first row 3: unknown id" in told
    assert len((project.folder / "data/rejected/import-from outside.csv").read_text().splitlines()) == 4
    assert {(row["label"], row["annotator"]) for row in team.table("data/labels/outside.parquet")} == {
        (name, "vendor-1")
    }
    before = team.files()
    project.ok("make", "import", "FILE=from outside.xlsx", "BY=vendor-1")
    assert team.files() == before, "a second run changes nothing"
    assert not project.ok("git", "status", "--porcelain", "data/exports", "data/rejected")
    project.ok("make", "label")
    (project.folder / "data/rounds/outside.json").unlink()
    for path in (project.folder / "data/labels").glob("outside.*"):
        path.unlink()


def test_a_better_guide_shows_a_deleted_project_comes_back_and_labels_change(team: Team) -> None:
    project, copies = team.project, ".labelstudio/pulled/pilot-2.parquet"
    if not (project.folder / LABELS).exists():  # the test that makes it may run in another process
        project.ok("make", "round", "NAME=pilot", "N=30")
        team.label(team.annotate(), *PEOPLE)
        project.ok("make", "labels")
    project.ok("make", "annotate-stop")
    project.replace("conf/annotation.yaml", "pull_every: 60", "pull_every: 1")
    project.replace("docs/2-data/annotation-guide.md", 'version: "1.0"', 'version: "1.1"')
    project.ok("make", "round", "NAME=pilot-2", "N=24")
    url = team.annotate()
    given = team.label(url, *PEOPLE, every=60)
    end = time.monotonic() + 60
    while not (project.folder / copies).exists() or len(team.table(copies)) < 72:
        assert time.monotonic() < end, (project.folder / ".labelstudio/watch.log").read_text(encoding="utf-8")
    team.ask(url, "DELETE", f"/api/projects/{re.findall(r'projects/([0-9]+)', url)[0]}/")
    assert "72 labels of 24 of 24 items" in project.ok("make", "labels", "ROUND=pilot-2")
    rows = team.table("data/labels/pilot-2.parquet")
    assert {row["guide_version"] for row in rows} == {"1.1"}
    assert {(row["id"], row["annotator"]): row["label"] for row in rows} == {
        (record, who): label for record, said in given.items() for who, label in said.items()
    }
    back = team.annotate("ROUND=pilot-2")
    number = re.findall(r"projects/(\d+)", back)[0]
    tasks = team.ask(back, "GET", f"/api/tasks?project={number}&fields=all&page_size=100")["tasks"]
    assert sum(len(task["annotations"]) for task in tasks) == 72
    project.ok("make", "labels", "ROUND=pilot-2")
    assert team.table("data/labels/pilot-2.parquet") == rows

    printed = project.ok("make", "agreement")
    report = project.json("reports/agreement.json")
    trend = {row["round"]: row["alpha"] for row in report["rounds"]}
    assert trend["pilot"] < trend["pilot-2"] == report["alpha"]["alpha"]
    assert report["measured_on"] == ["1.1"]
    assert f"{report['disagreements']} disagreements on 24 records, guide 1.1" in printed
    with served(project.folder / "reports") as site, chromium("--window-size=390,900") as page:
        page.call("Emulation.setDeviceMetricsOverride", width=390, height=900, deviceScaleFactor=1, mobile=True)
        page.open(f"{site}agreement.html", "document.querySelector('h1')")
        assert page.run("return document.documentElement.scrollWidth") == 390

    first, second = project.ok("python", "-c", NAMES).split()
    for name, now in ((first, f"{{name: renamed, was: ['{first}'],"), (second, None)):
        text = (project.folder / "product.yaml").read_text(encoding="utf-8")
        (line,) = [line for line in text.splitlines() if re.search(rf"\{{name: \"?{name}\"?,", line)]
        begin = line.index("{name:")
        part = f"{line[:begin]}{{name: part, was: ['{second}'], definition: a part of it}}"
        changed = f"{line}\n{part}" if now is None else line[:begin] + now + line[line.index(",") + 1 :]
        project.replace("product.yaml", line, changed)
    project.replace("docs/2-data/annotation-guide.md", f"| `{first}` |", "| `part` | a part | - | - |\n| `renamed` |")
    project.ok("make", "label")
    labels = {row["id"]: row["label"] for row in team.table("data/labelled.parquet") if row["labelled_by"] == "people"}
    assert first not in labels.values()
    assert "renamed" in labels.values()
    project.ok("make", "round", "NAME=parts", "KIND=review", "N=1000")
    asked = project.json("data/rounds/parts.json")["items"]
    assert set(asked.values()) == {"split label"}
    assert {record for record in asked if record in labels} == {r for r, label in labels.items() if label == second}


@pytest.mark.xdist_group("image-labels")
def test_several_labels_are_chosen_by_their_keys_and_come_home_as_sets(
    finish: Callable[[str], Finished], tmp_path: Path
) -> None:
    """The screen of the real Label Studio: two keys and a submit, then the key of none, then of a kind out of scope."""
    team = Team(finish("image-labels").project.copy(tmp_path / "my-product"))
    project, who = team.project, "annotator-1@localhost"
    try:
        project.ok("make", "round", "NAME=slips", "N=4")
        url = team.annotate()
        with chromium("--window-size=1300,900") as page:
            page.open(f"{url.split('/projects/')[0]}/user/login/", "document.querySelector('input[name=email]')")
            assert "/user/login" not in page.run(SIGN_IN, who=who, secret=team.passwords[who])
            page.open(f"{url}?labeling=1", f"{CHOICES}.length > 8")
            texts = page.run(f"return [...{CHOICES}].map((one) => one.textContent)")
            assert "never with too small" in texts[1]
            assert [text.split(":")[0] for text in texts[-3:]] == ["none", "crossed", "cannot be annotated"]
            for keys, chosen in (("24", ["too large", "late"]), ("8", ["none"]), ("9", ["crossed"])):
                for count, key in enumerate(keys, 1):
                    few = f"[...{CHOICES}].filter((one) => {CHECKED}).length < {count}"
                    for _ in range(10):  # keys are bound some time after the choices are there
                        press(page, key, ord(key))
                        page.run(f"for (let i = 0; i < 40 && {few}; i++) {PAUSE}")
                        if not page.run(f"return {few}"):
                            break
                taken = page.run(f"return [...{CHOICES}].filter((one) => {CHECKED}).map((one) => one.textContent)")
                assert [text.split(":")[0] for text in taken] == chosen
                press(page, "Enter", 13, control=True)
                page.run(f"for (let i = 0; i < 400 && [...{CHOICES}].some((one) => {CHECKED}); i++) {PAUSE}")
        assert "3 labels of 3 of 4 items" in project.ok("make", "labels")
        said = {row["label"]: row["id"] for row in team.table("data/labels/slips.parquet")}
        assert sorted(said) == ["crossed", "late;too large", "none"]
        assert "1 out of scope are kept and not learned" in project.ok("make", "label")
        assert [row["id"] for row in team.table("data/out_of_scope.parquet")] == [said["crossed"]]
    finally:
        project.run("make", "annotate-stop")
