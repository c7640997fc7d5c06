"""Source ``http``: the files behind a list of URLs or a sitemap, fetched once each.

Reads ``options.urls`` (a text file with a URL per line, or a CSV file with the column ``url`` and, for images, columns
with label and group) or ``options.sitemap`` (a URL). An image is a record; a CSV or Parquet file is many. A URL that
gives none is rejected with the reason and tried again by the next run. The other options stand in ``data/fetch.py``.
"""

import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from ...errors import UserError, check_arguments
from ...product import Product
from ..fetch import Fetcher
from ..rows import as_records
from ..rules import RefusedError, Rules
from ..sitemap import urls_of
from ..tables import read_table

WHERE = "source.options in conf/source/http.yaml"
SCHEMA = dict.fromkeys(("source_label", "source", "group", "rejected"), pl.String) | {"payload": pl.Binary}
IMAGE = ("image/*",)
TABLE = {"text/csv": ".csv", "application/vnd.apache.parquet": ".parquet"}
Entry = Mapping[str, str | None]  # url, label, group
BATCH, BATCH_BYTES = 100, 16 * 2**20


def read(
    product: Product,
    licence: str,
    kind: str,
    urls: str | None = None,
    sitemap: str | None = None,
    label: str | None = None,
    group: str | None = None,
    fetch: dict[str, Any] | None = None,
    seen: frozenset[str] = frozenset(),
) -> Iterator[pl.DataFrame]:
    """Yield the records behind the URLs that are not in ``seen``.

    Raises:
        UserError: if there is no list, or a host does not answer any more. What was read before is kept.
    """
    check_arguments(Rules, fetch or {}, f"fetch of {WHERE}")
    fetcher = Fetcher(Rules(**(fetch or {})))
    if (urls is None) == (sitemap is None):
        raise UserError("one of urls and sitemap has to be given", WHERE, "give the path of a list, or a sitemap's URL")
    pages: Iterator[Entry] = ({"url": url} for url in urls_of(str(sitemap), fetcher, WHERE))
    listed = _listed(urls, label, group) if urls else pages
    wanted = (entry for entry in listed if entry["url"] not in seen)
    is_image = product.formulation.input.type == "image"
    batches = _images(wanted, fetcher) if is_image else _tables(wanted, fetcher, product, label, group)
    for batch in batches:
        yield batch.with_columns(kind=pl.lit(kind), licence=pl.lit(licence))


def _listed(path: str, label: str | None, group: str | None) -> Iterator[Entry]:
    """Yield URL, label and group of every line."""
    file = Path(path)
    if not file.is_file():
        raise UserError(f"the list {path} is not there", WHERE, "give the path of a text or CSV file")
    if file.suffix != ".csv":
        lines = (line.strip() for line in file.read_text(encoding="utf-8").splitlines())
        yield from ({"url": line} for line in lines if line and not line.startswith("#"))
        return
    table = pl.read_csv(file, infer_schema=False)
    if "url" not in table.columns:
        raise UserError(f"{path} has no column 'url'", WHERE, f"it has {', '.join(table.columns)}")
    for row in table.iter_rows(named=True):
        yield {"url": row["url"], "label": row.get(label or ""), "group": row.get(group or "")}


def _images(wanted: Iterator[Entry], fetcher: Fetcher) -> Iterator[pl.DataFrame]:
    """Fetch images, some at a time."""
    rows: list[dict[str, Any]] = []
    for entry in wanted:
        row: dict[str, Any] = {"source": entry["url"], "source_label": entry.get("label"), "group": entry.get("group")}
        try:
            row["payload"] = fetcher.get(str(entry["url"]), IMAGE)[0]
        except RefusedError as error:
            row["rejected"] = str(error)
        rows.append(row)
        if len(rows) == BATCH or sum(len(row.get("payload", b"")) for row in rows) > BATCH_BYTES:
            yield pl.DataFrame(rows, schema=SCHEMA)
            rows = []
    if rows:
        yield pl.DataFrame(rows, schema=SCHEMA)


def _tables(
    wanted: Iterator[Entry], fetcher: Fetcher, product: Product, label: str | None, group: str | None
) -> Iterator[pl.DataFrame]:
    """Fetch tables, one at a time; a table that cannot be read is rejected as a whole."""
    for entry in wanted:
        url = str(entry["url"])
        try:
            body, kind = fetcher.get(url, tuple(TABLE))
            tables = list(_parsed(body, TABLE[kind], url))
            frames = [as_records(table, product, label, group, url, WHERE) for table in tables]
        except RefusedError as error:
            frames = [pl.DataFrame([{"rejected": str(error)}], schema=SCHEMA)]
        yield from (frame.with_columns(source=pl.lit(url)) for frame in frames)


def _parsed(body: bytes, suffix: str, url: str) -> Iterator[pl.DataFrame]:
    """Read a table; what is none is refused."""
    try:
        yield from read_table(io.BytesIO(body), suffix, url, WHERE)
    except UserError as error:
        raise RefusedError(error.what) from error
