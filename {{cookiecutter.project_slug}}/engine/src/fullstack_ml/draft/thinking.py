"""From what was seen to a whole contract: rendered without thresholds, tried with a quick model, rendered with them.

Reads and writes nothing.
"""

from datetime import date
from typing import Any

import numpy as np
import polars as pl

from fullstack_ml.answers import answer_of
from fullstack_ml.data.collect.sources.rows import as_records
from fullstack_ml.draft import regression, several
from fullstack_ml.draft.asked import Asked
from fullstack_ml.draft.numbers import least_of
from fullstack_ml.draft.requirements import RARE, SMALLEST, Size, abstaining, sensible_cost, thresholds
from fullstack_ml.draft.seen import Seen, Wish
from fullstack_ml.draft.trial import NEWEST, Trial, ahead, attempt, calibrated, out_of_fold
from fullstack_ml.draft.writing import contract
from fullstack_ml.inputs import input_of
from fullstack_ml.pages.words import words
from fullstack_ml.pipeline.tables import slice_mask
from fullstack_ml.product.types import Product

FEWEST, RAREST = 20, 3  # labelled records, and those of a label, from which on a quick model is tried with them
GAIN = 0.01  # of macro F1, from which on labels weigh alike: it moves the probabilities, and an error has its own cost
LEARNED = 0.02  # of accuracy or explained variance, below which a quick model has learned nothing


def complete(seen: Seen, size: Size, name: str, wish: Wish) -> tuple[str, dict[str, Any]]:
    """Return the text of the contract and the facts that fill it."""
    abstain, reason = abstaining(size)
    facts = {"number": None, "several": False} | seen.facts
    facts |= {"name": name, "place": wish.place, "notes": seen.notes, "abstain": abstain, "named": bool(wish.labels)}
    facts |= {
        "abstain_reason": reason,
        "wrong": 10,
        "cost_reason": words("say what a wrong answer costs, in looks of a person"),
        "weights": "none",
        "calibration": "temperature",
        "schedule": words("not yet planned"),
        "today": date.today().isoformat(),
    }
    facts |= measurable(seen, size)
    usual = [label for label, count in size.labels.items() if count >= RAREST]
    few = size.records < FEWEST or len(usual) < 2
    text = "two labels of %(rarest)s records, and %(fewest)s in all, are wanted"
    why = words(text, rarest=RAREST, fewest=FEWEST) if size.records else words("there are no labels yet")
    if seen.number:
        return complete_number(seen, size, facts)
    if seen.answers:
        return complete_several(seen, size, facts)
    facts |= asked_of(unmeasured(why), "accuracy", untried(why))
    text, product = contract(facts)
    if few:
        return text, facts
    records = sample_records(seen, product).filter(pl.col("label").is_in(usual))
    trial, facts = tried(records, product, facts, size)
    found = thresholds(size, trial, slices_of(records, product), abstain is not None, *limits_of(product))
    if size.majority < RARE:
        better = trial.values["accuracy"] - size.majority
        seen.questions += nothing_learned(better, words("the most frequent label"))
    together = words(", the rows of a %(group)s together", group=seen.group) if seen.group else ""
    said = follows(trial, size, together)
    deciding = "macro_f1" if size.majority >= RARE else "accuracy"
    facts |= asked_of(found, "cost_per_record" if abstain else deciding, said)
    return contract(facts)[0], facts


