"""The version of the annotation guide."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from fullstack_ml.product import guide

Refused = Callable[..., AbstractContextManager[None]]


def write(text: str) -> None:
    """Put ``text`` in the place of the guide."""
    Path("docs/2-data/annotation-guide.md").write_text(text, encoding="utf-8")


def test_the_guide_of_this_project_states_its_version(project: Path) -> None:
    assert guide.guide_version().replace(".", "").isdecimal()


@pytest.mark.parametrize(
    "text",
    [
        '---\nversion: "2.10"\n---\n# Guide\n',
        "---\nversion: 2.10\n---\n",
        "---\ntitle: Guide\nversion: '2.10'\nauthor: Ana\n---\ntext\n",
        '---\nversion: "2.10"\n---\n\n---\nversion: "9.9"\n---\n',
    ],
    ids=["double-quotes", "bare", "among-other-keys", "first-of-two"],
)
def test_the_version_is_that_of_the_front_matter(text: str, project: Path) -> None:
    write(text)
    assert guide.guide_version() == "2.10"


@pytest.mark.parametrize(
    "text",
    ["", "# Guide\nversion: 1.0\n", "---\ntitle: Guide\n---\nversion: 1.0\n", "---\nversion: soon\n---\n"],
    ids=["empty", "in-the-text", "below-the-front-matter", "no-number"],
)
def test_a_guide_without_a_version_is_refused(text: str, project: Path, refused: Refused) -> None:
    write(text)
    with refused("no version", "annotation-guide.md", "version: 1.0"):
        guide.guide_version()


def test_a_missing_guide_is_refused(project: Path, refused: Refused) -> None:
    Path("docs/2-data/annotation-guide.md").unlink()
    with refused("no version", "annotation-guide.md"):
        guide.guide_version()
