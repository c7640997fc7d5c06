"""A source of the product's own: found by its name, and every mistake in it is told in three lines."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import polars as pl

from fullstack_ml.data.collect import __main__ as collect
from fullstack_ml.product.types import Product

Refused = Callable[..., AbstractContextManager[None]]
PLACE = Path("src/my_product/sources/erp.py")
ERP = '''"""Source ``erp``: what the drawn records are, from a file of its own kind."""

import polars as pl


def read(product, path, rows=10):
    frame = pl.read_parquet(path).head(rows)
    yield frame.with_columns(source=pl.lit("erp"))
'''


def write(text: str) -> None:
    """Write the module into the product's package."""
    PLACE.parent.mkdir(parents=True, exist_ok=True)
    PLACE.write_text(text, encoding="utf-8")


def run(product: Product, **options: Any) -> list[pl.DataFrame]:
    """Read the source as the stage does."""
    return list(collect.open_source("erp", options, product))


def test_a_module_in_src_is_a_source_under_its_name(
    project: Path, config: Any, batch: pl.DataFrame, tmp_path: Path
) -> None:
    write(ERP)
    batch.write_parquet(tmp_path / "erp.parquet")
    config.source.name, config.source.options = "erp", {"path": str(tmp_path / "erp.parquet"), "rows": 7}
    collect.run(config)
    stored = pl.concat([pl.read_parquet(path) for path in sorted(Path("data/raw").glob("*.parquet"))])
    assert len(stored) == 7
    assert set(stored["source"]) == {"erp"}


def test_a_source_that_is_nowhere_names_those_that_are(project: Path, product: Product, refused: Refused) -> None:
    with refused("there is no sources module 'erp'", "conf/source", "or write src/my_product/sources/erp.py"):
        run(product)


def test_a_source_without_read_is_told_what_it_lacks(project: Path, product: Product, refused: Refused) -> None:
    write(ERP.replace("def read(", "def fetch("))
    with refused("sources 'erp' lacks read", "sources/erp.py", "define what is missing"):
        run(product)


def test_a_source_that_fails_when_it_is_imported_names_its_line(
    project: Path, product: Product, refused: Refused
) -> None:
    write(ERP.replace("import polars as pl", "import polars as pl\nimport a_library_that_is_nowhere"))
    with refused("No module named 'a_library_that_is_nowhere'", "erp.py:4", "mend the module"):
        run(product)


def test_an_option_that_a_source_does_not_take_is_named(project: Path, product: Product, refused: Refused) -> None:
    write(ERP)
    with refused("pth", "conf/source/erp.yaml", "path"):
        run(product, pth="x.parquet")
