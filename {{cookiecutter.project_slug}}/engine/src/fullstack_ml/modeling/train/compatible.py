"""Whether a model of ``conf/model/`` fits the input and the answer of ``product.yaml``, and which models do.

Reads ``conf/model/``; writes nothing. Three have a say: the model's file, whose ``inputs`` names what it is made for;
the input, by what it gives a model to take; and the backend, where it defines ``misfit``. Training, ``make sweep``,
``make compare`` and ``make ablate`` all ask here, before any work.
"""

from contextlib import suppress

from fullstack_ml.inputs import input_of
from fullstack_ml.modeling.train.backends import backend_of
from fullstack_ml.pipeline.compose import resolve
from fullstack_ml.pipeline.config import Model
from fullstack_ml.pipeline.stage import typed
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.errors import UserError
from fullstack_ml.workspace.paths import CONF


def misfit(model: Model, product: Product) -> str | None:
    """Say why ``model`` does not fit the contract, or None where it does."""
    kind = product.formulation.input.type
    if model.inputs and kind not in model.inputs:
        return f"it is made for an input of type {' or '.join(model.inputs)}, and this one is of type {kind}"
    if model.takes not in input_of(product).GIVES:
        return f"it takes {model.takes}, and an input of type {kind} has none"
    told: str | None = None
    with suppress(UserError):  # a mistake in the file, which fitting tells better
        told = backend_of(model).misfit(model, product)
    return told


def compatible_models(product: Product) -> list[str]:
    """Name the models of ``conf/model/`` that fit the contract."""
    fitting = []
    for path in sorted((CONF / "model").glob("*.yaml")):
        with suppress(UserError):  # a file that cannot be read is nobody's choice
            if misfit(typed(resolve([f"model={path.stem}"])).model, product) is None:
                fitting.append(path.stem)
    return fitting


def check_compatible(model: Model, product: Product, where: str = "model in conf/config.yaml") -> None:
    """Raise where ``model`` does not fit the contract; ``where``: what chose it."""
    if told := misfit(model, product):
        fix = f"choose one that fits: {', '.join(compatible_models(product))}"
        raise UserError(f"model {model.name} does not fit: {told}", where, fix)
