"""What a client calls: predict, feedback, look-up.

Reads requests; every prediction and every feedback is on record before it is answered.
"""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response

from fullstack_ml.serving.openapi import body_of, predict_body, problems
from fullstack_ml.serving.predict import Predict
from fullstack_ml.serving.problem import Problem, unavailable
from fullstack_ml.serving.schema import ID
from fullstack_ml.serving.service import Service
from fullstack_ml.serving.writer import LogUnavailable


async def keep(service: Service, body: bytes) -> Any:
    """Keep a feedback and return what is on record."""
    said = service.types.feedback.model_validate_json(body)
    word = {"answer": service.answer.to_text(said.answer, service.product), "who": said.who, "how": said.how}
    try:
        kept = await asyncio.to_thread(service.store.add_feedback, said.prediction_id, **word)
    except LogUnavailable as error:
        raise unavailable(f"the feedback cannot be kept: {error}") from error
    if kept is None:
        raise Problem(404, f"there is no prediction {said.prediction_id}")
    row, new = kept
    if not new and row["answer"] != word["answer"]:
        raise Problem(409, f"{said.who} has already said {row['answer']!r} of this prediction")
    return spoken(service, row)


def spoken(service: Service, row: dict[str, Any]) -> dict[str, Any]:
    """Return a row of the log with its answer in JSON; null where there was none, or the decision was to abstain."""
    silent = row["answer"] is None or row.get("reason")
    return {**row, "answer": None if silent else service.answer.from_text(row["answer"], service.product)}


def router(service: Service, answer_records: Predict) -> APIRouter:
    """Return the routes below ``/v1`` that need the log; ``answer_records`` also answers without the framework."""
    types, api = service.types, APIRouter(prefix="/v1", tags=["predictions"])

    @api.post(
        "/predict",
        response_model=types.answer,
        responses=problems(400, 401, 408, 413, 415, 422, 500, 503),
        openapi_extra=predict_body(service.form_field),
    )
    async def predict(request: Request) -> Response:
        """Answer each record, or abstain and say why; a wrong record has `errors` instead, the others are answered."""
        answer = await answer_records(dict(request.scope["headers"]), request.scope, request.receive)
        return Response(answer, media_type="application/json")

    @api.post(
        "/feedback",
        response_model=types.receipt,
        responses=problems(400, 401, 404, 408, 409, 413, 422, 503),
        openapi_extra=body_of("Feedback"),
    )
    async def feedback(request: Request) -> Any:
        """Say what a record really is. The first word of a person stands; the same word again changes nothing."""
        return await keep(service, await request.body())

    @api.get("/predictions/{prediction_id}", response_model=types.logged, responses=problems(401, 404, 422, 503))
    async def prediction(prediction_id: Annotated[ID, Path()]) -> Any:
        """Look up an answer that was given, and what people said of it."""
        try:
            found = await asyncio.to_thread(service.store.find, prediction_id)
        except LogUnavailable as error:
            raise unavailable(f"the log cannot be read: {error}") from error
        if found is None:
            raise Problem(404, f"there is no prediction {prediction_id}")
        row, said = spoken(service, found[0]), found[1]
        shown = {name: row[name] for name in types.logged.model_fields if name in row}
        words = [spoken(service, given) for given in said]
        return {**shown, "feedback": [{name: word[name] for name in types.receipt.model_fields} for word in words]}

    return api
