"""A stand-in for Label Studio on a local port, and a project that annotates with it.

It keeps projects, tasks and annotations as the real one does; the round trip with the real one is tested where that
can be installed, by the template.
"""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlparse

import polars as pl
import pytest
from omegaconf import OmegaConf

from fullstack_ml.annotation import import_labels, labels
from fullstack_ml.pipeline import config as conf

PEOPLE = ["owner", "annotator-1", "annotator-2", "annotator-3"]
Settings = Callable[..., conf.Config]


class LabelStudio:
    """What the server holds; ``refuses`` is an answer that it gives to everything."""

    def __init__(self) -> None:
        self.projects: list[dict[str, Any]] = []
        self.tasks: list[dict[str, Any]] = []
        self.changes: list[str] = []
        self.refuses: tuple[int, str] | None = None
        self.short: str | None = None
        self.url = ""

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: Any, who: str) -> tuple[int, Any]:
        """Do what a request asks for; where there is a ``short`` token, only with that."""
        parts = path.strip("/").split("/")[1:]
        if parts[0] == "token":
            return (200, {"access": self.short}) if body == {"refresh": "head.body.signature"} else (401, {})
        if self.short and who != f"Bearer {self.short}":
            return 401, {"detail": "no such token"}
        if self.refuses:
            return self.refuses
        if method != "GET":
            self.changes.append(f"{method} {path}")
            return self.change(parts, body)
        if parts[0] == "users":
            return 200, [{"id": i + 1, "email": f"{name}@localhost"} for i, name in enumerate(PEOPLE)]
        if parts == ["projects"]:
            return 200, {"results": self.projects}
        page, size = int(query["page"][0]), int(query["page_size"][0])
        mine = [task for task in self.tasks if task["project"] == int(query["project"][0])]
        return 200, {"tasks": mine[(page - 1) * size : page * size], "total": len(mine)}

    def change(self, parts: list[str], body: Any) -> tuple[int, Any]:
        """Make or change projects and tasks."""
        if parts == ["projects"]:
            self.projects.append({"id": len(self.projects) + 1, **body})
            return 201, self.projects[-1]
        if parts[-1] == "import":
            project = self.projects[int(parts[1]) - 1]
            fixed = {"project": project["id"], "overlap": project["maximum_annotations"]}
            ids = range(len(self.tasks) + 1, len(self.tasks) + 1 + len(body))
            time = {"was_cancelled": False, "updated_at": "2027-01-01T00:00:00.000000Z"}
            for i, task in zip(ids, body, strict=True):
                said = [{**annotation, **time} for annotation in task.get("annotations", [])]
                self.tasks.append({**task, **fixed, "id": i, "annotations": said})
            return 201, {"task_ids": list(ids)}
        held = (self.projects if parts[0] == "projects" else self.tasks)[int(parts[1]) - 1]
        held.update(body)
        return 200, held

    def annotate(self, record: str, who: str, *labels: str, **details: Any) -> None:
        """Let somebody submit labels for a record, a minute after the annotation before."""
        task = next(task for task in reversed(self.tasks) if task["data"]["id"] == record)
        minute = sum(len(task["annotations"]) for task in self.tasks)
        known: dict[str, Any] = {"result": [{"type": "choices", "value": {"choices": list(labels)}}] if labels else []}
        known |= {"completed_by": PEOPLE.index(who) + 1, "was_cancelled": False, "lead_time": 2.0}
        when = f"2026-01-01T{minute // 60:02}:{minute % 60:02}:00.000000Z"
        task["annotations"].append({**known, "updated_at": when, **details})


@pytest.fixture
def studio(monkeypatch: pytest.MonkeyPatch) -> Iterator[LabelStudio]:
    """A running stand-in, which the project takes for its team's server."""
    held = LabelStudio()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked, size = urlparse(self.path), int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(size)) if size else None
            status, value = held.answer(
                *(self.command, asked.path, parse_qs(asked.query), body, self.headers["Authorization"] or "")
            )
            self.send_response(status)
            self.end_headers()
            self.wfile.write((value if isinstance(value, str) else json.dumps(value)).encode())

        do_POST = do_PATCH = do_GET  # noqa: N815

        def log_message(self, *arguments: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        held.url = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setenv("LABEL_STUDIO_URL", held.url)
        monkeypatch.setenv("LABEL_STUDIO_TOKEN", "0" * 40)
        yield held
        server.shutdown()
        thread.join()


@pytest.fixture
def settings(config: conf.Config, finished: Path) -> Settings:
    """Return the configuration, with the given values in place of those in conf/annotation.yaml."""
    kept: Any = OmegaConf.to_container(OmegaConf.load("conf/annotation.yaml"))

    def change(**values: Any) -> conf.Config:
        config.annotation = conf.Annotation(**{**kept["annotation"], **values})
        return config

    return change


@pytest.fixture
def read() -> Callable[[str], Any]:
    """Return what the file of a round says."""
    return lambda name: SimpleNamespace(**json.loads(Path(f"data/rounds/{name}.json").read_text(encoding="utf-8")))


@pytest.fixture
def truth(finished: Path) -> dict[str, str]:
    """The label that the source states, of every record."""
    return dict(pl.read_parquet("data/raw/*.parquet").select("id", "source_label").iter_rows())


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that were handed to DVC; calling it takes a second."""
    files: list[Path] = []
    for module in (labels, import_labels):
        monkeypatch.setattr(module, "keep", files.append)
    return files
