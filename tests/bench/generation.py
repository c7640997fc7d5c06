"""Generation: this template, a template of one file, and this one's files without its hooks.

Each by cookiecutter's own function in one process, and as a person types it. What the template without hooks
takes is cookiecutter's own work for so many files.
"""

import shutil
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from cookiecutter.main import cookiecutter
from measure import one_file_template, rounds, seconds, table, verdict

ROOT = Path(__file__).resolve().parents[2]
PROJECT = "{{cookiecutter.project_slug}}"
TARGET = 1.5


def settings(place: Path) -> Path:
    """Write a configuration that keeps the user's own, and the replays, out of it."""
    config = place / "config.yaml"
    config.write_text(f"replay_dir: {place / 'replay'}\ncookiecutters_dir: {place / 'templates'}\n")
    return config


def in_process(template: Path, config: Path, output: Path) -> None:
    """Generate by a call."""
    cookiecutter(str(template), no_input=True, output_dir=str(output), config_file=str(config))


def typed(template: Path, config: Path, output: Path) -> None:
    """Generate by the command."""
    options = ["--no-input", "--config-file", str(config), "--output-dir", str(output)]
    subprocess.run([sys.executable, "-m", "cookiecutter", *options, str(template)], check=True)


def row(name: str, took: dict[str, float], which: str, target: str) -> list[str]:
    """Write both medians of a template with their ratios to the template of one file."""
    cells = [name]
    for way in ("call", "typed"):
        value = took[f"{which} {way}"]
        cells += [f"{value:.2f}", f"{value / took[f'one {way}']:.1f}"]
    return [*cells, target]


def main() -> None:
    """Print the table of generation."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        config, output, bare = settings(place), place / "out", place / "bare"
        bare.mkdir()
        shutil.copy(ROOT / "cookiecutter.json", bare)
        shutil.copytree(ROOT / PROJECT, bare / PROJECT)
        templates = {"one": one_file_template(place / "one-file"), "bare": bare, "this": ROOT}

        def measured(template: Path, way: str) -> float:
            generate = in_process if way == "call" else typed
            taken = seconds(lambda: generate(template, config, output))
            shutil.rmtree(output)
            return taken

        for template in templates.values():
            measured(template, "call")  # imports and caches are not what is compared
        works = {f"{n} {way}": partial(measured, t, way) for way in ("call", "typed") for n, t in templates.items()}
        took = rounds(works)
    verdicts = [f"{verdict(took[f'this {way}'] / took[f'one {way}'], TARGET)}" for way in ("call", "typed")]
    rows = [
        row("a template of one file", took, "one", ""),
        row("this template without its hooks", took, "bare", ""),
        row("this template", took, "this", f"<= {TARGET}: {verdicts[0]} as a call, {verdicts[1]} as typed"),
    ]
    header = ["template", "a call, s", "ratio", "as typed, s", "ratio", "target"]
    table("Generation", header, rows, "Default answers. The hooks are two Python processes of their own.")


if __name__ == "__main__":
    main()
