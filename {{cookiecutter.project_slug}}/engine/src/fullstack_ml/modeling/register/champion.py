"""Decide whether a new version replaces the champion: not worse on any requirement, better on the declared metric.

Reads the registered champion and the test split, through ``measure``; writes ``reports/changes.html``. Both models are
measured on today's test split, with the same resamples, so that their difference has an interval of its own.
"""

from fullstack_ml.artefact.session import Artefact
from fullstack_ml.modeling.measuring.measure import Tested, test
from fullstack_ml.modeling.register.changes import difference, write_changes
from fullstack_ml.pages.words import words
from fullstack_ml.pipeline.config import Config
from fullstack_ml.pipeline.examples import read_folds
from fullstack_ml.product.metrics import metrics_of
from fullstack_ml.product.types import Product
from fullstack_ml.registry.tracking import ClientRegistry
from fullstack_ml.registry.versions import CHAMPION
from fullstack_ml.workspace.paths import MODEL


def reasons_to_stay(product: Product, new: Tested, old: Tested, tolerance: float) -> list[str]:
    """List why the champion stays; an empty list means that the new model takes its place.

    Size, times, what is measured of the data, and requirements on one slice are held against their thresholds by
    ``accept`` and are not compared: a machine's noise or a handful of records must not decide a release.
    """
    found, metrics = [], metrics_of(product)
    for requirement in product.requirements:
        gap = difference(requirement.metric, new, old, metrics)
        if gap is None or requirement.slice != "all":
            continue
        if gap.worse or (gap.bounds is None and gap.relative < -tolerance):
            found.append(f"{requirement.id} {requirement.metric} is worse by {-gap.value:.4g}")
    metric, decide = product.release.better_on, product.release.decide
    gap = difference(metric, new, old, metrics)
    if gap is None:
        return [*found, f"{metric} is not measurable"]
    better = gap.value > 0 if decide == "point" else gap.bounds is not None and gap.bounds[0] > 0
    if not better:
        found.append(
            f"{metric} is not better: {new.report['metrics'][metric]:.4g} against {old.report['metrics'][metric]:.4g}"
        )
    return found


def other_contract(old: Artefact, new: Artefact) -> str | None:
    """Say in words that two artefacts were made for different problems, or return None."""
    said = {"labels": "has other labels", "input": "takes another input", "output": "gives another output"}
    for key, what in said.items():
        if old.metadata.get(key) != new.metadata.get(key):
            return what
    return None


def challenge(registry: ClientRegistry, version: str, product: Product, config: Config) -> list[str]:
    """Compare ``models/model.onnx``, registered as ``version``, with the champion; list why the champion stays."""
    current = registry.aliases().get(CHAMPION)
    if current is None or current == version:
        return []
    old, new = Artefact(registry.file(current)), Artefact(MODEL)
    if contract := other_contract(old, new):
        # It could not be served either: the server takes only versions of the contract that it reads.
        print(f"register: version {current}, the champion until now, {contract}; the two cannot be compared")
        return []
    if read_folds(product):
        return ["with folds no records are left that both have not seen; make promote VERSION=" + version + " takes it"]
    measured = [test(artefact, product, config) for artefact in (new, old)]
    write_changes(product, current, (measured[0], measured[1]))
    found = reasons_to_stay(product, measured[0], measured[1], config.register.tolerance)
    return found or ([] if config.register.crown else [words("real traffic decides: make release")])
