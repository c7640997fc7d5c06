"""Measure the server of a project against other ways to serve the same model, all in one run.

Reads the model and the registry of the project; starts every contestant on the loopback interface, with one
worker, and keeps it busy with wrk (`apt-get install wrk`) on 1 and on 32 connections; prints a Markdown
table. CPU time per request is measured too: it says the same on a busy machine. Contestants take the same
picture in the same JSON, but for MLflow, which takes numbers.
Run: `python tests/bench/serving.py demo/my-product [seconds]`, after `make` and `make .venv-serve/.done`.
"""

import contextlib
import hashlib
import itertools
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from measure import verdict

from server import free_port

ROUNDS = int(os.environ.get("ROUNDS", "3"))
TICK = os.sysconf("SC_CLK_TCK")
COMMON = """
import base64, io, json, sys
import numpy as np, onnxruntime as ort
from PIL import Image
options = ort.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
session = ort.InferenceSession("models/model.onnx", options)
name = session.get_inputs()[0].name
labels = json.loads(session.get_modelmeta().custom_metadata_map["labels"])
def answer(images):
    arrays = [np.asarray(Image.open(io.BytesIO(base64.b64decode(image))).convert("L")) for image in images]
    shares, novelty = session.run(["probabilities", "novelty"], {name: np.stack(arrays)})
    best = shares.argmax(axis=1).tolist()
    return {"predictions": [{"label": labels[i], "probabilities": p} for i, p in zip(best, shares.tolist())]}
"""
BARE = (
    COMMON
    + """
import orjson, uvicorn
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route
async def predict(request):
    records = orjson.loads(await request.body())["records"]
    return Response(orjson.dumps(answer([r["image"] for r in records])), media_type="application/json")
app = Starlette(routes=[Route("/v1/predict", predict, methods=["POST"])])
uvicorn.run(app, port=int(sys.argv[1]), loop="uvloop", http="httptools", access_log=False, log_level="error")
"""
)
PLAIN = (
    COMMON
    + """
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
class Record(BaseModel):
    image: str
class Body(BaseModel):
    records: list[Record]
app = FastAPI()
@app.post("/v1/predict")
async def predict(body: Body):
    return answer([record.image for record in body.records])
uvicorn.run(app, port=int(sys.argv[1]), loop="uvloop", http="httptools", access_log=False, log_level="error")
"""
)


@dataclass
class Contestant:
    """How to start it, and what was measured by connections: requests per second, p99 in ms, CPU in us."""

    command: list[str]
    path: str
    ready: str
    body: str
    environment: dict[str, str] = field(default_factory=dict)
    rate: dict[int, list[float]] = field(default_factory=lambda: {1: [], 32: []})
    p99: dict[int, list[float]] = field(default_factory=lambda: {1: [], 32: []})
    cpu: dict[int, list[float]] = field(default_factory=lambda: {1: [], 32: []})
    start: float = 0.0
    resident: float = 0.0


def contestants(project: Path, place: Path, port: int) -> dict[str, Contestant]:
    """Return them by name; each request carries the same picture."""
    python, own = str(project / ".venv/bin/python"), str(project / ".venv-serve/bin/python")
    code = "import json; from fullstack_ml.product import contract; from fullstack_ml.inputs import input_of;"
    code += "product = contract.load(); print(json.dumps({'records': [input_of(product).example(product)]}))"
    made = subprocess.run([python, "-c", code], cwd=project, capture_output=True, text=True, check=True)
    body, rows = made.stdout.strip(), json.dumps({"inputs": [[[128] * 8] * 8]})
    log = {"SERVE_DATABASE_URL": f"sqlite:///{place}/log.db", "SERVE_PORT": str(port), "PYTHONPATH": "engine/src:src"}
    model = f"sqlite:///{project}/mlflow.db"
    mlflow = [f"{project}/.venv/bin/mlflow", "models", "serve", "--env-manager", "local", "--workers", "1"]
    mlflow += ["--model-uri", "models:/my_product@champion", "--host", "127.0.0.1", "--port", str(port)]
    arguments = [own, "-c", BARE, str(port)], [own, "-c", PLAIN, str(port)]
    path = f"{project}/.venv/bin:{os.environ['PATH']}"
    return {
        "this project": Contestant([own, "-m", "fullstack_ml.serving"], "/v1/predict", "/readyz", body, log),
        "bare Starlette + orjson": Contestant(arguments[0], "/v1/predict", "/v1/predict", body),
        "plain FastAPI": Contestant(arguments[1], "/v1/predict", "/v1/predict", body),
        "mlflow models serve": Contestant(
            mlflow, "/invocations", "/ping", rows, {"MLFLOW_TRACKING_URI": model, "PATH": path}
        ),
    }


@contextlib.contextmanager
def up(one: Contestant, project: Path, port: int) -> Iterator[int]:
    """Start a contestant in a group of its own, wait until it answers, end it; give the id of its group."""
    begun = time.perf_counter()
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "start_new_session": True}
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"} | one.environment
    process = subprocess.Popen(one.command, cwd=project, env=environment, **quiet)  # type: ignore[call-overload]
    try:
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}{one.ready}", timeout=5).close()
                break
            except urllib.error.HTTPError as error:
                if error.code == 405:
                    break
            except OSError:
                assert process.poll() is None, f"{one.command[:3]} ended"
            assert time.perf_counter() - begun < 120, f"{one.command[:3]} is not ready"
            time.sleep(0.01)
        one.start = time.perf_counter() - begun
        yield process.pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


