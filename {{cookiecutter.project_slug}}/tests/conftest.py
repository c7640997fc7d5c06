"""The product as it stands: its contract, its model and the records that no training saw."""

import json
from pathlib import Path
from typing import Any

import pytest

from fullstack_ml.product import contract

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def product() -> Any:
    """What product.yaml says."""
    return contract.load(ROOT / "product.yaml")
