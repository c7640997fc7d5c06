"""Baked projects as their team uses them: set up, checked, run, changed, shared, and fed with mistakes.

One project per task is set up and run once; every test works on a copy of it, which takes no time. xdist
keeps the tests of one task in one process, so that nothing is made twice.
"""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from chromium import barriers, chromium
from conftest import Bake
from projects import IMAGE, TABLE, Finished, Project, sha256

pytestmark = pytest.mark.slow

image_only = pytest.mark.parametrize("finished", [IMAGE], indirect=True)
table_only = pytest.mark.parametrize("finished", [TABLE], indirect=True)
FROM_TRAIN = ["train", "export", "evaluate", "accept", "cards", "register"]
STAGES = ["compose", "collect", "validate", "label", "split", *FROM_TRAIN]
KILLS = int(os.environ.get("KILLS", "3"))  # at random moments
PAGES = r"docs/(.*/((requirements|(data|model)-card)\.md|croissant\.json)|provenance\.md)"
WRITTEN_BY_THE_PIPELINE = re.compile(rf"dvc\.lock|data/raw\.lock|params\.yaml|contract\.json|reports/.*|{PAGES}")

# Run in the project's own environment, on the store's own interface.
STORE = """
import hashlib, json, logging, pathlib
logging.disable()
import mlflow
mlflow.set_tracking_uri("sqlite:///mlflow.db")
client, name = mlflow.MlflowClient(), "my_product"
runs = mlflow.search_runs(search_all_experiments=True, output_format="list")
champion = client.get_model_version_by_alias(name, "champion")
folder = pathlib.Path(mlflow.artifacts.download_artifacts(f"models:/{name}@champion"))
(artefact,) = folder.rglob("*.onnx")
print(json.dumps({
    "runs": {run.info.run_id: {"tags": run.data.tags, "params": run.data.params} for run in runs},
    "versions": sorted(int(version.version) for version in client.search_model_versions(f"name = '{name}'")),
    "champion": {"version": int(champion.version), "run_id": champion.run_id},
    "sha256": hashlib.sha256(artefact.read_bytes()).hexdigest(),
}))
"""


def ran(output: str) -> list[str]:
    """Return the stages that DVC ran, in their order."""
    return re.findall(r"^Running stage '(\w+)'", output, re.MULTILINE)


@pytest.fixture(params=[IMAGE, TABLE])
def finished(request: pytest.FixtureRequest, finish: Callable[[str], Finished]) -> Finished:
    """Return the finished project of every task; it is shared, so a test only looks at it."""
    return finish(request.param)


@pytest.fixture
def project(finished: Finished, tmp_path: Path) -> Project:
    """Copy the finished project for a test to work in."""
    return finished.project.copy(tmp_path / "team" / "my-product")


def store(project: Project) -> Any:
    """Ask MLflow what it holds."""
    return json.loads(project.ok("python", "-c", STORE).splitlines()[-1])


# --- the two commands ---------------------------------------------------------------------------------------


def test_setup_makes_a_repository_with_a_commit_of_the_author(finished: Finished) -> None:
    log = finished.project.ok("git", "log", "--format=%an, %ae")
    assert log == "Kim Min-seo, you@example.com\n"
    assert finished.project.ok("make", "setup") == "", "a second set-up has nothing to do, and nothing to say"


def test_make_ends_in_an_accepted_and_registered_model(finished: Finished) -> None:
    project = finished.project
    assert ran(finished.make) == STAGES
    assert project.json("reports/acceptance.json")["accepted"] is True
    registration = project.json("reports/registration.json")
    assert (registration["registered"], registration["alias"]) == (True, "champion")
    assert "alias champion" in finished.make
    held = store(project)
    assert held["versions"] == [1]
    assert held["champion"] == {"version": 1, "run_id": registration["run_id"]}
    tags = held["runs"][registration["run_id"]]["tags"]
    assert list(held["runs"]) == [registration["run_id"]]
    assert re.fullmatch(r"[0-9a-f]{32}", tags["pipeline"])
    assert tags["git.commit"] == project.ok("git", "rev-parse", "HEAD").strip()
    assert tags["git.dirty"] == "false"
    assert held["sha256"] == tags["artefact.sha256"] == sha256(project.folder / "models" / "model.onnx")


def test_the_pipeline_leaves_nothing_unexpected(finished: Finished) -> None:
    listed = finished.project.ok("git", "status", "--porcelain", "--untracked-files=all").splitlines()
    assert [line for line in listed if not WRITTEN_BY_THE_PIPELINE.fullmatch(line[3:])] == []


