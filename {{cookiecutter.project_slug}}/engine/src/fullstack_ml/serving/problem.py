"""Errors of the API as problem details (RFC 9457, Problem Details for HTTP APIs).

Reads and writes nothing. Every answer that is not 2xx is ``application/problem+json`` and says what to change.
"""

import textwrap
from collections.abc import Mapping
from difflib import get_close_matches
from http import HTTPStatus
from itertools import islice
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import from_json, to_json
from starlette.exceptions import HTTPException

from fullstack_ml.inputs import UnreadableError

MEDIA = "application/problem+json"
# Mistakes that are named of a record, or of a request that is refused whole; and how many are counted one by one.
MOST, COUNTED = 20, 5_000
# Characters of a name or a value that are looked at.
LONG = 200
# Mistakes of which the value says nothing: there is none, nobody knows what it would mean, or it is a long list.
NAMED = {"missing", "extra_forbidden", "too_long"}
# What pydantic finds, said to a person; a type that is not here keeps pydantic's own words.
WORDS = {
    "missing": "missing",
    "extra_forbidden": "no field here",
    "too_long": "too long: {actual_length} entries, and one request may have {max_length}",
    "too_short": "it is empty",
    "string_too_short": "it is empty",
    "float_type": "a number is expected, without quotes",
    "bool_type": "true or false is expected, without quotes",
    "string_pattern_mismatch": "it has not the pattern {pattern}",
    "string_type": "text is expected, in quotes",
    "literal_error": "expected is {expected}",
    "greater_than_equal": "below the lowest value, {ge:.15g}",
    "less_than_equal": "above the highest value, {le:.15g}",
    "multiple_of": "a whole number is expected",
    "finite_number": "a finite number is expected",
    "list_type": "a list is expected",
    "model_type": "an object with fields is expected",
    "model_attributes_type": "an object with fields is expected",
}


class Fault(BaseModel):
    """One mistake in the request; ``pointer`` is a JSON pointer (RFC 6901) into the body."""

    pointer: str
    detail: str


class ProblemDetails(BaseModel):
    """The body of every answer that is not 2xx."""

    model_config = ConfigDict(json_schema_extra={"description": "RFC 9457"})

    type: str = Field(examples=["about:blank"])
    title: str = Field(examples=["Unprocessable Content"])
    status: int = Field(examples=[422])
    detail: str
    errors: list[Fault] = []


class Problem(Exception):  # noqa: N818 - an answer of the API, in the words of the RFC
    """An answer other than 2xx."""

    def __init__(self, status: int, detail: str, faults: list[Fault] | None = None, **headers: str) -> None:
        """Keep the parts of the answer; ``headers`` are written with underscores."""
        super().__init__(detail)
        self.status, self.detail, self.faults, self.headers = status, detail, faults or [], headers

    def body(self) -> bytes:
        """Return the problem as JSON."""
        title = HTTPStatus(self.status).phrase
        details = {"type": "about:blank", "title": title, "status": self.status, "detail": self.detail}
        return orjson.dumps(details | {"errors": [fault.model_dump() for fault in self.faults]})

    def response(self) -> Response:
        """Return the problem as an answer."""
        headers = {name.replace("_", "-"): value for name, value in self.headers.items()}
        return Response(self.body(), self.status, headers, MEDIA)


def unavailable(detail: str) -> Problem:
    """Say that the same request may succeed a little later."""
    return Problem(503, detail, retry_after="1")


def invalid(error: ValidationError | RequestValidationError, fields: Mapping[str, str] | None = None) -> Problem:
    """Name every mistake in a body, with the value and, of one of ``fields``, what is allowed; no JSON is a 400."""
    found = list(error.errors(include_url=False) if isinstance(error, ValidationError) else error.errors())
    if any(item["type"] in ("json_invalid", "json_type") for item in found):
        return Problem(400, f"the body is not JSON: {found[0].get('ctx', {}).get('error', found[0]['msg'])}")
    found.sort(key=lambda item: len(item["loc"]))  # what is wrong with the request before what is with a record
    return refusal([Fault(pointer=_pointer(item["loc"]), detail=_told(item, fields or {})) for item in found])


