"""Own data on the first day: a project in which the sample has run, a draft from a table, and an honest verdict."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from projects import Finished, Project

TASK = "tabular-classification"
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group(TASK)]


@pytest.fixture
def project(finish: Callable[[str], Finished], tmp_path: Path) -> Project:
    """A copy of the finished project, as a person has it right after make."""
    return finish(TASK).project.copy(tmp_path / "my-product")


def write_customers(file: Path, learnable: bool) -> None:
    """Write a table whose answer follows from its columns, or from none of them."""
    random = np.random.default_rng(3)
    rows = 900
    orders, spent = random.integers(0, 40, rows), random.gamma(2, 90, rows).round(2)
    leaves = (orders + spent / 12 < 28) ^ (random.random(rows) < 0.05) if learnable else random.random(rows) < 0.4
    place = random.choice(["서울", "부산", "대전"], rows)
    columns = {"no": np.arange(rows), "orders": orders, "spent (EUR)": spent, "place": place}
    pl.DataFrame({**columns, "left (Y/N)": np.where(leaves, "Y", "N")}).write_csv(file, separator=";")


def test_a_draft_from_own_data_ends_in_a_champion(project: Project) -> None:
    (project.folder / "data/inbox").mkdir()
    write_customers(project.folder / "data/inbox/customers.csv", learnable=True)
    told = project.ok("make", "draft", "FROM=data/inbox/customers.csv", "ANSWER=left (Y/N)")
    assert "removed what the sample left" in told
    assert "mean_radius" not in (project.folder / "product.yaml").read_text(encoding="utf-8")
    project.ok("make", "check")
    project.commit()
    made = project.ok("make")
    assert "alias champion" in made
    assert "has other labels; the two cannot be compared" in made, "the sample's champion is no measure"
    assert {row["source_label"] for row in project_rows(project)} == {"Y", "N"}
    project.ok("make", "test")


def project_rows(project: Project) -> list[dict[str, str]]:
    """Read the labels of all raw records."""
    shards = project.folder / "data/raw/*.parquet"
    return pl.read_parquet(shards).select("source_label").unique().to_dicts()


def test_a_draft_from_noise_ends_in_an_honest_rejection(project: Project) -> None:
    write_customers(project.folder / "customers.csv", learnable=False)
    project.ok("make", "draft", "FROM=customers.csv", "ANSWER=left (Y/N)")
    project.commit()
    done = project.run("make")
    assert done.returncode != 0
    assert "rejected by R1" in done.stderr
    assert "no verdicts" not in project.ok("make", "status")


def test_a_table_without_labels_waits_for_people(project: Project) -> None:
    write_customers(project.folder / "customers.csv", learnable=True)
    told = project.ok("make", "draft", "FROM=customers.csv", "LABELS=stays,leaves")
    assert "there are no labels yet" in told
    project.commit()
    told = project.ok("make")
    assert "not yet: no record has a label yet" in told
    status = project.ok("make", "status")
    assert "records: 900" in status
    assert "make round" in status
