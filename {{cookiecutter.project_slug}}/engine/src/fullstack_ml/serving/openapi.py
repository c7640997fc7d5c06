"""The description of the API at ``/openapi.json`` and ``/docs``: bodies and problems that FastAPI cannot see.

Reads and writes nothing. Bodies are checked in the routes, by the same types that are described here: FastAPI's own
parsing of a body costs more than the model.
"""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from fullstack_ml.serving.problem import MEDIA, ProblemDetails
from fullstack_ml.serving.schema import Schema

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
    return body


def describe(app: FastAPI, types: Schema, keyed: bool) -> None:
    """Let ``app`` describe itself with the types of its bodies, and with its key where it asks for one."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema:
            return app.openapi_schema
        made = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        given = [(types.request, "validation"), (types.feedback, "validation"), (ProblemDetails, "serialization")]
        _, definitions = models_json_schema(given, ref_template=TEMPLATE)  # type: ignore[arg-type]
        schemas = made.setdefault("components", {}).setdefault("schemas", {})
        schemas.update(definitions["$defs"])
        if keyed:
            made["components"]["securitySchemes"] = {"key": {"type": "apiKey", "in": "header", "name": "X-API-Key"}}
            made["security"] = [{"key": []}]
        app.openapi_schema = made
        return made

    app.openapi = openapi  # type: ignore[method-assign]
