"""The parts of ``product.yaml`` as types: the one statement of inputs, labels, metrics and requirements.

Reads and writes nothing; ``contract.load()`` reads the file. Every other module takes labels, ranges, slices and
thresholds from here.
"""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from fullstack_ml.product.cards import PLATFORM_ENGINEER, PRODUCT_OWNER, Cards
from fullstack_ml.product.formulation import Bound, Formulation, Strict, Text, as_equal
from fullstack_ml.workspace.errors import Location

# A mistake that no single key shows: its place in the file, what is wrong, what to do.
Finding = tuple[Location, str, str]


Cost = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class ErrorCost(Strict):
    """What a wrong answer costs, and what an abstention costs, in one unit; only their ratio matters.

    ``by_label`` holds the errors of another cost than ``wrong``: the right label, then the one that is answered.
    ``by_distance``, of labels that are steps: an error of one step costs ``wrong``, one of more steps as many times
    that, or, ``squared``, the square of as many.
    """

    wrong: float = Field(gt=0)
    abstain: float = Field(gt=0)
    unit: str
    reason: str
    by_label: dict[Text, dict[Text, Cost]] = Field({})
    by_distance: Literal["absolute", "squared"] | None = None

    @property
    def differs(self) -> bool:
        """Whether some errors cost more than others."""
        return bool(self.by_label or self.by_distance)

    def of(self, answered: float, wrong: float) -> float:
        """Return what a record costs on average where a share is answered, and of these a share is wrong."""
        return (1 - answered) * self.abstain + answered * wrong * self.wrong


class Serving(Strict):
    """How records reach the model, on which ``device``, and how many a second at most. Titles name who answers."""

    mode: Literal["online", "batch", "edge"] | None = Field(default=None, title=PLATFORM_ENGINEER)
    device: str | None = Field(default=None, title=PLATFORM_ENGINEER)
    qps: float | None = Field(default=None, gt=0, allow_inf_nan=False, title=PRODUCT_OWNER)


class Service(Strict):
    """Who is served, which decision the model makes, what an error costs; ``language`` of the pages that are made.

    What the first release does (``functions``), how it is served, what has to be seen in operation (``online_target``)
    and what others do for the team (``outsourcing``) is open until it is answered; titles name who answers.
    """

    name: str = Field(min_length=1)
    language: Literal["en", "ko"] = "en"
    kind: Literal["ml-service", "edge-device", "data-collection"]
    users: str
    decision: str
    why_now: str
    functions: str | None = Field(default=None, title=PRODUCT_OWNER)
    serving: Serving = Serving()
    online_target: str | None = Field(default=None, title=PRODUCT_OWNER)
    outsourcing: str | None = Field(default=None, title=PRODUCT_OWNER)
    error_cost: ErrorCost


class Kind(Strict):
    """A kind of record: how many are wanted, and whether it is in scope."""

    name: str = Field(min_length=1)
    wanted: int = Field(ge=0)
    scope: Literal["in", "out"]
    note: str


class Slice(Strict):
    """Records whose ``column`` lies in [at_least, below), or equals ``equals`` (``true`` or ``false`` of a flag)."""

    id: str = Field(min_length=1)
    column: str
    reason: str
    at_least: Bound = None
    below: Bound = None
    equals: Annotated[str | None, BeforeValidator(as_equal)] = None

    @model_validator(mode="after")
    def _bounded(self) -> "Slice":
        if self.at_least is None and self.below is None and self.equals is None:
            raise ValueError("a slice needs one of at_least, below, equals")
        return self


class Data(Strict):
    """What may be collected and kept.

    Of a table, ``row_key`` is the column that names a row, and ``time`` the one that says when it was. ``columns`` are
    kept beside a record as text, for slices. ``corrections``: what a correction by users weighs beside the label of an
    annotator; below 1 it never decides alone. ``costs``: what a feature or the whole input costs in a record, in the
    unit of ``service.error_cost``; a requirement on ``input_cost`` is the budget. ``drawn``: what is out of scope and
    is drawn by stage ``evaluate``, which says how much of it is answered; ``pairs`` is two records in one picture.
    """

    kinds: list[Kind] = Field(min_length=1)
    licences: list[Annotated[str, Field(min_length=1)]] = Field(min_length=1)
    privacy: Literal["public", "internal", "personal"]
    retention_days: int = Field(gt=0)
    group: str
    row_key: str | None = None
    time: str | None = None
    columns: list[Annotated[str, Field(min_length=1)]] = Field([])
    slices: list[Slice]
    corrections: float = Field(0.5, ge=0, le=1)
    costs: dict[Text, Cost] = Field({})
    drawn: list[Literal["letters", "signs", "pairs"]] = Field([])

    @property
    def out_of_scope(self) -> list[str]:
        """Name the kinds of which records are kept and judged, and never learned."""
        return [kind.name for kind in self.kinds if kind.scope == "out"]


