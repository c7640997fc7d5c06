"""Which labels stand: what was withdrawn is out, and what labels were called before has the name of now.

Reads ``data/labels/*.parquet``; writes nothing. A name that became several labels (``was`` in product.yaml names it
twice, or it is a label still) says too little: its records ask to be labelled again, and no other does.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from fullstack_ml.answers import answer_of
from fullstack_ml.data.label.aggregate import FLAG
from fullstack_ml.data.label.rounds import Round
from fullstack_ml.pipeline.config import Withdrawn
from fullstack_ml.pipeline.tables import LABEL, shards
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.errors import UserError, first_line
from fullstack_ml.workspace.paths import LABELS

LONGEST = 3600  # seconds: who takes longer has left the record open, and the time says nothing


def annotations() -> pl.DataFrame:
    """Read every label that people gave, in the columns of the label schema.

    Raises:
        UserError: for a file with other columns, or a row that names no record, annotator or guide version.
    """
    tables = [pl.DataFrame(schema=LABEL)]
    for file in shards(LABELS):
        fix = f"give it the columns {', '.join(LABEL)}; make labels writes such a file"
        try:
            table = pl.read_parquet(file)
            if "note" not in table.columns:  # not every tool asks for one
                table = table.with_columns(note=pl.lit(None, pl.String))
            table = table.select(*LABEL).cast(pl.Schema(LABEL))
        except pl.exceptions.PolarsError as error:
            what = f"{file.name} is no table of labels: {first_line(error)}"
            raise UserError(what, str(file), fix) from error
        version = pl.col("guide_version").fill_null("").str.contains(r"^\d+\.\d+$")
        wrong = table.filter(pl.any_horizontal(pl.col("id", "annotator", "round", "annotated_at").is_null()) | ~version)
        if len(wrong):
            raise UserError(f"a label lacks its origin or guide version: {wrong.row(0, named=True)}", str(file), fix)
        tables.append(table)
    timed = pl.when(pl.col("seconds").is_between(0, LONGEST)).then("seconds")
    return pl.concat(tables).with_columns(seconds=timed)


def outside(product: Product) -> list[str]:
    """Return what people may say of a record beside an answer: the kinds out of scope."""
    return product.data.out_of_scope


def illegal(said: Sequence[str], product: Product) -> dict[str, str]:
    """Return what of ``said`` is neither an answer that product.yaml allows nor a kind out of scope, and why."""
    allowed = outside(product)
    return answer_of(product).illegal([one for one in said if one not in allowed], product)


def withdrawn(rules: Sequence[Withdrawn]) -> pl.Expr:
    """Select the labels that a rule of ``label.withdrawn`` names.

    Raises:
        UserError: for a rule that names nothing, and so would withdraw everything.
    """
    found = pl.lit(False)
    for rule in rules:
        named = {"round": rule.round, "annotator": rule.annotator, "id": rule.id}
        parts = [pl.col(column) == value for column, value in named.items() if value]
        if not parts:
            fix = "name a round, an annotator or an id"
            raise UserError(f"all labels would be withdrawn: {rule.reason}", "label.withdrawn in conf/label.yaml", fix)
        found |= pl.all_horizontal(parts)
    return found


def standing(
    everything: pl.DataFrame, rules: Sequence[Withdrawn], rounds: Mapping[str, Round], product: Product
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the labels that count, under the names of now, and the id and label of records whose label was split.

    Of a split name the labels go where somebody has labelled the record again, and where the name is no label any more.
    """
    kept = everything.filter(~withdrawn(rules))
    names, found = product.formulation.label_names, [everything.select("id", "label").clear()]
    for name, now in product.formulation.earlier.items():
        if len(now) == 1:
            continue
        offered = pl.col("round").is_in([one.name for one in rounds.values() if set(now) <= set(one.labels)])
        again = kept.filter(offered)["id"].unique().to_list()
        old = (pl.col("label") == name).fill_null(False) & ~offered
        waits = kept.filter(old & ~pl.col("id").is_in(again)).unique("id").sort("id")
        found.append(waits.select("id", "label"))
        kept = kept.filter(~(old & (pl.lit(name not in names) | pl.col("id").is_in(again))))
    return kept.with_columns(pl.col("label").replace(product.formulation.renames)), pl.concat(found)


def flagged(records: pl.DataFrame, earlier: Mapping[str, list[str]]) -> pl.DataFrame:
    """List records whose label (column ``label``) was split, with what it may be now."""
    now: Any = {name: f"{name} is now {' or '.join(names)}" for name, names in earlier.items()}
    detail = pl.col("label").replace_strict(now, default=None, return_dtype=pl.String)
    return records.select("id", reason=pl.lit("split label"), detail=detail).cast(pl.Schema(FLAG)).sort("id")


def of_source(product: Product) -> pl.Expr:
    """Return the column ``source_label`` under the names of now; none where the name was split and is a label no more.

    A split name that is a label still stays until somebody has looked: see ``flagged``.
    """
    names, earlier = product.formulation.label_names, product.formulation.earlier
    now = {name: may[0] if len(may) == 1 else name if name in names else None for name, may in earlier.items()}
    return pl.col("source_label").replace(now) if now else pl.col("source_label")
