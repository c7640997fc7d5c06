"""Stage ``register``: log the pipeline run to MLflow and, when every requirement holds, move the alias.

Reads the artefact, all reports and ``dvc.lock``; writes the MLflow run, ``reports/registration.json``, what changed
since the champion as ``reports/changes.html``, and where all pages come from: ``reports/provenance.json`` and
``docs/provenance.md``. A rejected run is logged too, then the stage fails with the ids. Nothing is registered from
uncommitted code or inside an experiment of DVC, which is only logged. Run: ``dvc repro register``.
"""

import hashlib
import os
from typing import Any

from fullstack_ml.modeling.register.champion import challenge
from fullstack_ml.modeling.register.changes import write_changes
from fullstack_ml.modeling.register.runlog import checked_version, log_run
from fullstack_ml.pages import provenance
from fullstack_ml.pages.formats import number as shown_number
from fullstack_ml.pages.words import words
from fullstack_ml.pipeline.config import Config
from fullstack_ml.pipeline.stage import stage
from fullstack_ml.product.contract import load
from fullstack_ml.product.guide import guide_version
from fullstack_ml.product.types import Product
from fullstack_ml.registry import tracking
from fullstack_ml.registry.tracking import ClientRegistry
from fullstack_ml.registry.versions import CHALLENGER, CHAMPION, ROLLED_BACK, SHA256
from fullstack_ml.workspace import git
from fullstack_ml.workspace.errors import UserError
from fullstack_ml.workspace.files import read_json, sha256, write_json
from fullstack_ml.workspace.paths import ACCEPTANCE, MODEL, PRODUCT, REGISTRATION, TRAINING
from fullstack_ml.workspace.sentences import in_english

REVIEW = "make mlflow"


def tags(pipeline: str, stages: dict[str, Any], product: Product, accepted: bool) -> dict[str, str]:
    """Return the tags that lead from a run back to code, data, guide and requirements."""
    changed = git.uncommitted()
    return {
        "pipeline": pipeline,
        "git.commit": git.commit(),
        "git.dirty": str(bool(changed)).lower(),
        "data.version": provenance.data_version(stages),
        "guide.version": guide_version(),
        "formulation.sha256": formulation_sha256(product),
        SHA256: sha256(MODEL),
        "verdict": "accepted" if accepted else "rejected",
    }


def source(mlflow: Any, run_id: str, described: dict[str, str]) -> dict[str, Any]:
    """Return what all generated pages lead to: where they come from, as far as it is known before the verdict."""
    experiment = mlflow.get_run(run_id).info.experiment_id
    return {
        **provenance.moment(),
        "data_version": described["data.version"],
        "guide_version": described["guide.version"],
        "model": read_json(TRAINING)["model"],
        "artefact_sha256": described[SHA256],
        "verdict": described["verdict"],
        "run_id": run_id,
        "run_link": tracking.page_of(f"experiments/{experiment}/runs/{run_id}"),
    }


def formulation_sha256(product: Product) -> str:
    """Return the hash of the problem: equal for versions that can take each other's place."""
    return hashlib.sha256(product.formulation.model_dump_json().encode()).hexdigest()


def refuse(acceptance: dict[str, Any]) -> None:
    """Stop with the failed requirements: id, value and threshold of each."""
    rows = [row for row in acceptance["verdicts"] if row["verdict"] != "pass"]
    said = [
        f"{row['id']} {row['metric']} = {shown_number(row['value'])} (wanted {row['operator']} {row['threshold']:g})"
        f"{', ' + in_english(row['note']) if row.get('note') else ''}"
        for row in rows
    ]
    better = "improve data or model (make sweep MODEL=all searches)"
    fix = f"review the logged run with {REVIEW}, then {better}, or change product.yaml with its owner"
    raise UserError(f"rejected by {'; '.join(said)}", f"{ACCEPTANCE} against {PRODUCT}", fix)


def place(registry: ClientRegistry, number: str, product: Product, config: Config) -> tuple[str | None, list[str]]:
    """Move the alias that a version deserves; return it and why the champion stays, if it does.

    A version that people rolled back gets no alias, until a person promotes it.
    """
    version = registry.find(number)
    if (since := version.tags.get(ROLLED_BACK)) and registry.aliases().get(CHAMPION) != number:
        text = "version %(number)s was rolled back on %(since)s; make promote VERSION=%(number)s takes it again"
        return None, [words(text, number=number, since=since)]
    reasons = challenge(registry, number, product, config)
    if not reasons:
        registry.crown(number)
        return CHAMPION, []
    registry.set_alias(CHALLENGER, number)
    return CHALLENGER, reasons


def run(config: Config) -> None:
    """Log, then judge, then register."""
    product, acceptance = load(), read_json(ACCEPTANCE)
    stages = tracking.locked_stages("register")
    mlflow = tracking.connect()
    described = tags(tracking.pipeline_id(stages), stages, product, acceptance["accepted"])
    run_id = log_run(mlflow, described, product)
    told = source(mlflow, run_id, described)
    provenance.write(told)
    write_changes(product)  # until the champion is found
    experiment = os.environ.get("DVC_EXP_NAME")
    if experiment:  # a rejected experiment succeeds too: DVC forgets one that fails, and nothing is registered anyway
        said = {"registered": False, "reason": f"experiment {experiment}", "run_id": run_id}
        write_json(REGISTRATION, said | {"artefact_sha256": described[SHA256]})
        text = "register: %(verdict)s run %(run)s logged; make adopt RUN=%(run)s takes the experiment over"
        print(words(text, verdict=words(described["verdict"]), run=run_id))
        return
    if not acceptance["accepted"]:
        refuse(acceptance)
    if not config.register.allow_dirty:
        git.check_code("git add and git commit them, then make")
    registry = ClientRegistry(mlflow)
    version = checked_version(registry, mlflow, run_id, described, product)
    alias, reasons = place(registry, version, product, config)
    place_of_version = tracking.page_of(f"models/{registry.name}/versions/{version}")
    named, first = f"{registry.name} {version}", registry.find(version).run_id
    if first != run_id:  # other code or data gave the same artefact again
        named = words("%(version)s, which run %(run)s registered first", version=named, run=first[: provenance.SHORT])
    provenance.write({**told, "version": named, "version_link": place_of_version})
    registration = {"registered": True, "model": registry.name, "version": version, "alias": alias, "run_id": run_id}
    registration |= {"artefact_sha256": described[SHA256], "champion_stays": reasons}
    write_json(REGISTRATION, registration)
    text = "register: %(model)s version %(version)s is %(alias)s; review it with %(command)s"
    shown = alias or words("registered")
    print(words(text, model=registry.name, version=version, alias=shown, command=REVIEW))
    for reason in reasons:
        print(words("register: the champion stays, since %(reason)s", reason=reason))


if __name__ == "__main__":
    stage(run)
