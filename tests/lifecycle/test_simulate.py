"""A month of production in a finished project: the right alarm in the right week, and a better model by the plan.

The whole loop runs for real, in a copy that ``make simulate`` makes: stages, server over HTTP, monitor, round, import,
registry, release. It takes minutes, and so is played once for all tests.
"""

import json
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from projects import Finished, Project

TASK = "image-classification"
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group(TASK)]
MACHINE = "latency_p99_ms"  # of a busy machine it says more than of the model


@pytest.fixture(scope="module")
def own(finish: Callable[[str], Finished], tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy of the finished project, committed, with the environment of the server."""
    whole = finish(TASK).project
    whole.ok("make", ".venv-serve/.done")
    copy = whole.copy(tmp_path_factory.mktemp("simulate") / "my-product")
    shutil.rmtree(copy.folder / ".venv-serve", ignore_errors=True)
    (copy.folder / ".venv-serve").symlink_to(whole.folder / ".venv-serve")
    copy.commit()
    return copy


def standing(project: Project) -> dict[str, Any]:
    """What a team would miss: its files, its commits, what git says of its work tree."""
    files = {name: content for name, content in project.files().items() if not name.startswith(".simulation/")}
    return {
        "files": files,
        "log": project.ok("git", "log", "--oneline"),
        "status": project.ok("git", "status", "--short"),
    }


def processes(folder: Path) -> list[str]:
    """List the processes that work in a folder or below it."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cwd"):
        try:
            if place.readlink().is_relative_to(folder):
                found.append((place.parent / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue  # it ended meanwhile
    return found


@pytest.fixture(scope="module")
def played(own: Project) -> dict[str, Any]:
    """The figures of the month, what was printed, and how the project stood before and after."""
    before = standing(own)
    printed = own.ok("make", "simulate")
    return {**own.json(".simulation/story.json"), "printed": printed, "standing": (before, standing(own))}


def test_the_monitor_is_quiet_until_the_change_and_then_names_it(played: dict[str, Any]) -> None:
    watched = [week["monitor"] for week in played["weeks"] if week["monitor"]]
    assert [week["title"] for week in played["weeks"] if week["monitor"]][:3] == ["week 1", "week 2", "week 3"]
    raised = [{r["metric"] for r in one["verdicts"] if r["verdict"] == "alarm"} - {MACHINE} for one in watched]
    assert raised[:2] == [set(), set()]
    assert {"drift", "unfamiliar_share"} <= raised[2]
    (drift,) = (row for row in watched[2]["verdicts"] if row["metric"] == "drift")
    assert drift["which"] == "ink", "scans that are darker have more ink"
    for one in watched[:3]:
        drawn = next(row for row in one["verdicts"] if row["metric"] == "drawn_accuracy")
        assert drawn["verdict"] != "not measured" or one is watched[2], "late labels of a random sample are judged"


def test_labels_come_by_the_form_of_people_outside(played: dict[str, Any], own: Project) -> None:
    typed = [one["command"] for week in played["weeks"] for one in week["ran"]]
    wanted = ["make feedback", "make round", "make export-round", "make import", "make release", "make audit"]
    places = [next(i for i, one in enumerate(typed) if one.startswith(command)) for command in wanted]
    assert places == sorted(places)
    assert played["came_back"] >= 100
    copy = own.folder / ".simulation/project"
    assert (copy / "data/labels/shift.parquet").exists()
    assert json.loads((copy / "reports/agreement.json").read_text())["labelled_by_people"] >= 100


def test_the_plan_promotes_a_challenger_that_is_better_on_the_new_traffic(played: dict[str, Any]) -> None:
    assert played["decision"]["decision"] == "promote"
    assert played["decision"]["version"] == "2"
    assert played["after"] > played["before"]
    row = played["release"]["measures"]["accuracy"]
    assert row["low"] > 0, "the whole interval is above nothing"
    assert row["challenger"] > row["champion"] + 0.03
    answered = {name: 1 - played["release"]["measures"]["abstain_rate"][name] for name in ("champion", "challenger")}
    assert answered["challenger"] > answered["champion"]


def test_the_project_itself_stays_as_it_was(played: dict[str, Any], own: Project) -> None:
    before, after = played["standing"]
    assert after == before
    assert processes(own.folder) == []


def test_the_last_line_names_the_page_which_opens_without_a_network(played: dict[str, Any], own: Project) -> None:
    last = played["printed"].splitlines()[-1]
    assert ".simulation/story.html" in last
    page = (own.folder / ".simulation/story.html").read_text(encoding="utf-8")
    assert "week 3" in page
    loaded = re.findall(r"""(?:src=|url\(|<link[^>]*href=)["']?https?:[^"')]*""", page)
    assert loaded == [], "a link to the run is no part of the page, and these are"


def test_a_killed_simulation_leaves_nothing_running_and_the_next_one_begins(
    played: dict[str, Any], own: Project
) -> None:
    command = ["make", "simulate"]
    started = subprocess.Popen(command, cwd=own.folder, env=own.variables(), stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while len(processes(own.folder / ".simulation/project")) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    refused = own.run("make", "simulate")
    assert "error: another simulation runs" in refused.stderr
    started.send_signal(signal.SIGTERM)
    started.wait(60)
    while processes(own.folder) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert processes(own.folder) == []
