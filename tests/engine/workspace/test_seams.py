"""What an error offers as a choice of a seam is what can be chosen there, and no module beside it."""

from pathlib import Path

import pytest

from fullstack_ml.workspace.seams import choices, find_choice

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


@pytest.mark.parametrize(
    ("seam", "name", "word", "expected"),
    [
        ("inputs", "table", "GIVES", ("features",)),
        ("inputs", "text", "GIVES", ("features", "letters")),
        ("inputs", "table", "drawn", None),
        ("modeling.train.backends", "sklearn", "embeddings", None),
        ("modeling.train.backends", "lightgbm", "embeddings", None),
    ],
)
def test_what_a_module_leaves_out_is_there_all_the_same(seam: str, name: str, word: str, expected: object) -> None:
    assert getattr(find_choice(seam, name, "a test"), word) == expected


def test_a_backend_that_names_no_device_was_fitted_on_the_cpu() -> None:
    assert find_choice("modeling.train.backends", "sklearn", "a test").device(None) == "cpu"


def test_an_answer_of_the_product_need_not_say_what_late_labels_show(project: Path) -> None:
    own = Path("src/my_product/answers")
    own.mkdir(parents=True)
    (own.parent / "__init__.py").touch()
    text = (Path(__file__).parents[3] / "docs/examples/order.py").read_text(encoding="utf-8")
    (own / "order.py").write_text(text, encoding="utf-8")
    assert find_choice("answers", "order", "a test").LATE == {}
    (own / "late.py").write_text(f"{text}\nLATE = {{'held': len}}\n", encoding="utf-8")
    assert find_choice("answers", "late", "a test").LATE["held"] is len


def test_a_module_of_the_product_is_offered_beside_the_engines(project: Path) -> None:
    own = Path("src/my_product/inputs")
    own.mkdir(parents=True)
    (own.parent / "__init__.py").touch()
    (own / "sound.py").write_text("def read(): ...\n", encoding="utf-8")
    assert choices("inputs") == ["image", "table", "text"], "it lacks what an input needs"
    text = (Path(choices.__code__.co_filename).parents[1] / "inputs" / "table.py").read_text(encoding="utf-8")
    (own / "sound.py").write_text(text, encoding="utf-8")
    assert choices("inputs") == ["image", "sound", "table", "text"]
