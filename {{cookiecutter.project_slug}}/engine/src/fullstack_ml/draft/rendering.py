"""The text of a drafted file: values as YAML on one line, comments beside them.

Reads the templates of this folder; writes nothing.
"""

import json
import re
from pathlib import Path
from typing import Any

import yaml

from fullstack_ml.pages.render import environment

TEMPLATES = Path(__file__).parent / "templates"
PLAIN = re.compile(r"[^\W\d_][\w ./'-]*(?<! )")
# What YAML takes for the end of a line, or cannot hold as it is.
UNPRINTABLE = re.compile(r"[\x7f-\xa0\u2028\u2029\ufeff]")


def scalar(value: Any) -> str:
    """Write one value on one line, in quotes where YAML would take it for something else."""
    if isinstance(value, str):
        plain = PLAIN.fullmatch(value) and len(value) < 200
        if plain and yaml.safe_load(value) == value:
            return value
    return UNPRINTABLE.sub(lambda sign: f"\\u{ord(sign[0]):04x}", json.dumps(value, ensure_ascii=False))


def flow(value: Any) -> str:
    """Write a value with all that it holds on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{scalar(key)}: {flow(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(flow, value)) + "]"
    return scalar(value)


def comment(text: str) -> str:
    """Return a text that stays in the line of its comment."""
    return re.sub(r"[\s\x00-\x1f\x7f-\xa0\u2028\u2029\ufeff]+", " ", text).strip()


def code(text: str) -> str:
    """Return a text that stays in a span of code, and in its cell of a Markdown table."""
    return comment(text).replace("|", "\\|").replace("`", "'")


def render(template: str, facts: dict[str, Any]) -> str:
    """Fill a template of this room."""
    made = environment(TEMPLATES, escape=False)
    made.filters |= {"scalar": scalar, "flow": flow, "comment": comment, "code": code}
    return made.get_template(template).render(facts)
