"""The typed configuration: what may stand in ``conf/``, with its types.

Reads and writes nothing. A misspelled key or a wrong type in ``conf/`` or on the command line is an error before any
work starts. One class per stage, in the order of the pipeline.
"""

from dataclasses import dataclass, field, fields
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigKeyError, OmegaConfBaseException

from .errors import UserError, suggest


@dataclass
class Source:
    """``conf/source/*.yaml``: a module of ``data/sources/`` and the options of its ``read`` function."""

    name: str
    options: dict[str, Any]


@dataclass
class Model:
    """``conf/model/*.yaml``: an estimator (``_target_`` and arguments), on standardised features or not."""

    name: str
    scale: bool
    estimator: dict[str, Any]


@dataclass
class Collect:
    """``shard_rows``: records per Parquet shard, which is what bounds the memory of every stage."""

    shard_rows: int


@dataclass
class Validate:
    """``max_reported``: how many offending record ids a report names per rule."""

    max_reported: int


@dataclass
class Label:
    """``aggregation``: how several labels of one record become one; ``sure``: a lower share asks for adjudication."""

    aggregation: str
    sure: float


@dataclass
class Split:
    """Shares of ``train``, ``validation``, ``calibration`` and ``test``; they sum to 1."""

    shares: dict[str, float]


@dataclass
class Train:
    """``parity``: largest difference between the fitted model and its ONNX form; ``novelty``: the score of strangeness."""

    parity: float
    novelty: str


@dataclass
class Export:
    """``calibration``: ``temperature`` or ``none``."""

    calibration: str


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
    """``alias``: the name of the accepted version; ``allow_dirty``: register uncommitted code, and tag it so."""

    alias: str
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
    sweep: dict[str, Any] = field(default_factory=dict)
    annotation: Annotation | None = None


def file_of(key: str) -> str:
    """Name the file of ``conf/`` in which the dotted ``key`` stands."""
    first = key.split(".")[0].split("[")[0]
    if "." not in key:
        return "conf/config.yaml"
    return f"conf/{first}/*.yaml" if first in ("source", "model") else f"conf/{first}.yaml"


def typed(composed: DictConfig) -> Config:
    """Check a composed configuration against the classes above.

    Raises:
        UserError: for an unknown key, a wrong type, or a missing key, with the file and the allowed keys.
    """
    try:
        merged = OmegaConf.merge(OmegaConf.structured(Config), composed)
        config = OmegaConf.to_object(merged)
    except OmegaConfBaseException as error:
        key = str(error.full_key or error.key)
        fix = "give a value of the type that src/**/config.py states"
        if isinstance(error, ConfigKeyError):
            owner = error.object_type if isinstance(error.object_type, type) else Config
            fix = suggest(str(error.key), [f.name for f in fields(owner)])
        what = str(error.msg or error).strip().splitlines()[0]
        raise UserError(f"configuration key {key!r}: {what}", file_of(key), fix) from error
    assert isinstance(config, Config)
    return config
