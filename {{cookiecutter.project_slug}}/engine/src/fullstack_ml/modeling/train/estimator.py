"""Build the scikit-learn pipeline that ``conf/model/*.yaml`` describes.

Reads and writes nothing. Hydra instantiates the estimator; only targets of scikit-learn and of this package are taken,
since a ``_target_`` could otherwise name any function on the machine.
"""

import inspect
from typing import Any

from hydra.utils import get_class, instantiate
from sklearn.base import ClassifierMixin
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from fullstack_ml.pipeline.config import Model
from fullstack_ml.workspace.errors import UserError, check_arguments
from fullstack_ml.workspace.seams import package_name


def build(model: Model, seed: int, alike: bool = False) -> Pipeline:
    """Return the unfitted pipeline: an optional scaler, then the estimator with ``seed`` as its random state.

    Where all values are ``alike``, as pixels are, the scaler only centres them: a pixel that is nearly always white
    would otherwise weigh most, and paper of another shade would change every answer.

    Raises:
        UserError: for a target outside the allow-list, or an argument that the estimator does not take.
    """
    arguments = dict(model.estimator)
    target = str(arguments.pop("_target_", ""))
    where = f"model.estimator in conf/model/{model.name}.yaml"
    allowed = ("sklearn.", f"{package_name()}.")
    if not target.startswith(allowed):
        raise UserError(f"_target_ {target!r} is not allowed", where, f"name a class of {' or '.join(allowed)}")
    try:
        kind = get_class(target)
    except Exception as error:
        raise UserError(f"there is no estimator {target!r}", where, "name a scikit-learn classifier") from error
    check_arguments(kind, arguments, where)
    if not (isinstance(kind, type) and issubclass(kind, ClassifierMixin)):
        raise UserError(f"{target!r} is no classifier", where, "name a scikit-learn classifier")
    if "random_state" in inspect.signature(kind).parameters:
        arguments.setdefault("random_state", seed)
    # Not recursive: a ``_target_`` among the arguments would be called without a look at the allow-list.
    estimator: Any = instantiate({"_target_": target, **arguments}, _convert_="all", _recursive_=False)
    return make_pipeline(StandardScaler(with_std=not alike), estimator) if model.scale else make_pipeline(estimator)
