"""What a seam chooses by name is asked nowhere else: no code compares with the name of an input, an answer, a backend,
a runner or a task, and no page asks for its type.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

import fullstack_ml
from fullstack_ml.product.formulation import Feature
from fullstack_ml.workspace.seams import choices
from laid import TASKS

ENGINE = Path(fullstack_ml.__file__).parent
SEAMS = ("inputs", "answers", "modeling.train.backends", "pipeline.runner")
# A column of a table may be a number or a text too.
COLUMNS = set(get_args(Feature.model_fields["type"].annotation))
NAMES = {name for seam in SEAMS for name in choices(seam)}.difference(COLUMNS) | set(TASKS)
ROOMS = tuple(seam.replace(".", "/") + "/" for seam in SEAMS)
# `type == "…"`, `type in (…)`, or a class of a page that is named after the type.
ASKED = re.compile(r"(input|answer)\.type\s*(===?|!==?|in\b)|class=\"[^\"]*\{\{[^}]*\.type\b")


def compared(text: str) -> Iterator[str]:
    """Yield the names that Python code compares with, also within a tuple, a list, or a `case`."""
    for node in ast.walk(ast.parse(text)):
        parts = [node.left, *node.comparators] if isinstance(node, ast.Compare) else []
        parts += [node.value] if isinstance(node, ast.MatchValue) else []
        for part in parts:
            inner = part.elts if isinstance(part, ast.Tuple | ast.List | ast.Set) else [part]
            yield from (p.value for p in inner if isinstance(p, ast.Constant) and p.value in NAMES)


def asked(ending: str) -> list[Path]:
    """List the files of one ending outside the seams."""
    found = [path for path in sorted(ENGINE.rglob(f"*{ending}")) if "__pycache__" not in path.parts]
    kept = [path for path in found if not path.relative_to(ENGINE).as_posix().startswith(ROOMS)]
    assert kept, f"no file ends in {ending}"
    return kept


def test_no_module_outside_a_seam_compares_with_the_name_of_a_choice() -> None:
    strange = {
        f"{path.relative_to(ENGINE)}: {name}" for path in asked(".py") for name in compared(path.read_text("utf-8"))
    }
    assert not strange


@pytest.mark.parametrize("ending", [".j2"])
def test_no_page_asks_for_the_type_of_input_or_answer(ending: str) -> None:
    pages = [path for path in asked(ending) if ASKED.search(path.read_text("utf-8"))]
    assert not pages


@pytest.mark.parametrize(
    "line", ['kind == "image"', '"table" != kind', 'kind in ("text", "image")', 'match kind:\n    case "label": pass']
)
def test_the_search_finds_a_comparison(line: str) -> None:
    assert list(compared(line))
