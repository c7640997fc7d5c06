"""The report of stage ``validate`` as one page that opens offline.

Reads the raw records that it shows; writes nothing.
"""

from functools import partial
from pathlib import Path
from typing import Any

from fullstack_ml.inputs import input_of
from fullstack_ml.pages.provenance import made_from
from fullstack_ml.pages.render import html
from fullstack_ml.pipeline.tables import raw_records
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.files import digest
from fullstack_ml.workspace.paths import RAW, VALIDATION_PAGE

TEMPLATES = Path(__file__).parent / "templates"


def shown(ids: set[str], product: Product) -> dict[str, str]:
    """Return the records of ``ids`` as HTML; one that cannot be shown is left out."""
    if not ids:
        return {}
    pictures = {}
    for record in raw_records(ids).iter_rows(named=True):
        try:
            pictures[record["id"]] = input_of(product).html(record, product)
        except (OSError, ValueError):
            continue
    return pictures


def page(report: dict[str, Any], product: Product) -> str:
    """Render the report."""
    pairs = report["near_duplicates"]["examples"]
    pictures = shown({record for pair in pairs for record in pair[:2]}, product)
    manifest = RAW / "manifest.json"
    made = partial(made_from, VALIDATION_PAGE, raw_data=digest(manifest) if manifest.exists() else "")
    return html(TEMPLATES, "validation.html.j2", report=report, product=product, pictures=pictures, provenance=made)