def refusal(faults: list[Fault]) -> Problem:
    """Refuse a whole request; the first mistakes are named."""
    if len(faults) == 1:
        return Problem(422, faults[0].detail, faults)
    return Problem(422, f"{len(faults)} mistakes in the request; the first: {faults[0].detail}", faults[:MOST])


def refuse_crowd(body: bytes, wanted: type[BaseModel], fields: Mapping[str, str]) -> None:
    """Refuse a body with more unknown names than can be looked at, before its type makes a mistake of each."""
    try:
        given = from_json(body)
    except ValueError:
        return  # no JSON, which its type says
    records = given.get("records") if isinstance(given, dict) else None
    parts = [part for part in records if isinstance(part, dict)] if isinstance(records, list) else []
    unknown = sum(max(0, len(part) - len(fields)) for part in parts)
    unknown += len(given) if isinstance(given, dict) else 0
    if unknown > COUNTED:
        raise flood(unknown, given, wanted, fields)


def flood(count: int, given: Any, wanted: type[BaseModel], fields: Mapping[str, str]) -> Problem:
    """Refuse what has so many mistakes that telling all would take seconds; the first are named."""
    most = len(fields) + MOST
    if isinstance(given, dict):
        given = {**dict(islice(given.items(), most)), "records": given.get("records")}
        if isinstance(given["records"], list):
            told = given["records"][:MOST]
            given["records"] = [dict(islice(x.items(), most)) if isinstance(x, dict) else x for x in told]
    what = f"more than {COUNTED} mistakes in the request: about {count}"
    try:
        wanted.model_validate_json(to_json(given, inf_nan_mode="constants"))
    except ValidationError as error:
        return Problem(422, what, invalid(error, fields).faults)
    return Problem(422, what)


def faults_by_record(error: ValidationError, fields: Mapping[str, str]) -> dict[int, list[Fault]]:
    """Return the mistakes of every wrong record by its place; {} where the request itself is wrong."""
    found: dict[int, list[Fault]] = {}
    for item in error.errors(include_url=False):
        match item["loc"]:
            case ("records", int(place), *_):
                faults = found.setdefault(place, [])
                if len(faults) < MOST:
                    faults.append(Fault(pointer=_pointer(item["loc"]), detail=_told(item, fields)))
            case _:
                return {}
    return found


def unreadable(place: int, error: UnreadableError) -> Fault:
    """Name a record that has the right type and still cannot be read, such as a file that is no picture."""
    return Fault(pointer=f"/records/{place}/{error.field}", detail=f"record {place} cannot be read: {error.detail}")


def _told(item: Any, fields: Mapping[str, str]) -> str:
    """Say what is wrong in a sentence; of a field of a record also where, the value, and what is allowed."""
    place = [str(part)[:LONG] for part in item["loc"] if part != "body"]
    what = WORDS[item["type"]].format_map(item.get("ctx", {})) if item["type"] in WORDS else item["msg"]
    if item["type"] not in NAMED:
        written = to_json(item["input"], fallback=repr)[:LONG].decode(errors="ignore")
        what = f"{textwrap.shorten(written, 60, placeholder='…')}: {what}"
    if len(place) < 3 or place[0] != "records":
        return f"{'/'.join(place) or 'the body'} is {what}"
    hint = fields.get(place[2])
    if not hint:
        close = get_close_matches(place[2], fields, 1)
        hint = f"is {close[0]} meant?" if close else f"known: {textwrap.shorten(', '.join(fields), 300)}"
    return f"record {place[1]}: {place[2]} is {what} ({hint})"


def _pointer(location: tuple[Any, ...]) -> str:
    parts = [str(part)[:LONG].replace("~", "~0").replace("/", "~1") for part in location if part != "body"]
    return "".join(f"/{part}" for part in parts)


def install(app: FastAPI) -> None:
    """Let ``app`` answer every error as a problem."""

    async def answer(request: Request, error: Exception) -> Response:
        match error:
            case Problem():
                return error.response()
            case RequestValidationError() | ValidationError():
                return invalid(error).response()
            case HTTPException():
                what = f"{error.detail}: {request.method} {request.url.path}"
                return Problem(error.status_code, what, None, **dict(error.headers or {})).response()
        return Problem(500, "the server made a mistake; its log has the traceback").response()

    for kind in (Problem, RequestValidationError, ValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, answer)
