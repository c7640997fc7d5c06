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


@pytest.mark.parametrize(
    ("key", "what"),
    [
        ("hunter2", "fewer than 16 characters"),
        (" " * 20, "fewer than 16 characters, of which 6 differ"),
        ("hunterhunter2 hunter", "a blank"),
        ("hunterhunterhünter", "fewer than 16 characters, of which 6 differ, in plain ASCII"),
    ],
)
def test_a_key_that_is_easily_guessed_or_cannot_be_sent_is_refused(
    key: str, what: str, project: Any, monkeypatch: pytest.MonkeyPatch, refused: Any
) -> None:
    monkeypatch.setenv("SERVE_API_KEY", key)
    with refused(f"SERVE_API_KEY has {what}", "the environment or .env"):
        settings.read()
