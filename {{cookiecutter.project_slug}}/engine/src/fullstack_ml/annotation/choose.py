"""Choose the records of a round from a pool: quotas per slice, then what teaches the model most, then chance.

Reads and writes nothing. Records that the model chooses come from the training split only: the others have to stay a
fair sample, or the test would be about what the model finds hard.
"""

from collections.abc import Mapping

import numpy as np
import polars as pl

from fullstack_ml.workspace.errors import UserError

# The reason, and the column of the pool by which such records are found.
CHOSEN_BY = {"uncertain": "unsure", "novel": "novel"}


def check_shares(shares: dict[str, float]) -> None:
    """Refuse shares that are unknown, negative, or do not sum to 1."""
    names = [*CHOSEN_BY, "random"]
    if set(shares) != set(names) or min(shares.values()) < 0 or abs(sum(shares.values()) - 1) > 1e-6:
        fix = f"give {', '.join(names)} shares from 0 that sum to 1"
        raise UserError(f"shares are {shares}", "annotation.shares in conf/annotation.yaml", fix)


def shuffled(pool: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """Bring records into an order by chance: bare ones first, and one of every ``stratum`` after the other."""
    pool = pool[rng.permutation(len(pool))]
    if "stratum" in pool.columns:
        pool = pool.sort(pl.int_range(pl.len()).over("stratum"), maintain_order=True)
    return pool.sort("bare", descending=True, maintain_order=True)


def choose(
    pool: pl.DataFrame,
    wanted: int,
    shares: dict[str, float],
    quota: int,
    rng: np.random.Generator,
    alike: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Return up to ``wanted`` ids with the reason why each was chosen.

    Args:
        pool: id, ``bare`` (without any label: these come before the others), ``in_train``, a Boolean column ``slice
            <id>`` per slice of product.yaml, and, where there is a model, ``unsure`` and ``novel``; without these two,
            chance takes their part. Of a column ``stratum`` chance takes one value after the other.
        wanted: the size of the round.
        shares: of ``uncertain``, ``novel`` and ``random`` records in what the quotas leave.
        quota: how many of each slice there are at least, as far as the pool has them.
        rng: the source of chance.
        alike: a name that records share which look alike: only one of them is chosen.
    """
    check_shares(shares)
    pool, chosen, seen = shuffled(pool, rng), dict[str, str](), set[str]()

    def take(frame: pl.DataFrame, count: int, why: str) -> None:
        left = min(count, wanted - len(chosen))
        for record in frame["id"]:
            name = (alike or {}).get(record, record)
            if left > 0 and name not in seen:
                chosen[record], left = why, left - 1
                seen.add(name)

    for name in (column for column in pool.columns if column.startswith("slice ")):
        take(pool.filter(pl.col(name)), quota, name)
    left = wanted - len(chosen)
    for why, column in CHOSEN_BY.items():
        if column in pool.columns:
            ranked = pool.filter("in_train").sort("bare", column, descending=True, maintain_order=True)
            take(ranked, round(left * shares[why]), why)
    take(pool, wanted, "random")
    return chosen


def sample(ids: list[str], share: float, rng: np.random.Generator) -> list[str]:
    """Draw a share of ids."""
    return [ids[i] for i in rng.permutation(len(ids))[: round(share * len(ids))]]


def draw(frame: pl.LazyFrame, size: int, seed: int) -> pl.DataFrame:
    """Draw ``size`` records by a hash of their id, without holding more than those in memory."""
    return frame.bottom_k(size, by=pl.col("id").hash(seed)).collect().sort("id")
