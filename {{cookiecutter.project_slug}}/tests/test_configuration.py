"""Every file of conf/ can be chosen: it composes, and has the keys and types that its stage reads."""

from pathlib import Path

import pytest

from fullstack_ml.pipeline import compose, stage

CONF = Path(__file__).parents[1] / "conf"
CHOICES = sorted(
    f"{path.parent.name}={path.stem}"
    for group in ("model", "source", "runner")
    for path in (CONF / group).glob("*.yaml")
)


@pytest.mark.parametrize("choice", CHOICES)
def test_a_choice_composes(choice: str) -> None:
    stage.typed(compose.resolve([choice]))


def test_a_model_that_can_be_searched_has_a_file_of_its_own() -> None:
    searched = {path.stem for path in (CONF / "search").glob("*.yaml")}
    assert searched - {path.stem for path in (CONF / "model").glob("*.yaml")} == set()