@pytest.mark.parametrize("command", ["check", "test"])
def test_a_new_project_passes(command: str, project: Project) -> None:
    project.ok("make", command)


def test_the_site_holds_cards_and_reports(project: Project) -> None:
    packages = project.ok("uv", "pip", "freeze", "--python", ".venv")
    project.ok("make", "docs")
    for page in ("1-requirements/requirements", "2-data/data-card", "3-model/model-card", "reports/analysis"):
        assert (project.folder / f"site/{page}.html").stat().st_size > 10_000, page
    assert project.ok("git", "status", "--porcelain", "site", ".venv-docs") == ""
    assert project.ok("uv", "pip", "freeze", "--python", ".venv") == packages, "it has an environment of its own"


def test_setup_installs_uv_where_there_is_none(bake: Bake, environment: dict[str, str], tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("awk", "bash", "git", "make", "sed", "sh", "touch"):
        (programs / name).symlink_to(str(shutil.which(name)))
    (programs / "python3").symlink_to(sys.executable)
    project = Project(bake(), environment | {"PATH": str(programs)})
    assert "installing it into .uv/" in project.ok("make", ".uv/bin/uv")
    assert project.ok(".uv/bin/uv", "--version").startswith("uv ")


# --- what runs again ----------------------------------------------------------------------------------------


def test_a_repeated_run_does_nothing(project: Project) -> None:
    before = project.files()
    output = project.ok("dvc", "repro")
    assert re.findall(r"^Stage '(\w+)' didn't change, skipping", output, re.MULTILINE) == STAGES
    assert ran(output) == []
    assert project.files() == before


# A setting of every default model, and another value for it.
SETTING = {"mlp": ("alpha: 0.001", "alpha: 0.002"), "boosted": ("min_samples_leaf: 20", "min_samples_leaf: 18")}


def chosen_model(project: Project) -> str:
    """Return the model that conf/config.yaml chooses."""
    return next(iter(re.findall(r"(?m)^  - model: (\w+)$", (project.folder / "conf/config.yaml").read_text("utf-8"))))


def test_a_changed_model_runs_again_from_train_on_and_is_registered_from_a_commit(project: Project) -> None:
    name = chosen_model(project)
    project.replace(f"conf/model/{name}.yaml", *SETTING[name])
    setting, value = SETTING[name][1].split(": ")
    uncommitted = project.run("dvc", "repro")
    assert uncommitted.returncode != 0
    assert f"error: 1 uncommitted file(s): conf/model/{name}.yaml\n" in uncommitted.stderr
    assert ran(uncommitted.stdout) == ["compose", *FROM_TRAIN]
    assert store(project)["champion"]["version"] == 1
    project.commit()
    assert ran(project.ok("dvc", "repro")) == ["register"]
    registration, held = project.json("reports/registration.json"), store(project)
    assert held["versions"] == [1, 2]
    assert len(held["runs"]) == 2, "a repeated register writes into its own run"
    assert held["runs"][registration["run_id"]]["params"][f"model.estimator.{setting}"] == value
    replaced = held["champion"] == {"version": 2, "run_id": registration["run_id"]}
    assert registration["alias"] == ("champion" if replaced else "challenger")
    assert (registration["champion_stays"] == []) is replaced, "a champion that stays does so for a reason"


def test_an_experiment_is_logged_and_not_registered(project: Project) -> None:
    champion = store(project)["champion"]
    output = project.ok("dvc", "exp", "run", "-S", "model=logistic")
    assert ran(output) == ["compose", *FROM_TRAIN]
    held = store(project)
    (run,) = (run for identity, run in held["runs"].items() if identity != champion["run_id"])
    assert run["params"]["model.name"] == "logistic"
    assert run["tags"]["verdict"] == "accepted"
    assert (held["versions"], held["champion"]) == ([1], champion)
    assert project.json("reports/registration.json")["registered"] is False


def test_a_rejected_model_is_logged_and_stopped(project: Project) -> None:
    champion = store(project)["champion"]
    project.replace("conf/config.yaml", f"- model: {chosen_model(project)}", "- model: majority")
    project.commit()
    done = project.run("dvc", "repro")
    assert done.returncode != 0
    rejected = [row["id"] for row in project.json("reports/acceptance.json")["verdicts"] if row["verdict"] != "pass"]
    assert "R1" in rejected, "one label for every record cannot reach the accuracy"
    (error,) = re.findall(r"^error: rejected by (.*)", done.stderr, re.MULTILINE)
    assert all(f"{requirement} " in error for requirement in rejected)
    held = store(project)
    assert sorted(run["tags"]["verdict"] for run in held["runs"].values()) == ["accepted", "rejected"]
    assert (held["versions"], held["champion"]) == ([1], champion)


def test_nobody_is_shut_out_of_the_reports(finished: Finished) -> None:
    reports = sorted((finished.project.folder / "reports").glob("*.html"))
    assert {"analysis", "changes", "validation"} <= {report.stem for report in reports}
    with chromium() as page:
        for report in reports:
            page.open(report.as_uri(), "document.readyState === 'complete'")
            assert barriers(page) == [], report.name
            page.call("Emulation.setDeviceMetricsOverride", width=360, height=740, deviceScaleFactor=2, mobile=True)
            assert page.run("return document.documentElement.scrollWidth") <= 360, f"{report.name} on a phone"
            page.call("Emulation.clearDeviceMetricsOverride")


# --- somewhere else -----------------------------------------------------------------------------------------


def test_a_killed_run_can_be_typed_again_and_gives_the_same_bytes(finished: Finished, tmp_path: Path) -> None:
    """A clone of the first commit has no data, no cache and no lock: it computes everything itself.

    It also hashes texts with another seed, one that turns round the order of the operator sets in skl2onnx.
    """
    first = finished.project
    clone = first.clone(tmp_path / "again")
    again = Project(clone.folder, {**first.environment, "PYTHONHASHSEED": "116"})
    with subprocess.Popen(
        ["dvc", "repro", "evaluate"],
        cwd=again.folder,
        env=again.variables(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as killed:
        assert killed.stdout is not None
        assert any(ran(line) == ["train"] for line in killed.stdout)
        os.killpg(killed.pid, signal.SIGKILL)
        killed.stdout.read()
    clear_note(again)
    assert ran(again.ok("dvc", "repro", "evaluate")) == ["train", "export", "evaluate"]
    for moment in random.Random(1).sample(range(1, 120), KILLS):
        kill_after(moment / 10, again, "dvc", "repro", "--force", "evaluate")
    again.ok("dvc", "repro", "evaluate")
    for output in ("reports/metrics.json", "models/model.onnx"):
        assert sha256(again.folder / output) == sha256(first.folder / output), output


def kill_after(seconds: float, project: Project, *command: str) -> None:
    """Kill a command and all that it started, unless it ends before."""
    with subprocess.Popen(
        command,
        cwd=project.folder,
        env=project.variables(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            assert process.wait(seconds) == 0
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
    clear_note(project)


def clear_note(project: Project) -> None:
    """Let make, with any target, take away what a DVC that was killed has left half-written: dvc stops there."""
    project.ok("make", "help")


def test_pushed_data_comes_back_in_another_clone(project: Project) -> None:
    project.commit()
    project.ok("dvc", "push")
    clone = project.clone(project.folder.parent / "clone")
    assert not (clone.folder / "models").exists()
    clone.ok("dvc", "pull")
    assert sha256(clone.folder / "models/model.onnx") == sha256(project.folder / "models/model.onnx")
    assert ran(clone.ok("dvc", "repro")) == []
    # Its own store has no version yet, whatever reports/registration.json says: make registers it there.
    assert "registered: my_product version 1, alias champion\n" in clone.ok("make", "-o", ".venv/.done")
    assert (clone.folder / "mlflow.db").exists()


@image_only
def test_a_copied_project_runs_its_own_engine_and_its_own_code(project: Project) -> None:
    """An editable install names the place of the original; the copy must not fall back to it."""
    stage = "engine/src/fullstack_ml/modeling/accept/__main__.py"
    text = (project.folder / stage).read_text(encoding="utf-8")
    mark = "import pathlib\npathlib.Path('marked').write_text(__file__)\n"
    (project.folder / stage).write_text(text.replace('if __name__ == "__main__":', mark + 'if __name__ == "__main__":'))
    moved = Project(project.folder.rename(project.folder.parent / "moved"), project.environment)
    bare = {"PYTHONPATH": "", "PATH": moved.variables()["PATH"]}
    done = moved.run(".venv/bin/dvc", "repro", "accept", **bare)
    assert done.returncode == 0, done.stderr
    assert "accept" in ran(done.stdout)
    assert (moved.folder / "marked").read_text(encoding="utf-8") == str(moved.folder / stage)


# --- mistakes -----------------------------------------------------------------------------------------------


@contextmanager
def unchanged(project: Project, *but: str) -> Iterator[None]:
    """Hold that nothing is written, changed or left behind, but what the named files say."""
    before = project.files()
    yield
    after = project.files()
    assert {name for name in before | after if before.get(name) != after.get(name)} <= set(but)


def refused(project: Project, *command: str, says: list[str], **variables: str) -> None:
    """Run a command that has to end in three lines, which say what the user needs."""
    done = project.run("python", "-m", *command, **variables)
    lines = done.stderr.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["error", "where", "fix"], done.stderr
    assert done.returncode == 1
    assert [part for part in says if part not in done.stderr] == [], done.stderr


def inbox(project: Project, files: Mapping[str, bytes]) -> list[str]:
    """Lay files into the project's inbox and return the command that collects them."""
    for name, content in files.items():
        path = project.folder / "data" / "inbox" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    options = ["source.options.path=data/inbox", "source.options.licence=internal"]
    return ["fullstack_ml.data.collect", "source=files", *options]


def picture(grey: int) -> bytes:
    """Return an image of one grey value as a portable grey map, which is read whatever the file's name."""
    return b"P5 8 8 255\n" + bytes([grey] * 64)


@image_only
def test_a_missing_path_is_refused(project: Project) -> None:
    command = inbox(project, {})
    with unchanged(project):
        refused(project, *command, says=["'data/inbox' does not exist", "conf/source/files.yaml"])


@image_only
def test_a_single_label_is_refused(project: Project) -> None:
    command = inbox(project, {"3/a.png": b"", "3/b.png": b""})
    with unchanged(project):
        refused(project, *command, says=["1 label: 3", "at least two labels"])


# What stage validate says of records, also where it refuses them.
VALIDATED = ("reports/validation.json", "reports/validation.html", "data/near_duplicates.parquet")


@image_only
def test_an_unreadable_image_is_kept_out_by_name_and_the_next_stage_goes_on(project: Project) -> None:
    collect = inbox(project, {"3/good.png": picture(3), "5/good.png": picture(5), "5/bad.png": b"this is no image"})
    told = project.ok("python", "-m", *collect)
    assert "1 rejected" in told
    assert "5/bad.png" in told
    project.ok("python", "-m", "fullstack_ml.data.validate")
    assert project.json("reports/validation.json")["valid"] is True


@image_only
def test_a_record_without_an_allowed_licence_is_refused(project: Project) -> None:
    image = picture(7)
    collect = inbox(project, {"3/a.png": image, "5/b.png": picture(8)})
    project.ok("python", "-m", *collect, "source.options.licence=unknown")
    with unchanged(project, *VALIDATED):
        says = ["2 of 1799 records", "licence (2)", "licence 'unknown' is not in", "3/a.png"]
        refused(project, "fullstack_ml.data.validate", says=says)


@table_only
def test_a_value_outside_its_range_is_refused(project: Project) -> None:
    contract = yaml.safe_load((project.folder / "product.yaml").read_text(encoding="utf-8"))
    features = contract["formulation"]["input"]["features"]
    rows = [[*(feature["high"] for feature in features), label] for label in ("malignant", "benign")]
    rows[0][0] *= 2
    header = [*(feature["name"] for feature in features), "label"]
    table = "\n".join(",".join(map(str, row)) for row in [header, *rows])
    collect = inbox(project, {"cases.csv": table.encode()})
    kind = contract["data"]["kinds"][0]["name"]
    project.ok(
        "python",
        "-m",
        *collect,
        "source.options.path=data/inbox/cases.csv",
        f"source.options.kind={kind}",
    )
    with unchanged(project, *VALIDATED):
        wrong, high = rows[0][0], features[0]["high"]
        says = ["records break", "out of range (1)", f"{features[0]['name']} is {wrong}", f"to {high}"]
        refused(project, "fullstack_ml.data.validate", says=says)


@image_only
def test_a_misspelled_key_of_the_configuration_is_refused(project: Project) -> None:
    project.replace("conf/train.yaml", "parity:", "party:")
    with unchanged(project):
        refused(project, "fullstack_ml.pipeline.compose", says=["'party'", "conf/train.yaml, train.party", "'parity'"])


@image_only
def test_an_unknown_metric_is_refused(project: Project) -> None:
    project.replace("product.yaml", "metric: accuracy,", "metric: acuracy,")
    lines = (project.folder / "product.yaml").read_text(encoding="utf-8").splitlines()
    number = next(i for i, line in enumerate(lines, start=1) if "acuracy" in line)
    with unchanged(project):
        refused(project, "fullstack_ml.product.contract", says=["'acuracy'", f"product.yaml:{number},", "'accuracy'"])


@image_only
def test_a_tracking_server_that_does_not_answer_costs_one_stage(project: Project) -> None:
    nobody = "http://127.0.0.1:9"
    with unchanged(project):
        says = [nobody, "MLFLOW_TRACKING_URI", "then make"]
        refused(project, "fullstack_ml.modeling.register", says=says, MLFLOW_TRACKING_URI=nobody)
