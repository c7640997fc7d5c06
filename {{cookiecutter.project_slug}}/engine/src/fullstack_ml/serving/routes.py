"""The API: what a client calls, what an operator asks, and its description at ``/openapi.json`` and ``/docs``.

Reads requests; every prediction and every feedback is on record before it is answered, and ``/readyz`` writes one row
to know that writing works. Bodies are checked in the routes, by the same types that are described here: FastAPI's own
parsing of a body costs more than the model.
"""

import asyncio
import json
import re
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Path, Request, Response
from fastapi.openapi.utils import get_openapi
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic.json_schema import models_json_schema

from fullstack_ml.pages.words import described
from fullstack_ml.registry.versions import CHALLENGER, CHAMPION
from fullstack_ml.serving import telemetry
from fullstack_ml.serving.model import Served
from fullstack_ml.serving.predict import Predict
from fullstack_ml.serving.problem import MEDIA, Problem, ProblemDetails, unavailable
from fullstack_ml.serving.schema import ID, Health, Model, ModelVersion, Schema
from fullstack_ml.serving.service import Service
from fullstack_ml.serving.store import LogUnavailable

FEEDBACK_BYTES = 2**14
TEMPLATE = "#/components/schemas/{model}"


def reference(name: str) -> dict[str, str]:
    """Point to a type by its name."""
    return {"$ref": TEMPLATE.format(model=name)}


def problems(*codes: int) -> dict[int | str, dict[str, Any]]:
    """Describe the problems that a route may answer."""
    content = {MEDIA: {"schema": reference("ProblemDetails")}}
    return {code: {"description": "Problem", "content": content} for code in codes}


def body_of(name: str) -> dict[str, Any]:
    """Describe a JSON body."""
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": reference(name)}}}}


def predict_body(field: str | None) -> dict[str, Any]:
    """Describe the body of ``/v1/predict``: JSON, and a form where records are files."""
    body = body_of("PredictRequest")
    if field:
        files = {"type": "array", "items": {"type": "string", "format": "binary"}, "minItems": 1}
        form = {"type": "object", "properties": {field: files}, "required": [field]}
        body["requestBody"]["content"]["multipart/form-data"] = {"schema": form}
    described = "say what moved each answer, as `moved_by`: for texts, their words; up to 16 records"
    asked = {"name": "explain", "in": "query", "schema": {"type": "boolean"}, "description": described}
    return body | {"parameters": [asked]}


async def keep(service: Service, request: Request) -> Any:
    """Keep a feedback and return what is on record."""
    media, body = request.headers.get("content-type", "").split(";", 1)[0].strip().lower(), await request.body()
    if media != "application/json":
        raise Problem(415, f"the body is {media or 'of no stated type'}; send application/json")
    if len(body) > FEEDBACK_BYTES:  # a large one can hold mistakes that take long to list
        raise Problem(413, f"a feedback has at most {FEEDBACK_BYTES} bytes")
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


def for_clients(service: Service, answer_records: Predict) -> APIRouter:
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
        responses=problems(400, 401, 404, 408, 409, 413, 415, 422, 503),
        openapi_extra=body_of("Feedback"),
    )
    async def feedback(request: Request) -> Any:
        """Say what a record really is. The first word of a person stands; the same word again changes nothing."""
        return await keep(service, request)

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


def version_of(served: Served) -> ModelVersion:
    """Return what ``/v1/model`` says of a version."""
    version = served.version
    return ModelVersion(name=version.name, version=version.version, artefact_sha256=version.sha256, tags=version.tags)


def for_operators(service: Service) -> APIRouter:
    """Return the routes of the operator."""
    api = APIRouter(tags=["operations"])

    @api.get("/v1/model", responses=problems(401, 503))
    async def model() -> Model:
        """Say which versions are served, and what they were made from."""
        arms = service.deployment.arms
        if CHAMPION not in arms:
            raise unavailable(service.deployment.refused or "no version of the model is served yet")
        champion = arms[CHAMPION]
        return Model(
            champion=version_of(champion),
            challenger=version_of(arms[CHALLENGER]) if CHALLENGER in arms else None,
            rollout=service.settings.rollout,
            answer=json.loads(champion.artefact.metadata["answer"]),
            decision=json.loads(champion.artefact.metadata["decision"]),
            refused=service.deployment.refused,
        )

    @api.get("/healthz")
    async def healthz() -> Health:
        """Say that the process runs: restart it when this fails."""
        return Health(status="ok")

    @api.get("/readyz", responses=problems(503))
    async def readyz() -> Health:
        """Say that a prediction can be made and logged: send no traffic while this fails."""
        why = await asyncio.to_thread(service.unready)
        if why:
            raise unavailable(why)
        return Health(status="ok")

    @api.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}, **problems(401)})
    async def metrics() -> Response:
        """Give the counters in the text format of Prometheus."""
        return Response(generate_latest(telemetry.REGISTRY), media_type=CONTENT_TYPE_LATEST)

    return api


def describe(app: FastAPI, title: str, types: Schema, keyed: bool) -> None:
    """Let ``app`` describe itself with the types of its bodies, and with its key where it asks for one."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema:
            return app.openapi_schema
        made = get_openapi(title=title, version=app.version, description=app.description, routes=app.routes)
        given = [(types.request, "validation"), (types.feedback, "validation"), (ProblemDetails, "serialization")]
        _, definitions = models_json_schema(given, ref_template=TEMPLATE)  # type: ignore[arg-type]
        schemas = made.setdefault("components", {}).setdefault("schemas", {})
        schemas.update(definitions["$defs"])
        if keyed:
            made["components"]["securitySchemes"] = {"key": {"type": "apiKey", "in": "header", "name": "X-API-Key"}}
            made["security"] = [{"key": []}]
        app.openapi_schema = made = described(made)
        for operation in (one for path in made["paths"].values() for one in path.values()):
            # What stands beside the path while it is folded, in place of the function's name.
            operation["summary"] = re.split(r"[.;:]", operation["description"])[0]
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
