"""The hot route: read the records of a request, have them scored and logged, answer.

Reads requests; the scorer writes the log.
"""

import asyncio
import time
from typing import Any

from pydantic import ValidationError
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.types import Receive, Scope

from fullstack_ml.inputs import Decoded, UnreadableError
from fullstack_ml.serving import telemetry
from fullstack_ml.serving.problem import Fault, Problem, invalid
from fullstack_ml.serving.service import Service

# Pixels that are decoded on the event loop: about a millisecond.
QUICK_PIXELS = 100_000
JSON, FORM = b"application/json", b"multipart/form-data"


class Predict:
    """Answer one request with JSON; a problem is raised."""

    def __init__(self, service: Service) -> None:
        """Prepare what every request needs."""
        self._service = service
        self._validate = service.types.request.__pydantic_validator__.validate_json

    async def __call__(self, headers: dict[bytes, bytes], scope: Scope, receive: Receive) -> bytes:
        """Return the answer once it is on record."""
        started = time.perf_counter()
        media = headers.get(b"content-type", JSON).split(b";", 1)[0].strip().lower()
        if media == JSON:
            try:
                records: list[Any] = self._validate(await read(receive)).records
            except ValidationError as error:
                raise invalid(error, self._service.fields) from error
        elif media == FORM and self._service.form_field:
            records = await self._files(scope, receive, self._service.form_field)
        else:
            allowed = (JSON + (b" or " + FORM if self._service.form_field else b"")).decode()
            raise Problem(415, f"the body is {media.decode('latin-1') or 'of no stated type'}; send {allowed}")
        decoded = await self._decoded(records)
        address = scope["client"][0] if scope["client"] else ""
        caller = headers[b"x-caller"].decode("latin-1") if b"x-caller" in headers else address
        answer = await self._service.scorer.submit(decoded, caller, started)
        telemetry.SECONDS.observe(time.perf_counter() - started)
        return answer

    async def _decoded(self, records: list[Any]) -> Decoded:
        """Decode a small request here and a large one in a thread, so that nobody else waits for it."""
        settings, until = self._service.settings, time.monotonic() + self._service.settings.request_seconds
        try:
            cost, opened = self._service.input.opened(records)
            if cost > settings.max_pixels:
                what = f"{cost} pixels, more than {settings.max_pixels} (SERVE_MAX_PIXELS)"
                raise Problem(413, f"the pictures of the request have {what}")
            if cost <= QUICK_PIXELS:
                return self._service.decode(opened, until)
            return await asyncio.to_thread(self._service.decode, opened, until)
        except UnreadableError as error:
            fault = Fault(pointer=f"/records/{error.place}/{error.field}", detail=error.detail)
            raise Problem(422, f"record {error.place} cannot be read: {error.detail}", [fault]) from error

    async def _files(self, scope: Scope, receive: Receive, field: str) -> list[Any]:
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
