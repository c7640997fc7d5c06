"""A folder of pictures that nobody prepared: what is readable comes in, the rest is named with the reason."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image

from fullstack_ml.data.collect import __main__ as collect

pytestmark = pytest.mark.task("image-classification")

BROKEN = {
    "cut off.png": "unreadable image",
    "text.jpg": "no image; readable are",
    "moving.gif": "it moves",
    "sizes.tif": "no range (floating point)",
    "notes.docx": "not one of .png",
    "empty.png": "empty file",
}


def noise(seed: int, size: int = 12) -> Image.Image:
    """A picture like no other."""
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (size, size), np.uint8))


def fill(folder: Path) -> None:
    """Lay six readable pictures in folders of two labels, and beside them what is none."""
    for i, (label, ending) in enumerate((one, kind) for one in ("가위 & 풀", "b") for kind in ("png", "gif", "webp")):
        place = folder / "2026" / label
        place.mkdir(parents=True, exist_ok=True)
        noise(i).save(place / f"사진 {i}.{ending}")
    buffer = io.BytesIO()
    noise(7, 64).save(buffer, "PNG")
    (place / "cut off.png").write_bytes(buffer.getvalue()[:2000])
    (place / "text.jpg").write_text("no picture")
    noise(8).save(place / "moving.gif", save_all=True, append_images=[noise(9)])
    Image.fromarray(np.ones((4, 4), np.float32)).save(place / "sizes.tif")
    (place / "notes.docx").write_text("x")
    (place / "empty.png").touch()


def test_what_is_readable_comes_in_and_the_rest_is_named(
    project: Path, config: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inbox = tmp_path / "inbox"
    fill(inbox)
    config.source.name, config.source.options = "files", {"path": str(inbox), "licence": "internal", "kind": "scan"}
    collect.run(config)
    stored = pl.read_parquet("data/raw/*.parquet")
    assert len(stored) == 6
    assert set(stored["source_label"]) == {"가위 & 풀", "b"}
    listed = json.loads(Path("data/raw/manifest.json").read_text())["rejected"]
    said = capsys.readouterr().out
    assert "12 read: 6 new, 0 known, 6 rejected" in said
    for name, why in BROKEN.items():
        (reason,) = [entry["reason"] for entry in listed if entry["source"].endswith(f"/{name}")]
        assert why in reason
        assert f"2026/b/{name}: {reason}" in said
    noise(7).save(inbox / "2026/b/cut off.png")
    collect.run(config)
    assert len(pl.read_parquet("data/raw/*.parquet")) == 7, "a file that was mended comes in"
    assert len(json.loads(Path("data/raw/manifest.json").read_text())["rejected"]) == 5
