"""Send hostile requests to a real server of a project, and measure how long another client waits meanwhile.

Reads the project; starts its server on the loopback interface; prints a Markdown table. The attacker has one address
and eight connections, the other client another address and one. Run, after `make` and `make .venv-serve/.done`:
`python tests/bench/hostile.py demo/my-product [requests]`.
"""

import base64
import contextlib
import http.client
import io
import json
import os
import random
import signal
import struct
import subprocess
import sys
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from server import free_port

CONNECTIONS, SECONDS = 8, 900
JSON = {"Content-Type": "application/json"}
Request = tuple[str, str, bytes, dict[str, str]]


def picture(kind: str, side: int, colour: bool = False) -> bytes:
    """Return a blank picture."""
    file = io.BytesIO()
    options = {"TIFF": {"compression": "tiff_deflate"}}.get(kind, {})
    Image.new("RGB" if colour else "L", (side, side), 255 if not colour else (9, 9, 9)).save(file, kind, **options)
    return file.getvalue()


def chunk(name: bytes, data: bytes) -> bytes:
    """Return a part of a PNG file."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def inflating(parts: int) -> bytes:
    """Return a small PNG with texts that inflate to a megabyte each."""
    text = b"k\0\0" + zlib.compress(b" " * (2**20 - 1), 9)
    small = picture("PNG", 8)
    return small[:33] + chunk(b"zTXt", text) * parts + small[33:]


def many_frames(count: int) -> bytes:
    """Return a GIF of one pixel and many frames."""
    head = b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    return head + (b"," + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\2\2\x44\1\0") * count + b";"


def overlapping(tags: int, size: int) -> bytes:
    """Return a TIFF whose tags each claim the same ``size`` bytes."""
    known = {256: (4, 1, 8), 257: (4, 1, 8), 258: (3, 1, 8), 259: (3, 1, 1), 262: (3, 1, 1)}
    known |= {273: (4, 1, 8), 277: (3, 1, 1), 278: (4, 1, 8), 279: (4, 1, 64)}
    at = 72 + 2 + 12 * (len(known) + tags) + 4
    rows = sorted([(tag, *rest) for tag, rest in known.items()] + [(40000 + i, 1, size, at) for i in range(tags)])
    table = struct.pack("<H", len(rows)) + b"".join(struct.pack("<HHII", *row) for row in rows) + bytes(4)
    return b"II*\0" + struct.pack("<I", 72) + b"\xff" * 64 + table + bytes(size)


def form(files: list[bytes]) -> Request:
    """Return a request with files."""
    head = b'--x\r\nContent-Disposition: form-data; name="image"; filename="x"\r\n\r\n'
    body = b"".join(head + data + b"\r\n" for data in files) + b"--x--\r\n"
    return "POST", "/v1/predict", body, {"Content-Type": "multipart/form-data; boundary=x"}


def predict(body: bytes) -> Request:
    """Return a request with JSON."""
    return "POST", "/v1/predict", body, JSON


def attacks(draw: random.Random, record: dict[str, object]) -> list[Callable[[], Request]]:
    """Return makers of requests, each of which once took long or may."""
    kinds = ("WEBP", "GIF", "TIFF", "PNG", "JPEG")
    blank = {kind: picture(kind, 2000) for kind in kinds}
    large = {kind: picture(kind, 5000, kind in ("WEBP", "JPEG")) for kind in kinds}
    keys = json.dumps({"records": [{**record, **{f"k{i}": 0 for i in range(300_000)}}]}).encode()
    top = json.dumps({"records": [record], **{f"k{i}": 0 for i in range(300_000)}}).encode()
    many = json.dumps({"records": [record] * 100_000}).encode()[: 4 * 2**20 - 1]
    nested = b'{"records":' + b"[" * 2_000_000
    frames, texts, tags = many_frames(200_000), inflating(60), overlapping(300, 3_500_000)
    empty = json.dumps({"records": [{}] * 256}).encode()
    name = json.dumps({"records": [{"a b " * 900_000: 1}]}).encode()
    value = json.dumps({"records": [dict.fromkeys(record, "x y " * 20_000)] * 12}).encode()[: 4 * 2**20 - 1]
    noise = draw.randbytes(2**20)
    said = {"prediction_id": "0" * 32, "answer": "x", "who": "w"}
    feedback = json.dumps({**said, **{f"k{i}": 0 for i in range(300_000)}}).encode()
    heavy: list[Callable[[], Request]] = [
        lambda: form([blank[draw.choice(kinds)]] * 256),
        lambda: form([blank[draw.choice(kinds)]] * 12),
        lambda: form([large[draw.choice(kinds)]] * 2),
        lambda: form([frames]),
        lambda: form([texts] * 40),
        lambda: form([tags]),
        lambda: predict(keys),
        lambda: predict(top),
        lambda: predict(many),
        lambda: predict(nested),
        lambda: predict(name),
        lambda: predict(value),
        lambda: predict(noise),
        lambda: form([noise]),
        lambda: ("POST", "/v1/feedback", feedback, JSON),
    ]
    light: list[Callable[[], Request]] = [
        lambda: predict(empty),
        lambda: predict(draw.randbytes(draw.randrange(2000))),
        lambda: predict(json.dumps({"records": [{"image": base64.b64encode(inflating(4)).decode()}]}).encode()),
        lambda: form([many_frames(400)]),
        lambda: form([draw.choice(list(blank.values()))[: draw.randrange(200)]]),
        lambda: ("GET", "/v1/predictions/" + draw.choice(["../..", "0" * 32, "%00", "x" * 5000]), b"", {}),
        lambda: ("GET", "/readyz", b"", {}),
        lambda: ("GET", "/metrics", b"", {"Host": "rebound.example"}),
        lambda: ("POST", "/v1/feedback", b"who=x", {"Content-Type": "text/plain", "Origin": "https://evil.example"}),
        lambda: ("POST", "/v1/predict", b"{}", {**JSON, "Content-Length": "9" * 30}),
    ]
    return heavy + light * 12  # about one of nine is heavy


@contextlib.contextmanager
def server(project: Path) -> Iterator[tuple[int, int]]:
    """Run the project's server; give its port and process."""
    port = free_port()
    settings = {
        "SERVE_PORT": str(port),
        "SERVE_MODEL": "models/model.onnx",
        "SERVE_DATABASE_URL": "sqlite:///hostile.db",
    }
    environment = {**os.environ, "PYTHONPATH": "engine/src:src", **settings}
    command = [".venv-serve/bin/python", "-m", "fullstack_ml.serving"]
    process = subprocess.Popen(command, cwd=project, env=environment, stderr=subprocess.DEVNULL)
    try:
        for _ in range(300):
            with contextlib.suppress(OSError):
                if ask(port, "127.0.0.1", ("GET", "/readyz", b"", {})) == 200:
                    break
            time.sleep(0.1)
        yield port, process.pid
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def ask(port: int, address: str, request: Request) -> int:
    """Send one request from an address, and return the status; 0 where the server hung up."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60, source_address=(address, 0))
    with contextlib.closing(connection):
        try:
            connection.request(*request)
            answer = connection.getresponse()
            answer.read()
        except (ConnectionError, http.client.HTTPException):
            return 0
        return answer.status


def peak_mib(pid: int) -> int:
    """Return the most memory that a process has held, in MiB."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return int(status.split("VmHWM:")[1].split()[0]) // 1024


