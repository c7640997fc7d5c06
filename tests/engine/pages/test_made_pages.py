"""Pages that are made in another language hold no English sentence, whatever the reports keep.

The stages run under the English contract; then the project gets the other one, as of a team that changes its language.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml

from english import sentences
from fullstack_ml.answers import answer_of
from fullstack_ml.audit import __main__ as audit
from fullstack_ml.data.validate import __main__ as validate
from fullstack_ml.modeling.cards import __main__ as cards
from fullstack_ml.modeling.measuring.gaps import gap_of
from fullstack_ml.modeling.train import shortcuts
from fullstack_ml.workspace.files import read_json, write_json
from fullstack_ml.workspace.paths import ACCEPTANCE, ANALYSIS, AUDIT_PAGE, EVALUATION, TRAINING
from laid import TASKS

# Titles that every language names as they are.
TITLES = ["Datasheets for Datasets"]


def test_what_is_english_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("<style>a b c d</style><p>라벨 <b>my own label</b></p><code>one two three four</code><p>값 1</p>")
    assert sentences(page) == []
    page.write_text("<td>make monitor</td><td>the model never predicts 4</td><td>ECE &lt;= 0.1 of all that is</td>")
    assert sentences(page) == ["the model never predicts", "of all that is"]


@pytest.fixture
def troubled(finished: Path, product: Any) -> Path:
    """A finished project in which everything went wrong that reports put into words."""
    accepted, trained, evaluated = (read_json(path) for path in (ACCEPTANCE, TRAINING, EVALUATION))
    for row in accepted["verdicts"]:
        row |= {"verdict": "fail", "threshold": 0.0 if row["metric"] == "collapse" else row["threshold"]}
        row["note"] = answer_of(product).note(row, evaluated)
    assert any(row["note"] for row in accepted["verdicts"])
    accepted |= {"accepted": False, "failed": [row["id"] for row in accepted["verdicts"]]}
    truth = np.arange(400) % 2
    columns = {"id": [f"{i}" for i in range(400)], "source": [f"camera {label}" for label in truth]}
    records = pl.DataFrame({**columns, "group": columns["source"], "kind": columns["source"]})
    trained["shortcuts"] = shortcuts.check(records, truth)
    assert all(row["warning"] for row in trained["shortcuts"].values())
    for i, names in enumerate((["one"] * 40, ["one", "two"] * 20)):
        one = gap_of(answer_of(product), np.array(names), np.ones(40), np.ones(40), 30)
        evaluated["gaps"][f"column {i}"] = one
    for path, report in ((ACCEPTANCE, accepted), (TRAINING, trained), (EVALUATION, evaluated)):
        write_json(path, report)
    return finished


@pytest.mark.task(*TASKS, "tabular-regression")
def test_no_page_of_a_stage_holds_an_english_sentence(
    troubled: Path, config: Any, translate: Callable[[], None]
) -> None:
    translate()
    validate.run(config)
    cards.run(config)
    audit.main()
    reference = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))["model"].get("reference") or ""
    attribution = yaml.safe_load(Path("product.yaml").read_text(encoding="utf-8"))["cards"]["attribution"]
    pages = [*cards.PAGES.values(), *Path("reports").glob("*.html")]
    assert {ANALYSIS, AUDIT_PAGE} < set(pages)
    found = {str(page): sentences(page, [reference, attribution, *TITLES]) for page in pages}
    assert {page: said for page, said in found.items() if said} == {}
