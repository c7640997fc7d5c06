"""What the routes share: the contract, the log, the served versions, the scorer.

Reads ``product.yaml``; writes nothing itself.
"""

import asyncio
import logging
import math

from fullstack_ml.answers import answer_of
from fullstack_ml.inputs import input_of
from fullstack_ml.product.contract import load
from fullstack_ml.serving import schema, telemetry
from fullstack_ml.serving.deployment import Deployment, bring, remote_registry
from fullstack_ml.serving.scorer import Scorer
from fullstack_ml.serving.settings import Settings
from fullstack_ml.serving.store import LogUnavailable, Store
from fullstack_ml.workspace.errors import UserError

LOG = logging.getLogger("uvicorn.error")


class Service:
    """The parts of a running server."""

    def __init__(self, settings: Settings) -> None:
        """Read the contract and make the parts; ``open`` connects them."""
        self.settings, self.product = settings, load()
        self.types = schema.build(self.product, settings)
        self.input, self.answer = input_of(self.product), answer_of(self.product)
        self.decode, self.form_field = self.input.decoder(self.product), self.input.FORM_FIELD
        example = self.types.request.model_validate({"records": [self.input.example(self.product)]})
        known = type(example.records[0]).model_fields
        self.fields = {field.alias or name: field.description or "" for name, field in known.items()}
        inputs, *_ = self.decode(self.input.opened(example.records)[1], math.inf)
        self.deployment = Deployment(settings, self.product, inputs)
        self.store = Store(settings)
        self._log_fault: str | None = "the prediction log is not open"
        # What is personal is not kept: its hash still tells whether the same record came twice.
        self.scorer = Scorer(self.deployment, self.store.writer, settings, self.product.data.privacy != "personal")

    def open(self) -> None:
        """Open the log and load the versions; what is missing now is tried again later, and /readyz says it."""
        try:
            self.store.open()
            self._log_fault = None
        except LogUnavailable as error:
            LOG.error("the prediction log cannot be opened: %s", error)
        self.refresh()

    def refresh(self) -> None:
        """Look what the registry's aliases name now."""
        self.deployment.refresh(self._fetch())
        telemetry.SWAPS.set(self.deployment.swaps)
        telemetry.SERVING.clear()
        for arm, served in self.deployment.arms.items():
            telemetry.SERVING.labels(arm, served.version.version, served.version.sha256).set(1)
        self._say_ready()

    def _fetch(self) -> str | None:
        """Bring versions from a tracking server; return what could not be had."""
        if not self.settings.remote:
            return None
        try:
            return bring(remote_registry(self.settings), self.settings.folder)
        except UserError as error:
            return error.what

    def unready(self) -> str | None:
        """Say why the server cannot answer, or return None."""
        try:
            self.store.probe()
            self._log_fault = None
        except LogUnavailable as error:
            self._log_fault = f"the prediction log does not take a row: {error}"
        return self._say_ready()

    def _say_ready(self) -> str | None:
        """Keep the gauge, by the state of the log when somebody last wrote to know it."""
        why = self._log_fault
        if not why and not self.deployment.arms:
            why = self.deployment.refused or "no version of the model is served yet; has one been accepted?"
        telemetry.READY.set(why is None)
        return why

    def forget(self) -> None:
        """Delete what is older than product.yaml allows."""
        days = self.product.data.retention_days
        number = self.store.forget_older_than(days)
        if number:
            LOG.info("deleted %d predictions older than %d days", number, days)

    async def close(self) -> None:
        """Answer what waits, then let go."""
        await self.scorer.stop()
        await asyncio.to_thread(self.store.close)
