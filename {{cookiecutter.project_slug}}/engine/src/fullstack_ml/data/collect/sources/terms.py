"""What the contract says of the records of a source that says nothing itself: their kind and licence.

Reads and writes nothing.
"""

from fullstack_ml.product.types import Product
from fullstack_ml.workspace.errors import UserError


def kind_of(product: Product, kind: str | None) -> str:
    """Return the kind that a source states, else the first of the contract that is in scope."""
    kinds = product.data.kinds
    default = next((one.name for one in kinds if one.scope == "in"), kinds[0].name)
    return kind or default


def licence_of(product: Product, licence: str | None, where: str) -> str:
    """Return the licence that a source states, else the only one of the contract.

    Raises:
        UserError: if the contract has several.
    """
    allowed = product.data.licences
    if licence is None and len(allowed) > 1:
        what = f"licence is null, and product.yaml has {len(allowed)}"
        raise UserError(what, where, f"write one of {', '.join(allowed)}")
    return licence or allowed[0]
