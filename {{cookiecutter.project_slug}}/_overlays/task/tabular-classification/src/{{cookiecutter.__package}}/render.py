"""A record as a person sees it: each feature with its value, its unit and its place between low and high.

Reads and writes nothing. The labelling interface and the analysis page show records through these functions.
"""

from html import escape
from typing import Any

from .formulation import Feature
from .product import Product

LINE = (
    '<tr title="{meaning}"><td>{name}</td><td align="right"><b>{value}</b></td><td>{unit}</td>'
    '<td><meter min="{low:g}" max="{high:g}" value="{place:g}"></meter></td></tr>'
)


def line(feature: Feature, value: float | None) -> str:
    """Return one feature as a line of the table; a missing value is a dash."""
    return LINE.format(
        meaning=escape(feature.meaning),
        name=escape(feature.name.replace("_", " ")),
        value="–" if value is None else f"{value:.4g}",  # noqa: RUF001 - a dash
        unit=escape(feature.unit),
        low=feature.low,
        high=feature.high,
        place=feature.low if value is None else value,
    )


def html(record: dict[str, Any], product: Product) -> str:
    """Return a record as an element of a page."""
    lines = [line(feature, record[feature.name]) for feature in product.formulation.input.features]
    return f"<table><tbody>{''.join(lines)}</tbody></table>"


def fields(record: dict[str, Any], product: Product) -> dict[str, str]:
    """Return what the labelling interface shows of a record, by the name that it has there."""
    return {"row": html(record, product)}
