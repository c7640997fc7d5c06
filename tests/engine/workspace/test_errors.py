"""The three lines that a user sees."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, ValidationError
from sqlalchemy.exc import OperationalError

from fullstack_ml.workspace import errors

Refused = Callable[..., AbstractContextManager[None]]


def read(path: str, rows: int = 10) -> None:
    """Take the arguments that the tests are about."""


def read_anything(path: str, **options: Any) -> None:
    """Take any option."""


def test_a_mistake_is_three_lines_whatever_its_parts_hold() -> None:
    error = errors.UserError("a\n  b", "c\td", "e\r\nf")
    assert str(error) == "error: a b\nwhere: c d\nfix:   e f"


def test_the_nearest_word_is_suggested() -> None:
    assert errors.suggest("trian", ["test", "train", "validation"]) == "did you mean 'train'?"
    assert errors.suggest("n", ["N", "Y"]) == "did you mean 'N'?"


def test_all_words_are_named_when_none_is_near() -> None:
    assert errors.suggest("zzz", ["b", "a"]) == "allowed: a, b"


def test_an_unknown_option_is_refused_with_the_nearest(refused: Refused) -> None:
    with refused("read takes no option 'row'", "conf/x.yaml", "'rows'"):
        errors.check_arguments(read, {"path": "x", "row": 1}, "conf/x.yaml")


def test_a_missing_option_is_named_with_those_there_are(refused: Refused) -> None:
    with refused("read needs the option 'path'", "conf/x.yaml", "path, rows"):
        errors.check_arguments(read, {"rows": 1}, "conf/x.yaml")
    errors.check_arguments(read, {"rows": 1}, "conf/x.yaml", given=("path",))


def test_what_the_caller_gives_is_no_option(refused: Refused) -> None:
    with refused("read takes no option 'path'", "conf/x.yaml", "rows"):
        errors.check_arguments(read, {"path": "x"}, "conf/x.yaml", given=("path",))


def test_known_options_pass() -> None:
    errors.check_arguments(read, {"path": "x", "rows": 1}, "conf/x.yaml")
    errors.check_arguments(read_anything, {"path": "x", "colour": 1}, "conf/x.yaml")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("first\nsecond"), "first"),
        (ValueError(), "ValueError"),
        (errors.UserError("a file is gone", "somewhere", "bring it back"), "a file is gone"),
        # SQLAlchemy puts the statement, with its values, behind the driver's words.
        (OperationalError("SELECT 1 WHERE name = 'Kim'", {}, Exception("disk full")), "disk full"),
    ],
    ids=["two-lines", "no-words", "users", "databases"],
)
def test_an_error_is_named_by_its_first_line(error: Exception, line: str) -> None:
    assert errors.first_line(error) == line


def test_a_mistake_ends_the_program_with_code_1_and_no_traceback() -> None:
    def stage() -> None:
        raise errors.UserError("bad", "here", "mend it")

    with pytest.raises(SystemExit) as ended:
        errors.guard(stage)
    # Python prints a text and exits with 1; see sys.exit.
    assert ended.value.code == "error: bad\nwhere: here\nfix:   mend it"


def test_a_programming_error_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError):
        errors.guard(lambda: 1 / 0)


class Inner(BaseModel):
    """A part with a key that is not allowed to be forgotten."""

    model_config = ConfigDict(extra="forbid")
    share: float
    day: str = ""


class Outer(BaseModel):
    """A list of parts."""

    model_config = ConfigDict(extra="forbid")
    parts: list[Inner]


@pytest.mark.parametrize(
    ("part", "what", "fix"),
    [
        ({"shares": 1}, "unknown key 'shares'", "did you mean 'share'?"),
        ({}, "the key 'share' is missing", "add it; the keys here are share, day"),
        ({"share": "0,5"}, "parts[0].share is '0,5': Input should be a valid number", "use a point: 0.5"),
        ({"share": 1, "day": date(2026, 1, 1)}, "parts[0].day is datetime.date", "put it in quotes"),
        ({"share": []}, "parts[0].share is []: Input should be a valid number", "mend the value"),
    ],
)
def test_what_pydantic_refuses_is_told_in_three_lines(part: dict[str, Any], what: str, fix: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate({"parts": [part]})
    told = errors.explain(caught.value, Outer, lambda location: f"file.yaml, {errors.dotted(location)}")
    assert told.what.startswith(what)
    assert told.where.startswith("file.yaml, parts[0]")
    assert told.fix.startswith(fix)
    assert len(str(told).splitlines()) == 3


@pytest.mark.parametrize("place", [".", ".dvc/tmp/exps/abc"])
def test_a_command_reads_the_file_of_the_environment_and_the_shell_goes_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    lines = "MLFLOW_TRACKING_URI=sqlite:///team.db\nLABEL_STUDIO_TOKEN='a$b #c'\nDATABASE_URL=\nSERVE_PORT=1\n"
    (tmp_path / ".env").write_text(lines, encoding="utf-8")
    (tmp_path / place).mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(tmp_path / place)
    monkeypatch.setenv("SERVE_PORT", "2")
    names = ("MLFLOW_TRACKING_URI", "LABEL_STUDIO_TOKEN", "DATABASE_URL", "SERVE_PORT")
    seen = errors.guard(lambda: [os.environ.get(name) for name in names])
    assert seen == ["sqlite:///team.db", "a$b #c", None, "2"]
