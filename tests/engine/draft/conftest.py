"""What the tests of ``make draft`` share: a run of the command with what a person types."""

from collections.abc import Callable
from pathlib import Path

import pytest

from fullstack_ml.draft import __main__ as draft
from fullstack_ml.product.contract import load
from fullstack_ml.product.types import Product


@pytest.fixture(name="made")
def run_draft(project: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Product]:
    """Return a run of the command with what a person types, which gives the contract that it wrote."""

    def run(**typed: str) -> Product:
        for name in ("FROM", "ANSWER", "LABELS", "QUERY", "FORCE"):
            monkeypatch.setenv(name, typed.get(name, ""))
        draft.main()
        return load()

    return run
