"""Refuse a YAML file whose aliases (``*name``) stand for so much that reading it would never end.

Reads the file that it is given; writes nothing.
"""

from pathlib import Path

import yaml

from fullstack_ml.workspace.errors import UserError

MOST = 100_000  # values of a file, each alias counted as all that it stands for


def refuse_bomb(path: Path) -> None:
    """Raise a ``UserError`` for aliases within aliases; whether the file is YAML at all, its reader says."""
    try:
        text = path.read_text(encoding="utf-8")
        node = yaml.compose(text) if "*" in text and "&" in text else None
    except (OSError, ValueError, yaml.YAMLError, RecursionError):
        return
    count = _count(node, {}) if node else 0
    if count > MOST:
        raise UserError(
            f"its aliases (*name) stand for more than {MOST:,} values", str(path), "write out what is meant"
        )


def _count(node: yaml.Node, known: dict[int, float]) -> float:
    """Count the values of a node; one that holds itself has infinitely many."""
    if id(node) not in known:
        known[id(node)] = float("inf")  # until it is counted
        match node:
            case yaml.MappingNode():
                parts = [part for pair in node.value for part in pair]
            case yaml.SequenceNode():
                parts = node.value
            case _:
                parts = []
        known[id(node)] = 1 + sum(_count(part, known) for part in parts)
    return known[id(node)]
