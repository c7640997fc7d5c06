"""A setting that is wrong is named as it stands in the environment, and a secret is never printed."""

from typing import Any

import pytest

from fullstack_ml.serving import settings


@pytest.mark.parametrize(
    ("variable", "value", "what"),
    [
        ("SERVE_PORT", "80000", "SERVE_PORT is '80000': Input should be less than or equal to 65535"),
        ("SERVE_ROLLOUT", "half", "SERVE_ROLLOUT is 'half': "),
    ],
)
def test_a_setting_that_is_wrong_is_named(
    variable: str, value: str, what: str, project: Any, monkeypatch: pytest.MonkeyPatch, refused: Any
) -> None:
    monkeypatch.setenv(variable, value)
    with refused(what, "the environment or .env"):
        settings.read()


def test_a_key_that_is_too_short_is_not_printed(project: Any, monkeypatch: pytest.MonkeyPatch, refused: Any) -> None:
    monkeypatch.setenv("SERVE_API_KEY", "hunter2")
    with refused("SERVE_API_KEY has fewer than 16 characters", "the environment or .env"):
        settings.read()
