"""Watch the released model: judge the prediction log by ``monitoring`` of ``product.yaml``, and tell who is to be told.

Reads the prediction log, the reference in the artefact of the version that answers, the registry and
``conf/monitoring.yaml``; writes ``reports/monitoring/``: ``report.json``, ``report.html`` and ``gauges.prom``, and a
run of MLflow. Exit code 2 says that there is an alarm. One monitor runs at a time, a second one waits.
Run: ``make monitor``, every night by cron, systemd or a workflow.
"""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from fullstack_ml.answers import answer_of
from fullstack_ml.inputs import input_of
from fullstack_ml.monitoring.back import take_back
from fullstack_ml.monitoring.chance import Measure, level_of
from fullstack_ml.monitoring.gauges import failed_requests, log_to_mlflow, write_gauges
from fullstack_ml.monitoring.log import Log, Window
from fullstack_ml.monitoring.measures import NONE, Seen, measure
from fullstack_ml.monitoring.origins import Origins, attempt
from fullstack_ml.monitoring.page import write_page
from fullstack_ml.monitoring.tell import tell, to_tell
from fullstack_ml.monitoring.verdicts import judge_all, message, tests
from fullstack_ml.pages.formats import number
from fullstack_ml.pages.words import words
from fullstack_ml.pipeline.config import Config, Monitor
from fullstack_ml.pipeline.stage import stage
from fullstack_ml.product.contract import load
from fullstack_ml.product.types import Product
from fullstack_ml.serving.settings import Settings, read
from fullstack_ml.workspace.errors import first_line
from fullstack_ml.workspace.files import read_json, write_json
from fullstack_ml.workspace.paths import REPORTS

FOLDER = REPORTS / "monitoring"
REPORT, PAGE, GAUGES = FOLDER / "report.json", FOLDER / "report.html", FOLDER / "gauges.prom"
USUAL_DAYS = 7.0  # of a window where product.yaml says nothing


