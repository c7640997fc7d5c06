"""Generation: this template, a template of one file, and this one's files without its hooks, in one process.

The last one shows what is cookiecutter's own work for so many files.
"""

import shutil
import tempfile
from functools import partial
from pathlib import Path

from cookiecutter.main import cookiecutter
from measure import one_file_template, rounds, seconds, table, verdict

ROOT = Path(__file__).resolve().parents[2]
PROJECT = "{{cookiecutter.project_slug}}"
TARGET = 1.5


def columns(took: dict[str, float], name: str) -> list[str]:
    """Write the median of a template, and its ratio to the two others."""
    return [f"{took[name]:.3f}", f"{took[name] / took['one']:.1f}", f"{took[name] / took['bare']:.2f}"]


def main() -> None:
    """Print the table of generation."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        config = place / "config.yaml"
        config.write_text(f"replay_dir: {place / 'replay'}\ncookiecutters_dir: {place / 'templates'}\n")

        def generate(template: Path) -> float:
            output = place / "out"
            options = {"no_input": True, "output_dir": str(output), "config_file": str(config)}
            taken = seconds(lambda: cookiecutter(str(template), **options))
            shutil.rmtree(output)
            return taken

        bare = place / "bare"
        bare.mkdir()
        shutil.copy(ROOT / "cookiecutter.json", bare)
        shutil.copytree(ROOT / PROJECT, bare / PROJECT)
        templates = {"one": one_file_template(place / "one-file"), "bare": bare, "this": ROOT}
        for template in templates.values():
            generate(template)  # imports and caches are not what is compared
        took = rounds({name: partial(generate, template) for name, template in templates.items()})
    ratio = took["this"] / took["one"]
    rows = [
        ["a template of one file", *columns(took, "one"), ""],
        ["this template without its hooks", *columns(took, "bare"), ""],
        ["this template", *columns(took, "this"), f"<= {TARGET} of one file: {verdict(ratio, TARGET)}"],
    ]
    header = ["template", "seconds", "to one file", "to the same files", "target"]
    table("Generation", header, rows, "Default answers. The hooks are two Python processes.")


if __name__ == "__main__":
    main()
