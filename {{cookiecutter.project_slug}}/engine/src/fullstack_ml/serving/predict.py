"""The hot route: read the records of a request, have them scored and logged, answer.

Reads requests; the scorer writes the log.
"""

import time
from contextlib import suppress
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
import orjson
from pydantic import ValidationError
from pydantic_core import from_json, to_json
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.types import Receive, Scope

from fullstack_ml.inputs import Decoded, UnreadableError
from fullstack_ml.serving import explain, telemetry
from fullstack_ml.serving.problem import (
    COUNTED,
    Fault,
    Problem,
    faults_by_record,
    flood,
    invalid,
    refusal,
    refuse_crowd,
    unreadable,
)
from fullstack_ml.serving.service import Service
from fullstack_ml.serving.turns import Turns

# What is read and decoded on the event loop: about a millisecond, also where it was made to take long.
QUICK_BYTES, QUICK_PIXELS = 2**13, 100_000
# The mistakes of the records that are not answered, by their place in the request.
Refusals = dict[int, list[Fault]]
JSON, FORM = b"application/json", b"multipart/form-data"


class Predict:
    """Answer one request with JSON; a problem is raised."""

    def __init__(self, service: Service) -> None:
        """Prepare what every request needs."""
        self._service, self._turns = service, Turns()
        self._validate = service.types.request.__pydantic_validator__.validate_json

    async def __call__(self, headers: dict[bytes, bytes], scope: Scope, receive: Receive) -> bytes:
        """Return the answer once it is on record."""
        started, refused = time.perf_counter(), Refusals()
        address = scope["client"][0] if scope["client"] else ""
        if int(headers.get(b"content-length", QUICK_BYTES + 1)) <= QUICK_BYTES:
            given = await self._given(headers, scope, receive)
        else:
            with self._turns.arriving(address):
                given = await self._given(headers, scope, receive)
        decoded = await self._decoded(given, refused, address)
        caller = headers[b"x-caller"].decode("latin-1") if b"x-caller" in headers else address
        explained = explain.asked(scope["query_string"])
        if explained:
            explain.refuse_many(len(decoded[1]))
        answer = await self._service.scorer.submit(decoded, caller, started)
        if explained:
            arms, input_ = dict(self._service.deployment.arms), self._service.input
            answer = await self._turns.take(address, partial(explain.with_effects, answer, arms, input_, decoded[0]))
        telemetry.SECONDS.observe(time.perf_counter() - started)
        return with_refusals(answer, refused) if refused else answer

    async def _given(self, headers: dict[bytes, bytes], scope: Scope, receive: Receive) -> bytes | list[bytes]:
        media = headers.get(b"content-type", JSON).split(b";", 1)[0].strip().lower()
        if media == JSON:
            return await read(receive)
        if media == FORM and self._service.form_field:
            return await self._files(scope, receive, self._service.form_field)
        allowed = (JSON + (b" or " + FORM if self._service.form_field else b"")).decode()
        raise Problem(415, f"the body is {media.decode('latin-1') or 'of no stated type'}; send {allowed}")

    async def _decoded(self, given: bytes | list[bytes], refused: Refusals, address: str) -> Decoded:
        """Read a small request here, and a large one in a thread, so that nobody else waits for it."""
        until = time.monotonic() + self._service.settings.request_seconds
        size = len(given) if isinstance(given, bytes) else sum(map(len, given))
        if size <= QUICK_BYTES:
            with suppress(ValidationError, UnreadableError):
                records = given if isinstance(given, list) else list(self._validate(given).records)
                cost, opened = self._opened(records, 0)
                if cost <= QUICK_PIXELS:
                    return self._service.decode(opened, until)
        return await self._turns.take(address, partial(self._whole, given, refused, until))

    def _whole(self, given: bytes | list[Any], refused: Refusals, until: float) -> Decoded:
        """Read and decode what can be read; the rest goes to ``refused``."""
        records = self._records(given, refused)
        try:
            return self._service.decode(self._opened(records, 0)[1], until)
        except UnreadableError:
            return self._one_by_one(records, refused, until)

    def _records(self, given: bytes | list[Any], refused: Refusals) -> list[Any]:
        """Return the records of a body that the contract allows; the others go to ``refused``."""
        if isinstance(given, list):
            return given  # files of a form
        wanted, fields = self._service.types.request, self._service.fields
        if given.count(b":") > COUNTED:
            refuse_crowd(given, wanted, fields)
        try:
            return list(self._validate(given).records)
        except ValidationError as error:
            if error.error_count() > COUNTED:
                raise flood(error.error_count(), from_json(given), wanted, fields) from None
            refused.update(faults_by_record(error, fields))
            said = from_json(given)["records"] if refused else []
            good = [record for place, record in enumerate(said) if place not in refused]
            if not good:
                raise invalid(error, fields) from error
            # As JSON once more: the types are strict, and mean other things in Python.
            return list(self._validate(to_json({"records": good}, inf_nan_mode="constants")).records)

    def _opened(self, records: list[Any], spent: int) -> tuple[int, list[Any]]:
        """Open ``records``; add what decoding them makes to what the request has ``spent``."""
        cost, opened = self._service.input.opened(records)
        cost, most = spent + cost, self._service.settings.max_pixels
        if cost > most:
            raise Problem(413, f"the pictures of the request have {cost} pixels, more than {most} (SERVE_MAX_PIXELS)")
        return cost, opened

    def _one_by_one(self, records: list[Any], refused: Refusals, until: float) -> Decoded:
        """Decode what can be read; the others go to ``refused``."""
        decoded, spent = [], 0
        places = [place for place in range(len(records) + len(refused)) if place not in refused]
        for place, record in zip(places, records, strict=True):
            try:
                spent, opened = self._opened([record], spent)
                decoded.append(self._service.decode(opened, until))
            except UnreadableError as error:
                refused[place] = [unreadable(place, error)]
        if not decoded:
            raise refusal([fault for _, faults in sorted(refused.items()) for fault in faults])
        inputs, ids, stored = zip(*decoded, strict=True)
        return np.concatenate(inputs), [*chain(*ids)], [*chain(*stored)]

    async def _files(self, scope: Scope, receive: Receive, field: str) -> list[bytes]:
        settings, request = self._service.settings, Request(scope, receive)
        if "boundary=" not in request.headers["content-type"]:
            raise Problem(400, "the content type of a form names its boundary")
        try:
            async with request.form(
                max_files=settings.max_rows, max_fields=0, max_part_size=settings.max_body_bytes
            ) as form:
                files = [item for item in form.getlist(field) if isinstance(item, UploadFile)]
                if not files or len(files) < len(form.multi_items()):
                    what = f"send files under {field!r}, and nothing else"
                    raise Problem(422, what, [Fault(pointer=f"/{field}", detail=what)])
                return [await file.read() for file in files]
        except MultiPartException as error:
            raise Problem(400, error.message) from error


def with_refusals(answer: bytes, refused: Refusals) -> bytes:
    """Put the mistakes of refused records between the predictions, in the order of the request."""
    telemetry.REFUSED.inc(len(refused))
    entries = orjson.loads(answer)["predictions"]
    for place, faults in sorted(refused.items()):
        entries.insert(place, {"errors": [fault.model_dump() for fault in faults]})
    return orjson.dumps({"predictions": entries})


async def read(receive: Receive) -> bytes:
    """Return the whole body."""
    message = await receive()
    if not message.get("more_body"):
        return bytes(message.get("body", b""))
    parts = [message["body"]]
    while message.get("more_body"):
        message = await receive()
        parts.append(message.get("body", b""))
    return b"".join(parts)
