"""The one error that a user sees: what is wrong, where it is, what to do.

Reads and writes nothing. Every stage turns its user's mistakes into a ``UserError``; ``guard`` prints it in three lines
and exits with 1. A programming error is anything else, and keeps its traceback.
"""

import difflib
import inspect
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

MADE = re.compile(r"\b(?:params\.yaml|(?:data|models|reports)/[\w./*-]+)")  # what stages write


class UserError(Exception):
    """A mistake that the user can mend: ``what`` (name and value), ``where`` (file, line or key), ``fix``."""

    def __init__(self, what: str, where: str, fix: str) -> None:
        """Keep the three parts; each becomes one line."""
        super().__init__(what)
        self.what, self.where, self.fix = what, where, fix

    def __str__(self) -> str:
        """Return the three lines."""
        one_line = [" ".join(part.split()) for part in (self.what, self.where, self.fix)]
        return "error: {}\nwhere: {}\nfix:   {}".format(*one_line)


def suggest(word: str, allowed: Iterable[str]) -> str:
    """Name the allowed word nearest to ``word``, and all of them when none is near."""
    allowed = sorted(allowed)
    near = difflib.get_close_matches(word, allowed, n=1)
    return f"did you mean {near[0]!r}?" if near else f"allowed: {', '.join(allowed)}"


def check_arguments(
    function: Callable[..., Any], arguments: Mapping[str, Any], where: str, given: Iterable[str] = ()
) -> None:
    """Raise for an argument that ``function`` does not take or lacks; the caller adds those ``given``."""
    parameters = inspect.signature(function).parameters
    if any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values()):
        return
    name = getattr(function, "__name__", str(function))
    options = {word: p for word, p in parameters.items() if word not in given}
    for word in arguments:
        if word not in options:
            raise UserError(f"{name} takes no option {word!r}", where, suggest(word, options))
    for word, p in options.items():
        if p.default is p.empty and p.kind is not p.VAR_POSITIONAL and word not in arguments:
            raise UserError(f"{name} needs the option {word!r}", where, f"add it; the options are {', '.join(options)}")


def guard(function: Callable[[], Any]) -> Any:
    """Call ``function``; print a user's mistake in three lines and exit with 1. Other errors keep their traceback.

    What the pipeline makes and is not there yet is such a mistake: a stage was run before the one that makes its input.
    """
    try:
        return function()
    except UserError as error:
        sys.exit(str(error))
    except FileNotFoundError as error:
        missing = MADE.search(str(error))
        if not missing:
            raise
        sys.exit(str(UserError(f"{missing[0]} is not there", "the working folder", "run dvc repro, which makes it")))
