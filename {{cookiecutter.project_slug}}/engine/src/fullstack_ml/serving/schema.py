"""Requests and answers of the API as types, made from product.yaml by its input and answer.

Reads and writes nothing. The same types check a request and describe it at ``/docs``.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model

from fullstack_ml.answers import answer_of
from fullstack_ml.answers.words import UNCERTAIN, UNFAMILIAR
from fullstack_ml.inputs import input_of
from fullstack_ml.product.types import Product
from fullstack_ml.serving.problem import Fault
from fullstack_ml.serving.settings import Settings

ANSWER, ABSTAIN = "accept", "abstain"
NOT_FINITE = "not-finite"
ID = Annotated[str, Field(pattern="^[0-9a-f]{32}$", description="32 hex digits, in the order of time")]
Who = Annotated[str, Field(min_length=1, max_length=200, description="person or system that says so")]
How = Annotated[
    Literal["noticed", "drawn"],
    Field(description="noticed by chance or by complaint, or drawn at random, which alone tells how often it is right"),
]


class Closed(BaseModel):
    """A part of the API: no unknown field."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())


class ModelVersion(Closed):
    """A version that is served, with the way back to what it was made from."""

    name: str
    version: str
    artefact_sha256: str
    tags: dict[str, str] = Field(description="git commit, data version, guide version and more, from the registry")


class Model(Closed):
    """What the server answers with now."""

    champion: ModelVersion
    challenger: ModelVersion | None
    rollout: Literal["off", "shadow", "canary"]
    answer: dict[str, Any] = Field(description="what it answers: formulation.answer of the contract that made it")
    decision: dict[str, Any] = Field(description="the numbers of the rule to answer or abstain")
    refused: str | None = Field(description="why the newest version in the registry is not served, if it is not")


class Health(Closed):
    """The server is there, or can answer."""

    status: Literal["ok"]


class Refused(Closed):
    """What stands in place of a prediction for a record that breaks the contract; the others are answered."""

    errors: list[Fault] = Field(min_length=1)


class Part(Closed):
    """A part of a record, such as a word."""

    part: str
    effect: float = Field(description="the value, less what it is without this part")


class Moved(Closed):
    """What moved an answer."""

    of: str = Field(description="the most probable label, or the name of the number")
    value: float = Field(description="its probability, or the number")
    parts: list[Part] = Field(description="the largest effect first")


def described(example: Any) -> ConfigDict:
    """Refuse unknown fields, and show ``example`` at ``/docs``."""
    return ConfigDict(extra="forbid", json_schema_extra={"example": example})


@dataclass(frozen=True)
class Schema:
    """The types of one product."""

    request: Any
    prediction: Any
    answer: Any
    logged: Any
    feedback: Any
    receipt: Any


def build(product: Product, settings: Settings) -> Schema:
    """Make the types of ``product``, within the limits of ``settings``."""
    wanted = input_of(product)
    record, example = wanted.record_type(product), {"records": [wanted.example(product)]}
    rows = Field(min_length=1, max_length=settings.max_rows)
    records: Any = Annotated[list[record], rows]  # type: ignore[valid-type]
    request = create_model("PredictRequest", __config__=described(example), records=(records, ...))
    prediction = prediction_type(product)
    moved: Any = Field(None, description="with explain=true: what moved the answer; null where no part can be left out")
    answered = create_model("PredictionAnswer", __base__=prediction, moved_by=(Moved | None, moved))
    entry: Any = Annotated[answered | Refused, Field(description="in the order of the records, one entry for each")]
    answer = create_model("PredictAnswer", __base__=Closed, predictions=(list[entry], ...))
    feedback, receipt = feedback_types(product)
    logged = create_model(
        "LoggedPrediction",
        __base__=prediction,
        requested_at=(datetime, ...),
        model_name=(str, ...),
        input_sha256=(str, ...),
        latency_ms=(float, ...),
        feedback=(list[receipt], ...),  # type: ignore[valid-type]
    )
    return Schema(request, prediction, answer, logged, feedback, receipt)


def prediction_type(product: Product) -> Any:
    """Make the type of what is said of one record."""
    kind, scores = answer_of(product).json_type(product), answer_of(product).scores_type(product)
    fields: dict[str, Any] = {
        "prediction_id": (ID, ...),
        "answer": (kind | None, Field(description="null when the model abstains")),
        "decision": (Literal[ANSWER, ABSTAIN], ...),
        "reason": (Literal[UNFAMILIAR, UNCERTAIN, NOT_FINITE] | None, Field(description="why the model abstains")),
        "scores": (scores | None, Field(description="what stands beside an answer; null when not finite")),
        "novelty": (float | None, Field(description="how unlike the training data the record is")),
        "model_version": (str, ...),
        "arm": (Literal["champion", "challenger"], ...),
    }
    return create_model("Prediction", __base__=Closed, **fields)


def feedback_types(product: Product) -> tuple[Any, Any]:
    """Make the types of what people say later, and of what is on record of it."""
    kind = answer_of(product).json_type(product)
    given: dict[str, Any] = {
        "prediction_id": (ID, ...),
        "answer": (kind, Field(description="what the record really is")),
        "who": (Who, ...),
        "how": (How, "noticed"),
    }
    example = answer_of(product).example(product)
    sample = {"prediction_id": "0" * 32, "answer": example, "who": "reviewer", "how": "noticed"}
    receipt = create_model("FeedbackReceipt", __base__=Closed, **given, received_at=(datetime, ...))
    return create_model("Feedback", __config__=described(sample), **given), receipt
