"""Backend ``lightgbm``: gradient-boosted trees of LightGBM, an extra of the project (``uv sync --extra lightgbm``).

``estimator`` of ``conf/model/lightgbm.yaml`` holds LightGBM's own parameters, by the names of ``LGBMClassifier``, and
two more: ``early_stopping`` and ``monotone``. Categories are columns already, made in the graph, and what is missing
stays NaN. ``weights: balanced`` weighs all labels alike. Where a record may have several labels, each has trees of its
own, which stop on their own.
"""

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

import numpy as np
import onnx
from onnx import compose, helper, numpy_helper

from fullstack_ml.answers import label
from fullstack_ml.artefact.graph import rounded_down, with_one_output
from fullstack_ml.inputs import FEATURES, input_of
from fullstack_ml.modeling.train.backends import Lesson, installed, place, set_aside, weights_of
from fullstack_ml.pipeline.config import Model
from fullstack_ml.workspace.errors import UserError, suggest

FIXED = 100  # trees where too few records have a label for some to be held back
# Parameters that LightGBM has beside those of its scikit-learn class.
MORE = ("extra_trees", "feature_fraction_bynode", "max_bin", "monotone_constraints_method", "path_smooth")
# Not a choice: the same data give the same trees, however many threads there are, and a row has no other meaning.
REFUSED = ("class_weight", "importance_type", "random_state", "self")
SAME = {"deterministic": True, "force_col_wise": True, "verbosity": -1}
CONVERTED = 15  # the newest opset that onnxmltools writes; its trees mean the same in a later one
RISES = {"rises": 1, "falls": -1}


@dataclass(frozen=True)
class Fitted:
    """The trees up to the best one, and the loss of the records to stop by after each."""

    booster: Any
    loss: list[float]


@dataclass(frozen=True)
class Several:
    """The trees of each of several labels."""

    parts: list[Fitted]


def library() -> ModuleType:
    """Import LightGBM; a ``UserError`` where the extra is not installed."""
    found: ModuleType = installed("lightgbm", "LightGBM", "backend: lightgbm", "lightgbm")
    return found


def fit(model: Model, seed: int, lesson: Lesson) -> Fitted | Several:
    """Fit the trees of the answer, or those of each label where ``lesson.truth`` is bool (records, labels)."""
    if lesson.truth.ndim == 1:
        return fit_one(model, seed, lesson)
    return Several([fit_one(model, seed, of_label(lesson, i)) for i in range(lesson.truth.shape[1])])


def of_label(lesson: Lesson, place: int) -> Lesson:
    """Return the lesson of one of several labels: a record has it, 1, or not, 0."""
    truth = lesson.truth[:, place].astype(np.int64)
    proof = None if lesson.proof is None else (lesson.proof[0], lesson.proof[1][:, place].astype(np.int64))
    rounds = lesson.rounds and lesson.rounds[place : place + 1]
    return replace(lesson, truth=truth, proof=proof, answer=label, rounds=rounds)


def fit_one(model: Model, seed: int, lesson: Lesson) -> Fitted:
    """Add trees until the loss of the validation split has gained nothing for ``early_stopping`` of them."""
    lightgbm = library()
    settings = dict(model.estimator)
    patience, rounds = int(settings.pop("early_stopping", 0)), int(settings.pop("n_estimators", FIXED))
    signs = settings.pop("monotone", {})
    check_names(settings, lightgbm, model)
    known, proof = set_aside(lesson, seed) if patience else ((lesson.rows, lesson.truth), None)
    if lesson.rounds:
        rounds = lesson.rounds[0]
    elif patience and proof is None:
        rounds = min(rounds, FIXED)
    settings |= SAME | objective(settings, lesson) | {"seed": seed}
    if signs:
        settings["monotone_constraints"] = constraints(signs, lesson, model)
    if settings.get("subsample", 1.0) < 1.0:
        settings.setdefault("subsample_freq", 1)  # 0 would draw none
    measured: dict[str, dict[str, list[float]]] = {}
    try:
        data = lightgbm.Dataset(known[0], known[1], weight=weights_of(model, lesson, known[1]))
        stop = [] if proof is None else [lightgbm.early_stopping(patience, verbose=False)]
        held = [] if proof is None else [data.create_valid(*proof, weight=weights_of(model, lesson, proof[1]))]
        callbacks = [*stop, lightgbm.record_evaluation(measured)]
        found = lightgbm.train(settings, data, rounds, valid_sets=held, callbacks=callbacks if held else None)
    except (lightgbm.basic.LightGBMError, TypeError, ValueError) as error:
        what = str(error).partition(" at /")[0]  # of LightGBM's own source
        raise UserError(what, place(model), "give a value that LightGBM allows") from error
    losses = next(iter(measured["valid_0"].values()), []) if measured else []
    return Fitted(lightgbm.Booster(model_str=exact(found.model_to_string())), losses)


def check_names(settings: Mapping[str, Any], lightgbm: ModuleType, model: Model) -> None:
    """Raise for a parameter that LightGBM does not have: it would only warn."""
    allowed = {*inspect.signature(lightgbm.LGBMModel.__init__).parameters, *MORE} - {"kwargs", *REFUSED}
    for name in settings:
        if name not in allowed:
            fix = suggest(name, [*sorted(allowed), "early_stopping", "monotone"])
            raise UserError(f"LightGBM takes no parameter {name!r} here", place(model), fix)


