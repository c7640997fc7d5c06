"""Seam *answer*: what the model says of a record, from the label that is collected to the field of an answer.

``formulation.answer.type`` of ``product.yaml`` chooses the module: one of this folder, or
``src/<package>/answers/<type>.py``. A module fills the protocol ``Answer`` with functions of these names. The server
uses it too, so nothing that needs polars, scikit-learn or onnx is imported at its top. A large module is a folder whose
``__init__.py`` names what its parts define: see ``label/``, with
``api.py`` for the server and ``annotation.py`` for Label Studio.

Every answer is kept as text in the tables of the pipeline: a label as it is, a number in digits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from fullstack_ml.answers.words import Late, Rows, Scored, Words
from fullstack_ml.product.metrics import Metric
from fullstack_ml.product.types import Finding, Product
from fullstack_ml.workspace.seams import find_choice

if TYPE_CHECKING:
    import onnx


class Answer(Protocol):
    """What a module of this seam defines.

    ``outputs`` are the artefact's, float32 (records, ``width``), or those of a model before calibration; ``truth`` is
    (records, ...), as ``truth()`` gives it; ``words`` is ``accept``, ``uncertain`` or ``unfamiliar`` per record.
    """

    #: Name of the graph's output; the other output is ``novelty``.
    OUTPUT: str
    #: What a backend has to fit: ``classifier``, ``regressor`` or ``multilabel``.
    ESTIMATOR: str
    #: The metric on which slices and groups are compared: the mean of the column ``score``.
    MAIN: str
    #: The metrics that need nothing but outputs and truth, and are shown first.
    HEADLINE: tuple[str, ...]
    #: The metrics of this answer by name, each with its function; those of any answer stand in product/metrics.py.
    METRICS: dict[str, Metric]
    #: What ``export.calibration`` may be.
    CALIBRATIONS: tuple[str, ...]
    #: How far two answers of people are apart: ``nominal``, alike or not, ``interval``, their difference, or ``sets``,
    #: by the labels that they share; such an answer is written ``a;b``, or ``none``.
    SCALE: str
    #: Files of the browser page, in ``src/<package>/answers/`` or ``edge/page/``, the one with ``mount`` first; or
    #: (). ``value.js`` says numbers with the option ``unit``.
    PAGE: tuple[str, ...]

    @property
    def LATE(self) -> Late:  # noqa: N802 - read like the names above
        """What ``make monitor`` watches as ``drawn_<name>``; it may be left out, where that is nothing."""

    def check(self, product: Product) -> Iterator[Finding]:
        """Yield what is wrong with ``formulation.answer``: place in the file, what, fix."""

    def width(self, product: Product) -> int:
        """Return how many values the artefact gives per record; before calibration there may be fewer."""

    def written(self, answers: Sequence[str], renames: Mapping[str, str]) -> list[str]:
        """Return every answer, as a source or a person writes it, in the one way in which the tables keep it.

        ``renames`` are what labels were called before, with the names of now.
        """

    def named(self, answer: str) -> list[str]:
        """Return the labels of the contract that an answer as text names; none where it is no label."""

    def illegal(self, answers: Sequence[str], product: Product) -> dict[str, str]:
        """Return the answers, as text, that the contract does not allow, each with what is wrong: ``is not in ...``."""

    def truth(self, answers: Sequence[str], product: Product) -> np.ndarray:
        """Turn answers as text into what a model is fitted to and measured against, (records,) or
        (records, labels)."""

    def text(self, outputs: np.ndarray, rule: Any, product: Product) -> list[str]:
        """Turn outputs into answers as text, by the rule that the artefact carries."""

    def strata(self, truth: np.ndarray) -> np.ndarray:
        """Return a whole number per record: records of one number have one mean in novelty and golden samples."""

    def summary(self, truth: np.ndarray, product: Product, moments: np.ndarray | None = None) -> dict[str, Any]:
        """Describe the train split for ``reports/training.json``; baselines and metrics get it back.

        ``moments`` are the times of the records, datetime64 (records,), where the splits follow time.
        """

    def missing(self, summary: dict[str, Any], product: Product) -> list[str]:
        """Return the answers that no training record has, so that the model could never give them."""

    def training_facts(self, summary: dict[str, Any], product: Product) -> dict[str, Any]:
        """Return the facts that the functions of ``METRICS`` ask for."""

    def record_columns(
        self, outputs: np.ndarray, truth: np.ndarray, answered: np.ndarray, rule: Any, product: Product, bins: int
    ) -> dict[str, np.ndarray]:
        """Return the columns that metrics are sums of, (records,) or (records, parts); among them ``score``,
        ``answered_wrong`` (0 or 1) and ``answered_cost``, by ``service.error_cost``: 0 where nothing wrong is said."""

    def losses(self, outputs: np.ndarray, truth: np.ndarray) -> np.ndarray:
        """Return the loss of every record that a search makes small."""

    def headline(self, outputs: np.ndarray, truth: np.ndarray, bins: int = 10) -> dict[str, float]:
        """Return the metrics of ``HEADLINE``."""

    def same(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """Return per record whether two outputs say the same."""

    def calibrate(
        self, method: str, model: onnx.ModelProto, outputs: np.ndarray, truth: np.ndarray, product: Product, rows: Rows
    ) -> onnx.ModelProto:
        """Put the calibration ``method`` into the graph, fitted on the calibration split.

        ``rows()`` gives what the graph has of the same records under the name ``features``, for whom it concerns.
        """

    def fit_rule(self, scored: Scored, truth: np.ndarray, product: Product) -> Any:
        """Fit the rule to answer or abstain on the calibration split; it has ``to_json``."""

    def read_rule(self, text: str) -> Any:
        """Read the rule from the artefact's metadata."""

    def decide(self, outputs: np.ndarray, novelty: np.ndarray, rule: Any) -> np.ndarray:
        """Return the word of every record."""

    def metadata(self, product: Product) -> dict[str, str]:
        """Return what the artefact says of its answer."""

    def sections(
        self, outputs: np.ndarray, truth: np.ndarray, words: np.ndarray, rule: Any, product: Product, bins: int
    ) -> dict[str, Any]:
        """Return what ``reports/evaluation.json`` holds beside the metrics of any answer."""

    def baselines(
        self,
        summary: dict[str, Any],
        truth: np.ndarray,
        product: Product,
        bins: int,
        moments: np.ndarray | None = None,
    ) -> dict[str, Any]:
        """Measure what needs no model, by name; ``moments`` are the times of the records, where all have one."""

    def worst(self, outputs: np.ndarray, truth: np.ndarray, words: np.ndarray, rule: Any) -> np.ndarray:
        """Return the indices of the errors to look at, the worst first."""

    def suspects(self, outputs: np.ndarray, truth: np.ndarray) -> np.ndarray:
        """Return the indices of records whose label is likely wrong, the most suspicious first."""

    def case_columns(self, outputs: np.ndarray, truth: np.ndarray, rule: Any, product: Product) -> dict[str, list[Any]]:
        """Return what is shown of a case: ``label`` and ``predicted`` as text, and what else explains it."""

    def explain(self, before: np.ndarray, final: Scored, rule: Any, product: Product) -> list[str]:
        """Tell in lines what the model says of one record, ``before`` calibration (values,) and finally, and why it
        answers or abstains."""

    def note(self, verdict: dict[str, Any], evaluation: dict[str, Any]) -> dict[str, Any] | str | None:
        """Return what a reader has to know of a failed verdict beside the numbers, or None: a ``sentence()`` of
        ``workspace.sentences``, or a text, which stays as it is."""

    def draw(
        self, report: dict[str, Any], pairs: tuple[list[str], list[str]], plots: Path, figures: Path, words: Words
    ) -> None:
        """Write tables for ``dvc plots`` and pictures; ``pairs`` are the right and the given answers as text.

        ``words`` translates what is written into the pictures.
        """

    def json_type(self, product: Product) -> Any:
        """Return the type of an answer in the API: of a prediction's field ``answer``, and of a feedback's."""

    def scores_type(self, product: Product) -> Any:
        """Return the type of a prediction's field ``scores``: what stands beside an answer."""

    def example(self, product: Product) -> Any:
        """Return an answer for the API's description, in JSON."""

    def from_text(self, text: str, product: Product) -> Any:
        """Turn an answer that the log keeps as text into JSON."""

    def to_text(self, answer: Any, product: Product) -> str:
        """Turn an answer in JSON, as people give it later, into the text that the log keeps."""

    def scores(self, outputs: np.ndarray, product: Product) -> list[Any]:
        """Return what stands beside every answer, in JSON."""

    def judge(self, given: Sequence[str | None], right: Sequence[str]) -> np.ndarray:
        """Judge served answers by what people said later, both as text; the mean over records is ``MAIN``.

        ``given`` is None where the scores were not finite; NaN leaves a comparison open.
        """

    def expected(self, given: Sequence[str], scores: Sequence[Any], product: Product) -> np.ndarray:
        """Say what ``judge`` will find on average of each answer, before anybody said what was right: by its
        ``scores``, as the log keeps them; NaN leaves it open."""

    def asked(self, product: Product, cannot: str, words: Words) -> list[dict[str, str]]:
        """Return the lines of the annotator's instruction: ``name``, what it ``says``, its ``key`` or ``""``.

        ``cannot`` is the answer that there is none to give; ``words`` translates.
        """

    def control(self, product: Product, cannot: str, words: Words) -> str:
        """Return the form as XML of Label Studio, one element; its tags belong to the record: ``toName="record"``."""

    def said(self, result: list[dict[str, Any]]) -> list[str]:
        """Return the answers as text, ``cannot`` among them, in the ``result`` of an annotation; one is right."""

    def suggestion(self, answer: str) -> dict[str, Any]:
        """Return an answer as a part of a prediction of Label Studio."""

    def unsure(self, outputs: np.ndarray) -> np.ndarray:
        """Return how much a model wants to be told of every record: annotation begins with the largest."""


# What stands in for what a module leaves out.
OPTIONAL: dict[str, Any] = {"LATE": {}}
# What a module has to define; find_choice() and make check name what is missing.
DEFINED = (*Answer.__annotations__, *vars(Answer))
NEEDED = tuple(name for name in DEFINED if not name.startswith("_") and name not in OPTIONAL)


def answer_of(product: Product) -> Answer:
    """Return the module that knows the product's answer.

    Raises:
        UserError: if there is none, or it does not fill the seam.
    """
    return answer_named(product.formulation.answer.type, "product.yaml, formulation.answer.type")


def answer_named(name: str, where: str) -> Answer:
    """Return the answer module ``name``, which ``where`` chose."""
    chosen: Answer = find_choice("answers", name, where)
    return chosen
