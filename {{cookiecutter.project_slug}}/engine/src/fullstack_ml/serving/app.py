"""The API: predict, feedback, look-up, and what an operator asks.

Reads ``product.yaml``, the served versions and the database; writes the database. Run: ``make serve``, or
``python -m fullstack_ml.serving``.
"""

import asyncio
import gc
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html import escape
from typing import Any

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

from fullstack_ml.pages.words import words
from fullstack_ml.serving import problem, routes
from fullstack_ml.serving.limits import Limits
from fullstack_ml.serving.predict import Predict
from fullstack_ml.serving.service import Service
from fullstack_ml.serving.settings import Settings, read

LOG = logging.getLogger("uvicorn.error")
RETENTION_SECONDS = 3600


def create_app(settings: Settings | None = None) -> Limits:
    """Make the application; nothing is read or opened before it starts."""
    settings = settings or read()
    service = Service(settings)
    product = service.product

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await asyncio.to_thread(service.open)
        gc.freeze()  # what is loaded now stays; looking through it for garbage would stop all requests for 50 ms
        tasks = [asyncio.create_task(every(settings.poll_seconds, service.refresh))]
        tasks.append(asyncio.create_task(every(RETENTION_SECONDS, service.forget)))
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await service.close()

    app: FastAPI = FastAPIOffline(
        redoc_url=None,
        title=escape(product.service.name),  # /docs writes it into its page as it stands
        description=f"{product.service.decision}\n\n{words('For: %(users)s', users=product.service.users)}",
        version="1",
        lifespan=lifespan,
        swagger_ui_parameters={"tryItOutEnabled": True, "defaultModelsExpandDepth": 0},
    )
    problem.install(app)
    predict = Predict(service)
    app.include_router(routes.for_clients(service, predict))
    app.include_router(routes.for_operators(service))
    routes.describe(app, product.service.name, service.types, settings.api_key is not None)
    return Limits(app, service, {("POST", "/v1/predict"): predict})


async def every(seconds: float, work: Any) -> None:
    """Do ``work`` in a thread at once and then again and again; a failure is logged and does not end it."""
    while True:
        try:
            await asyncio.to_thread(work)
        except Exception:
            LOG.exception("a background task failed")
        await asyncio.sleep(seconds)
