"""Backend ``sklearn``: an estimator of scikit-learn, or one of the product's own with the same methods.

``estimator._target_`` of ``conf/model/*.yaml`` names the class, the other keys are its arguments. Only classes of
scikit-learn and of the product are taken, since a ``_target_`` could otherwise name any function on the machine.
"""

import inspect
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from hydra.utils import get_class, instantiate
from onnx import TensorProto, helper, numpy_helper
from scipy.sparse import csr_array
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils._param_validation import InvalidParameterError
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.validation import has_fit_parameter

from fullstack_ml.answers import answer_of
from fullstack_ml.artefact.graph import OPSET, rounded_down, with_one_output
from fullstack_ml.inputs import FEATURES
from fullstack_ml.modeling.train.backends import Lesson, place
from fullstack_ml.pipeline.config import Model
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.errors import UserError, check_arguments
from fullstack_ml.workspace.seams import package_name

# What an estimator of each kind has to be, the method that gives its outputs, and what scikit-learn calls it.
KINDS = {
    "classifier": (ClassifierMixin, "predict_proba", "classifier"),
    "regressor": (RegressorMixin, "predict", "regressor"),
    "multilabel": (ClassifierMixin, "predict_proba", "classifier"),
}
THIN = 0.1  # share of values that are not zero, below which a linear model is fitted without the zeros
FIXED = 100  # iterations where nothing tells when to stop
Dummy = DummyClassifier | DummyRegressor
CURVES = {"loss": "loss_curve_", "train_score": "train_score_", "validation_score": "validation_score_"}


@dataclass(frozen=True)
class Fitted:
    """A fitted pipeline, and the method that gives its outputs."""

    pipeline: Pipeline
    method: str


def target_of(model: Model, kind: str) -> Any:
    """Import what ``_target_`` names."""
    target, where = str(model.estimator.get("_target_", "")), place(model)
    allowed = ("sklearn.", f"{package_name()}.")
    if not target.startswith(allowed):
        raise UserError(f"_target_ {target!r} is not allowed", where, f"name a class of {' or '.join(allowed)}")
    try:
        return get_class(target)
    except Exception as error:
        raise UserError(f"there is no estimator {target!r}", where, f"name a scikit-learn {KINDS[kind][2]}") from error


def misfit(model: Model, product: Product) -> str | None:
    """Say that the estimator gives labels where the contract asks for a number, or the other way round."""
    kind = answer_of(product).ESTIMATOR
    wanted = target_of(model, kind)
    if not isinstance(wanted, type) or issubclass(wanted, KINDS[kind][0]):
        return None
    return f"{wanted.__name__} is no {KINDS[kind][2]}, which the answer {product.formulation.answer.type} needs"


def build(model: Model, seed: int, kind: str, alike: bool = False, gaps: bool = False) -> Pipeline:
    """Return the unfitted pipeline: an optional scaler, then the estimator with ``seed`` as its random state.

    Where the rows have ``gaps`` and the estimator takes no NaN, the median of a value comes first in its place.

    Where all values are ``alike``, as pixels are, the scaler only centres them: a pixel that is nearly always white
    would otherwise weigh most, and paper of another shade would change every answer.

    Raises:
        UserError: for a target outside the allow-list or of another ``kind`` (``classifier`` or ``regressor``), or an
            argument that the estimator does not take.
    """
    arguments = dict(model.estimator)
    wanted, where = target_of(model, kind), place(model)
    target = str(arguments.pop("_target_"))
    check_arguments(wanted, arguments, where)
    if not (isinstance(wanted, type) and issubclass(wanted, KINDS[kind][0])):
        raise UserError(f"{target!r} is no {kind}", where, f"name a scikit-learn {KINDS[kind][2]}")
    if "random_state" in inspect.signature(wanted).parameters:
        arguments.setdefault("random_state", seed)
    # Not recursive: a ``_target_`` among the arguments would be called without a look at the allow-list.
    estimator: Any = instantiate({"_target_": target, **arguments}, _convert_="all", _recursive_=False)
    steps = [SimpleImputer(strategy="median", keep_empty_features=True)] if gaps and not takes_gaps(estimator) else []
    steps += [StandardScaler(with_std=not alike)] if model.scale else []
    return make_pipeline(*steps, each_label(estimator, model) if kind == "multilabel" else estimator)


