"""A project on other machines: elsewhere in the file system, with other settings of git, make, uv and the shell."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conftest import ROOT, Bake
from projects import machine

AUTHOR = "You"
# In place of the program: says in which order and with what it is called, and leaves what an installation leaves.
UV = """#!/bin/sh
echo "uv $* UV_PROJECT_ENVIRONMENT=$UV_PROJECT_ENVIRONMENT PYTHONHOME=$PYTHONHOME$GIT_DIR" >> "$CALLS"
[ -z "$KILLED" ] || kill -9 $$
[ -z "$BROKEN" ] || { echo "error: No solution found" >&2; exit 1; }
mkdir -p .venv/bin && touch .venv/bin/dvc
"""
SLOW = """#!/bin/sh
echo "begin ${0##*/}" >> "$CALLS"
sleep 0.3
echo "end ${0##*/}" >> "$CALLS"
"""
# What bash 3.2 of macOS does not know, and what its make 3.81 does not.
NEWER_BASH = (
    r"EPOCH(SECONDS|REALTIME)|BASHPID|SRANDOM|\b(declare|local|typeset) -[a-z]*[Ang]|\b(mapfile|readarray|coproc)\b"
    r"|&>>|\|&|;;&|;&|\$\{\w+(\^|,,?|@[A-Za-z])|\[\[ -v |globstar|lastpipe|printf -v \w+\[|%\([^)]*\)T|wait -n"
    r"|\$\{\w+: -\d"
)
NEWER_MAKE = (
    r"^\.ONESHELL|^\.RECIPEPREFIX|^undefine |^\w+ *(!=|::=|:::=)|\$\((file|guile|let|intcmp) |^load |&:|override export"
    r"|export override|private |\.EXTRA_PREREQS|\.WAIT|^\w[\w.-]*: [a-z ]+ := "
)


@pytest.fixture(scope="module")
def baked(bake: Bake) -> Path:
    return bake(author_name=AUTHOR, task="tabular-classification")


@pytest.fixture
def place(baked: Path, tmp_path: Path) -> Path:
    """A project whose path holds what a URI, a shell and a format string would read as signs of their own."""
    return Path(shutil.copytree(baked, tmp_path / "내 것 100% #1?" / "my-product"))


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with an empty home on which ``uv`` only notes that it was called; return the notes."""
    programs, notes = tmp_path / "programs of the machine", tmp_path / "calls.txt"
    programs.mkdir()
    write_program(programs / "uv", UV)
    known = machine(tmp_path)
    for name in list(os.environ):
        monkeypatch.delenv(name)
    for name, value in known.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PATH", f"{programs}:{Path(sys.executable).parent}:{os.environ['PATH']}")
    monkeypatch.setenv("CALLS", str(notes))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    return notes


def write_program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def run(place: Path, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **variables}
    return subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)


def ok(place: Path, *command: str, **variables: str) -> str:
    done = run(place, *command, **variables)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def installed(calls: Path) -> int:
    return calls.read_text().count("uv sync")


def test_a_moved_project_installs_its_own_programs_and_nothing_is_installed_twice(place: Path, calls: Path) -> None:
    ok(place, "make", ".venv/.done")
    ok(place, "make", ".venv/.done")
    assert installed(calls) == 1
    (place / ".venv/bin/names-the-old-place").touch()
    moved = place.rename(place.parent / "moved")
    ok(moved, "make", ".venv/.done")
    ok(moved, "make", ".venv/.done")
    assert installed(calls) == 2
    assert not (moved / ".venv/bin/names-the-old-place").exists()
    copied = Path(shutil.copytree(moved, place.parent / "copied"))
    (moved / ".venv/bin/kept").touch()
    ok(copied, "make", ".venv/.done")
    assert installed(calls) == 3
    assert (moved / ".venv/bin/kept").exists(), "the copy keeps its hands off the original"


def test_an_interrupted_installation_begins_anew(place: Path, calls: Path) -> None:
    run(place, "make", ".venv/.done", BROKEN="1")
    (place / ".venv/bin").mkdir(parents=True)
    (place / ".venv/bin/half").touch()
    ok(place, "make", ".venv/.done")
    assert sorted(path.name for path in (place / ".venv/bin").iterdir()) == ["dvc"]