def of_group(group: int) -> tuple[float, float]:
    """Return the CPU seconds and resident MiB of the processes of a group."""
    cpu = resident = 0.0
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()
            if int(fields[2]) == group:
                cpu += (int(fields[11]) + int(fields[12])) / TICK
                resident += int(fields[21]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    return cpu, resident


def wrk(one: Contestant, port: int, connections: int, seconds: int, group: int, place: Path) -> None:
    """Keep a contestant busy for some seconds and keep what came out."""
    script = place / "post.lua"
    script.write_text(
        'wrk.method = "POST"\nwrk.headers["Content-Type"] = "application/json"\n' + f"wrk.body = [==[{one.body}]==]\n"
    )
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", str(script)]
    before = of_group(group)[0]
    done = subprocess.run([*command, f"http://127.0.0.1:{port}{one.path}"], capture_output=True, text=True, check=True)
    spent, one.resident = of_group(group)[0] - before, of_group(group)[1]
    assert "Non-2xx" not in done.stdout, done.stdout
    p99 = re.search(r"99%\s+([\d.]+)(us|ms|s)", done.stdout)
    requests = re.search(r"(\d+) requests in", done.stdout)
    assert p99 and requests, done.stdout
    one.p99[connections].append(float(p99[1]) * {"us": 0.001, "ms": 1, "s": 1000}[p99[2]])
    one.rate[connections].append(int(requests[1]) / seconds)
    one.cpu[connections].append(spent / int(requests[1]) * 1e6)


def swaps(own: Contestant, project: Path, port: int, seconds: int, place: Path) -> dict[str, float]:
    """Return the p99 in ms at 32 connections: undisturbed, and while the champion changes every second."""
    shutil.copytree(project / "served", place / "served")
    arms = json.loads((place / "served/arms.json").read_text())
    digest = hashlib.sha256((project / "models/variants/int8.onnx").read_bytes()).hexdigest()
    shutil.copy(project / "models/variants/int8.onnx", place / "served" / f"{digest}.onnx")
    other = arms["champion"] | {"version": "other", "sha256": digest, "file": f"{digest}.onnx"}
    given = {"SERVE_FOLDER": str(place / "served"), "SERVE_POLL_SECONDS": "0.2"}
    moved = Contestant(own.command, own.path, own.ready, own.body, own.environment | given)
    done = threading.Event()

    def swap() -> None:
        for n in itertools.count(1):
            if done.wait(1):
                return
            arm = other if n % 2 else arms["champion"]
            (place / "served/.new").write_text(json.dumps({"champion": arm}))
            (place / "served/.new").replace(place / "served/arms.json")

    with up(moved, project, port) as group:
        for _ in range(3):
            wrk(moved, port, 32, seconds, group, place)
        thread = threading.Thread(target=swap)
        thread.start()
        wrk(moved, port, 32, seconds, group, place)  # a failed request ends it
        done.set()
        thread.join()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            counted = re.search(rb"^model_swaps (\d+)", answer.read(), re.MULTILINE)
    assert counted and int(counted[1]) >= seconds - 1, "the champion did not change"
    return {"undisturbed": statistics.median(moved.p99[32][:3]), "swapping": moved.p99[32][3]}


def report(every: dict[str, Contestant], p99: dict[str, float]) -> None:
    """Print what was measured, and the ratios that are wanted."""
    head = ["server", "req/s c=1", "p99 ms", "CPU us", "req/s c=32", "p99 ms", "CPU us", "start s", "MiB"]
    print("| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    for name, one in every.items():
        cells = [
            f"{statistics.median(kept[c]):,.{n}f}"
            for c in (1, 32)
            for kept, n in ((one.rate, 0), (one.p99, 1), (one.cpu, 0))
        ]
        print(f"| {name} | " + " | ".join([*cells, f"{one.start:.1f}", f"{one.resident:.0f}"]) + " |")
    own, *others = every
    wanted = dict(zip(others, (0.6, 1.0, 5.0), strict=True))
    for c in (1, 32):
        for name, ratio in wanted.items():
            found = statistics.median(every[own].rate[c]) / statistics.median(every[name].rate[c])
            print(f"c={c}: {found:.2f} x {name}, target >= {ratio:g} x: {verdict(-found, -ratio)}")
    slower = statistics.median(every[own].p99[32]) / statistics.median(every[others[0]].p99[32])
    print(f"p99 at c=32: {slower:.2f} x {others[0]}, target <= 2 x: {verdict(slower, 2)}")
    print(f"start {every[own].start:.1f} s, target <= 2 s: {verdict(every[own].start, 2)}")
    print(f"memory {every[own].resident:.0f} MiB, target <= 200 MiB: {verdict(every[own].resident, 200)}")
    disturbed = p99["swapping"] / p99["undisturbed"]
    said = f"{p99['swapping']:.1f} ms while the champion changes every second, else {p99['undisturbed']:.1f} ms"
    print(f"p99 at c=32: {said}: {disturbed:.2f} x, target <= 3 x: {verdict(disturbed, 3)}; no request failed")


def main(project: Path, seconds: int) -> None:
    """Measure every contestant once per round, so that a busy moment hits all of them; print medians."""
    assert shutil.which("wrk"), "wrk is not installed: apt-get install wrk"
    fetch = [str(project / ".venv/bin/python"), "-m", "fullstack_ml.serving.follow", "once"]
    subprocess.run(fetch, cwd=project, check=True, capture_output=True)
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        every = contestants(project, Path(folder), port)
        for _ in range(ROUNDS):
            for one in every.values():
                with up(one, project, port) as group:
                    for connections in (1, 32):
                        wrk(one, port, connections, 1, group, Path(folder))  # warm
                        for kept in (one.rate, one.p99, one.cpu):
                            kept[connections].pop()
                        wrk(one, port, connections, seconds, group, Path(folder))
        p99 = swaps(every["this project"], project, port, 2 * seconds, Path(folder))
    report(every, p99)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), int(sys.argv[2]) if len(sys.argv) > 2 else 5)
