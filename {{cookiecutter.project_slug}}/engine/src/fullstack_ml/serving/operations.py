"""What an operator asks: which version, alive, ready, how much.

Reads the state of the server; ``/readyz`` writes one row to know that writing works.
"""

import asyncio
import json

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from fullstack_ml.registry.versions import CHALLENGER, CHAMPION
from fullstack_ml.serving import telemetry
from fullstack_ml.serving.model import Served
from fullstack_ml.serving.openapi import problems
from fullstack_ml.serving.problem import unavailable
from fullstack_ml.serving.schema import Health, Model, ModelVersion
from fullstack_ml.serving.service import Service


def describe(served: Served) -> ModelVersion:
    """Return what ``/v1/model`` says of a version."""
    version = served.version
    return ModelVersion(name=version.name, version=version.version, artefact_sha256=version.sha256, tags=version.tags)


def router(service: Service) -> APIRouter:
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
            champion=describe(champion),
            challenger=describe(arms[CHALLENGER]) if CHALLENGER in arms else None,
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