class Requirement(Strict):
    """One row of the requirements table; ``accept`` decides it, ``register`` enforces it.

    ``decide``: on the ``point`` value, or on the worse ``bound`` of its 95 % confidence interval.
    """

    id: str = Field(pattern=r"^R\d+$")
    metric: str
    slice: str = "all"
    split: Literal["test"] = "test"
    operator: Literal[">=", "<="]
    threshold: float = Field(allow_inf_nan=False)
    decide: Literal["point", "bound"] = "point"
    unit: str
    owner: str
    reason: str


class Plan(Strict):
    """How an online comparison ends: looked at as often as one likes (``sequential``), or once (``fixed-horizon``).

    ``detect`` is the smallest difference that matters in the answer's main metric, such as accuracy; with ``power`` it
    sets the sample size. ``promote`` says on what the challenger becomes champion: it is ``better``, or ``not-worse``
    by ``detect``, which suffices where it was better offline.
    """

    test: Literal["sequential", "fixed-horizon"]
    detect: float = Field(gt=0)
    alpha: float = Field(0.05, gt=0, lt=0.5)
    power: float = Field(0.8, gt=0.5, lt=1)
    promote: Literal["better", "not-worse"] = "better"


class Cell(Strict):
    """One of the four cells of the test method; an online comparison of two versions has a ``plan``."""

    cell: Literal["offline-quantitative", "offline-qualitative", "online-quantitative", "online-qualitative"]
    method: str
    who: str
    when: str
    decides: list[str]
    plan: Plan | None = None


class Release(Strict):
    """On which metric a new model has to be better than the champion: by ``point`` value or with a 95 % ``bound``."""

    better_on: str
    decide: Literal["point", "bound"] = "point"


class Effort(Strict):
    """What annotation may cost: an hour of it, and all of it, both in ``unit``."""

    hourly_cost: float = Field(gt=0, allow_inf_nan=False)
    budget: float = Field(gt=0, allow_inf_nan=False)
    unit: str = Field(min_length=1)


class Watch(Strict):
    """One row of what ``make monitor`` judges: an alarm is what is beyond ``threshold`` by more than chance explains.

    ``of`` names one feature or slice where the metric has one value for each. ``owner`` is told, ``follows`` is done.
    With ``rollback`` an alarm gives the alias champion back to the version before.
    """

    id: str = Field(pattern=r"^M\d+$")
    metric: str
    of: str = "all"
    operator: Literal[">=", "<="]
    threshold: float = Field(allow_inf_nan=False)
    owner: str
    follows: str
    rollback: bool = False


class Monitoring(Strict):
    """What is watched after the release, over windows of so many ``days``."""

    days: float = Field(7, gt=0, le=366)
    watch: list[Watch] = Field(min_length=1)


Step = Literal["requirements", "data", "annotation", "model", "release", "operation"]


class Role(Strict):
    """Who decides, does, reviews and is told of a step of the lifecycle: a name or a team each."""

    decides: str | None = None
    does: str | None = None
    reviews: str | None = None
    told: str | None = None


class Audit(Strict):
    """The least score of the weakest section that ``make audit`` lets pass, of 7; who asks for it, and why."""

    minimum: float = Field(ge=0, le=7)
    owner: str
    reason: str


class Product(Strict):
    """The whole of ``product.yaml``."""

    service: Service
    formulation: Formulation
    data: Data
    requirements: list[Requirement] = Field(min_length=1)
    evaluation: list[Cell]
    release: Release
    schedule: dict[str, Annotated[str, BeforeValidator(as_equal)]]
    annotation: Effort | None = None
    monitoring: Monitoring | None = None
    roles: dict[Step, Role] = Field({})
    audit: Audit | None = None
    cards: Cards = Cards()