@contextmanager
def alone() -> Iterator[None]:
    """Wait until no other monitor runs: two would tell everybody twice."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / ".lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the system opens the lock of a process that was killed
        yield


def see(log: Log, window: Window, settings: Monitor) -> Seen:
    """Read of a window what is looked at: counts of all, and a sample."""
    totals, said = log.totals(window), log.said_words(window)
    share = min(1.0, settings.sample / max(1, sum(row["records"] for row in totals.values())))
    said_share = min(1.0, settings.sample / max(1, said))
    words = log.words(window, said_share)
    return Seen(totals, log.sample(window, share), log.inputs(window, share), words, said_share)


def days_since(moment: datetime | None, now: datetime) -> Measure:
    """Return an age in days; what is newer than that moment has none."""
    return {"value": max(0.0, (now - moment) / timedelta(days=1)), "records": 1} if moment else NONE


def ask_server(settings: Monitor, serving: Settings) -> Measure:
    """Ask the server how many requests failed; what it does not say is not measured."""
    key = {"X-API-Key": serving.api_key.get_secret_value()} if serving.api_key else {}
    url = f"{(settings.server or '').rstrip('/')}/metrics"
    found = attempt(lambda: httpx.get(url, headers=key, timeout=settings.seconds).raise_for_status().text)
    return failed_requests(found) if found else NONE


def look(product: Product, settings: Monitor, serving: Settings, origins: Origins, now: datetime) -> dict[str, Any]:
    """Measure every window, and judge the newest."""
    log, answer = Log(serving), answer_of(product)
    days = product.monitoring.days if product.monitoring else USUAL_DAYS
    level = level_of(settings.false_alarms, tests(product, len(input_of(product).slice_columns(product))), days)
    found, notes = [], dict[str, None]()
    for window in log.windows(now, days, settings.windows):
        seen = see(log, window, settings)
        known, why = origins.reference(seen.version) if seen.version else (None, "")
        span = {"from": window.start.isoformat(" ", "minutes")[:16], "to": window.end.isoformat(" ", "minutes")[:16]}
        one = {**span, **measure(seen, known, product, level)}
        made, newest = (origins.made(seen.version), origins.newest(seen.version)) if seen.version else (None, None)
        one["measures"] |= {
            "model_age_days": days_since(made, window.end),
            "data_age_days": days_since(newest, window.end),
        }
        one["measures"]["failed_requests_share"] = NONE
        found.append(one)
        notes |= dict.fromkeys([why] if why else [])
    newest_window = found[-1]
    if settings.server:
        newest_window["measures"]["failed_requests_share"] = ask_server(settings, serving)
    notes |= dict.fromkeys(remarks(newest_window, log.later(now), log.strays()))
    verdicts = judge_all(product, newest_window, settings.fewest)
    known = origins.reference(newest_window["version"])[0] if newest_window["version"] else None
    head = {"at": now.isoformat(timespec="seconds"), "main": answer.MAIN, "days": days, "level": level}
    head["late"] = [*answer.LATE]
    return {**head, "verdicts": verdicts, "notes": list(notes), "reference": known, "windows": found}


def remarks(window: dict[str, Any], later: int, strays: int) -> list[str]:
    """Say what a reader has to know of the newest window beside the numbers."""
    said = []
    records, kept, looked = window["measures"]["records"]["value"], window["inputs"], window["sampled"]
    if not records:
        said.append(words("no record came in this window"))
    elif kept < looked / 2:
        text = "the log keeps the input of %(kept)s of %(looked)s records (data.privacy): features are judged by these"
        said.append(words(text, kept=kept, looked=looked))
    if later:
        said.append(words("%(n)s records are dated later than now: a clock was wrong; they are left out", n=later))
    if strays:
        said.append(words("%(n)s words are on predictions that the log does not hold; they are left out", n=strays))
    return said


def report_to_mlflow(report: dict[str, Any], origins: Origins) -> str | None:
    """Write the newest window to MLflow; return what failed."""
    try:
        log_to_mlflow(report, origins.mlflow())
    except Exception as error:  # a store that does not answer stops no alarm
        return f"MLflow did not take it: {first_line(error)}"
    return None


def show(report: dict[str, Any]) -> None:
    """Print the verdicts, and what a reader has to know."""
    window = report["windows"][-1]
    print(f"monitor: {window['from']} to {window['to']} UTC, {window['measures']['records']['value']} records")
    for row in report["verdicts"]:
        value = "-" if row["value"] is None else number(row["value"])
        name = f"{row['metric']} {row['which']}".rstrip()
        print(f"  {row['id']:<4}{row['verdict']:<13}{name:<36}{value:>9}  {row['operator']} {row['threshold']:g}")
    if not report["verdicts"]:
        print("  product.yaml says nothing under monitoring: nothing is judged")
    for note in report["notes"]:
        print(f"note: {note}")


def run(config: Config) -> None:
    """Look, write, tell."""
    settings, product, serving = config.monitoring, load(), read()
    assert settings is not None
    origins, began = Origins(serving), time.monotonic()
    with alone():
        report = look(product, settings, serving, origins, datetime.now(UTC))
        earlier = read_json(REPORT)["told"] if REPORT.exists() else {}
        report["told"] = to_tell(report["verdicts"], earlier, datetime.fromisoformat(report["at"]), report["days"])
        report["seconds"] = round(time.monotonic() - began, 1)
        write_page(report, product, PAGE)
        write_gauges(report, GAUGES)
        write_json(REPORT, report)
        alarms = [row for row in report["verdicts"] if row["verdict"] == "alarm"]
        texts = {row["id"]: message(row, report["windows"][-1], str(PAGE)) for row in alarms}
        fresh = [row for row in alarms if report["told"][row["id"]] != earlier.get(row["id"])]
        back = take_back(fresh, report["windows"][-1]["version"], origins, serving)
        text = "".join(f"{part}\n" for part in (*(texts[row["id"]] for row in fresh), *([back] if back else [])))
        faults = [*([back] if back else []), *(tell(text, fresh, settings) if fresh else [])]
        faults += filter(None, [report_to_mlflow(report, origins) if settings.mlflow else None])
    show(report)
    print("\n".join([*texts.values(), *(f"monitor: {fault}" for fault in faults), f"all of it in {PAGE}"]))
    if alarms:
        raise SystemExit(2)


if __name__ == "__main__":
    stage(run, "monitoring")
