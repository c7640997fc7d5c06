"""Annotation rounds: which records people were asked to label, why, and how.

Reads and writes ``data/rounds/<name>.json``, which is small and belongs in git: the labels of a round are in
``data/labels/<name>.parquet``. After it was made only newer minor versions of the guide are noted in a round.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Literal

import polars as pl
from pydantic import Field, ValidationError

from fullstack_ml.product.formulation import Strict
from fullstack_ml.product.guide import major
from fullstack_ml.workspace.errors import UserError, explain, suggest
from fullstack_ml.workspace.files import read_json, write_text
from fullstack_ml.workspace.paths import ROUNDS

NAME = r"^[a-z0-9][a-z0-9-]{0,29}$"
Kind = Literal["pilot", "production", "review", "adjudication"]


class Round(Strict):
    """A round: ``items`` maps every record id to the reason why it was chosen.

    ``overlap`` lists the records that every annotator labels, ``gold`` the answers that are known and stay hidden,
    ``model`` what the model said of each record, ``certainty`` how probable that is, ``shown`` the records on which
    annotators see it.
    ``labels`` are the names that were on offer, ``guides`` the minor versions of the guide that came during the round,
    each with the moment from which annotators had it.
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
    certainty: dict[str, float] = Field(default_factory=dict)
    shown: list[str] = Field(default_factory=list)
    labels: list[str] = Field(default_factory=list)
    guides: dict[str, str] = Field(default_factory=dict)

    def guide_at(self, moment: datetime) -> str:
        """Return the version of the guide that annotators had at a moment."""
        since = [version for version, start in self.guides.items() if datetime.fromisoformat(start) <= moment]
        return since[-1] if since else self.guide_version


def save(one: Round) -> None:
    """Write the file of a round."""
    write_text(ROUNDS / f"{one.name}.json", one.model_dump_json(indent=1) + "\n")


def write(made: Round) -> None:
    """Write a new round.

    Raises:
        UserError: if a round of this name is there: its labels would lose their origin.
    """
    path = ROUNDS / f"{made.name}.json"
    if path.exists():
        raise UserError(f"there is a round {made.name!r} already", str(path), "give another NAME")
    save(made)


def noted(one: Round, guide: str) -> Round:
    """Write down that annotators have a newer minor version of the guide from now on, and return the round so."""
    if guide == one.guide_at(datetime.now(UTC)) or major(guide) != major(one.guide_version):
        return one
    since = datetime.now(UTC).isoformat(timespec="seconds")
    one = one.model_copy(update={"guides": {**one.guides, guide: since}})
    save(one)
    print(f"round {one.name}: guide {guide} from now on, noted in {ROUNDS}/{one.name}.json")
    return one


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


def waiting(rounds: Iterable[Round], said: pl.DataFrame, guide: str, names: list[str]) -> set[str]:
    """Return the records that people are being asked about: without a label from a round that is open.

    A round ends when a new major version of the guide, or other labels, make its answers worthless.
    """
    done = {str(name): set(part["id"]) for (name,), part in said.select("id", "round").group_by("round")}
    found: set[str] = set()
    for one in rounds:
        if major(one.guide_version) == major(guide) and (not one.labels or set(one.labels) == set(names)):
            found |= one.items.keys() - done.get(one.name, set())
    return found


def check_collected(one: Round, gone: list[str]) -> None:
    """Raise if records of a round, those in ``gone``, are not in ``data/raw`` any more.

    Raises:
        UserError: with the first of them.
    """
    if gone:
        what = f"{len(gone)} records of the round are not in data/raw, first {gone[0][:12]}"
        fix = "make collect; if they were forgotten on purpose, make a new round"
        raise UserError(what, f"{ROUNDS}/{one.name}.json", fix)


def adjudications(rounds: Mapping[str, Round]) -> list[str]:
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
