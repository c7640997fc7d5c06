"""What can be found of a project without asking anybody: files with their dates, stages, verdicts, versions, answers.

Reads the work tree, ``dvc.lock``, ``reports/``, the registry, MLflow and the prediction log; writes nothing.
"""

import re
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from fullstack_ml.audit.answers import opened
from fullstack_ml.audit.proof import Proof, today
from fullstack_ml.product.contract import load
from fullstack_ml.product.types import Product
from fullstack_ml.registry import tracking
from fullstack_ml.registry.versions import CHAMPION, Version
from fullstack_ml.workspace import git
from fullstack_ml.workspace.errors import UserError
from fullstack_ml.workspace.files import read_json
from fullstack_ml.workspace.paths import ACCEPTANCE, LOCK, REPORTS
from fullstack_ml.workspace.sentences import sentence

WORKFLOWS = Path(".github/workflows")
MONITORING = REPORTS / "monitoring/report.json"  # monitoring may be taken out of the project


@dataclass
class Evidence:
    """The project as it lies here; every look is taken once."""

    product: Product = field(default_factory=load)

    def file(self, place: str | Path, what: Any) -> list[Proof]:
        """Return a file as proof: of the day of its last commit, or else of its last change."""
        path = Path(place)
        if not path.exists():
            return []
        day = (git.git("log", "-1", "--format=%cs", "--", str(path)) or "").strip()
        return [Proof(what, str(path), day or date.fromtimestamp(path.stat().st_mtime).isoformat())]

    def text(self, place: str | Path, pattern: str, what: Any) -> list[Proof]:
        """Return the first file of a pattern such as ``tests/*.py`` in which a text stands."""
        for path in sorted(Path().glob(str(place))):
            if re.search(pattern, path.read_text(encoding="utf-8")):
                return self.file(path, what)
        return []

    def report(self, place: Path, what: Any, *keys: str) -> list[Proof]:
        """Return a report that holds something under ``keys``, of the day on which it was written."""
        if not place.exists():
            return []
        found = read_json(place)
        for key in keys:
            found = found.get(key) if isinstance(found, dict) else None
        day = date.fromtimestamp(place.stat().st_mtime).isoformat()
        return [Proof(what, str(place), day)] if found not in (None, [], {}, "") else []

    def stage(self, name: str) -> list[Proof]:
        """Return a stage of the pipeline that ran, as ``dvc.lock`` has it."""
        return self.file(LOCK, sentence("stage %(name)s ran", name=name)) if name in self.stages else []

    def verdict(self, *metrics: str) -> list[Proof]:
        """Return a requirement on one of the metrics that the gate judged, whatever it said; pass or fail is told."""
        if not ACCEPTANCE.exists():
            return []
        day = date.fromtimestamp(ACCEPTANCE.stat().st_mtime).isoformat()
        rows = [row for row in read_json(ACCEPTANCE)["verdicts"] if row["metric"] in metrics]
        return [Proof(judged(row), str(ACCEPTANCE), day) for row in rows]

    def workflow(self, command: str) -> list[Proof]:
        """Return a workflow that runs a command, and so fails when it does."""
        what = sentence("%(command)s on every change", command=command)
        return self.text(WORKFLOWS / "*.yml", rf"\b{re.escape(command)}\b", what)

    @cached_property
    def stages(self) -> dict[str, Any]:
        """The stages of ``dvc.lock`` by name."""
        return yaml.safe_load(LOCK.read_text(encoding="utf-8"))["stages"] if LOCK.exists() else {}

    @cached_property
    def registry(self) -> tracking.ClientRegistry | None:
        """The registry, or None where nothing was ever registered."""
        store = tracking.local_store()
        return None if store and not store.exists() else tracking.ClientRegistry()

    @cached_property
    def versions(self) -> list[Version]:
        """Every registered version, the oldest first; none where the registry does not answer."""
        try:
            return self.registry.versions() if self.registry else []
        except UserError:
            return []

    @cached_property
    def champion(self) -> Version | None:
        """The version that answers."""
        return self.registry.holder(CHAMPION) if self.registry else None

    def version(self, what: str, tag: str) -> list[Proof]:
        """Return the newest version that has a tag, whose value stands in ``what`` as ``%(tag)s``."""
        held = [version for version in self.versions if version.tags.get(tag)]
        if not held:
            return []
        value = held[-1].tags[tag]
        shown = value[:12] if re.fullmatch("[0-9a-f]{32,64}", value) else value  # the hash of a commit, say
        place = sentence("version %(version)s", version=held[-1].number)
        return [Proof(sentence(what, tag=shown), place, today())]

    def logged(self, condition: str, what: str) -> list[Proof]:
        """Return what the prediction log holds of a kind, where it holds any; ``condition`` is SQL of the engine.

        How many there are stands in ``what`` as ``%(count)s``.
        """
        import sqlalchemy as sa

        with opened() as log:
            if log is None:
                return []
            table = "feedback" if condition.startswith("feedback") else "predictions"
            where = condition.removeprefix("feedback").strip() or "1 = 1"
            count = log[0].execute(sa.text(f"SELECT count(*) FROM {table} WHERE {where}")).scalar()  # noqa: S608
        return [Proof(sentence(what, count=f"{count:,}"), "the prediction log", today())] if count else []

    def monitored(self, *metrics: str) -> list[Proof]:
        """Return what ``make monitor`` judged of one of the metrics, by their beginnings, whatever it said."""
        if not MONITORING.exists():
            return []
        day = date.fromtimestamp(MONITORING.stat().st_mtime).isoformat()
        rows = [row for row in read_json(MONITORING)["verdicts"] if row["metric"].startswith(metrics)]
        return [Proof(judged(row), str(MONITORING), day) for row in rows if row["verdict"] != "not measured"]


def judged(row: dict[str, Any]) -> dict[str, Any]:
    """Say what was judged, and how."""
    verdict = sentence(row["verdict"])
    return sentence("%(id)s %(metric)s: %(verdict)s", id=row["id"], metric=row["metric"], verdict=verdict)
