"""The metrics that a requirement may name: unit, better direction, and the report that measures it.

Reads and writes nothing. To add a metric, add a row here and the value to its report.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """``unit`` as written in product.yaml; ``better`` is ``higher`` or ``lower``; ``report`` is the measuring stage.

    ``compared`` is false for what does not follow from the model alone, so that no release may be decided by it.
    """

    unit: str
    better: str
    report: str
    meaning: str
    compared: bool = True

    @property
    def operator(self) -> str:
        """The only operator that makes sense for a threshold on this metric."""
        return ">=" if self.better == "higher" else "<="


METRICS: dict[str, Metric] = {
    "accuracy": Metric("share", "higher", "evaluate", "share of records with the right label"),
    "macro_f1": Metric("share", "higher", "evaluate", "mean over labels of the F1 score"),
    "log_loss": Metric("nats", "lower", "evaluate", "mean negative log probability of the right label"),
    "brier": Metric("share", "lower", "evaluate", "mean squared error of the probabilities, summed over labels"),
    "ece": Metric("share", "lower", "evaluate", "expected calibration error of the top label"),
    "margin_over_baseline": Metric("share", "higher", "evaluate", "accuracy above always answering the majority"),
    "worst_slice_accuracy": Metric("share", "higher", "evaluate", "lowest accuracy of a measurable slice"),
    "group_gap": Metric("share", "lower", "evaluate", "largest difference of accuracy between groups"),
    "worst_label_recall": Metric("share", "higher", "evaluate", "lowest recall of a label"),
    "collapse": Metric("share", "lower", "evaluate", "how far the rarest prediction falls short of its label's share"),
    "set_coverage": Metric("share", "higher", "evaluate", "share of prediction sets that hold the right label"),
    "answered_share": Metric("share", "higher", "evaluate", "share of records that the model answers"),
    "answered_error": Metric("share", "lower", "evaluate", "share of the answers that are wrong"),
    "cost_per_record": Metric("cost", "lower", "evaluate", "mean cost of wrong answers and of abstaining"),
    "novelty_auroc": Metric(
        "share", "higher", "evaluate", "chance that an unfamiliar input scores above a familiar one"
    ),
    "novelty_false_alarms": Metric(
        "share", "lower", "evaluate", "familiar records flagged when 95 % of strange ones are"
    ),
    "artefact_kib": Metric("KiB", "lower", "evaluate", "size of the ONNX file", False),
    "latency_p50_ms": Metric("ms", "lower", "evaluate", "median time of one record, decoding included", False),
    "latency_p99_ms": Metric("ms", "lower", "evaluate", "99th percentile of the time of one record", False),
    "records": Metric("records", "higher", "validate", "valid raw records", False),
    "agreement_alpha": Metric("alpha", "higher", "label", "Krippendorff's alpha of the annotators", False),
    "worst_label_alpha": Metric("alpha", "higher", "label", "lowest alpha of a label against the rest", False),
    "worst_gold_accuracy": Metric("share", "higher", "label", "lowest accuracy of an annotator on gold items", False),
}
