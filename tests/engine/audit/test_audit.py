"""What earns a score: evidence that lies in the project, and nothing else."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from fullstack_ml.audit import __main__ as audit
from fullstack_ml.audit import looks
from fullstack_ml.audit.evidence import Evidence
from fullstack_ml.audit.recomputed import recomputed
from fullstack_ml.inputs import input_of
from fullstack_ml.serving.batch import __main__ as batch
from fullstack_ml.workspace.files import read_json, write_json
from fullstack_ml.workspace.sentences import in_english


def scores() -> dict[str, float]:
    audit.main()
    return {row["id"]: row["score"] for row in read_json(Path("reports/audit.json"))["tests"]}


def test_a_project_on_which_nothing_ran_proves_little(project: Path, capsys: Any) -> None:
    found = scores()
    assert len(found) == 28
    assert [found[name] for name in ("D1", "M5", "M7", "I4", "O3", "O6")] == [0] * 6
    assert capsys.readouterr().out.splitlines()[-2] == "minimum 0.0"
    assert "none found" in Path("reports/audit.html").read_text(encoding="utf-8")


def test_what_ran_is_proved_with_its_file_and_day(finished: Path) -> None:
    found = scores()
    assert (found["M5"], found["M7"], found["O6"]) == (1, 1, 1)
    row = next(row for row in read_json(Path("reports/audit.json"))["tests"] if row["id"] == "M5")
    assert in_english(row["proofs"][0]["what"]) == "R2 margin_over_baseline: pass"
    assert row["proofs"][0]["place"] == "reports/acceptance.json"
    Path("reports/acceptance.json").unlink()
    assert scores()["M5"] == 0.5  # the baselines were measured, and nothing holds them


@pytest.mark.task("tabular-classification")
def test_logged_answers_prove_something_while_they_come_out_again(
    finished: Path, mlflow: Any, records: pl.DataFrame, product: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    records.head(20).select(list(input_of(product).columns(product))).write_csv("inbox.csv")
    wanted = {"INPUT": "inbox.csv", "OUTPUT": "out.csv", "LOG": "1", "SERVE_MODEL": "models/model.onnx"}
    for name, value in wanted.items():
        monkeypatch.setenv(name, value)
    batch.main()
    number = pl.read_csv("out.csv")["model_version"][0]  # of the file, which no registry knows
    evidence = Evidence()

    class Held:
        """The registry with the one version that answered."""

        def __init__(self) -> None:
            self.number, self.tags = number, dict[str, str]()

        def artefact(self, name: str) -> bytes:
            assert name == number
            return Path("models/model.onnx").read_bytes()

    evidence.__dict__ |= {"versions": [Held()], "registry": Held()}
    assert "20 logged answers" in in_english(recomputed(evidence)[0].what)
    with sqlite3.connect("predictions.db") as log:
        log.execute("UPDATE predictions SET novelty = novelty + 1 WHERE rowid = 7")
    assert recomputed(evidence) == []


@pytest.mark.task("tabular-classification")
def test_what_monitoring_could_not_measure_proves_nothing(project: Path) -> None:
    row = {"id": "M7", "metric": "model_age_days", "verdict": "alarm"}
    write_json(Path("reports/monitoring/report.json"), {"verdicts": [row]})
    assert scores()["O4"] == 1  # it runs by itself, and fails
    write_json(Path("reports/monitoring/report.json"), {"verdicts": [row | {"verdict": "not measured"}]})
    assert scores()["O4"] == 0


@pytest.mark.task("tabular-classification")
def test_roles_of_the_contract_leave_only_their_gaps(project: Path) -> None:
    path = Path("product.yaml")
    text = path.read_text(encoding="utf-8").partition("\nroles:")[0]
    role = "{decides: owner, does: engineer, reviews: engineer, told: support}"
    path.write_text(f"roles:\n  release: {role}\n{text}", encoding="utf-8")
    audit.main()
    steps = {step["name"]: step for step in json.loads(Path("reports/audit.json").read_text())["roles"]}
    assert list(map(in_english, steps["release"]["gaps"])) == ["engineer reviews the own work"]
    assert len(steps["data"]["gaps"]) == 4


@pytest.mark.task("tabular-classification")
def test_a_score_below_what_the_contract_asks_for_stops_with_who_asks(project: Path, refused: Any) -> None:
    path = Path("product.yaml")
    asked = "audit: {minimum: 4, owner: product owner, reason: a second customer comes}"
    path.write_text(f"{path.read_text(encoding='utf-8')}\n{asked}\n", encoding="utf-8")
    with refused("the minimum is 0.0, and product owner asks for 4: a second customer comes"):
        audit.main()
    assert Path("reports/audit.html").is_file()  # which says what is next


@pytest.mark.task("tabular-classification")
def test_who_reviews_has_to_be_somebody(project: Path) -> None:
    owners = Path(".github/CODEOWNERS")
    owners.parent.mkdir(exist_ok=True)
    for line, found in (("* you@example.com", 0), ("# * @team", 0), ("* @team/models", 1)):
        owners.write_text(f"# who reviews\n{line}\n", encoding="utf-8")
        assert len(looks.owners(Evidence())) == found, line


@pytest.mark.task("tabular-classification")
def test_an_older_version_beside_a_newer_one_shows_what_age_does(project: Path) -> None:
    write_json(Path("reports/comparison.json"), {"full (exported)": {}, "version 1": {}})
    assert scores()["M4"] == 0
    write_json(Path("reports/comparison.json"), {"full (exported)": {}, "version 1": {}, "version 2 (champion)": {}})
    assert scores()["M4"] == 0.5


@pytest.mark.task("tabular-classification")
def test_an_older_version_in_the_canary_of_a_newer_one_shows_what_age_does_by_itself(project: Path) -> None:
    canary = {"labelled": 40, "champion": ["1"], "challenger": "2", "measures": {"accuracy": {}}}
    write_json(Path("reports/release.json"), {"canary": canary})
    assert scores()["M4"] == 0.5  # nothing says yet how old a model may become
    row = {"id": "M8", "metric": "data_age_days", "verdict": "pass"}
    write_json(Path("reports/monitoring/report.json"), {"verdicts": [row]})
    assert scores()["M4"] == 1
    for nothing in ({"canary": canary | {"labelled": 0}}, {"canary": None}, {}):
        write_json(Path("reports/release.json"), nothing)
        assert scores()["M4"] == 0
