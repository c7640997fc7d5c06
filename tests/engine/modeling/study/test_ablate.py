"""What a part of the input is worth, on examples where one part says everything and the rest nothing."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from fullstack_ml.inputs import input_of
from fullstack_ml.modeling.study import ablate
from fullstack_ml.pipeline import examples


@pytest.fixture
def telling(product: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of the part that alone tells the label; the stage reads such examples."""
    name, places, _ = list(input_of(product).regions(product))[-1]
    shape, labels = product.formulation.input.shape, len(product.formulation.answer.labels)

    def drawn(split: str, _: Any) -> Any:
        random = np.random.default_rng(len(split))
        truth = np.arange(40 * labels) % labels
        whole = shape or (len(product.formulation.input.features),)
        inputs = random.integers(0, 5, (len(truth), int(np.prod(whole))))
        inputs[:, places] += (200 // labels * truth)[:, None]
        typed = inputs.astype(np.uint8 if shape else np.float32)
        return examples.Examples(pl.DataFrame(), typed.reshape(-1, *whole), truth)

    monkeypatch.setattr(ablate, "read", drawn)
    return name


def test_the_part_that_tells_the_label_is_worth_most(
    telling: str, config: Any, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config.model.estimator = {"_target_": "sklearn.tree.DecisionTreeClassifier"}
    ablate.run(config)
    worth = json.loads(ablate.ABLATION.read_text(encoding="utf-8"))["without"]
    first, *others = worth
    assert first == telling
    assert worth[telling]["rise"] - worth[telling]["half"] > 1
    assert max(abs(worth[name]["rise"]) for name in others) < 0.1
    printed = capsys.readouterr().out.splitlines()
    steps, table = printed[: len(worth)], printed[len(worth) + 1 :]
    assert steps[-1].startswith(f"ablate: {len(worth)} of {len(worth)}, without ")
    assert "noise" not in table[0]
    assert all("within the noise" in line for line in table[1:])


def test_a_part_that_misleads_fails_the_check_and_one_that_looks_so_by_chance_does_not(refused: Any) -> None:
    rows = {f"f{i}": {"rise": 0.0, "half": 0.01} for i in range(20)}
    ablate.refuse_misleading(rows | {"chance": {"rise": -0.012, "half": 0.01}})  # 2.4 standard errors, in 21 looks
    with refused("1 of 21 parts of the input mislead the model: wrong"):
        ablate.refuse_misleading(rows | {"wrong": {"rise": -0.02, "half": 0.01}})


@pytest.mark.task("text-classification")
def test_of_texts_what_all_share_is_left_out_and_what_none_has_is_passed_over(
    config: Any, project: Path, product: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The label is the digit of the message; words, of Latin letters alone, are drawn without looking at it."""

    def drawn(split: str, _: Any) -> Any:
        random, labels = np.random.default_rng(len(split)), len(product.formulation.answer.labels)
        truth = np.arange(60 * labels) % labels
        words = random.choice(["parcel", "order", "box", "again"], (len(truth), 3))
        written = [" ".join([*some, str(label)]) for some, label in zip(words.tolist(), truth, strict=True)]
        inputs = input_of(product).matrix(pl.DataFrame({"text": written}), product)
        return examples.Examples(pl.DataFrame(), inputs, truth)

    monkeypatch.setattr(ablate, "read", drawn)
    config.model.estimator = {"_target_": "sklearn.linear_model.LogisticRegression", "C": 100}
    ablate.run(config)
    worth = json.loads(ablate.ABLATION.read_text(encoding="utf-8"))["without"]
    assert next(iter(worth)) == "digits"
    assert worth["digits"]["rise"] - worth["digits"]["half"] > 0.5
    assert abs(worth["latin letters"]["rise"]) < 0.1
    assert not [name for name in worth if name in ("signs", "hangul letters") or name.startswith("all after")]
