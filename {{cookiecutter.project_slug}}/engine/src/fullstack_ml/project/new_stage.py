"""Make a stage of the product's own: its five places, green at once, for the author to fill.

Reads ``dvc.yaml``, ``conf/config.yaml`` and the make files; writes ``src/<package>/stages/<name>/``,
``conf/<name>.yaml``, a stage of ``dvc.yaml``, ``mk/<name>.mk`` and ``tests/test_<name>.py``.
Run: ``make new-stage NAME=augment AFTER=split``.
"""

import keyword
import re
import sys
from itertools import pairwise
from pathlib import Path
from string import Template
from typing import Any

import yaml

from fullstack_ml.project.remove import make_targets
from fullstack_ml.workspace.errors import UserError, guard, suggest
from fullstack_ml.workspace.files import write_texts
from fullstack_ml.workspace.seams import SOURCE, package_name

PIPELINE = Path("dvc.yaml")
CHOICES = Path("conf/config.yaml")
NAME = re.compile(r"[a-z][a-z0-9_]{0,29}")
LAST = "  - _self_\n"
CODE = Template('''"""Stage ``$name``: say here what it makes, and what for.

Reads ``$source``; writes ``reports/$name.json``.
Its numbers stand in ``conf/$name.yaml``. Run: ``make $name``.
"""

from pathlib import Path

from fullstack_ml.pipeline.config import Config
from fullstack_ml.pipeline.stage import stage
from fullstack_ml.workspace.errors import check_arguments
from fullstack_ml.workspace.files import write_json

SOURCE = Path("$source")
RESULT = Path("reports/$name.json")


def largest(sizes: dict[str, int], count: int) -> dict[str, int]:
    """Return the ``count`` largest of the sizes in bytes: an example, for your own function."""
    return dict(sorted(sizes.items(), key=lambda item: (-item[1], item[0]))[:count])


def run(config: Config) -> None:
    """Read, work, write."""
    options = config.stages["$name"]
    check_arguments(largest, options, "conf/$name.yaml", given=("sizes",))
    files = [path for path in (SOURCE, *SOURCE.rglob("*")) if path.is_file()]
    write_json(RESULT, largest({path.as_posix(): path.stat().st_size for path in files}, **options))
    print(f"$name: {RESULT}")


if __name__ == "__main__":
    stage(run)
''')
TEST = Template('''"""Stage ``$name`` on a small input."""

from $package.stages.$name.__main__ import largest


def test_the_largest_come_first_and_no_more_than_asked_for() -> None:
    assert list(largest({"a": 1, "b": 3, "c": 2}, count=2)) == ["b", "c"]
''')
STAGE = Template("""  $name:
    cmd: env PYTHONPATH=engine/src:src python -m $package.stages.$name $${composed}
    deps: [$source, "$folder", "$${engine}/pipeline", "$${engine}/product", "$${engine}/workspace"]
    params: [stages.$name, contract.json: [own.stages]]
    outs: [reports/$name.json: {cache: false}]
""")
COMMAND = Template("""# Stage $name, of this product's own.
.PHONY: $name
$name: .venv/.done ## Say here what it makes
\t@dvc repro $$@
""")


def check_name(name: str, stages: dict[str, Any], taken: list[Path]) -> None:
    """Raise for a name that Python, make and DVC cannot all carry, or that is in use.

    Args:
        name: the new stage.
        stages: those of ``dvc.yaml``.
        taken: the files and folders that would be made.
    """
    fix = "choose another name: make new-stage NAME=augment AFTER=split"
    if not NAME.fullmatch(name) or keyword.iskeyword(name):
        rule = f"NAME is {name!r}, not a lower-case word of at most 30 letters, digits and _"
        raise UserError(rule, "make new-stage", fix)
    if name in stages:
        raise UserError(f"there is a stage {name!r} already", str(PIPELINE), fix)
    if name in make_targets([Path("Makefile"), *sorted(Path("mk").glob("*.mk"))]):
        raise UserError(f"there is a command `make {name}` already", "Makefile and mk/", fix)
    if there := [path for path in taken if path.exists()]:
        raise UserError(f"{there[0]} is there already", str(there[0]), fix)


