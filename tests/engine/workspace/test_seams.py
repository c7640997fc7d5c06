"""What an error offers as a choice of a seam is what can be chosen there, and no module beside it."""

from pathlib import Path

import pytest

from fullstack_ml.workspace.seams import choices

pytestmark = pytest.mark.task("tabular-classification")


@pytest.mark.parametrize(
    ("seam", "expected"),
    [
        ("inputs", ["image", "table", "text"]),
        ("answers", ["label", "labels", "number"]),
        (
            "data.collect.sources",
            ["aspirates", "chats", "digits", "files", "http", "predictions", "progression", "slips", "sql"],
        ),
        ("modeling.train.backends", ["lightgbm", "sklearn", "torch"]),
        ("pipeline.runner", ["local"]),
    ],
)
def test_only_what_can_be_chosen_is_offered(seam: str, expected: list[str]) -> None:
    assert choices(seam) == expected


def test_a_module_of_the_product_is_offered_beside_the_engines(project: Path) -> None:
    own = Path("src/my_product/inputs")
    own.mkdir(parents=True)
    (own.parent / "__init__.py").touch()
    (own / "sound.py").write_text("def read(): ...\n", encoding="utf-8")
    assert choices("inputs") == ["image", "table", "text"], "it lacks what an input needs"
    text = (Path(choices.__code__.co_filename).parents[1] / "inputs" / "table.py").read_text(encoding="utf-8")
    (own / "sound.py").write_text(text, encoding="utf-8")
    assert choices("inputs") == ["image", "sound", "table", "text"]
