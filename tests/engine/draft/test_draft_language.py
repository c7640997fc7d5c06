"""What a draft says stands in the language of the project: values, comments beside them, and questions.

Each input is drawn so that the draft has much to explain: columns that are left out, gaps, times, copies, few labels.
"""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml
from PIL import Image

from english import sentences
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.paths import PRODUCT

Draft = Callable[..., Product]
Told = pytest.CaptureFixture[str]
SEAL = "# nobody has changed this file"  # which the engine reads
HANGUL = re.compile("[가-힣]")


def orders(rows: int = 400) -> pl.DataFrame:
    """Draw a table with columns of every type; the state follows from the load, and one column gives it away."""
    random, n = np.random.default_rng(0), np.arange(rows)
    load = random.normal(50, 12, rows).round(1)
    late = (load > 50) ^ (random.random(rows) < 0.1)
    return pl.DataFrame(
        {
            "nr": n,
            "load": [None if i % 50 == 0 else value for i, value in enumerate(load)],
            "size": n % 7,
            "share": (n % 90) / 100,
            "city": np.array(["서울", "부산", "대구"])[n % 3],
            "code": [f"K{i * 7919 % 389}" for i in n],
            "empty": [None] * rows,
            "same": ["a"] * rows,
            "rare": ["x" if i % 40 == 0 else None for i in n],
            "customer id": n % 80,
            "machine no": n % 25,
            "day": [f"2024-{1 + i % 12:02}-{1 + i % 28:02}" for i in n],
            "note": [f"said something of length {i * 7919 % rows} and of many words" for i in n],
            "contact": [f"k{i}@example.com" for i in n],
            "성명": [f"이름{i % 97}" for i in n],
            "refund": np.where(late, 1, 0) + (n % 7) / 1000,
            "sensor": [9999 if i == 7 else value for i, value in enumerate(random.normal(5, 1, rows).round(2))],
            "state": np.where(late, "late", "on time"),
            "days": (load * 3 + random.normal(0, 4, rows)).round(1),
            "reasons": np.array(["late;damaged", "late", "none", "damaged"])[n % 4],
            "fraud": (n % 50 == 0).astype(int),
            "noise": random.choice(["p", "q"], rows),
        }
    )


ANSWERS = ["state", "days", "reasons", "fraud", "noise"]


def draw_table(answer: str, rows: int = 400) -> dict[str, str]:
    """Write the table with one of its answers, and return what a person types."""
    others = [name for name in ANSWERS if name != answer] + (["refund"] if answer == "noise" else [])
    orders(rows).drop(others).write_csv("orders.csv")
    return {"FROM": "orders.csv", "ANSWER": answer}


def draw_pictures() -> dict[str, str]:
    """Write pictures of several sizes and proportions, some of them copies, one broken, and a label of one picture."""
    random = np.random.default_rng(0)
    for label, bright in (("cat", 70), ("dog", 150)):
        Path("inbox", label).mkdir(parents=True)
        for n in range(90):
            shape = (40 + n % 3, 30 + 50 * (n % 4), 3) if n % 2 else (100, 90)
            values = np.clip(random.normal(bright, 30, shape), 0, 255).astype(np.uint8)
            Image.fromarray(values).save(f"inbox/{label}/{n}.png")
    for n in range(4):
        shutil.copy(f"inbox/cat/{n}.png", f"inbox/cat/copy-{n}.png")
    Path("inbox/dog/broken.png").write_text("no picture", encoding="utf-8")
    Path("inbox/rare").mkdir()
    Image.new("L", (90, 100), 7).save("inbox/rare/only.png")
    pl.DataFrame({"when": ["today"]}).write_csv("inbox/another.csv")
    return {"FROM": "inbox"}


def draw_texts() -> dict[str, str]:
    """Write texts of two scripts, one of them empty and one with a telephone number."""
    for n in range(240):
        file = Path("inbox", "late" if n % 2 else "broken", f"{n}.txt")
        file.parent.mkdir(parents=True, exist_ok=True)
        said = ["parcel broke", "배송이 늦어요", "상자가 파손", "it is late"][n % 4]
        file.write_text(f"{said} {n * 7919 % 900}, 010-1234-5678", encoding="utf-8")
    Path("inbox/late/empty.txt").write_text("", encoding="utf-8")
    return {"FROM": "inbox"}


def draw_unlabelled() -> dict[str, str]:
    """Write a table without an answer, as an old program writes it: with a row that is too short."""
    lines = [f"{n};{n % 7},5;{n % 11}" for n in range(60)]
    Path("rows.csv").write_text("\n".join(["count;weight;place", *lines, "1;2", *lines]), encoding="cp949")
    return {"FROM": "rows.csv", "LABELS": "좋음,나쁨"}


def draw_json() -> dict[str, str]:
    """Write few objects, one a line, and a line that is none."""
    lines = [f'{{"weight": {n % 7}.5, "answer": "{"yes" if n % 2 else "no"}"}}' for n in range(12)]
    Path("rows.jsonl").write_text("\n".join([*lines, "no object"]), encoding="utf-8")
    return {"FROM": "rows.jsonl", "ANSWER": "answer"}


INPUTS: dict[str, Callable[[], dict[str, str]]] = {
    **{f"table of {name}": lambda name=name: draw_table(name) for name in ANSWERS},  # type: ignore[misc]
    "few rows": lambda: draw_table("state", 30),
    "few numbers": lambda: draw_table("days", 15),
    "few sets": lambda: draw_table("reasons", 15),
    "pictures": draw_pictures,
    "texts": draw_texts,
    "no labels": draw_unlabelled,
    "json": draw_json,
}


def values(read: Any) -> list[str]:
    """List the texts of a contract, at any depth."""
    if isinstance(read, dict | list):
        inside = read.values() if isinstance(read, dict) else read
        return [text for one in inside for text in values(one)]
    return [read] if isinstance(read, str) else []


def english(page: Path, texts: list[str]) -> list[str]:
    """List the English sentences in texts."""
    page.write_text(" | ".join(texts), encoding="utf-8")
    return sentences(page)


@pytest.mark.task("tabular-classification")
@pytest.mark.parametrize("name", INPUTS)
def test_what_a_draft_says_stands_in_the_language_of_the_project(
    name: str, made: Draft, tmp_path: Path, capsys: Told
) -> None:
    text = PRODUCT.read_text(encoding="utf-8")
    PRODUCT.write_text(text.replace("  language: en", "  language: ko", 1), encoding="utf-8")
    made(**INPUTS[name](), FORCE="1")
    text = PRODUCT.read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith(SEAL)]
    comments = [part for line in lines for part in re.findall(r"(?:^|\s)# (?:draft: )?(.*)", line)]
    assert len(comments) > 30
    assert [comment for comment in comments if not HANGUL.search(comment)] == []
    said = yaml.safe_load(text)
    questions = re.findall(r"(?m)^  \d+\. (.*)", capsys.readouterr().out)
    assert [question for question in questions if not HANGUL.search(question)] == []
    assert english(tmp_path / "said.md", [*comments, *values(said), *questions]) == []
    told = [said["service"][key] for key in ("users", "decision", "why_now")]
    told += [row[key] for row in said["requirements"] for key in ("owner", "reason")]
    assert [one for one in told if not HANGUL.search(one)] == []