def first_output(stage: dict[str, Any]) -> str:
    """Return the first path that a stage writes; the contract's keys where it names none."""
    entries = [*stage.get("outs", []), *stage.get("metrics", [])]
    first = entries[0] if entries else "contract.json"
    return first if isinstance(first, str) else str(next(iter(first)))


def insert_stage(text: str, after: str, block: str) -> str:
    """Put ``block`` behind the stage ``after`` in the text of ``dvc.yaml``, whose comments and order stay.

    Raises:
        UserError: if the stage is not written as two spaces and its name.
    """
    lines = text.splitlines(keepends=True)
    starts = [number for number, line in enumerate(lines) if line.startswith(f"  {after}:")]
    end = starts[0] + 1 if starts else 0
    while end < len(lines) and (lines[end].startswith("    ") or not lines[end].strip()):
        end += 1
    while end and not lines[end - 1].strip():
        end -= 1
    changed = "".join([*lines[:end], block, *lines[end:]])
    try:
        order = list(yaml.safe_load(changed)["stages"])
    except (yaml.YAMLError, TypeError):
        order = []
    if (after, *yaml.safe_load(block)) not in pairwise(order):
        fix = "indent the stages by two spaces and their keys by four, as dvc does"
        raise UserError(f"the stage {after!r} is written in another way than the others", str(PIPELINE), fix)
    return changed


def files_of(name: str, after: str) -> dict[Path, str]:
    """Return the text of every file that the new stage makes or changes; raise before anything is written.

    Raises:
        UserError: for a name that cannot be used, a stage ``after`` that is not there, or files that are laid out
            in another way than this command can edit.
    """
    text, package = PIPELINE.read_text(encoding="utf-8"), package_name()
    stages = yaml.safe_load(text)["stages"]
    folder, choices = SOURCE / package / "stages", CHOICES.read_text(encoding="utf-8")
    places = {"folder": folder / name, "conf": Path(f"conf/{name}.yaml"), "mk": Path(f"mk/{name}.mk")}
    places["test"] = Path(f"tests/test_{name}.py")
    check_name(name, stages, [*places.values(), Path("conf") / name])
    if after not in stages:
        what = f"there is no stage {after!r}" if after else "AFTER is missing"
        raise UserError(what, str(PIPELINE), suggest(after, stages))
    if choices.count(LAST) != 1:
        raise UserError("the list of defaults has no line `- _self_`", str(CHOICES), "add it as the last of the list")
    source = first_output(stages[after])
    words = {"name": name, "package": package, "source": source, "folder": places["folder"].as_posix()}
    return {
        folder / "__init__.py": '"""Stages of this product that the engine does not have."""\n',
        places["folder"] / "__init__.py": f'"""Stage ``{name}``."""\n',
        places["folder"] / "__main__.py": CODE.substitute(words),
        places["conf"]: "count: 3   # how many; say here what each number is for\n",
        places["mk"]: COMMAND.substitute(words),
        places["test"]: TEST.substitute(words),
        CHOICES: choices.replace(LAST, f"  - {name}@stages.{name}\n{LAST}"),
        PIPELINE: insert_stage(text, after, STAGE.substitute(words)),
    }


def main() -> None:
    """Write the stage that the command line names, and say where its places are."""
    name, after = (*sys.argv[1:], "", "")[:2]
    files = files_of(name, after)
    write_texts({path: text for path, text in files.items() if path.name != "__init__.py" or not path.exists()})
    print(f"new-stage: {name} runs after {after}; its places:")
    print("\n".join(f"  {path}" for path in files if path.name != "__init__.py"))
    print(f"next: make {name}, then write your own function, and name reports/{name}.json where it is needed")


if __name__ == "__main__":
    guard(main)
