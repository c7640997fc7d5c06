"""Source ``http``: the files behind a list of URLs or a sitemap, fetched once each.

Reads ``options.urls`` (a text file with a URL per line, or a CSV file with the column ``url`` and, for images, columns
with label and group) or ``options.sitemap`` (a URL). An image is a record; a table, such as a CSV file, is many. A URL
that gives none is rejected with the reason and tried again by the next run. The other options stand in ``rules.py``.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from fullstack_ml.data.collect.sources.fetch import Fetcher
from fullstack_ml.data.collect.sources.reading import Reading, is_table, read_table_file
from fullstack_ml.data.collect.sources.rows import numeric_columns
from fullstack_ml.data.collect.sources.rules import RefusedError, Rules
from fullstack_ml.data.collect.sources.sitemap import urls_of
from fullstack_ml.data.collect.sources.tables import Columns, records
from fullstack_ml.data.collect.sources.terms import kind_of, licence_of
from fullstack_ml.inputs import input_of
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.errors import UserError, check_arguments, first_line

WHERE = "source.options in conf/source/http.yaml"
SCHEMA = dict.fromkeys(("source_label", "given_split", "source", "group", "rejected"), pl.String) | {
    "payload": pl.Binary
}
TABLE = {
    "text/csv": ".csv",
    "text/tab-separated-values": ".tsv",
    "application/vnd.apache.parquet": ".parquet",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ".xlsx",
    "application/x-ndjson": ".jsonl",
}
Entry = Mapping[str, str | None]  # url, label, group, split
BATCH, BATCH_BYTES = 100, 16 * 2**20


def read(
    product: Product,
    licence: str | None = None,
    kind: str | None = None,
    urls: str | None = None,
    sitemap: str | None = None,
    label: str | None = None,
    group: str | None = None,
    bad_rows: str = "stop",
    split: str | None = None,
    fetch: dict[str, Any] | None = None,
    seen: frozenset[str] = frozenset(),
) -> Iterator[pl.DataFrame]:
    """Yield the records behind the URLs that are not in ``seen``.

    Raises:
        UserError: if there is no list, it lacks a column, or a host does not answer any more. What was read before is
            kept.
    """
    check_arguments(Rules, fetch or {}, f"fetch of {WHERE}")
    fetcher = Fetcher(Rules(**(fetch or {})))
    if (urls is None) == (sitemap is None):
        raise UserError("one of urls and sitemap has to be given", WHERE, "give the path of a list, or a sitemap's URL")
    media = input_of(product).MEDIA
    columns = (label, group, split) if media else (None,) * 3  # a table that is fetched has these columns itself
    listed = _listed(urls, *columns) if urls else _mapped(str(sitemap), fetcher, *columns)
    wanted = (entry for entry in listed if entry["url"] not in seen)
    batches = (
        _files(wanted, fetcher, media)
        if media
        else _tables(wanted, fetcher, product, Columns(label, group, bad_rows, split))
    )
    terms = {"kind": pl.lit(kind_of(product, kind)), "licence": pl.lit(licence_of(product, licence, WHERE))}
    for batch in batches:
        yield batch.with_columns(**terms)


def _mapped(sitemap: str, fetcher: Fetcher, *columns: str | None) -> Iterator[Entry]:
    """Yield the URLs of a sitemap; it has no column that could name a label, a group or a split."""
    if any(columns):
        fix = "set label, group and split to null, or give urls: a CSV file with these columns"
        raise UserError(f"a sitemap has no column {next(filter(None, columns))!r}", WHERE, fix)
    yield from ({"url": url} for url in urls_of(sitemap, fetcher, WHERE))


def _listed(path: str, label: str | None, group: str | None, split: str | None) -> Iterator[Entry]:
    """Yield URL, label, group and split of every line."""
    file, names = Path(path), {"url": "url", "label": label, "group": group, "split": split}
    if not file.is_file():
        raise UserError(f"the list {path} is not there", WHERE, "give the path of a text or CSV file")
    try:
        if file.suffix.lower() == ".csv":
            table = pl.read_csv(file, infer_schema=False)
        else:
            lines = pl.Series(file.read_text(encoding="utf-8").splitlines(), dtype=pl.String).str.strip_chars()
            table = pl.DataFrame({"url": lines.filter((lines != "") & ~lines.str.starts_with("#"))})
    except (OSError, UnicodeDecodeError, pl.exceptions.PolarsError) as error:
        fix = "give a text file with a URL per line, or a CSV file, in UTF-8"
        raise UserError(f"the list {path} cannot be read: {first_line(error)}", WHERE, fix) from error
    missing = [name for name in names.values() if name and name not in table.columns]
    if missing:
        fix = f"it has {', '.join(table.columns)}; write null where there is no label, group or split"
        raise UserError(f"{path} has no column {missing[0]!r}", WHERE, fix)
    for row in table.iter_rows(named=True):
        yield {key: row[name] if name else None for key, name in names.items()}


def _files(wanted: Iterator[Entry], fetcher: Fetcher, media: tuple[str, ...]) -> Iterator[pl.DataFrame]:
    """Fetch files that are a record each, some at a time."""
    rows: list[dict[str, Any]] = []
    for entry in wanted:
        row: dict[str, Any] = {"source": entry["url"], "source_label": entry.get("label"), "group": entry.get("group")}
        row["given_split"] = entry.get("split")
        try:
            if row["given_split"] not in ("train", "test", None):
                raise RefusedError(f"its split {row['given_split']!r} is neither train nor test")
            row["payload"] = fetcher.get(str(entry["url"]), media)[0]
        except RefusedError as error:
            row["rejected"] = str(error)
        rows.append(row)
        if len(rows) == BATCH or sum(len(row.get("payload", b"")) for row in rows) > BATCH_BYTES:
            yield pl.DataFrame(rows, schema=SCHEMA)
            rows = []
    if rows:
        yield pl.DataFrame(rows, schema=SCHEMA)


def _tables(wanted: Iterator[Entry], fetcher: Fetcher, product: Product, columns: Columns) -> Iterator[pl.DataFrame]:
    """Fetch tables, one at a time; a table that cannot be read is rejected as a whole."""
    for entry in wanted:
        url = str(entry["url"])
        try:
            body, kind = fetcher.get(url, tuple(TABLE))
            reading = _read(body, url, TABLE[kind], product, columns)
        except RefusedError as error:
            yield pl.DataFrame([{"rejected": str(error), "source": url}], schema=SCHEMA)
            continue
        print(f"collect: {url}: {reading.said}")
        yield from (frame.with_columns(source=pl.lit(url)) for frame in records(reading, url, product, columns, WHERE))


def _read(body: bytes, url: str, ending: str, product: Product, columns: Columns) -> Reading:
    """Read a whole table; what is none is refused."""
    try:
        named = url if is_table(url) else f"{url}{ending}"
        reading = read_table_file(body, named, numeric_columns(product, columns.label), columns.bad_rows, WHERE)
        reading.batches = iter(list(reading.batches))
    except UserError as error:
        raise RefusedError(error.what) from error
    return reading
