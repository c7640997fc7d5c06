"""The URLs of a sitemap (sitemaps.org), also of an index of sitemaps, plain or compressed.

Reads the web through a ``Fetcher``; writes nothing.
"""

import gzip
import io
import zlib
from collections.abc import Iterator
from xml.etree import ElementTree

from fullstack_ml.data.collect.sources.fetch import Fetcher
from fullstack_ml.data.collect.sources.rules import RefusedError
from fullstack_ml.workspace.errors import UserError

TYPES = ("application/xml", "text/xml", "application/gzip", "application/x-gzip", "application/octet-stream")
LARGEST = 50 * 2**20  # the size that the protocol allows
MAPS = 1000


def urls_of(sitemap: str, fetcher: Fetcher, where: str) -> Iterator[str]:
    """Yield every URL of a sitemap once.

    Raises:
        UserError: if a sitemap cannot be fetched or read: its pages would be missing.
    """
    waiting, met = [sitemap], {sitemap}
    pages: set[str] = set()
    while waiting:
        place = waiting.pop(0)
        try:
            kind, found = parse(fetcher.get(place, TYPES)[0])
        except (RefusedError, ElementTree.ParseError, ValueError, OSError, zlib.error) as error:
            raise UserError(f"the sitemap {place} cannot be read: {error}", where, "correct the URL") from error
        if kind == "sitemapindex":
            new = [url for url in dict.fromkeys(found) if url not in met]
            waiting, met = [*waiting, *new], met | set(new)
            if len(met) > MAPS:
                raise UserError(f"{sitemap} leads to more than {MAPS} sitemaps", where, "give one of them")
        else:
            new = [url for url in dict.fromkeys(found) if url not in pages]
            pages |= set(new)
            yield from new


def parse(body: bytes) -> tuple[str, list[str]]:
    """Return what a sitemap is (``urlset`` or ``sitemapindex``) and its addresses."""
    if body.startswith(b"\x1f\x8b"):
        with gzip.GzipFile(fileobj=io.BytesIO(body)) as packed:
            body = packed.read(LARGEST + 1)
        if len(body) > LARGEST:
            raise ValueError(f"it unpacks to more than {LARGEST} bytes")
    root = ElementTree.fromstring(body)  # noqa: S314 (expat itself refuses entities that grow)
    kind = root.tag.rpartition("}")[2]
    if kind not in ("urlset", "sitemapindex"):
        raise ValueError(f"its first element is <{kind}>")
    return kind, [node.text.strip() for node in root.iter() if node.tag.rpartition("}")[2] == "loc" and node.text]
