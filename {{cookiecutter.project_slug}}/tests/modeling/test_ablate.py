"""What a part of the input is worth, on examples where one part says everything and the rest nothing."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from {{cookiecutter.__package}}.files import read_json
from {{cookiecutter.__package}}.modeling import ablate, examples
from {{cookiecutter.__package}}.product import Product


@pytest.fixture
def telling(product: Product, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of the part that alone tells the label; the stage reads such examples."""
    name, places = list(ablate.parts(product))[-1]
    shape, labels = product.formulation.input.shape, len(product.formulation.labels)

    def drawn(split: str, _: Product) -> Any:
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
    worth = read_json(ablate.ABLATION)["without"]
    first, *others = worth
    assert first == telling
    assert worth[telling] > 1
    assert max(worth[name] for name in others) < 0.1
    printed = capsys.readouterr().out.splitlines()
    assert [line.split()[-1] == "beneficial" for line in printed[1:]] == [rise <= 0 for rise in worth.values()]
