"""The one error that a user sees: what is wrong, where it is, what to do.

Every stage turns its user's mistakes into a ``UserError``; ``guard`` prints it in three lines
and exits with 1. A programming error is anything else, and keeps its traceback.
"""

import difflib
import errno
import inspect
import os
import re
import sys
import typing
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from fullstack_ml.workspace.paths import read_environment

if typing.TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

Location = tuple[str | int, ...]
MADE = re.compile(r"\b(?:params\.yaml|(?:data|models|reports)/[\w./*-]+)")  # what stages write
# What the system says where a file cannot be written, whoever repeats it: of it, how it is mended.
FULL = "make room on the disk, then run it again"
CLOSED = "give yourself the right to it (ls -ld, chmod, chown), then run it again"
OTHER = "a file stands where a folder is wanted, or a folder where a file is: move it away, then run it again"
UNWRITABLE = {errno.ENOSPC: FULL, errno.EDQUOT: FULL, errno.EFBIG: FULL, errno.EROFS: CLOSED, errno.EACCES: CLOSED}
UNWRITABLE |= {errno.EPERM: CLOSED, errno.ENOTDIR: OTHER, errno.EISDIR: OTHER, errno.EEXIST: OTHER}
SAID = {os.strerror(number): fix for number, fix in UNWRITABLE.items()}
SAID |= {"database or disk is full": FULL, "disk I/O error": FULL, "No usable temporary directory": FULL}
SAID |= {"readonly database": CLOSED, "unable to open database file": CLOSED}
UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument")  # pydantic's words, of a model and of a dataclass


class UserError(Exception):
    """A mistake that the user can mend: ``what`` (name and value), ``where`` (file, line or key), ``fix``."""

    def __init__(self, what: str, where: str, fix: str) -> None:
        """Keep the three parts; each becomes one line."""
        super().__init__(what, where, fix)  # all three, or it could not come back from another process
        self.what, self.where, self.fix = what, where, fix

    def __str__(self) -> str:
        """Return the three lines."""
        one_line = [" ".join(part.split()) for part in (self.what, self.where, self.fix)]
        return "error: {}\nwhere: {}\nfix:   {}".format(*one_line)


def suggest(word: str, allowed: Iterable[str]) -> str:
    """Name the allowed word nearest to ``word``, and all of them when none is near."""
    allowed = sorted(allowed)
    alike = [one for one in allowed if one.casefold() == word.casefold()]
    near = alike or difflib.get_close_matches(word, allowed, n=1)
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


def dotted(location: Location) -> str:
    """Write a place in a file as a reader of YAML would: ``requirements[2].metric``."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).lstrip(".") or "(top)"


def explain(
    error: "ValidationError", model: type, place: Callable[[Location], str], name: Callable[[Location], str] = dotted
) -> UserError:
    """Turn pydantic's most telling complaint into three lines.

    Args:
        error: what pydantic raised.
        model: the class that was filled; it knows which keys are allowed.
        place: says for a location where it is, such as file and line.
        name: says for a location what its reader calls it.
    """
    # A misspelled key is unknown and missing at once; the unknown one is what the reader sees in the file.
    first = min(error.errors(), key=lambda detail: detail["type"] not in UNKNOWN)
    location = tuple(first["loc"])
    where, message = place(location), first["msg"].removeprefix("Value error, ")
    if not location:
        return UserError(message, where, "mend the value")
    keys = _keys(model, location[:-1])
    if first["type"] in UNKNOWN:
        return UserError(f"unknown key {location[-1]!r}", where, suggest(str(location[-1]), keys))
    if first["type"] == "missing":
        return UserError(f"the key {location[-1]!r} is missing", where, f"add it; the keys here are {', '.join(keys)}")
    return UserError(f"{name(location)} is {first['input']!r}: {message}", where, _advice(first))


def _advice(error: "ErrorDetails") -> str:
    """Say how to write the value, where YAML reads it in a way that surprises."""
    value = error["input"]
    if error["type"] == "string_type" and isinstance(value, int | float | date):
        return "put it in quotes: YAML reads it as a number, a date or a truth value"
    if error["type"] in ("float_parsing", "int_parsing") and "," in value:
        return f"use a point: {value.replace(',', '.')}"
    return "mend the value"


def _keys(model: Any, location: Location) -> list[str]:
    """Name the keys that are allowed at ``location`` of a model."""
    for part in location:
        if isinstance(part, str):
            field = getattr(model, "__pydantic_fields__", {}).get(part)
            model = field and field.annotation
            model = next(iter(typing.get_args(model)), model)
    return list(getattr(model, "__pydantic_fields__", ()))


def first_line(error: Exception) -> str:
    """Return the first line of what an error says; of a database's, the driver's words without statement and values."""
    words = error.what if isinstance(error, UserError) else str(getattr(error, "orig", None) or error).strip()
    return words.splitlines()[0] if words else type(error).__name__


def guard(function: Callable[[], Any]) -> Any:
    """Read ``.env`` and call ``function``; print a user's mistake in three lines and exit with 1.

    Other errors keep their traceback.

    What the pipeline makes and is not there yet is such a mistake: a stage was run before the one that makes its input.
    So is a disk that is full, or a file that may not be read or written.
    """
    try:
        read_environment()
        return function()
    except UserError as error:
        sys.exit(str(error))
    except FileNotFoundError as error:
        missing, told = MADE.search(str(error)), unwritable(error)
        if missing:
            told = UserError(f"{missing[0]} is not there", "the working folder", "run dvc repro, which makes it")
        if not told:
            raise
        sys.exit(str(told))
    except Exception as error:
        if told := unwritable(error) or damaged(error):
            sys.exit(str(told))
        raise


def unwritable(error: BaseException | None) -> UserError | None:
    """Tell an error of the disk, or one that it led to; None where it is none. A library may keep only its words."""
    while error:
        words = next((words for words in SAID if words in str(error)), None)
        number = error.errno if isinstance(error, OSError) else None
        if number in UNWRITABLE or words:
            name = getattr(error, "filename", None) or Path.cwd()
            what = os.strerror(number) if number in UNWRITABLE else str(words)
            return UserError(what, str(name), UNWRITABLE[number] if number in UNWRITABLE else SAID[str(words)])
        error = error.__cause__ or error.__context__
    return None


def damaged(error: Exception) -> UserError | None:
    """Tell that a Parquet file cannot be read, which the libraries say without its name; None where it is no such."""
    library, said = type(error).__module__.split(".")[0], first_line(error)
    if {"pyarrow": "Parquet ", "polars": "parquet: File out of specification"}.get(library, "\0") not in said:
        return None
    fix = "dvc status names it; dvc checkout --force brings back what DVC keeps"
    return UserError(f"a table is damaged: {said}", "the working folder", fix)
