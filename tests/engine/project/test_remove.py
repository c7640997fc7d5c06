"""What parts have in common is edited once for each of them."""

from dataclasses import replace
from pathlib import Path

import pytest

from fullstack_ml.project import remove


def test_a_file_that_two_parts_name_loses_the_lines_of_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Monitoring goes with serving: what was taken out for one has to stay out when the other is."""
    monkeypatch.setitem(
        remove.PARTS, "monitoring", replace(remove.PARTS["monitoring"], settings="MONITOR", job="watch")
    )
    for part in ("serving", "monitoring"):
        (tmp_path / remove.ENGINE / part).mkdir(parents=True)
    (tmp_path / ".env.example").write_text("# One\n#SERVE_PORT=1\n\n# Two\n#MONITOR_MAIL=a\n\n# Three\n#KEPT=1\n")
    workflow = tmp_path / ".github/workflows/main.yml"
    workflow.parent.mkdir(parents=True)
    workflow.write_text("jobs:\n  image:\n    runs-on: a\n  watch:\n    runs-on: b\n  kept:\n    runs-on: c\n")
    (tmp_path / "pyproject.toml").write_text('[dependency-groups]\nkept = [\n    "a",\n]\n')
    remove.remove("serving", tmp_path)
    assert (tmp_path / ".env.example").read_text() == "# Three\n#KEPT=1\n"
    assert workflow.read_text() == "jobs:\n  kept:\n    runs-on: c\n"
