"""The three lines that a user sees."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

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