def complete_number(seen: Seen, size: Size, facts: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the text of the contract of a number, and the facts that fill it."""
    why = words("%(fewest)s records with an answer are wanted", fewest=FEWEST)
    facts["calibration"] = "split"
    facts |= asked_of(regression.unmeasured(why), "mae", untried(why))
    text, product = contract(facts)
    if size.records < FEWEST:
        return text, facts
    records = sample_records(seen, product)
    illegal = answer_of(product).illegal(records["label"].unique().to_list(), product)
    records = records.filter(~pl.col("label").is_in(illegal))
    inputs = input_of(product).matrix(records, product)
    trial, tolerance = regression.tried(records, inputs, product, groups_of(records))
    facts["number"]["options"]["tolerance"] = tolerance
    facts["calibration"] = "scaled" if least_of(size.records, size.calibration) >= regression.ENOUGH else "split"
    text = "with a tolerance below which %(share)s of the quick model's errors lie, answering costs less than asking"
    facts |= {"wrong": regression.WRONG, "cost_reason": words(text, share=f"{regression.RIGHT:.0%}")}
    coverage = facts["abstain"] and facts["abstain"]["coverage"]
    found = regression.thresholds(size, trial, slices_of(records, product), coverage, *limits_of(product))
    seen.questions += nothing_learned(trial.values["r2"], words("the mean"))
    if "happened_at" in records.columns:
        facts["times"] += regression.in_the_future(records, inputs, product, trial)
    facts |= asked_of(found, "mae", follows(trial, size))
    return contract(facts)[0], facts


def nothing_learned(better: float, baseline: str) -> list[str]:
    """Ask for other columns where the quick model is hardly ``better`` than a baseline that looks at none."""
    if better >= LEARNED:
        return []
    text = (
        "do these columns say anything of the answer? The quick model is hardly better than %(baseline)s alone, "
        "and make will reject such a model"
    )
    return [words(text, baseline=baseline)]


def untried(why: str) -> str:
    """Say that there are too few labels for a quick model."""
    return words("%(why)s: no model was tried, and the thresholds are open", why=why)


def complete_several(seen: Seen, size: Size, facts: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the text of the contract of several labels, and the facts that fill it."""
    why = words("%(fewest)s labelled records are wanted", fewest=FEWEST)
    facts |= {"calibration": "platt", "wrong": several.WRONG}
    facts |= asked_of(several.unmeasured(why), "micro_f1", untried(why))
    text, product = contract(facts)
    if size.records < FEWEST:
        return text, facts
    records = sample_records(seen, product).filter(pl.col("label").str.strip_chars() != "")
    inputs = input_of(product).matrix(records, product)
    trial = several.tried(inputs, records["label"].to_list(), product, groups_of(records))
    abstains = facts["abstain"] is not None
    found = several.thresholds(size, trial, slices_of(records, product), abstains, *limits_of(product))
    facts |= asked_of(found, "cost_per_record" if abstains else "micro_f1", follows(trial, size))
    return contract(facts)[0], facts


def follows(trial: Trial, size: Size, more: str = "") -> str:
    """Say what the thresholds follow from."""
    few = len(trial.truth) < size.records
    sampled = words(" on %(records)s sampled records", records=len(trial.truth)) if few else ""
    text = "thresholds follow from %(model)s, cross-validated%(sampled)s%(more)s, less the room that a test split needs"
    return words(text, model=trial.model, sampled=sampled, more=more)


def groups_of(records: pl.DataFrame) -> list[str] | None:
    """Return the group of every record, its own where it has none; None where there are not two to keep apart."""
    if "group" not in records.columns or records["group"].drop_nulls().n_unique() < 2:
        return None
    return records.select(pl.coalesce("group", pl.int_range(pl.len()).cast(pl.String)))["group"].to_list()


def measurable(seen: Seen, size: Size) -> dict[str, Any]:
    """Return the slices that the test split can measure, and why."""
    kept = seen.slices
    text = "a first cut; name the parts that must not be served badly"
    if not kept:
        text = "nothing seen cuts the records well; name parts that must not be served badly"
    elif size.records and least_of(size.records, size.test / len(kept)) < SMALLEST:
        kept = []
        text = "%(records)s records are too few for slices of %(smallest)s in the test split"
    return {"slices": kept, "slices_reason": words(text, records=size.records, smallest=SMALLEST)}


def asked_of(asked: Asked, better_on: str, reason: str) -> dict[str, Any]:
    """Return the facts of the requirements."""
    cell: dict[str, Any] = {
        "cell": "offline-quantitative",
        "method": words("records that the model has not seen, by stage evaluate"),
        "who": words("the pipeline"),
    }
    cell |= {"when": words("every change"), "decides": [row["row"]["id"] for row in asked.rows]}
    left_out = [words("not asked for: %(line)s", line=line) for line in asked.unasked]
    facts = {"requirements": asked.rows, "unasked": left_out, "offline": cell}
    return facts | {"better_on": better_on, "model_reason": reason}


def unmeasured(reason: str) -> Asked:
    """Return what may be asked before a model can be tried."""
    asked = Asked()
    why = words("a guess, since %(reason)s", reason=reason)
    asked.ask("accuracy", ">=", 0.8, "share", why)
    asked.ask("margin_over_baseline", ">=", 0.05, "share", why)
    return asked


def limits_of(product: Product) -> tuple[int, int]:
    """Return KiB and milliseconds that a first model keeps to, with room: a network grows with the picture."""
    wanted = product.formulation.input
    values = int(np.prod(wanted.shape)) if wanted.shape else len(wanted.features)
    kib = max(1024, int(values * (96 + 130) * 4 / 1024 * 1.5)) if wanted.shape else 4096
    return -(-kib // 256) * 256, 200 if wanted.shape else 50


def sample_records(seen: Seen, product: Product) -> pl.DataFrame:
    """Return the sample as stage collect would store it, rows that it would reject left out."""
    if seen.options["label"] is None:  # records are files, whose folders say the label
        return seen.records
    timed = product.model_copy(update={"data": product.data.model_copy(update={"time": seen.time})})
    frame = as_records(seen.records, timed, seen.options["label"], seen.group, "the sample", "FROM")
    frame = frame.rename({"source_label": "label"})
    return frame.filter(pl.col("rejected").is_null()) if "rejected" in frame.columns else frame


def tried(records: pl.DataFrame, product: Product, facts: dict[str, Any], size: Size) -> tuple[Trial, dict[str, Any]]:
    """Return the trial of a quick model, and the facts with what a wrong answer costs by its probabilities."""
    inputs = input_of(product).matrix(records, product)
    truth = answer_of(product).truth(records["label"].to_list(), product)
    groups = groups_of(records)
    outputs, model = out_of_fold(inputs, truth, product, groups)
    outputs = calibrated(outputs, truth)
    if "happened_at" in records.columns:
        facts["times"] += in_the_future(inputs, truth, records["happened_at"].to_numpy(), product, outputs)
    if size.labels and size.majority >= RARE:
        balanced = calibrated(out_of_fold(inputs, truth, product, groups, "balanced")[0], truth)
        facts |= weighed(*(answer_of(product).headline(each, truth)["macro_f1"] for each in (outputs, balanced)))
        outputs = balanced if facts["weights"] == "balanced" else outputs
    wrong, reason = sensible_cost(outputs, truth)
    facts |= {"wrong": wrong, "cost_reason": reason}
    return attempt(inputs, truth, outputs, model, contract(facts)[1]), facts  # the cost moves the rule


def in_the_future(
    inputs: np.ndarray, truth: np.ndarray, moments: np.ndarray, product: Product, outputs: np.ndarray
) -> list[str]:
    """Say what the quick model is worth on the newest records, beside what ``outputs`` are worth across all times."""
    right, across = ahead(inputs, truth, moments, product), float((outputs.argmax(axis=1) == truth).mean())
    if right is None:
        return []
    text = (
        "fitted on the older records, the quick model is right in %(right)s of the newest %(newest)s; "
        "across all times in %(across)s"
    )
    return [words(text, right=f"{right:.0%}", newest=f"{NEWEST:.0%}", across=f"{across:.0%}")]


def weighed(none: float, balanced: float) -> dict[str, Any]:
    """Choose the weights of labels, where some are rare, by the macro F1 of the quick model with and without them."""
    chosen = "balanced" if balanced > none + GAIN else "none"
    text = (
        "rare labels: the quick model's macro F1 is %(balanced)s where all labels weigh alike, else %(none)s: "
        "weights: %(chosen)s in conf/model"
    )
    why = words(text, balanced=f"{balanced:.3f}", none=f"{none:.3f}", chosen=chosen)
    return {"weights": chosen, "weights_reason": why}


def slices_of(records: pl.DataFrame, product: Product) -> dict[str, np.ndarray]:
    """Return which records every slice holds, where it holds any."""
    parts = product.data.slices
    described = input_of(product).describe(records, product) if parts else records
    masks = {part.id: described.select(mask=slice_mask(part))["mask"].to_numpy() for part in parts}
    return {name: mask for name, mask in masks.items() if mask.any()}