def each_label(estimator: Any, model: Model) -> Any:
    """Return an estimator of several labels: a network has an output for each, of others there is one per label.

    With ``weights: balanced`` the records with a label weigh as much as those without it, for each label.
    """
    if model.weights == "balanced" and "class_weight" in estimator.get_params():
        estimator.set_params(class_weight="balanced")
    return estimator if isinstance(estimator, MLPClassifier) else OneVsRestClassifier(estimator)


def single(pipeline: Pipeline) -> Any:
    """Return what fits the labels: the last step, or what it fits for each of several labels."""
    return getattr(pipeline[-1], "estimator", pipeline[-1])


def takes_gaps(estimator: Any) -> bool:
    """Tell whether an estimator takes NaN and stays the same in ONNX: trees on histograms; forests do not."""
    return isinstance(estimator, HistGradientBoostingClassifier | HistGradientBoostingRegressor | Dummy)


def fit(model: Model, seed: int, lesson: Lesson) -> Fitted:
    """Fit the pipeline of ``model``; a value that scikit-learn refuses is the user's mistake."""
    rows, truth, kind = lesson.rows, lesson.truth, lesson.answer.ESTIMATOR
    gaps = not lesson.alike and bool(np.isnan(rows).any())
    pipeline, method = build(model, seed, kind, lesson.alike, gaps), KINDS[kind][1]
    if lesson.rounds:
        single(pipeline).set_params(early_stopping=False, max_iter=int(np.median(lesson.rounds)))
    elif kind != "regressor":
        stop_without_proof(single(pipeline), truth)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # max_iter is a choice of conf/model
            pipeline.fit(thin(rows, pipeline), truth, **weights_of(model, pipeline, truth))
    except InvalidParameterError as error:
        raise UserError(str(error), place(model), "give a value that scikit-learn allows") from error
    if not hasattr(pipeline, method):
        what = f"{type(pipeline[-1]).__name__} gives no probabilities"
        raise UserError(what, place(model), "choose an estimator that does")
    return Fitted(pipeline, method)


def thin(rows: np.ndarray, pipeline: Pipeline) -> Any:
    """Return rows of next to nothing but zeros, as texts are, without these, where a linear model takes them so."""
    linear = len(pipeline) == 1 and isinstance(single(pipeline), LogisticRegression | SGDClassifier)
    return csr_array(rows) if linear and np.count_nonzero(rows) < THIN * rows.size else rows


def weights_of(model: Model, pipeline: Pipeline, truth: np.ndarray) -> dict[str, np.ndarray]:
    """Return the argument of ``fit`` that weighs the records, or none.

    ``balanced``: a record weighs records / (labels * records of its label), so that all labels weigh alike (King and
    Zeng 2001, Logistic Regression in Rare Events Data).

    Raises:
        UserError: if the estimator takes no weights, or fits no labels.
    """
    name, estimator = pipeline.steps[-1]
    by_itself = truth.ndim > 1 and "class_weight" in single(pipeline).get_params()
    if model.weights == "none" or by_itself:
        return {}
    weighs = isinstance(estimator, ClassifierMixin) and has_fit_parameter(estimator, "sample_weight")
    if truth.ndim > 1 or not weighs:
        what = f"{type(single(pipeline)).__name__} cannot weigh labels"
        raise UserError(what, f"weights in conf/model/{model.name}.yaml", "set weights: none, or choose another model")
    return {f"{name}__sample_weight": compute_sample_weight("balanced", truth)}


def stop_without_proof(estimator: Any, truth: np.ndarray) -> None:
    """Fit a fixed number of iterations where too few records have a label for some to be held back."""
    counts = np.unique(truth, return_counts=True)[1] if truth.ndim == 1 else np.minimum(truth.sum(0), (~truth).sum(0))
    held = len(truth) * getattr(estimator, "validation_fraction", 1.0)
    if getattr(estimator, "early_stopping", False) is True and (counts.min() < 2 or held < len(counts)):
        estimator.set_params(early_stopping=False, max_iter=min(estimator.max_iter, FIXED))