def main() -> None:
    """Attack, and measure."""
    project, count = Path(sys.argv[1]), int(next(iter(sys.argv[2:]), "10000"))
    with server(project) as (port, pid):
        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.request("GET", "/openapi.json")
        schemas = json.loads(connection.getresponse().read())["components"]["schemas"]
        example = schemas["PredictRequest"]["example"]
        record = example["records"][0]
        makers = attacks(random.Random(0), record)
        statuses: Counter[int] = Counter()
        left = iter(range(count))
        lock, end = threading.Lock(), time.monotonic() + SECONDS

        def attack(seed: int) -> None:
            draw = random.Random(seed)
            while time.monotonic() < end:
                with lock:
                    if next(left, None) is None:
                        return
                status = ask(port, "127.0.0.1", draw.choice(makers)())
                with lock:
                    statuses[status] += 1

        threads = [threading.Thread(target=attack, args=(seed,)) for seed in range(CONNECTIONS)]
        for thread in threads:
            thread.start()
        waits, good = [], predict(json.dumps(example).encode())
        while any(thread.is_alive() for thread in threads):
            started = time.perf_counter()
            assert ask(port, "127.0.0.2", good) == 200
            waits.append(time.perf_counter() - started)
            time.sleep(0.01)
        waits.sort()
        print("| hostile requests | answers | other client: requests | median | p99 | longest wait | peak memory |")
        print("|---|---|---|---|---|---|---|")
        said = ", ".join(f"{status}: {number}" for status, number in sorted(statuses.items()))
        median, p99 = (waits[int(len(waits) * share)] for share in (0.5, 0.99))
        times = " | ".join(f"{seconds * 1000:.0f} ms" for seconds in (median, p99, waits[-1]))
        print(f"| {sum(statuses.values())} | {said} | {len(waits)} | {times} | {peak_mib(pid)} MiB |")


if __name__ == "__main__":
    main()
