"""Which folders of the engine a stage reaches: followed from import to import, also through the seams."""

import ast
from functools import cache
from pathlib import Path

from laid import TEMPLATE

ENGINE = TEMPLATE / "engine/src/fullstack_ml"
PACKAGE = ENGINE.name
# Folders that hold a room per stage; elsewhere a folder is a room.
PHASES = ("data", "modeling")
# The functions that import a module of the product's own, or one of the engine, by name.
FINDERS = ("find_choice", "find_own")
# Those that lead there by another way: a metric by its name, a class by its ``_target_``.
INDIRECT = {"metrics_of": ["answers", "metrics"], "applicable": ["answers", "metrics"], "instantiate": ["models"]}


def file_of(module: str) -> Path | None:
    """Return the file of a module or package of the engine."""
    path = ENGINE.parent.joinpath(*module.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


def imports(tree: ast.AST) -> list[ast.Import | ast.ImportFrom]:
    """List the imports of a module, also those inside functions, but not those that only type checkers read."""
    nodes: list[ast.Import | ast.ImportFrom] = []
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            nodes.append(node)
        nodes += imports(node)
    return nodes


@cache
def reached(file: Path) -> tuple[Path, ...]:
    """Return the modules of the engine that a module imports."""
    modules: set[str] = set()
    own = file.relative_to(ENGINE.parent).with_suffix("").parts
    for node in imports(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        else:
            base = ".".join((*own[: len(own) - node.level], node.module or "") if node.level else (node.module or "",))
            modules |= {base.strip("."), *(f"{base.strip('.')}.{alias.name}" for alias in node.names)}
    return tuple(sorted({path for name in modules if name.startswith(PACKAGE) and (path := file_of(name))}))


@cache
def seams(file: Path) -> tuple[str, ...]:
    """Return the seams of which a module finds a choice; loading the contract only checks them."""
    if file.parent.name == "product":
        return ()
    calls = [node for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    names = [call.args[0] for call in calls if ast.unparse(call.func).endswith(FINDERS) and call.args]
    found = [str(name.value) for name in names if isinstance(name, ast.Constant)]
    for function, places in INDIRECT.items():
        found += places if any(ast.unparse(call.func).endswith(function) for call in calls) else []
    return tuple(found)


def closure(module: str) -> set[Path]:
    """Return every module that running ``python -m module`` can reach."""
    first = file_of(f"{module}.__main__") or file_of(module)
    assert first is not None, module
    seen, waiting = {first}, [first]
    while waiting:
        file = waiting.pop()
        further = {*reached(file)}
        for seam in seams(file):
            further |= set(ENGINE.joinpath(*seam.split(".")).rglob("*.py"))
        waiting += further - seen
        seen |= further
    return seen


def room(file: Path) -> str:
    """Return the folder of the engine that a stage depends on when it reaches a module; empty for a package's face."""
    parts = file.relative_to(ENGINE).parts[:-1]
    deep = 2 if parts and parts[0] in PHASES else 1
    return "/".join(parts[:deep]) if len(parts) >= deep else ""


def rooms(modules: list[str]) -> set[str]:
    """Return the folders of the engine that a stage's commands reach."""
    return {room(file) for module in modules for file in closure(f"{PACKAGE}.{module}")} - {""}


def chosen(modules: list[str]) -> set[str]:
    """Return the seams of which a stage's commands find a choice."""
    return {seam for module in modules for file in closure(f"{PACKAGE}.{module}") for seam in seams(file)}