@pytest.mark.parametrize(("end", "anew"), [("KILLED", True), ("BROKEN", False)])
def test_an_update_that_was_killed_begins_anew_and_one_that_failed_leaves_what_was_there(
    end: str, anew: bool, place: Path, calls: Path
) -> None:
    ok(place, "make", ".venv/.done")
    (place / ".venv/bin/half").touch()
    os.utime(place / "pyproject.toml", (time.time() + 9,) * 2)  # changed after the installation
    assert run(place, "make", ".venv/.done", **{end: "1"}).returncode
    os.utime(place / "pyproject.toml", (0, 0))  # and brought back
    ok(place, "make", ".venv/.done")
    assert (place / ".venv/bin/half").exists() is not anew


def test_a_linked_environment_is_left_as_it_is(place: Path, calls: Path) -> None:
    ok(place, "make", ".venv/.done")
    other = Path(shutil.copytree(place, place.parent / "other", ignore=shutil.ignore_patterns(".venv")))
    (other / ".venv").symlink_to(place / ".venv")
    ok(other, "make", "-o", "pyproject.toml", "-o", "engine/pyproject.toml", ".venv/.done")
    assert installed(calls) == 1
    (other / "pyproject.toml").touch()
    ok(other, "make", ".venv/.done")
    assert (place / ".venv/.done").read_text().strip() == str(place.resolve())


def test_the_shell_of_another_environment_changes_nothing(place: Path, calls: Path) -> None:
    ok(
        place,
        "make",
        ".venv/.done",
        UV_PROJECT_ENVIRONMENT="/elsewhere",
        PYTHONHOME="/usr",
        VIRTUAL_ENV="/other",
        GIT_DIR="/hook",
    )
    assert calls.read_text() == "uv sync --quiet UV_PROJECT_ENVIRONMENT= PYTHONHOME=\n"


