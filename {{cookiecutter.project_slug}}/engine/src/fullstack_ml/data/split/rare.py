"""Where chance leaves a split without a rare label: which records stand there instead.

Reads ``data/labelled.parquet``; writes nothing. It is asked once, by the first run: what it answers stays in
``reports/frozen.json``, so that new data never moves an old record.
"""

from collections import Counter, defaultdict
from collections.abc import Callable

import polars as pl

from fullstack_ml.answers import answer_of
from fullstack_ml.data.split.place import HEX, NAMES, key, masks
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.paths import LABELLED

# Records of a label from which on chance leaves no split without it: 0.9 to the power of this is 1 in 10 million.
MANY = 150


def moved(edges: dict[str, tuple[float, float]], product: Product) -> dict[str, str]:
    """Return the split of every record, or group, that does not stand where its hash says, by the key's beginning.

    Every label of at least four of them then stands in each split, one of fewer in train: what no model has learned it
    cannot answer. Nothing is moved where the source says train or test of a record.
    """
    group = pl.col("group")
    labels = product.formulation.label_names
    records = by_label(pl.scan_parquet(LABELLED).with_columns(group.cast(pl.String)), answer_of(product).named)
    counts = records.group_by("label").agg(keys=group.drop_nulls().n_unique() + group.null_count()).collect()
    few = counts.filter(pl.col("label").is_in(labels) & (pl.col("keys") < MANY))["label"].to_list()
    if not few or records.select(pl.col("given_split").is_not_null().any()).collect().item():
        return {}
    frame = records.filter(pl.col("label").is_in(few)).select("id", "group", "label").collect()
    whole = records.filter(group.is_in(frame["group"].drop_nulls().unique().to_list()))  # it moves with all its labels
    frame = pl.concat([frame.filter(group.is_null()), whole.select("id", "group", "label").collect()])
    place = pl.coalesce(*(pl.when(mask).then(pl.lit(name)) for name, mask in masks(frame, edges).items()))
    rows = frame.select("label", key=key(frame).str.slice(0, HEX), split=place).unique().sort("key").rows()
    return spread(rows, few)


def by_label(records: pl.LazyFrame, named: Callable[[str], list[str]]) -> pl.LazyFrame:
    """Return a row for every label of every record; one that names no label stays as it is."""
    texts = records.select(pl.col("label").cast(pl.String).unique()).collect()["label"].to_list()
    names = {text: named(text) or [text] for text in texts}
    if all([text] == of for text, of in names.items()):
        return records
    each = pl.LazyFrame({"label": [*names], "of": [*names.values()]}).explode("of")
    return records.with_columns(pl.col("label").cast(pl.String)).join(each, on="label").with_columns(label="of")


def spread(rows: list[tuple[str, str, str]], labels: list[str]) -> dict[str, str]:
    """Move keys until no split lacks a label that another can spare; ``rows`` are label, key and split.

    The rarest label comes first. A key goes from the split that has most of its label, and only where each of its
    labels stays in that split; of several the first, so that the same records give the same answer.
    """
    where = {name: split for _, name, split in rows}
    labels_of, keys_of = defaultdict(set), defaultdict(list)
    for label, name, _ in rows:
        labels_of[name].add(label)
        keys_of[label].append(name)
    count = Counter((label, split) for label, _, split in rows)
    found: dict[str, str] = {}
    for label in sorted(labels, key=lambda label: (len(keys_of[label]), label)):
        for split in NAMES:
            if count[label, split]:
                continue
            spare = [name for name in keys_of[label] if all(count[other, where[name]] > 1 for other in labels_of[name])]
            if not spare and split == NAMES[0]:
                spare = keys_of[label]
            if not spare:
                continue
            chosen = max(spare, key=lambda name: count[label, where[name]])
            for other in labels_of[chosen]:
                count[other, where[chosen]] -= 1
                count[other, split] += 1
            where[chosen] = found[chosen] = split
    return found
