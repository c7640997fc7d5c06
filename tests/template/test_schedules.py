"""The monitor runs every night by systemd, cron or GitHub: what the page says to paste is pasted here."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from conftest import ROOT

TEMPLATE = ROOT / "{{cookiecutter.project_slug}}"
PAGE = TEMPLATE / "docs/4-deployment/schedule.md"
WORKFLOW: dict[Any, Any] = yaml.safe_load((TEMPLATE / ".github/workflows/monitor.yml").read_text(encoding="utf-8"))
NIGHTLY = re.compile(r"([0-5]?\d) (1?\d|2[0-3]) \* \* \*")


def pasted(word: str) -> str:
    """Return the block of the page that holds a word."""
    text = PAGE.read_text(encoding="utf-8")
    (block,) = (one for one in re.findall(r"```bash\n(.*?)```", text, re.DOTALL) if word in one)
    return block


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return the folder of a project, with a blank in its path, whose make says that it ran."""
    folder = tmp_path / "our work" / "my-product"
    shutil.copytree(TEMPLATE / "docker", folder / "docker")
    (folder / "Makefile").write_text("monitor:\n\t@echo watched by $(CURDIR) with $$PATH\n", encoding="utf-8")
    return folder


def programs_of(home: Path) -> str:
    """Return where the shell of the test looks for programs."""
    return f"{home / 'bin'}:/usr/local/bin:/usr/bin:/bin"


def paste(project: Path, block: str) -> Path:
    """Run a block in the project with a home and programs of the test's own; return the home."""
    home = project.parents[1] / "home"
    programs = home / "bin"
    programs.mkdir(parents=True)
    kept = 'if [ "$1" = - ]; then cat > "$HOME/table"; else cat "$HOME/table" 2>/dev/null; fi'
    for name, text in {"systemctl": 'echo "$@" >> "$HOME/asked"', "crontab": kept}.items():
        (programs / name).write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    for name in ("loginctl", "journalctl"):
        (programs / name).write_text("#!/bin/sh\n", encoding="utf-8")
    for program in programs.iterdir():
        program.chmod(0o755)
    environment = {"HOME": str(home), "PATH": programs_of(home)}
    subprocess.run(["bash", "-euo", "pipefail", "-c", block], cwd=project, env=environment, check=True)
    return home


def test_systemd_takes_the_units_and_they_start_make_in_the_project(project: Path) -> None:
    home = paste(project, pasted("systemctl"))
    units = {path.suffix: path for path in (home / ".config/systemd/user").iterdir()}
    assert {path.stem for path in units.values()} == {"my-product-monitor"}
    assert "enable --now my-product-monitor.timer" in (home / "asked").read_text(encoding="utf-8")
    service = units[".service"].read_text(encoding="utf-8")
    folder, command = (re.findall(rf"^{key}=(.+)$", service, re.M)[0] for key in ("WorkingDirectory", "ExecStart"))
    assert folder == str(project)
    (path,) = re.findall(r'^Environment="PATH=(.+)"$', service, re.M)
    said = subprocess.run(command.split(), cwd=folder, capture_output=True, text=True, check=True, env={"PATH": path})
    assert said.stdout == f"watched by {project} with {programs_of(home)}\n", "uv is found as in the shell"
    if systemd := shutil.which("systemd-analyze"):
        asked = [systemd, "verify", "--user", *map(str, units.values())]
        done = subprocess.run(
            asked, capture_output=True, text=True, env={"HOME": str(home), "XDG_RUNTIME_DIR": str(home)}
        )
        assert not [line for line in done.stderr.splitlines() if "my-product-monitor" in line], done.stderr


def test_cron_takes_the_line_and_it_starts_make_in_the_project(project: Path) -> None:
    home = paste(project, pasted("crontab"))
    (line,) = (home / "table").read_text(encoding="utf-8").splitlines()
    fields = line.split(" ", 5)
    assert NIGHTLY.fullmatch(" ".join(fields[:5]))
    assert "%" not in fields[5], "cron ends the command there"
    command, few = ["/bin/sh", "-c", fields[5]], {"PATH": "/usr/bin:/bin"}  # all that cron gives
    said = subprocess.run(command, capture_output=True, text=True, check=True, cwd="/", env=few).stdout
    assert said == f"watched by {project} with {programs_of(home)}\n"


def test_the_workflow_runs_every_night_and_keeps_what_was_told() -> None:
    (night,) = WORKFLOW[True]["schedule"]
    assert NIGHTLY.fullmatch(night["cron"])
    assert WORKFLOW["permissions"] == {"contents": "read"}
    (job,) = WORKFLOW["jobs"].values()
    restore, save = (
        {**s["with"], "if": s.get("if")} for s in job["steps"] if s.get("uses", "").startswith("actions/cache/")
    )
    assert restore["path"] == save["path"] == "reports/monitoring"
    assert save["key"].startswith(restore["restore-keys"])
    assert "cancelled" in save["if"], "an alarm fails the job, and is told only once"
    (look,) = (step for step in job["steps"] if "make --silent monitor" in step.get("run", ""))
    assert look["shell"] == "bash", "without it a pipe hides the exit code"
    assert {"SERVE_DATABASE_URL", "MLFLOW_TRACKING_URI"} <= set(look["env"])
