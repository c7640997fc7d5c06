"""Tell people of alarms: by a command that gets the text, by a webhook that gets it as JSON.

Starts the command and asks the webhook of ``conf/monitoring.yaml``; writes nothing. Each has its time and is tried
again; what fails is said and stops nothing, since the report is written already.
"""

import os
import shlex
import subprocess
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import httpx
import stamina

from fullstack_ml.pipeline.config import Monitor

FAULTS = (OSError, ValueError, subprocess.SubprocessError, httpx.HTTPError, httpx.InvalidURL)


def to_tell(rows: list[dict[str, Any]], told: dict[str, str], now: datetime, days: float) -> dict[str, str]:
    """Return when each alarm was told last, by id: now where it is new, or was told a whole window ago."""
    since = {row["id"]: told.get(row["id"]) for row in rows if row["verdict"] == "alarm"}
    old = timedelta(days=days)
    return {
        name: last if last and now - datetime.fromisoformat(last) < old else now.isoformat()
        for name, last in since.items()
    }


def tell(text: str, alarms: list[dict[str, Any]], settings: Monitor) -> list[str]:
    """Tell everybody; return what failed, in words."""
    ways: dict[str, Callable[[], None]] = {}
    if settings.command:
        ways["command"] = lambda: run_command(settings.command or "", text, settings.seconds)
    if settings.webhook:
        ways["webhook"] = lambda: post(settings.webhook or "", text, alarms, settings.seconds)
    faults = []
    for name, way in ways.items():
        try:
            for attempt in stamina.retry_context(
                on=FAULTS, attempts=settings.attempts, timeout=settings.attempts * settings.seconds * 2, wait_max=5
            ):
                with attempt:
                    way()
        except FAULTS as error:
            faults.append(f"the {name} of conf/monitoring.yaml was not told: {type(error).__name__} {error}"[:300])
    return faults


def run_command(command: str, text: str, seconds: float) -> None:
    """Give the text to a command; a mistake of its own is one of telling."""
    subprocess.run(shlex.split(command), input=text, text=True, timeout=seconds, check=True, capture_output=True)


def post(address: str, text: str, alarms: list[dict[str, Any]], seconds: float) -> None:
    """Send the text as JSON."""
    name = address.removeprefix("env:")
    url = os.environ.get(name, "") if name != address else address
    if not url:
        raise ValueError(f"{name} is not set")
    # A server that sends a byte now and then would hold the answer for ever: only its head is read.
    with httpx.stream("POST", url, json={"text": text, "alarms": alarms}, timeout=seconds) as answer:
        answer.raise_for_status()
