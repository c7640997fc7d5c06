"""Stage ``validate``: stop the pipeline at raw records that ``product.yaml`` does not allow.

Reads ``data/raw`` and ``product.yaml``; writes ``reports/validation.json``, the same for people as
``reports/validation.html``, and ``data/near_duplicates.parquet``; fails when a rule is violated.
Run: ``python -m fullstack_ml.data.validate``.
"""

from functools import partial

from fullstack_ml.answers import answer_of
from fullstack_ml.data.validate.checks import NEEDED
from fullstack_ml.data.validate.duplicates import near_duplicates
from fullstack_ml.data.validate.findings import Findings, check_shard
from fullstack_ml.data.validate.noise import label_noise, repeated_records
from fullstack_ml.data.validate.page import page
from fullstack_ml.pages.words import words
from fullstack_ml.pipeline.config import Config, Validate
from fullstack_ml.pipeline.runner import Runner, runner_of
from fullstack_ml.pipeline.stage import stage
from fullstack_ml.pipeline.tables import shards, write_parquet
from fullstack_ml.product.contract import load
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.errors import UserError
from fullstack_ml.workspace.files import write_json, write_text
from fullstack_ml.workspace.paths import NEAR_DUPLICATES, RAW, VALIDATION, VALIDATION_PAGE

EXAMPLES = 3  # rules of which the error names a record
MENDED = {"payload", *(f"{name} missing" for name in NEEDED)}  # rules that no contract could relax


def read_all(product: Product, settings: Validate, runner: Runner) -> Findings:
    """Check every shard.

    Raises:
        UserError: for a shard of another schema, or if there is no record.
    """
    findings = Findings(product, settings)
    for found in runner.map(partial(check_shard, product=product, settings=settings), shards(RAW)):
        findings.merge(found)
    if not findings.total:
        raise UserError(f"{RAW} holds no record", str(RAW), "run dvc repro")
    findings.too_few()
    return findings


def stop(findings: Findings) -> None:
    """Name every rule that is broken, the most frequent first, with an example of each of the first ones."""
    rules = [rule for rule, _ in findings.broken.most_common()]
    counts = ", ".join(f"{rule} ({findings.broken[rule]})" for rule in rules)
    examples = [findings.examples[rule][0] for rule in rules[:EXAMPLES]]
    shown = "; ".join(f"{what}, in {source}" if source else what for _, what, source in examples)
    what = f"{findings.faulty} of {findings.total} records break product.yaml: {counts}; such as {shown}"
    # Not make forget: it would keep the record away for good, also once it is mended.
    mend = "mend the source, rm -r data/raw data/raw.lock, then make"
    allow = "allow it in product.yaml"
    if rules[0] == "source_label" and findings.product.formulation.label_names:
        allow = "name the label in product.yaml, or at was: [<old name>] of the label that took its place"
    fix = mend if MENDED.issuperset(rules) else f"{allow}; or {mend}"
    raise UserError(what, f"{RAW}, see {VALIDATION_PAGE}", fix)


def run(config: Config) -> None:
    """Check every shard, write the reports, and fail with the ids of the records that break a rule."""
    product = load()
    findings = read_all(product, config.validate, runner_of(config))
    near = near_duplicates(findings.prints, config.validate.near_duplicate_bits)
    labelled = findings.counts["source_label"].total()
    repeated = repeated_records()
    if answer_of(product).SCALE == "interval":
        repeated = repeated.clear()  # numbers of one content differ, and none of them is wrong
    noise = label_noise(repeated, labelled, config.validate.max_reported)
    report = findings.report(near) | {"label_noise": noise}
    write_parquet(NEAR_DUPLICATES, [near])
    write_json(VALIDATION, report)
    write_text(VALIDATION_PAGE, page(report, product))
    if findings.broken:
        stop(findings)
    text = "validate: %(records)s records comply with product.yaml; look at %(page)s"
    print(words(text, records=findings.total, page=VALIDATION_PAGE))
    if noise["contrary"]:
        said = noise["examples"][0]["places"]
        text = (
            "validate: label noise: %(contrary)s of %(labelled)s labels differ from most of the same content, so that "
            "no accuracy above %(bound)s can be reached; such as %(places)s"
        )
        bound = f"{noise['bound']:.3f}"
        print(words(text, contrary=noise["contrary"], labelled=labelled, bound=bound, places="; ".join(said)))


if __name__ == "__main__":
    stage(run)
