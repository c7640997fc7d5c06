"""What may stand under ``estimator`` for backend ``torch``: the keys of training, and those of the network chosen.

Reads and writes nothing, and needs no PyTorch.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from fullstack_ml.modeling.train.backends import place
from fullstack_ml.pipeline.config import STRICT, Count, Model, Share, Whole
from fullstack_ml.workspace.errors import UserError, check_arguments, explain, suggest

Positive = Annotated[float, Field(gt=0)]


@dataclass(config=STRICT)
class Augment:
    """Changes of a training picture, each drawn anew every time it is seen; 0 leaves one out.

    ``flip`` and ``erasing`` are probabilities; ``crop`` the side in pixels of a part that is enlarged to the whole;
    ``rotation`` degrees at most; ``colour`` the largest share by which brightness and contrast change.
    """

    flip: Share = 0.0
    crop: Whole = 0
    rotation: Annotated[float, Field(ge=0, le=180)] = 0.0
    colour: Annotated[float, Field(ge=0, lt=1)] = 0.0
    erasing: Share = 0.0

    @property
    def chosen(self) -> list[str]:
        """Name those that are not left out."""
        return [field.name for field in fields(self) if getattr(self, field.name)]


@dataclass(config=STRICT)
class Settings:
    """How a network is fitted.

    ``steps``: batches in all, so that of many records it takes fewer ``epochs``; 0 for any number. ``patience``: epochs
    without a lower loss of the validation split after which it ends, 0 for never. ``smoothing`` and ``mixup``: share of
    the answer that goes to other labels, and how evenly two records are mixed. ``precision``: ``mixed`` computes in 16
    bits what bears it, ``auto`` does so on a GPU. ``gpus``: how many of this machine.
    """

    network: str
    epochs: Count
    batch: Annotated[int, Field(ge=2)]
    learning_rate: Positive
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    warmup: Share = 0.05
    schedule: Literal["cosine", "constant"] = "cosine"
    patience: Whole = 0
    steps: Whole = 0
    smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    mixup: Annotated[float, Field(ge=0)] = 0.0
    augment: Augment = Field(default_factory=Augment)
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    precision: Literal["auto", "full", "mixed"] = "auto"
    gpus: Count = 1


def settings_of(
    model: Model, networks: Mapping[str, Callable[..., Any]], given: tuple[str, ...]
) -> tuple[Settings, dict[str, Any]]:
    """Return the settings of training, and the options of the network, which the backend calls with ``given`` as well.

    Raises:
        UserError: for an unknown key or network, or a value that is not allowed.
    """
    own = [field.name for field in fields(Settings)]
    wanted, where = dict(model.estimator), place(model)
    name = str(wanted.get("network", ""))
    if name not in networks:
        raise UserError(f"there is no network {name!r}", f"network in {where}", suggest(name, networks))
    options = {key: wanted.pop(key) for key in model.estimator if key not in own}
    known = [key for key in inspect.signature(networks[name]).parameters if key not in given]
    for key in options:
        if key not in known:
            raise UserError(f"unknown key {key!r}", where, suggest(key, [*own, *known]))
    check_arguments(networks[name], options, where, given)
    try:
        return TypeAdapter(Settings).validate_python(wanted), options
    except ValidationError as error:
        raise explain(error, Settings, lambda location: where) from error
