"""Errors of the API as problem details (RFC 9457, Problem Details for HTTP APIs).

Reads and writes nothing. Every answer that is not 2xx is ``application/problem+json`` and says what to change.
"""

import textwrap
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.exceptions import HTTPException

MEDIA = "application/problem+json"


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
    found = error.errors()
    if any(item["type"] in ("json_invalid", "json_type") for item in found):
        return Problem(400, f"the body is not JSON: {found[0].get('ctx', {}).get('error', found[0]['msg'])}")
    faults = [Fault(pointer=_pointer(item["loc"]), detail=_told(item, fields or {})) for item in found[:20]]
    return Problem(422, f"{len(found)} mistake(s) in the request; see /docs for what it may hold", faults)


def _told(item: Any, fields: Mapping[str, str]) -> str:
    """Say what is wrong; of a field of a record also where, the value, and what is allowed."""
    place = [part for part in item["loc"] if part != "body"]
    if len(place) < 3 or place[0] != "records" or place[2] not in fields:
        return str(item["msg"])
    value = "missing" if item["type"] == "missing" else textwrap.shorten(repr(item["input"]), 60, placeholder="…")
    return f"record {place[1]}: {place[2]} is {value}. {item['msg']} ({fields[place[2]]})"


def _pointer(location: tuple[Any, ...]) -> str:
    parts = [str(part).replace("~", "~0").replace("/", "~1") for part in location if part != "body"]
    return "".join(f"/{part}" for part in parts)


def install(app: FastAPI) -> None:
    """Let ``app`` answer every error as a problem."""

    async def problem(request: Request, error: Exception) -> Response:
        assert isinstance(error, Problem)
        return error.response()

    async def validation(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError | ValidationError)
        return invalid(error).response()

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return Problem(error.status_code, str(error.detail), None, **dict(error.headers or {})).response()

    async def bug(request: Request, error: Exception) -> Response:
        return Problem(500, "the server made a mistake; its log has the traceback").response()

    app.add_exception_handler(Problem, problem)
    app.add_exception_handler(RequestValidationError, validation)
    app.add_exception_handler(ValidationError, validation)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(Exception, bug)
