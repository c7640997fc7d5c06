"""Source ``past``: what was known before the simulated month, from one Parquet file.

Reads ``options.path``; writes nothing. ``make simulate`` puts this module into ``src/<package>/sources/`` of its copy
of the project, as a team puts a source of its own there.
"""

from collections.abc import Iterator

import polars as pl

from fullstack_ml.product.types import Product


def read(product: Product, path: str) -> Iterator[pl.DataFrame]:
    """Yield all records as one batch."""
    yield pl.read_parquet(path)
