"""The typed configuration: what may stand in ``conf/``, with its types.

Reads and writes nothing. A misspelled key or a wrong type in ``conf/`` or on the command line is an error before any
work starts. One class per stage, in the order of the pipeline.
"""

from dataclasses import dataclass
from typing import Any


@dataclass
class Source:
    """``conf/source/*.yaml``: a module of ``data/sources/`` and the options of its ``read`` function."""

    name: str
    options: dict[str, Any]


@dataclass
class Model:
    """``conf/model/*.yaml``: an estimator (``_target_`` and arguments), on standardised features or not.

    ``reference`` names the paper or page that the method comes from; the research log and the model card show it.
    """

    name: str
    scale: bool
    estimator: dict[str, Any]
    reference: str = ""


@dataclass
class Collect:
    """Size of a Parquet shard, which bounds memory, in records and MiB; rejected records that stop the stage."""

    shard_rows: int
    shard_mib: int
    max_rejected: int


@dataclass
class Validate:
    """Ids that a report names per rule; what stops beside the rules of product.yaml; how alike near-duplicates are."""

    max_reported: int
    stop_below_wanted: bool
    min_label_share: float
    near_duplicate_bits: int


@dataclass
class Label:
    """``aggregation``: how several labels of one record become one; ``sure``: a lower share asks for adjudication."""

    aggregation: str
    sure: float


@dataclass
class Split:
    """Shares of ``train``, ``validation``, ``calibration`` and ``test``; whether images that look alike stop it."""

    shares: dict[str, float]
    stop_at_near_duplicates: bool


@dataclass
class Train:
    """``parity``: largest difference of the ONNX form from the fitted model; ``novelty``: the score of strangeness."""

    parity: float
    novelty: str


@dataclass
class Export:
    """``calibration``: temperature, isotonic or none; ``variant``: what is shipped, full or int8."""

    calibration: str
    variant: str


@dataclass
class Evaluate:
    """Resamples behind the intervals, bins of the reliability diagram, smallest slice, timed calls, rows per batch."""

    resamples: int
    bins: int
    min_slice: int
    timed_calls: int
    batch: int


@dataclass
class Register:
    """The worst relative step back; ``allow_dirty`` registers uncommitted code, and tags it so."""

    tolerance: float
    allow_dirty: bool


@dataclass
class Annotation:
    """``conf/annotation.yaml``: Label Studio on this machine, who labels, and how ``make round`` fills a round."""

    version: str
    port: int
    patience: int
    annotators: list[str]
    round: str | None
    kind: str
    items: int
    shares: dict[str, float]
    quota: int
    pool: int
    overlap: float
    gold: float
    gold_from: str
    prelabel: bool
    blind: float


@dataclass
class Config:
    """The whole of ``params.yaml``."""

    seed: int
    language: str
    source: Source
    model: Model
    collect: Collect
    validate: Validate
    label: Label
    split: Split
    train: Train
    export: Export
    evaluate: Evaluate
    register: Register
    annotation: Annotation | None = None


# The least that a number may be: with less, a stage would divide by nothing or loop over nothing.
LEAST = {"seed": 0, "validate.near_duplicate_bits": 0, "validate.max_reported": 1}
LEAST |= {f"collect.{name}": 1 for name in ("shard_rows", "shard_mib")}
LEAST |= {f"evaluate.{name}": 1 for name in ("resamples", "bins", "min_slice", "timed_calls", "batch")}