def outputs(fitted: Fitted, rows: np.ndarray) -> np.ndarray:
    """Return probabilities, or the predicted number as (records, 1)."""
    given = np.asarray(getattr(fitted.pipeline, fitted.method)(rows), np.float32)
    return given.reshape(len(rows), -1)


def rounds(fitted: Fitted) -> list[int]:
    """Return how many iterations there were until nothing was gained; nothing where the estimator does not ask."""
    last = fitted.pipeline[-1]
    if getattr(single(fitted.pipeline), "early_stopping", False) is not True:
        return []
    parts = getattr(last, "estimators_", [last]) if isinstance(last, OneVsRestClassifier) else [last]
    scores = [getattr(part, "validation_scores_", None) for part in parts]  # a network goes back to its best
    known = zip(parts, scores, strict=True)
    return [int(np.argmax(s)) + 1 if s else int(part.n_iter_) for part, s in known if hasattr(part, "n_iter_")]


def history(fitted: Fitted) -> dict[str, list[float]]:
    """Return what the estimator measured per iteration."""
    measured = {name: getattr(fitted.pipeline[-1], attribute, None) for name, attribute in CURVES.items()}
    return {name: [float(v) for v in values] for name, values in measured.items() if values is not None and len(values)}


def to_onnx(fitted: Fitted, width: int, answer_width: int, output: str) -> onnx.ModelProto:
    """Convert by skl2onnx, and keep the one output that ``outputs`` gives."""
    import skl2onnx  # as slow as scikit-learn; a sweep converts nothing
    from skl2onnx.common.data_types import FloatTensorType
    from skl2onnx.common.exceptions import MissingConverter, MissingShapeCalculator

    last = fitted.pipeline[-1]
    for one in getattr(last, "estimators_", [last]) if isinstance(last, OneVsRestClassifier) else [last]:
        exact_thresholds(one)
    if isinstance(single(fitted.pipeline), Dummy):  # skl2onnx has no converter for them
        return constant(outputs(fitted, np.zeros((1, width), np.float32))[0], width, output)
    options = {id(last): {"zipmap": False}} if isinstance(last, ClassifierMixin) else None
    inputs = [(FEATURES, FloatTensorType([None, width]))]
    try:
        graph = skl2onnx.to_onnx(fitted.pipeline, initial_types=inputs, options=options, target_opset=OPSET)
    except (MissingConverter, MissingShapeCalculator) as error:
        fix = "choose an estimator that skl2onnx supports"
        what = f"{type(single(fitted.pipeline)).__name__} cannot be converted to ONNX"
        raise UserError(what, "model.estimator in conf/model/", fix) from error
    return with_one_output(graph, output, answer_width)


def exact_thresholds(estimator: Any) -> None:
    """Round the thresholds of boosted trees down to float32, as the graph has them."""
    for trees in getattr(estimator, "_predictors", ()):
        for tree in trees:
            tree.nodes["num_threshold"] = rounded_down(tree.nodes["num_threshold"])


def constant(answer: np.ndarray, width: int, output: str) -> onnx.ModelProto:
    """Build a graph that gives every record the same ``answer``, (values,)."""
    # Not the features themselves: nothing times NaN is NaN.
    weights = numpy_helper.from_array(np.zeros((width, len(answer)), np.float32), "weights")
    bias = numpy_helper.from_array(answer.astype(np.float32), "prior")
    nodes = [
        helper.make_node("IsNaN", [FEATURES], ["gaps"]),
        helper.make_node("Cast", ["gaps"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("MatMul", ["numbers", "weights"], ["zero"]),
        helper.make_node("Add", ["zero", "prior"], [output]),
    ]
    inputs = [helper.make_tensor_value_info(FEATURES, TensorProto.FLOAT, ["batch", width])]
    given = [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["batch", len(answer)])]
    graph = helper.make_graph(nodes, "majority", inputs, given, [weights, bias])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET[""])], ir_version=10)
