"""What may stand in ``conf/``: the keys with their types, bounds and choices, one class per stage in their order.

``stage.typed()`` fills these classes, so that a misspelled key, a wrong type or a number out of bounds ends a command
before any work starts, in three lines.
"""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

STRICT = ConfigDict(extra="forbid")
Count = Annotated[int, Field(ge=1)]
Whole = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]


@dataclass(config=STRICT)
class Source:
    """``conf/source/*.yaml``: a module of seam ``sources`` and the options of its ``read`` function."""

    name: str
    options: dict[str, Any]


@dataclass(config=STRICT)
class Model:
    """``conf/model/*.yaml``: what is fitted, on standardised features or not, and the ``backend`` that fits it.

    ``estimator`` is the backend's own: for ``sklearn`` a class (``_target_``) and its arguments. ``weights``: every
    record weighs alike (``none``), or every label does (``balanced``). ``reference`` names the paper or page that the
    method comes from; the research log and the model card show it. ``takes``: what the model gets of a record, of what
    the input offers: ``features``, or of a text its ``letters``. ``inputs``: the types of input that the file is made
    for; any where it names none.
    """

    name: str
    scale: bool
    estimator: dict[str, Any]
    reference: str = ""
    backend: str = "sklearn"
    weights: Literal["none", "balanced"] = "none"
    takes: str = "features"
    inputs: list[str] = Field(default_factory=list)


@dataclass(config=STRICT)
class Sweep:
    """``conf/sweep.yaml``: trials in all, the sampler's seed, minutes (0: no limit), trials beside each other."""

    trials: Count
    seed: Whole
    minutes: Annotated[float, Field(ge=0)] = 0
    workers: Count = 1


@dataclass(config=STRICT)
class Interval:
    """A number of ``conf/search/*.yaml``: whole where both ends are; ``log``: drawn by its logarithm."""

    low: int | float
    high: int | float
    step: int | float | None = None
    log: bool = False


@dataclass(config=STRICT)
class Runner:
    """``conf/runner/*.yaml``: the module of seam ``runner`` that works on the shards."""

    name: str


@dataclass(config=STRICT)
class Collect:
    """Size of a Parquet shard, which bounds memory, in records and MiB; rejected records that stop the stage."""

    shard_rows: Count
    shard_mib: Count
    max_rejected: Whole


@dataclass(config=STRICT)
class Validate:
    """Ids that a report names per rule; what stops beside the rules of product.yaml; how alike near-duplicates are."""

    max_reported: Count
    stop_below_wanted: bool
    min_label_share: Share
    near_duplicate_bits: Whole


@dataclass(config=STRICT)
class Withdrawn:
    """Labels that do not count any more, and why: those of a round, of an annotator, of a record, or of all named."""

    reason: Annotated[str, Field(min_length=1)]
    round: str | None = None
    annotator: str | None = None
    id: str | None = None


@dataclass(config=STRICT)
class Label:
    """``aggregation``: how several labels of one record become one; ``sure``: a lower share asks for adjudication.

    ``right``: the share of gold items that a good annotator gets right. ``withdrawn``: labels that do not count.
    """

    aggregation: str
    sure: Share
    right: Annotated[float, Field(gt=0.5, lt=1)]
    withdrawn: list[Withdrawn]


@dataclass(config=STRICT)
class Split:
    """Shares of ``train``, ``validation``, ``calibration`` and ``test``; whether images that look alike stop it.

    ``by``: a hash of the content or group, or the time of ``data.time``; ``gap``: days before each split that are left
    out then. ``folds``: every record is tested by one of so many models that have not seen it; 0 for one test split.
    """

    shares: dict[str, Share]
    stop_at_near_duplicates: bool
    folds: Annotated[int, Field(ge=0, le=20)] = 0
    by: Literal["hash", "time"] = "hash"
    gap: Annotated[float, Field(ge=0)] = 0


@dataclass(config=STRICT)
class Train:
    """``parity``: largest difference of the ONNX form from the fitted model; ``novelty``: the score of strangeness."""

    parity: Annotated[float, Field(gt=0)]
    novelty: Literal["mahalanobis", "embedding", "confidence"]


@dataclass(config=STRICT)
class Export:
    """``calibration``: a method of the product's answer; ``variant``: what is shipped; ``quantisation``: of int8."""

    calibration: str
    variant: Literal["full", "int8"]
    quantisation: Literal["dynamic", "static"] = "dynamic"


@dataclass(config=STRICT)
class Evaluate:
    """Resamples behind the intervals, bins of the reliability diagram, smallest slice, timed calls, rows per batch."""

    resamples: Count
    bins: Count
    min_slice: Count
    timed_calls: Count
    batch: Count


@dataclass(config=STRICT)
class Register:
    """The worst relative step back; ``allow_dirty`` registers uncommitted code, and tags it so.

    Without ``crown`` a version that is better offline waits as challenger for what real traffic says.
    """

    tolerance: Annotated[float, Field(ge=0)]
    allow_dirty: bool
    crown: bool = True


@dataclass(config=STRICT)
class Annotation:
    """``conf/annotation.yaml``: Label Studio on this machine, who labels, and how ``make round`` fills a round."""

    version: str
    port: Annotated[int, Field(ge=1, le=65535)]
    patience: Count
    pull_every: Count
    annotators: Annotated[list[str], Field(min_length=1)]
    round: str | None
    kind: str
    items: int
    shares: dict[str, Share]
    quota: Whole
    only: dict[str, str | None]
    pool: Count
    overlap: Share
    gold: Share
    gold_from: str
    prelabel: bool
    blind: Share


@dataclass(config=STRICT)
class Monitor:
    """``conf/monitoring.yaml``: how ``make monitor`` looks at the log, and who is told.

    ``windows`` are shown, the newest is judged; of every window ``sample`` records are looked at one by one. Fewer than
    ``fewest`` say nothing. ``false_alarms``: how often in a month of nightly runs chance alone may raise any alarm.
    """

    windows: Annotated[int, Field(ge=1, le=366)]
    sample: Annotated[int, Field(ge=100)]
    fewest: Count
    false_alarms: Annotated[float, Field(gt=0, lt=1)]
    mlflow: bool
    server: str | None
    command: str | None
    webhook: str | None
    seconds: Annotated[float, Field(gt=0)]
    attempts: Count


@dataclass(config=STRICT)
class Config:
    """The whole of ``params.yaml``; ``stages``: the numbers of stages of the product's own, each checks its own."""

    seed: Whole
    source: Source
    model: Model
    runner: Runner
    collect: Collect
    validate: Validate
    label: Label
    split: Split
    train: Train
    export: Export
    evaluate: Evaluate
    register: Register
    annotation: Annotation | None = None
    monitoring: Monitor | None = None
    stages: dict[str, dict[str, Any]] = Field(default_factory=dict)
