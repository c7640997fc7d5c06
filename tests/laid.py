"""The files of a new project, laid without baking: what the engine reads, with the answers of a default project."""

import re
from pathlib import Path
from typing import Any

from fullstack_ml.workspace.seal import seal_files

TEMPLATE = Path(__file__).parents[1] / "{{cookiecutter.project_slug}}"
# Tests that need a project run once for each of these; another task has a test that takes its project all the way.
TASKS = ["image-classification", "tabular-classification"]
PACKAGE = "my_product"
# What stages and commands read beside data.
LAID: tuple[str, ...] = (
    "product.yaml",
    "conf",
    "docs",
    "dvc.yaml",
    "mk",
    "Makefile",
    "src",
    ".dvcignore",
    ".gitignore",
    ".gitattributes",
    ".env.example",
)
LAID += ("docker", "compose.yaml", "pyproject.toml", ".dockerignore", "engine/pyproject.toml", "tests")
TAG = re.compile(r"\{\{ ?cookiecutter\.(\w+).*?\}\}")
ANSWERS = {"__package": PACKAGE, "__engine": "fullstack-ml", "project_name": "My Product", "project_slug": "my-product"}
ANSWERS |= {"language": "en"}
DAY = "2026-12-01"  # of the generation
MODELS = {"tabular-classification": "boosted", "tabular-regression": "linear", "text-classification": "ngrams"}
CALIBRATIONS = {"tabular-regression": "split", "image-labels": "platt"}


def render(source: Path, target: Path, task: str) -> None:
    """Copy a file of the template with the answers of a default project of ``task`` in it."""
    answers = {**ANSWERS, "__model": MODELS.get(task, "mlp"), "__calibration": CALIBRATIONS.get(task, "temperature")}
    target.parent.mkdir(parents=True, exist_ok=True)
    text = source.read_text(encoding="utf-8")
    text = text.replace("{% now 'utc', '%Y-%m-%d' %}", DAY)
    target.write_text(TAG.sub(lambda tag: answers.get(tag[1], "something"), text), encoding="utf-8")


def requirement(name: str, metric: str, threshold: float, **changed: Any) -> dict[str, Any]:
    """Return a requirement as product.yaml has it: at least ``threshold``, where ``changed`` says nothing else."""
    row = {"id": name, "metric": metric, "operator": ">=", "threshold": threshold, "unit": "share"}
    return {**row, "owner": "o", "reason": "r", **changed}


def lay_template(task: str, folder: Path) -> None:
    """Lay into ``folder`` the files of a new project of ``task``, without its engine."""
    for root in (TEMPLATE, TEMPLATE / "_overlays/task" / task):
        for path in (file for name in LAID for file in [root / name, *(root / name).rglob("*")] if file.is_file()):
            name = path.relative_to(root).as_posix().replace("{{cookiecutter.__package}}", PACKAGE)
            if "__pycache__" not in name:
                render(path, folder / name, task)
    seal_files(folder)
