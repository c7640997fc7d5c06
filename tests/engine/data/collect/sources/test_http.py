"""Source http against a server on this machine that has every fault that a server can have."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import polars as pl
import pytest
import stamina

from fullstack_ml.data.collect import __main__ as collect
from fullstack_ml.data.collect.sources import fetch, http

Refused = Callable[..., AbstractContextManager[None]]
LARGEST = 100_000
COLUMNS = dict.fromkeys(("source", "source_label", "rejected"), pl.String)


class Handler(BaseHTTPRequestHandler):
    """Serves ``good`` under /good/N, and a fault under the name of each fault."""

    good: ClassVar[list[bytes]] = []
    kind = ""
    robots: tuple[int, bytes] = (200, b"User-agent: *\nDisallow: /private/\n")
    asked: ClassVar[Counter[str]] = Counter()

    def do_GET(self) -> None:
        Handler.asked[self.path] += 1
        fault = self.path.split("/")[1]
        if self.path == "/robots.txt":
            self.answer(*self.robots, kind="text/plain")
        elif fault in ("good", "private"):
            self.answer(200, self.good[int(self.path.split("/")[2])])
        elif fault == "sitemap.xml":
            urls = "".join(f"<url><loc>{self.at('good', i)}</loc></url>" for i in range(2))
            self.answer(200, f"<urlset>{urls}</urlset>".encode(), kind="application/xml")
        elif fault == "index.xml":
            body = f"<sitemapindex><sitemap><loc>{self.at('sitemap.xml')}</loc></sitemap></sitemapindex>"
            self.answer(200, body.encode(), kind="text/xml")
        elif fault == "recovers":  # fails twice
            self.answer(503, b"") if Handler.asked[self.path] < 3 else self.answer(200, self.good[0])
        elif fault == "truncated":
            self.answer(200, self.good[0], length=len(self.good[0]) + 10)
        elif fault == "oversized":
            self.answer(200, b"x" * (LARGEST + 1))
        elif fault == "endless":  # states no length
            self.answer(200, b"x" * (2 * LARGEST), length=None)
        elif fault == "html":
            self.answer(200, b"<html>Sign in</html>", kind="text/html")
        elif fault == "empty":
            self.answer(200, b"")
        elif fault in ("moved", "home", "loop"):
            port = self.port()
            place = {"moved": "/good/1", "home": f"http://localhost:{port}/good/1", "loop": "/loop"}[fault]
            self.answer(302, b"", location=place)
        else:
            self.answer(int(fault), b"")

    def port(self) -> int:
        address: Any = self.server.server_address
        return int(address[1])

    def at(self, *parts: Any) -> str:
        return "/".join([f"http://127.0.0.1:{self.port()}", *map(str, parts)])

    def answer(self, status: int, body: bytes, kind: str = "", length: int | None = -1, location: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind or self.kind)
        if length is not None:
            self.send_header("Content-Length", str(len(body) if length < 0 else length))
        if location:
            self.send_header("Location", location)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def server(product: Any, batch: pl.DataFrame) -> Iterator[str]:
    """The address of the server."""
    if product.formulation.input.type == "image":
        Handler.good, Handler.kind = batch["payload"].to_list()[:4], "image/png"
    else:
        rows = [batch[i : i + 1].rename({"source_label": "label"}) for i in range(4)]
        Handler.good, Handler.kind = [row.drop("group").write_csv().encode() for row in rows], "text/csv"
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"127.0.0.1:{running.server_address[1]}"
        running.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """Take no time to wait; return the waits that would have been between requests."""
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    Handler.asked.clear()
    with stamina.set_testing(True, attempts=3, cap=True):
        yield waits


@pytest.fixture
def found(server: str, product: Any, tmp_path: Path) -> Callable[..., pl.DataFrame]:
    """Return what the source gives for the paths of the server: source, label, rejected."""

    def read(*paths: str, seen: frozenset[str] = frozenset(), **options: Any) -> pl.DataFrame:
        urls = [f"http://{server}/{path}" for path in paths]
        (tmp_path / "urls.csv").write_text("\n".join(["url,label", *(f"{url},some" for url in urls)]))
        rules = {"private_hosts": [server], "max_bytes": LARGEST, "per_second": 1000.0, **options.pop("fetch", {})}
        listed = {} if "sitemap" in options else {"urls": str(tmp_path / "urls.csv")}
        given = {"licence": "internal", "kind": "scan", "label": "label", **listed, **options}
        frames = [pl.DataFrame(schema=COLUMNS), *http.read(product, fetch=rules, seen=seen, **given)]
        joined: pl.DataFrame = pl.concat(frames, how="diagonal_relaxed").select(*COLUMNS)
        return joined

    return read


def test_good_files_become_records_with_their_address(found: Callable[..., pl.DataFrame], server: str) -> None:
    records = found("good/0", "good/1")
    assert records["source"].to_list() == [f"http://{server}/good/{i}" for i in range(2)]
    assert records["rejected"].null_count() == 2
    assert records["source_label"].null_count() == 0


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("404", "status 404"),
        ("500", "failed 4 times, at last: status 500"),
        ("truncated", "failed 4 times, at last: peer closed connection without sending complete message body"),
        ("oversized", f"larger than {LARGEST} bytes"),
        ("endless", f"larger than {LARGEST} bytes"),
        ("html", "content type text/html is not one of"),
        ("private/0", "robots.txt of 127.0.0.1"),
        ("home", "is an address of a private network"),
        ("loop", "more than 5 redirects"),
    ],
)
def test_a_fault_rejects_this_address_with_the_reason_and_the_next_is_read(
    path: str, reason: str, found: Callable[..., pl.DataFrame], server: str
) -> None:
    records = found(path, "good/0")
    assert reason in records["rejected"][0]
    assert records["source"].to_list() == [f"http://{server}/{path}", f"http://{server}/good/0"]
    assert records["rejected"][1] is None


def test_what_fails_for_a_moment_is_tried_again(found: Callable[..., pl.DataFrame]) -> None:
    assert found("recovers")["rejected"].to_list() == [None]
    assert Handler.asked["/recovers"] == 3


def test_what_fails_for_good_is_asked_once(found: Callable[..., pl.DataFrame]) -> None:
    found("404", "html", "oversized")
    assert [Handler.asked[path] for path in ("/404", "/html", "/oversized")] == [1, 1, 1]


def test_a_redirect_within_the_site_is_followed(found: Callable[..., pl.DataFrame]) -> None:
    assert found("moved")["rejected"].to_list() == [None]


def test_what_robots_txt_forbids_is_never_asked_for(found: Callable[..., pl.DataFrame]) -> None:
    found("private/0", "private/1", "good/0")
    assert [path for path in Handler.asked if path.startswith("/private")] == []
    assert Handler.asked["/robots.txt"] == 1


@pytest.mark.parametrize(("status", "reason"), [(404, None), (403, None), (503, "status 503")])
def test_a_missing_robots_txt_allows_and_an_unreachable_one_forbids(
    status: int, reason: str | None, found: Callable[..., pl.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Handler, "robots", (status, b""))
    rejected = found("good/0")["rejected"][0]
    assert rejected is None if reason is None else reason in rejected


def test_the_first_half_mebibyte_of_robots_txt_counts(
    found: Callable[..., pl.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    rules, whole = b"User-agent: *\nDisallow: /private/\n", 500 * 1024
    cut = b"Disallow: /good/0\n"  # the limit lies within this line, so that it says something else
    comments = b"#" * (whole - len(rules) - len(cut) + 3) + b"\n"
    monkeypatch.setattr(Handler, "robots", (200, rules + comments + cut + comments))
    assert found("private/0", "good/1")["rejected"].is_null().to_list() == [False, True]


def test_a_name_that_resolves_to_another_address_when_it_is_asked_gets_nothing(
    found: Callable[..., pl.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "is_public", lambda host: True)  # what its name server said the first time
    Handler.asked.clear()
    assert "leads to 127.0.0.1" in found("good/0", fetch={"private_hosts": []})["rejected"][0]
    assert not Handler.asked


def test_a_private_address_is_refused_before_anything_is_sent(found: Callable[..., pl.DataFrame]) -> None:
    assert "private network" in found("good/0", fetch={"private_hosts": []})["rejected"][0]
    assert Handler.asked == {}


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://example.com/x", "http://", "no address", "http://[::1"])
def test_what_is_no_web_address_is_rejected(url: str, product: Any, tmp_path: Path) -> None:
    (tmp_path / "urls.txt").write_text(f"# pictures\n\n{url}\n")
    frame = next(http.read(product, "internal", "scan", urls=str(tmp_path / "urls.txt")))
    assert frame["source"].to_list() == [url]
    assert frame["rejected"].null_count() == 0


def test_requests_to_one_host_keep_their_distance(
    found: Callable[..., pl.DataFrame], at_once: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: 100.0)  # no time passes
    found("good/0", "good/1", "good/2", fetch={"per_second": 4.0})
    assert at_once == [0.0, 0.25, 0.5, 0.75]  # robots.txt, then three files


def test_a_longer_crawl_delay_of_robots_txt_counts(
    found: Callable[..., pl.DataFrame], at_once: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Handler, "robots", (200, b"User-agent: *\nCrawl-delay: 7\n"))
    monkeypatch.setattr(time, "monotonic", lambda: 100.0)
    found("good/0", "good/1", fetch={"per_second": 1.0})
    assert at_once == [0.0, 1.0, 8.0]


def test_a_host_that_stays_down_stops_the_run(found: Callable[..., pl.DataFrame], refused: Refused) -> None:
    with refused("5 pages of 127.0.0.1", "http://127.0.0.1", "collect again later"):
        found(*(f"500/{i}" for i in range(9)))


@pytest.mark.parametrize("answer", ["404", "html", "oversized", "good/0"])
def test_a_host_that_answers_in_between_is_not_down(answer: str, found: Callable[..., pl.DataFrame]) -> None:
    records = found(*(f"500/{i}" for i in range(4)), answer, *(f"500/{i}" for i in range(4)))
    assert len(records) == 9


@pytest.mark.parametrize("name", ["sitemap.xml", "index.xml"])
def test_the_pages_of_a_sitemap_are_read(name: str, found: Callable[..., pl.DataFrame], server: str) -> None:
    records = found(sitemap=f"http://{server}/{name}", label=None if Handler.kind == "image/png" else "label")
    assert records["source"].to_list() == [f"http://{server}/good/{i}" for i in range(2)]


def test_a_sitemap_that_cannot_be_read_is_a_mistake(
    found: Callable[..., pl.DataFrame], server: str, refused: Refused
) -> None:
    with refused("status 404", "conf/source/http.yaml", "correct the URL"):
        found(sitemap=f"http://{server}/404", label=None)
    with refused("text/html", "conf/source/http.yaml"):
        found(sitemap=f"http://{server}/html", label=None)


def test_a_misspelled_rule_is_refused_with_the_nearest(found: Callable[..., pl.DataFrame], refused: Refused) -> None:
    with refused("no option 'per_secund'", "conf/source/http.yaml", "'per_second'"):
        found("good/0", fetch={"per_secund": 1.0})


def test_the_next_run_asks_only_for_what_is_not_stored_and_keeps_the_reasons(
    server: str, project: Path, config: Any
) -> None:
    urls = [f"http://{server}/{path}" for path in ("good/0", "404", "good/1")]
    Path("urls.csv").write_text("\n".join(["url,label", *(f"{url},some" for url in urls)]))
    rules = {"private_hosts": [server], "per_second": 1000.0}
    config.source.name = "http"
    config.source.options = {"urls": "urls.csv", "licence": "internal", "kind": "scan", "label": "label"}
    config.source.options["fetch"] = rules
    collect.run(config)
    first = pl.read_parquet("data/raw/*.parquet")
    assert first["source"].to_list() == [urls[0], urls[2]]
    collect.run(config)
    assert pl.read_parquet("data/raw/*.parquet").equals(first)
    assert [Handler.asked[path] for path in ("/good/0", "/404", "/good/1")] == [1, 2, 1]
    kept = pl.read_parquet("data/rejected/collect.parquet")
    assert kept.select("source", "reason").rows() == [(urls[1], "status 404")]


def test_a_split_that_the_source_states_is_kept(
    server: str, product: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words, urls = ("train", "test", "dev"), [f"http://{server}/good/{i}" for i in range(3)]
    lines = ["url,label,part", *(f"{url},some,{word}" for url, word in zip(urls, words, strict=True))]
    (tmp_path / "urls.csv").write_text("\n".join(lines))
    if Handler.kind == "text/csv":  # a table has the column itself
        tables = [table.decode().splitlines() for table in Handler.good]
        with_part = [f"{head},part\n{row},{word}\n" for (head, row), word in zip(tables, words, strict=False)]
        monkeypatch.setattr(Handler, "good", [text.encode() for text in with_part])
    options: dict[str, Any] = {
        "urls": str(tmp_path / "urls.csv"),
        "licence": "internal",
        "kind": "scan",
        "label": "label",
    }
    rules = {"private_hosts": [server], "per_second": 1000.0}
    frames = list(http.read(product, **options, split="part", fetch=rules))
    found = pl.concat(frames, how="diagonal_relaxed")
    good = found.filter(pl.col("rejected").is_null())
    assert good.select("source", "given_split").rows() == [(urls[0], "train"), (urls[1], "test")]
    (bad,) = found.filter(pl.col("rejected").is_not_null()).to_dicts()
    assert "neither train nor test" in bad["rejected"]


@pytest.mark.parametrize(
    ("name", "content", "what", "fix"),
    [
        ("urls.csv", b"", "cannot be read", "in UTF-8"),
        ("urls.csv", b"url,label\nhttp://127.0.0.1/\xff,some\n", "cannot be read", "in UTF-8"),
        ("urls.txt", b"http://127.0.0.1/\xff\n", "cannot be read", "in UTF-8"),
        ("urls.csv", b"address,label\nhttp://127.0.0.1/1,some\n", "no column 'url'", "it has address, label"),
    ],
    ids=["empty", "csv-latin-1", "text-latin-1", "no-url"],
)
def test_a_list_that_cannot_be_read_is_a_mistake(
    name: str, content: bytes, what: str, fix: str, product: Any, tmp_path: Path, refused: Refused
) -> None:
    (tmp_path / name).write_bytes(content)
    with refused(what, "conf/source/http.yaml", fix):
        list(http.read(product, "internal", "scan", urls=str(tmp_path / name)))


@pytest.mark.parametrize("option", ["label", "group"])
@pytest.mark.parametrize("listed", ["urls.csv", "urls.txt", "sitemap"])
def test_a_column_that_nothing_has_is_a_mistake(
    option: str, listed: str, server: str, product: Any, tmp_path: Path, refused: Refused
) -> None:
    (tmp_path / "urls.csv").write_text(f"url,labels,groups\nhttp://{server}/good/0,some,one\n")
    (tmp_path / "urls.txt").write_text(f"http://{server}/good/0\n")
    place = {"sitemap": f"http://{server}/sitemap.xml"} if listed == "sitemap" else {"urls": str(tmp_path / listed)}
    options: dict[str, Any] = {
        "fetch": {"private_hosts": [server]},
        "label": None,
        "group": None,
        option: "patient",
        **place,
    }
    with refused("'patient'" if Handler.kind == "image/png" else "patient", "conf/source/http.yaml"):
        list(http.read(product, "internal", "scan", **options))
