"""Records of one content under several labels: no model can be right on all of them.

Reads ``data/raw``; writes temporary files in ``data``. Memory: 16 bytes per record on disk, and what is repeated.
"""

from typing import Any

import numpy as np
import polars as pl

from fullstack_ml.data.store.index import Index, content_of, contents_of
from fullstack_ml.pipeline.tables import read_batches, shards
from fullstack_ml.workspace.paths import RAW

ROWS = 250_000
COLUMNS = ("id", "source", "source_row", "source_label")
EXAMPLES = 3  # records that are named of a content


def repeated_records() -> pl.DataFrame:
    """Return the labelled records whose content more than one record has, and count all labelled ones: ``total``."""
    index, twice = Index(RAW.parent), [np.zeros(0, dtype=np.uint64)]
    for shard in shards(RAW):
        for frame in read_batches(shard, ROWS, ("id",)):
            key = contents_of(frame["id"])
            twice.append(np.unique(key[~index.sort_out(key, np.zeros(len(key), dtype=np.uint64))[0]]))
    contents = pl.Series(np.unique(np.concatenate(twice)))
    if not len(contents):
        return pl.DataFrame(schema={**dict.fromkeys(COLUMNS, pl.String), "source_row": pl.Int64, "content": pl.String})
    found = []
    for shard in shards(RAW):
        for frame in read_batches(shard, ROWS, COLUMNS):
            chosen = pl.Series(contents_of(frame["id"])).is_in(contents.implode())
            found.append(frame.filter(chosen & frame["source_label"].is_not_null()))
    return pl.concat(found).with_columns(content=content_of(pl.col("id")))


def label_noise(repeated: pl.DataFrame, labelled: int, most: int) -> dict[str, Any]:
    """Describe contrary labels among repeated records.

    Args:
        repeated: what ``repeated_records`` returns.
        labelled: how many records have a label of their source.
        most: how many contents to show.

    Returns:
        records: how many have the content of another; contrary: how many of them have a label that is not the most
        frequent one of their content, which no model can get right; bound: the accuracy that is left to reach.
    """
    counts = repeated.group_by("content", "source_label").len()
    each = counts.group_by("content").agg(pl.col("len").sum().alias("rows"), pl.col("len").max().alias("majority"))
    contrary = int((each["rows"] - each["majority"]).sum() or 0)
    worst = each.filter(pl.col("rows") > pl.col("majority")).sort(
        pl.col("majority") - pl.col("rows"), "content", descending=False
    )
    examples = []
    for content in worst["content"].head(most):
        rows = repeated.filter(pl.col("content") == content).sort("source", "source_row", "id")
        labels = dict(sorted(rows["source_label"].value_counts().iter_rows()))
        first = rows.unique("source_label", keep="first", maintain_order=True).head(EXAMPLES)
        places = [f"{row['source']} row {row['source_row']}: {row['source_label']}" for row in first.to_dicts()]
        examples.append({"labels": labels, "records": first["id"].to_list(), "places": places})
    return {
        "records": len(repeated),
        "contents": len(worst),
        "contrary": contrary,
        "bound": 1 - contrary / labelled if labelled else None,
        "examples": examples,
    }
