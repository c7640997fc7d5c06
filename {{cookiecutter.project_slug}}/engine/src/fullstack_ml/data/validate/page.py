"""The report of stage ``validate`` as one page that opens offline.

Reads the raw records that it shows; writes nothing.
"""

from pathlib import Path
from typing import Any

import polars as pl
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from fullstack_ml.inputs import input_of
from fullstack_ml.pipeline.tables import raw
from fullstack_ml.product.types import Product

TEMPLATES = Path(__file__).parent / "templates"


def shown(ids: set[str], product: Product) -> dict[str, str]:
    """Return the records of ``ids`` as HTML; one that cannot be shown is left out."""
    columns = ["id", *input_of(product).columns(product)]
    wanted = pl.col("id").is_in(list(ids))
    if not ids:
        return {}
    pictures = {}
    for record in raw().filter(wanted).select(columns).collect().iter_rows(named=True):
        try:
            pictures[record["id"]] = input_of(product).html(record, product)
        except (OSError, ValueError):
            continue
    return pictures


def page(report: dict[str, Any], product: Product) -> str:
    """Render the report."""
    environment = Environment(loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, autoescape=True)
    environment.trim_blocks = environment.lstrip_blocks = True
    pairs = report["near_duplicates"]["examples"]
    pictures = shown({record for pair in pairs for record in pair[:2]}, product)
    template = environment.get_template("validation.html.j2")
    return template.render(report=report, product=product, pictures=pictures)
