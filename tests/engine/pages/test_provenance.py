"""Where a page comes from: what a stage may say, what a command says, and what both leave out."""

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from fullstack_ml.modeling.cards import __main__ as cards
from fullstack_ml.pages import provenance
from fullstack_ml.pages.render import html
from fullstack_ml.workspace.paths import ANALYSIS

TEMPLATE = "{% extends 'base.html.j2' %}{% block title %}A page{% endblock %}{% block body %}{% endblock %}"


@pytest.fixture
def known(finished: Path, git: Callable[..., str]) -> dict[str, Any]:
    """Finish a project, commit it, and say which run kept its artefact."""
    git("init", "--quiet")
    git("add", "--all")
    git("commit", "--quiet", "-m", "Begin")
    facts = {"artefact_sha256": sha256(Path("models/model.onnx").read_bytes()).hexdigest(), "model": "mlp"}
    facts |= {"run_id": "0123456789abcdef", "run_link": "http://127.0.0.1:5000/#/experiments/1/runs/0123456789abcdef"}
    Path("reports/provenance.json").write_text(json.dumps({**facts, "version": "my_product 3"}), encoding="utf-8")
    return facts


def page(folder: Path, **facts: Any) -> str:
    """Render a page of one line."""
    (folder / "page.html.j2").write_text(TEMPLATE, encoding="utf-8")
    return html(folder, "page.html.j2", **facts)


def test_a_page_of_a_command_says_all_of_it_without_being_told(
    known: dict[str, Any], tmp_path: Path, git: Callable[..., str]
) -> None:
    said = page(tmp_path)
    commit = git("rev-parse", "HEAD").strip()[:12]
    for part in (provenance.moment()["date"], f"commit: {commit}", "guide version: 1.", "version: my_product 3"):
        assert part in said
    assert f'<a href="{known["run_link"]}">0123456789ab</a>' in said


def test_what_is_not_committed_is_said(known: dict[str, Any], tmp_path: Path) -> None:
    Path("product.yaml").write_text(Path("product.yaml").read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert "and changes that are not committed" in page(tmp_path)


def test_the_run_of_another_artefact_is_not_said(known: dict[str, Any], tmp_path: Path) -> None:
    Path("models/model.onnx").write_bytes(b"another")
    assert "0123456789ab" not in page(tmp_path)


def test_pages_of_a_stage_say_what_they_were_made_from_and_have_the_same_bytes_on_another_day_and_commit(
    known: dict[str, Any], config: Any, git: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = [*cards.PAGES.values(), ANALYSIS]
    cards.run(config)
    before = [path.read_bytes() for path in pages]
    git("commit", "--quiet", "--allow-empty", "-m", "Another")
    monkeypatch.setattr(provenance, "moment", lambda: {"date": "2031-01-01", "commit": "f" * 40, "uncommitted": True})
    cards.run(config)
    assert [path.read_bytes() for path in pages] == before
    for path, text in zip(pages, before, strict=True):
        assert f"artefact: {known['artefact_sha256'][:12]}" in text.decode(), path
        assert path == ANALYSIS or (text.endswith(b"\n") and not text.endswith(b"\n\n")), path
        assert "../docs/provenance.md" in text.decode() or "](../provenance.md)" in text.decode(), path
