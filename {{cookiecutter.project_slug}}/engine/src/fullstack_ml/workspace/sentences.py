"""A text with its values, as a report keeps it, so that a page can tell it in any language.

Reads and writes nothing. ``pages.words`` tells a sentence in the language of the project; here it is told in English.
"""

from collections.abc import Callable
from typing import Any


def sentence(text: str, **values: Any) -> dict[str, Any]:
    """Return a text with its values as a report keeps them. A value may be a sentence itself, such as a verdict."""
    return {"text": text, "values": values}


def in_english(kept: Any) -> str:
    """Return what a report keeps in English, the language of errors and of what stages print."""
    return filled(kept["text"], kept, in_english) if isinstance(kept, dict) else str(kept)


def filled(text: str, kept: dict[str, Any], tell: Callable[[Any], str]) -> str:
    """Put the values of a sentence into ``text``, those that are sentences as ``tell`` says them."""
    values = {name: tell(value) if isinstance(value, dict) else value for name, value in kept["values"].items()}
    return str(text % values)
