"""The challenger's way to champion: what each step shows, and that nothing but the plan moves the alias."""

import itertools
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fullstack_ml.registry.tracking import ClientRegistry
from fullstack_ml.serving import decide, online, tables
from fullstack_ml.serving.settings import read

pytestmark = pytest.mark.task("tabular-classification")
NAME, START = "my_product", datetime(2026, 5, 1, tzinfo=UTC)
Write = Callable[..., None]


@pytest.fixture
def registry(finished: Path, mlflow: Any, monkeypatch: Any) -> ClientRegistry:
    """A registry in which version 1 is champion and the accepted version 2 challenger."""
    monkeypatch.setenv("SERVE_MODEL", "models/model.onnx")
    client = mlflow.MlflowClient()
    client.create_registered_model(NAME)
    for alias in ("champion", "challenger"):
        version = client.create_model_version(NAME, source="models", tags={"verdict": "accepted"}).version
        client.set_registered_model_alias(NAME, alias, version)
    return ClientRegistry(mlflow)


@pytest.fixture
def write(product: Any) -> Write:
    """Return what writes scored records with their late answers into the log."""
    names, numbers = product.formulation.label_names, itertools.count()
    engine = tables.make_engine(read())
    tables.METADATA.create_all(engine)

    def rows(arms: dict[str, float], count: int = 800, served: str = "champion", when: datetime = START) -> None:
        """Let each arm be right in its share of the records; a challenger that is not served is in shadow."""
        chance, found, words = random.Random(next(numbers)), [], []
        for _ in range(count):
            name = f"{next(numbers):032x}"
            draw, caller = chance.random(), f"caller-{chance.randrange(200)}"
            for arm, right in arms.items():
                said = names[0] if draw < right else names[1]
                found.append(row(name, arm, arm == served, caller, when, said))
            words.append(word(name, served, names[0], when))
        with engine.begin() as connection:
            connection.execute(tables.PREDICTIONS.insert(), found)
            connection.execute(tables.FEEDBACK.insert(), words)

    return rows


def row(name: str, arm: str, served: bool, caller: str, when: datetime, answer: str) -> dict[str, Any]:
    version = {"champion": "1", "challenger": "2"}[arm]
    known = {"prediction_id": name, "arm": arm, "requested_at": when, "model_name": NAME, "model_version": version}
    known |= {"served": served, "caller": caller, "input_sha256": name, "answer": answer, "decision": "accept"}
    return known | {"latency_ms": 1.0}


def word(name: str, arm: str, answer: str, when: datetime) -> dict[str, Any]:
    known = {"prediction_id": name, "arm": arm, "who": "reviewer", "answer": answer, "how": "drawn"}
    return known | {"received_at": when}


@pytest.fixture(autouse=True)
def ids_of_no_time(monkeypatch: Any) -> None:
    """Ids of the server begin with the time; those of this test do not."""
    monkeypatch.setattr("fullstack_ml.serving.evidence.time_prefix", lambda _: "")


def test_a_challenger_goes_through_shadow_and_canary_and_is_promoted(
    registry: ClientRegistry, write: Write, capsys: Any, monkeypatch: Any
) -> None:
    monkeypatch.setenv("SERVE_ROLLOUT", "off")
    decide.main()
    assert "decision  open: it has scored no record yet: SERVE_ROLLOUT=shadow in .env" in capsys.readouterr().out
    write({"champion": 0.8, "challenger": 0.95}, count=50)
    decide.main()
    assert "decision  open: shadow has 100 of " in capsys.readouterr().out
    write({"champion": 0.8, "challenger": 0.95}, count=3000)
    decide.main()
    told = capsys.readouterr().out
    assert "shadow    better: accuracy 0.15" in told
    assert "canary    not begun" in told
    assert "next SERVE_ROLLOUT=canary in .env" in told
    assert registry.aliases() == {"champion": "1", "challenger": "2"}, "shadow alone promotes nobody"

    later = START + timedelta(days=9)
    for arm, right in (("champion", 0.8), ("challenger", 0.95)):
        write({arm: right}, count=2000, served=arm, when=later)
    decide.main()
    assert "decision  version 2 is champion now, it was 1: it is better in canary" in capsys.readouterr().out
    assert registry.aliases() == {"champion": "2"}
    assert "promote: it is better in canary" in registry.find("2").tags["release"]


def test_a_challenger_that_is_worse_stands_down(registry: ClientRegistry, write: Write, capsys: Any) -> None:
    write({"champion": 0.95, "challenger": 0.8}, count=3000)
    decide.main()
    assert "version 2 is no challenger any more: it is worse in shadow" in capsys.readouterr().out
    assert registry.aliases() == {"champion": "1"}


@pytest.mark.parametrize(
    ("promote", "ends"), [("better", {"champion": "1", "challenger": "2"}), ("not-worse", {"champion": "2"})]
)
def test_a_challenger_that_is_equal_is_promoted_where_the_plan_takes_that(
    promote: str,
    ends: dict[str, str],
    registry: ClientRegistry,
    write: Write,
    capsys: Any,
) -> None:
    path = Path("product.yaml")
    text = path.read_text(encoding="utf-8")
    assert "detect: 0.03}" in text
    path.write_text(text.replace("detect: 0.03}", f"detect: 0.03, promote: {promote}}}"), encoding="utf-8")
    for arm in ("champion", "challenger"):
        write({arm: 0.98}, count=4000, served=arm)
    decide.main()
    assert registry.aliases() == ends
    assert ("whether it is better by them stays open" in capsys.readouterr().out) is (promote == "better")


def test_no_challenger_is_said_with_the_versions_that_can_be_one(registry: ClientRegistry, capsys: Any) -> None:
    registry.set_alias("challenger", None)
    decide.main()
    told = capsys.readouterr().out
    assert "there is no challenger; champion is version 1\n" in told
    assert "next: name an accepted version: make promote VERSION=2 (accepted: 2)" in told


@pytest.mark.parametrize(("second", "verdict"), [(0.8, "yes"), (0.55, "no")])
def test_a_roll_out_by_site_says_whether_the_groups_changed_alike_before(
    second: float, verdict: str, registry: ClientRegistry, write: Write, capsys: Any, monkeypatch: Any, product: Any
) -> None:
    """The sites that get the challenger fall before they get it, or not."""
    names, engine = product.formulation.label_names, tables.make_engine(read())
    chance, found, words = random.Random(5), [], []
    since = datetime.now(UTC) - timedelta(days=10)
    for number in range(6000):
        site, day = number % 30, chance.uniform(-10, 9)
        treated = site < 15
        right = 0.8 if day < -5 or not treated else second if day < 0 else 0.95
        arm = "challenger" if treated and day >= 0 else "champion"
        said = names[0] if chance.random() < right else names[1]
        name = f"{number + 10**6:032x}"
        found.append(row(name, arm, True, f"site-{site}", since + timedelta(days=day), said))
        words.append(word(name, arm, names[0], since))
    with engine.begin() as connection:
        connection.execute(tables.PREDICTIONS.insert(), found)
        connection.execute(tables.FEEDBACK.insert(), words)
    monkeypatch.setattr("sys.argv", ["online", since.isoformat()])
    online.main()
    told = capsys.readouterr().out
    assert ("both groups changed alike, as far as can be seen" in told) is (verdict == "yes")
    assert ("verdict on accuracy: better" in told) is (verdict == "yes")
    assert ("both groups changed differently before" in told) is (verdict == "no")