def test_a_path_of_any_script_is_read_in_every_locale(place: Path, calls: Path, tmp_path: Path) -> None:
    """As an editable installation: a file of the environment holds the path of the project."""
    ok(place, sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv"))
    (packages,) = (tmp_path / "venv/lib").glob("python*/site-packages")
    (packages / "project.pth").write_text(f"{place}/src\n", encoding="utf-8")
    ok(place, "make", "-o", ".venv/.done", "setup", LC_ALL="C", PATH=f"{tmp_path}/venv/bin:{os.environ['PATH']}")


def test_an_index_without_upload_times_has_a_way(place: Path, calls: Path) -> None:
    done = run(place, "make", ".venv/.done", BROKEN="1")
    assert done.returncode
    assert "error: uv cannot install the environment, see above\nwhere: pyproject.toml\nfix: " in done.stderr
    assert "remove exclude-newer from pyproject.toml" in done.stderr
    assert not (place / ".venv/.done").exists()


def test_stages_and_status_follow_each_other_also_with_many_jobs(place: Path, calls: Path) -> None:
    ok(place, "make", ".venv/.done")
    (place / "data/splits").mkdir()
    (place / "data/splits/manifest.json").touch()
    for name in ("dvc", "python"):
        write_program(place / ".venv/bin" / name, SLOW)
    calls.unlink()
    ok(place, "make", "-j8")
    python, dvc = ["begin python", "end python"], ["begin dvc", "end dvc"]
    assert calls.read_text().splitlines() == [*python, *dvc, *python]  # setup, repro, status


def test_dvc_that_was_killed_while_it_wrote_its_note_stops_no_later_run(place: Path, calls: Path) -> None:
    ok(place, "git", "init", "-q")
    (place / "dvc.yaml").write_text("stages: {compose: {cmd: echo 1 > b, outs: [b]}}\n")
    (place / ".dvc/tmp").mkdir()
    (place / ".dvc/tmp/rwlock").touch()
    assert "RWLock-file" in run(place, "dvc", "repro").stderr
    ok(place, "make", "-o", ".venv/.done", "compose")


@pytest.mark.parametrize("name", ["", "editor", "dvc"])
def test_the_note_of_a_killed_dvc_stops_no_later_run_where_a_number_is_taken(
    place: Path, calls: Path, name: str
) -> None:
    """Nothing buried the dead one (``""``), or another program got its number; a dvc that lives is waited for."""
    ok(place, "git", "init", "-q")
    (place / "dvc.yaml").write_text("stages: {compose: {cmd: echo 1 > b, outs: [b]}}\n")
    with subprocess.Popen([sys.executable, "-c", "input()" if name else "", name], stdin=subprocess.PIPE) as other:
        time.sleep(0 if name else 1)  # one that has ended is a zombie until somebody asks for it
        note = {"pid": other.pid, "cmd": "dvc repro"}
        (place / ".dvc/tmp").mkdir()
        (place / ".dvc/tmp/rwlock").write_text(json.dumps({"write": {str(place / "b"): note}, "read": {}}))
        assert f"(PID {other.pid})" in run(place, "dvc", "repro").stderr
        done = run(place, "make", "-o", ".venv/.done", "compose")
        assert bool(done.returncode) == (name == "dvc"), done.stderr
        other.communicate(b"\n")


@pytest.mark.parametrize("kept", [0, 40])
def test_dvc_that_was_killed_while_it_wrote_its_lock_runs_nothing_twice(place: Path, calls: Path, kept: int) -> None:
    ok(place, "git", "init", "-q")
    (place / "a").write_text("an input, since DVC keeps no run of a stage that reads nothing\n")
    (place / "dvc.yaml").write_text("stages: {compose: {cmd: cp a b, deps: [a], outs: [b]}}\n")
    assert "Running stage" in ok(place, "make", "-o", ".venv/.done", "compose")
    lock = place / "dvc.lock"
    whole = lock.read_text()
    lock.write_text(whole[:kept])
    assert "dvc.lock" in run(place, "dvc", "repro").stderr
    again = ok(place, "make", "-o", ".venv/.done", "compose")
    assert "Running stage" not in again and "is cached" in again, again
    assert lock.read_text() == whole


NAMES_ITS_WORDS = """#!/bin/sh
for word in "$@"; do echo "$word" >> "$CALLS"; done
"""


@pytest.mark.parametrize("value", ['Kim\'s "form" (1), a;b.xlsx', "$(touch x) $$(touch x) `touch x`", "한글 a=b"])
@pytest.mark.parametrize(
    ("target", "names"),
    [
        ("round", "NAME KIND N LABEL SLICE IDS FILE"),
        ("annotate", "ROUND"),
        ("labels", "ROUND"),
        ("export-round", "ROUND"),
        ("import", "FILE BY ROUND"),
        ("forget", "ID"),
        ("forget", "GROUP"),
        ("checkout", "VERSION"),
        ("mlflow", "PORT"),
        ("sweep", "MODEL TRIALS MINUTES"),
        ("adopt", "RUN"),
        ("ablate", "MODEL"),
        ("explain", "ID"),
        ("promote", "VERSION"),
        ("online", "SINCE"),
        ("edge-serve", "EDGE_PORT"),
        ("new-stage", "NAME AFTER"),
        ("remove", "PART"),
    ],
)
def test_a_command_gets_what_was_typed(place: Path, calls: Path, target: str, names: str, value: str) -> None:
    ok(place, "make", ".venv/.done")
    for name in ("dvc", "python"):
        write_program(place / ".venv/bin" / name, NAMES_ITS_WORDS)
    (place / "dist/edge").mkdir(parents=True)
    (place / "dist/edge/index.html").touch()
    calls.unlink()
    ok(place, "make", target, *(f"{name}={value}" for name in names.split()))
    read = calls.read_text(encoding="utf-8").replace('\\"', '"').splitlines()  # as Hydra reads it
    assert sum(value in word for word in read) == len(names.split()), read
    assert not (place / "x").exists()


def test_make_and_bash_of_macos_are_enough(baked: Path) -> None:
    """Neither can be had here: what came after bash 3.2 and make 3.81 is looked for in the text."""
    files = [ROOT / "Makefile", baked / "Makefile", *sorted((baked / "mk").glob("*.mk"))]
    found = [
        f"{path.name}: {line}"
        for path in files
        for line in path.read_text(encoding="utf-8").splitlines()
        if re.search(NEWER_MAKE, line) or re.search(NEWER_BASH, line)
    ]
    assert found == []


@pytest.mark.parametrize("line", ["$$EPOCHSECONDS", "declare -A a", "x &>> log", "${a^^}", "mapfile -t a", "[[ -v a"])
def test_newer_bash_is_seen(line: str) -> None:
    assert re.search(NEWER_BASH, line)


@pytest.mark.parametrize("line", ["A != date", ".ONESHELL:", "$(file >x,y)", "undefine A", "a: override export B := 1"])
def test_newer_make_is_seen(line: str) -> None:
    assert re.search(NEWER_MAKE, line)


def committed(place: Path) -> set[str]:
    return set(ok(place, "git", "-c", "core.quotePath=false", "ls-files").splitlines())


@pytest.mark.parametrize("whose", ["the machine's", "of a repository around it"])
def test_the_first_commit_holds_the_code_whatever_others_ignore(
    whose: str, place: Path, calls: Path, tmp_path: Path
) -> None:
    rule = "data/\n*.lock\nconf/\ndocs\nreports/\nmodels/\nregistry/\ntest*\n*.json\n"
    wanted = {str(path.relative_to(place)) for path in place.rglob("*") if path.is_file()}
    if whose == "the machine's":
        (tmp_path / "ignore").write_text(rule)
        (tmp_path / "gitconfig").write_text(f"[core]\nexcludesFile = {tmp_path / 'ignore'}\n")
    else:
        (place.parent / ".gitignore").write_text(rule)
        ok(place.parent, "git", "init", "-q")
    ok(place, sys.executable, "mk/first_commit.py")
    if whose != "the machine's":
        ok(place, "git", "add", "--all")
    assert wanted - committed(place) == set()


@pytest.mark.parametrize("hook", ["pre-commit", "prepare-commit-msg", "commit-msg", "post-commit"])
def test_hooks_of_the_machine_are_not_asked(hook: str, place: Path, calls: Path, tmp_path: Path) -> None:
    write_program(tmp_path / "hooks" / hook, "#!/bin/sh\nexit 1\n")
    (tmp_path / "gitconfig").write_text(f"[core]\nhooksPath = {tmp_path / 'hooks'}\n")
    assert "made a git repository" in ok(place, sys.executable, "mk/first_commit.py")
    assert ok(place, "git", "log", "-1", "--format=%an").strip() == AUTHOR


def test_a_machine_set_to_sha_256_gets_a_repository_that_dvc_can_read(place: Path, calls: Path) -> None:
    ok(place, sys.executable, "mk/first_commit.py", GIT_DEFAULT_HASH="sha256")
    assert len(ok(place, "git", "rev-parse", "HEAD").strip()) == 40


def test_a_repository_with_longer_hashes_lets_the_stages_run(place: Path, calls: Path) -> None:
    ok(place, "git", "init", "-q", "--object-format=sha256")
    ok(place, "git", "add", "--all")
    ok(place, "git", "-c", "user.name=A", "-c", "user.email=a@example.com", "commit", "-qm", "Begin")
    assert "SHA-256" in ok(place, sys.executable, "mk/first_commit.py")
    (place / "dvc.yaml").write_text("stages: {one: {cmd: echo 1 > b, outs: [b]}}\n")
    ok(place, sys.executable, "-m", "dvc", "repro")
    assert ok(place, sys.executable, "mk/first_commit.py") == "", "it is said once"


def test_a_machine_without_git_is_told_so(place: Path, calls: Path) -> None:
    done = run(place, sys.executable, "mk/first_commit.py", PATH="/nowhere")
    assert (done.returncode, done.stderr.splitlines()) == (
        1,
        ["error: git is not installed", "where: PATH", "fix:   install git, then make"],
    )


def test_a_repository_of_another_person_is_git_s_to_explain(place: Path, calls: Path) -> None:
    ok(place, "git", "init", "-q")
    done = run(place, sys.executable, "mk/first_commit.py", GIT_TEST_ASSUME_DIFFERENT_OWNER="1")
    error, where, fix = done.stderr.splitlines()
    assert "detected dubious ownership" in error
    assert where == f"where: {place.resolve()}"
    assert fix.startswith("fix:   git config --global --add safe.directory ")
    ok(place, "sh", "-c", fix.removeprefix("fix:   "))
    ok(place, sys.executable, "mk/first_commit.py", GIT_TEST_ASSUME_DIFFERENT_OWNER="1")


def test_line_endings_are_the_same_on_every_machine(place: Path, calls: Path, tmp_path: Path) -> None:
    ok(place, sys.executable, "mk/first_commit.py")
    clone = tmp_path / "clone"
    ok(tmp_path, "git", "-c", "core.autocrlf=true", "-c", "core.eol=crlf", "clone", "-q", str(place), str(clone))
    for name in committed(place):
        assert (clone / name).read_bytes() == (place / name).read_bytes(), name
