"""Annotation rounds: which records people were asked to label, why, and how.

Reads and writes ``data/rounds/<name>.json``, which is small and belongs in git: the labels of a round are in
``data/labels/<name>.parquet``. A round never changes after it was made.
"""

from typing import Literal

from pydantic import Field, ValidationError

from fullstack_ml.product.formulation import Strict
from fullstack_ml.workspace.errors import UserError, explain, suggest
from fullstack_ml.workspace.files import read_json, write_text
from fullstack_ml.workspace.paths import ROUNDS

NAME = r"^[a-z0-9][a-z0-9-]{0,29}$"
Kind = Literal["pilot", "production", "review", "adjudication"]


class Round(Strict):
    """A round: ``items`` maps every record id to the reason why it was chosen.

    ``overlap`` lists the records that every annotator labels, ``gold`` the answers that are known and stay hidden,
    ``model`` what the model said of each record, ``shown`` the records on which annotators see what it said.
    """

    name: str = Field(pattern=NAME)
    kind: Kind
    guide_version: str = Field(pattern=r"^\d+\.\d+$")
    made_at: str
    annotators: list[str] = Field(min_length=1)
    items: dict[str, str]
    overlap: list[str] = Field(default_factory=list)
    gold: dict[str, str] = Field(default_factory=dict)
    model: dict[str, str] = Field(default_factory=dict)
    shown: list[str] = Field(default_factory=list)


def write(made: Round) -> None:
    """Write a new round.

    Raises:
        UserError: if a round of this name is there: its labels would lose their origin.
    """
    path = ROUNDS / f"{made.name}.json"
    if path.exists():
        raise UserError(f"there is a round {made.name!r} already", str(path), "give another NAME")
    write_text(path, made.model_dump_json(indent=1) + "\n")


def read_all() -> dict[str, Round]:
    """Read every round, the newest last.

    Raises:
        UserError: for a file that is no round.
    """
    found = []
    for path in sorted(ROUNDS.glob("*.json")):
        try:
            one = Round.model_validate(read_json(path))
        except ValidationError as error:
            what = f"{path.name} is no round: {explain(error, Round, lambda _: '').what}"
            raise UserError(what, str(path), "restore it from git, or make a new one with make round") from error
        if one.name != path.stem:
            raise UserError(f"{path.name} holds the round {one.name!r}", str(path), "give file and round one name")
        found.append(one)
    return {one.name: one for one in sorted(found, key=lambda one: one.made_at)}


def adjudications(rounds: dict[str, Round]) -> list[str]:
    """Name the rounds in which one person decided: their labels stand above all others."""
    return [one.name for one in rounds.values() if one.kind == "adjudication"]


def named(name: str | None) -> Round:
    """Return the round ``name``, or the newest one.

    Raises:
        UserError: if there is no such round.
    """
    known = read_all()
    if not known:
        raise UserError("there is no annotation round yet", str(ROUNDS), "make round NAME=pilot N=50")
    if name is None:
        return list(known.values())[-1]
    if name not in known:
        raise UserError(f"there is no round {name!r}", str(ROUNDS), suggest(name, known))
    return known[name]