def objective(settings: Mapping[str, Any], lesson: Lesson) -> dict[str, Any]:
    """Return what is minimised: for labels their log loss, for numbers what the file says, or squares."""
    if lesson.answer.ESTIMATOR == "regressor":
        return {"objective": settings.get("objective") or "regression"}
    labels = max(1, int(lesson.truth.max())) + 1  # a label of several may be that of no record
    return {"objective": "binary"} if labels == 2 else {"objective": "multiclass", "num_class": labels}


def constraints(signs: Mapping[str, str], lesson: Lesson, model: Model) -> list[int]:
    """Return 1, -1 or 0 per value: how the model's number may change as the value rises.

    ``signs`` names, per feature, the one of two labels that becomes more probable with it, or never less; for an answer
    that is a number, ``rises`` or ``falls``.

    Raises:
        UserError: for a feature or a label that is not there, or more than two labels.
    """
    assert lesson.product is not None
    labels = lesson.product.formulation.label_names
    meaning = {name: 2 * i - 1 for i, name in enumerate(labels)} if labels else RISES
    if len(meaning) > 2:
        raise UserError(f"monotone works with two labels, not with {len(labels)}", place(model), "take monotone out")
    places = {name: where for name, where, _ in input_of(lesson.product).regions(lesson.product)}
    found = np.zeros(lesson.rows.shape[1], dtype=np.int64)
    for feature, said in signs.items():
        if feature not in places:
            raise UserError(f"monotone names no feature {feature!r}", place(model), suggest(feature, places))
        if said not in meaning:
            raise UserError(f"monotone: {feature} may not be {said!r}", place(model), suggest(str(said), meaning))
        found[places[feature][:1]] = meaning[said]  # the number itself, not whether it is missing
    return found.tolist()


def exact(text: str) -> str:
    """Round the thresholds of a stored model down to float32, as the graph has them: no row passes another way."""

    def rounded(line: re.Match[str]) -> str:
        values = rounded_down(np.array(line[1].split(), dtype=np.float64))
        return "threshold=" + " ".join(f"{value:.17g}" for value in values)

    # The parts of the text are found by their length, which is stated in a line of its own.
    return re.sub(r"(?m)^tree_sizes=.*\n", "", re.sub(r"(?m)^threshold=(.*)$", rounded, text))


def outputs(fitted: Fitted | Several, rows: np.ndarray) -> np.ndarray:
    """Return probabilities, or the predicted number as (records, 1)."""
    if isinstance(fitted, Several):
        return np.stack([outputs(part, rows)[:, 1] for part in fitted.parts], axis=1)
    given = np.asarray(fitted.booster.predict(rows), np.float32)
    if fitted.booster.dump_model(num_iteration=1)["objective"].startswith("binary"):
        return np.stack([1 - given, given], axis=1)
    return given.reshape(len(rows), -1)


def rounds(fitted: Fitted | Several) -> list[int]:
    """Return how many trees were added, of each label where a record may have several."""
    parts = fitted.parts if isinstance(fitted, Several) else [fitted]
    return [max(1, part.booster.num_trees() // part.booster.num_model_per_iteration()) for part in parts]


def history(fitted: Fitted | Several) -> dict[str, list[float]]:
    """Return the loss of the records to stop by, after every tree; of several labels the mean, each with its last."""
    losses = [part.loss for part in (fitted.parts if isinstance(fitted, Several) else [fitted]) if part.loss]
    longest = max(map(len, losses), default=0)
    padded = [loss + loss[-1:] * (longest - len(loss)) for loss in losses]
    return {"validation_loss": np.mean(padded, axis=0).tolist()} if padded else {}


def to_onnx(fitted: Fitted | Several, width: int, answer_width: int, output: str) -> onnx.ModelProto:
    """Convert by onnxmltools, and keep the one output that ``outputs`` gives."""
    if isinstance(fitted, Several):
        return side_by_side([to_onnx(part, width, 2, output) for part in fitted.parts], output)
    from onnxmltools import convert_lightgbm
    from onnxmltools.convert.common.data_types import FloatTensorType

    inputs = [(FEATURES, FloatTensorType([None, width]))]
    graph = convert_lightgbm(fitted.booster, "trees", inputs, target_opset=CONVERTED, zipmap=False)
    return with_one_output(graph, output, answer_width)


def side_by_side(models: list[onnx.ModelProto], output: str) -> onnx.ModelProto:
    """Return one graph of those that say of a label whether a record has it: the second column of each, together."""
    parts = [compose.add_prefix(model, f"label_{i}_", rename_inputs=False) for i, model in enumerate(models)]
    first, names = parts[0].graph, [f"label_{i}_{output}" for i in range(len(parts))]
    for part in parts[1:]:
        first.node.extend(part.graph.node)
        first.initializer.extend(part.graph.initializer)
    first.initializer.append(numpy_helper.from_array(np.array([1]), "second"))
    picked = [f"{name}_second" for name in names]
    first.node.extend(
        helper.make_node("Gather", [name, "second"], [to], axis=1) for name, to in zip(names, picked, strict=True)
    )
    first.node.append(helper.make_node("Concat", picked, ["together"], axis=1))
    first.output[-1].name = "together"
    return with_one_output(parts[0], output, len(parts))
