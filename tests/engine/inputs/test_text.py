"""A message of people, from a table or from files: page, pipeline and server read it alike."""

import json
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from omegaconf import DictConfig, OmegaConf
from pydantic import SecretStr
from starlette.testclient import TestClient

from chromium import Page, beside
from fullstack_ml.artefact.graph import features_of
from fullstack_ml.data.collect.sources import chats, files
from fullstack_ml.data.validate import checks
from fullstack_ml.edge import build
from fullstack_ml.inputs import letters, omissions, text
from fullstack_ml.product import contract
from fullstack_ml.product.formulation import Input
from fullstack_ml.product.types import Product
from fullstack_ml.serving import app, settings
from laid import requirement

Refused = Callable[..., AbstractContextManager[None]]
Own = tuple[Path, DictConfig]
pytestmark = pytest.mark.task("tabular-classification")
TEXTS = [
    "Where is it?!",
    "배송이 늦어요 🚚🚚",
    "ÉTÉ\u3000ﬁn",
    " a \t b\n",
    "İstanbul ΣΊΣΥΦΟΣ ①㎏",
    "👩‍👩‍👧 zwj",
    "x" * 60,
]
WORDS = {"late": ["late", "delayed", "배송", "늦어요"], "broken": ["broken", "damaged", "파손", "깨졌어요"]}
FILLERS = ["parcel", "order", "the", "my", "box", "today", "제", "주문", "상자", "오늘", "정말", "again"]
OTHERS = ["invoice", "password", "영수증", "비밀번호", "login", "환불"]


@pytest.fixture
def asked(product: Product) -> Product:
    """A contract of texts of up to 40 characters."""
    given = Input.model_validate({"name": "note", "type": "text", "meaning": "a note", "length": 40, "buckets": 256})
    return product.model_copy(update={"formulation": product.formulation.model_copy(update={"input": given})})


def by_hand(said: str, length: int, buckets: int) -> np.ndarray:
    """Weigh the runs of letters without a graph."""
    padded, counts = f" {letters.plain(said)[:length]} ", Counter[int]()
    for size in range(1, letters.LONGEST + 1):
        for run in (padded[i : i + size] for i in range(len(padded) - size + 1)):
            rest = 0
            for letter in run:
                rest = (rest * letters.BASE + ord(letter)) % letters.PRIME
            counts[(rest + size * letters.STEP) * letters.SPREAD % letters.PRIME % buckets] += 1
    weights = np.array([np.log1p(counts[bucket]) for bucket in range(buckets)])
    return weights / np.linalg.norm(weights)


def test_the_graph_weighs_runs_of_letters_as_one_would_by_hand(asked: Product) -> None:
    rows = text.matrix(pl.DataFrame({"text": TEXTS}), asked)
    expected = [by_hand(said, 40, 256) for said in TEXTS]
    assert features_of(rows, asked) == pytest.approx(np.stack(expected), abs=1e-6)
    assert not features_of(text.matrix(pl.DataFrame({"text": ["", None, " "]}), asked), asked).any()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """An empty page beside the module of the real one."""
    with beside(tmp_path_factory.mktemp("page"), [build.PAGE / name for name in ("letters.js", "words.js")]) as opened:
        yield opened


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_the_page_reads_a_text_as_the_pipeline_does(page: Page, asked: Product, form: Any) -> None:
    typed = [unicodedata.normalize(form, said) for said in TEXTS]
    script = 'const { encode } = await import("./letters.js"); return typed.map((one) => [...encode(one, 40)]);'
    stored = text.matrix(pl.DataFrame({"text": TEXTS}), asked)
    assert page.run(script, typed=typed) == stored.tolist()
    given = text.record_type(asked)
    inputs, names, _ = text.decoder(asked)([given.model_validate({"text": one}) for one in typed[:-1]], 0.0)
    assert inputs.tolist() == stored[:-1].tolist()
    assert names == text.content_id(pl.DataFrame({"text": TEXTS[:-1]}), asked).to_list()


def test_what_is_empty_or_too_long_is_said_by_page_and_pipeline(page: Page, asked: Product) -> None:
    wrong = ["", " \n\u200a", "가" * 41, "가" * 1_000_000]
    rows = pl.DataFrame({"id": ["a", "b", "c", "d", "e", "f"], "text": [*wrong, None, "가" * 40]})
    said = dict(text.faults(rows, asked))
    assert list(said) == ["a", "b", "c", "d", "e"]
    assert "41 characters" in said["c"]
    assert all(page.run('return (await import("./letters.js")).fault(one, 40);', one=one) for one in wrong)
    apart = unicodedata.normalize("NFD", "가" * 40)  # 80 code points, which a person counts as 40 letters
    assert page.run('return (await import("./letters.js")).fault(one, 40);', one=apart) == ""
    assert text.record_type(asked).model_validate({"text": apart})


def test_the_words_of_a_text_are_its_parts(asked: Product) -> None:
    (row,) = text.matrix(pl.DataFrame({"text": ["It's late 배송이"]}), asked)
    assert [name for name, *_ in text.regions(asked, row)] == ["it's", "late", "배송이"]
    (unspaced,) = text.matrix(pl.DataFrame({"text": ["あ" * 30]}), asked)
    assert "".join(name for name, *_ in text.regions(asked, unspaced)) == "あ" * 30
    assert all(len(name) <= 12 for name, *_ in text.regions(asked, unspaced))


def left_out(product: Product, said: str, alone: bool = False) -> dict[str, str]:
    """What is left of a text without each part, by the part's name."""
    rows = text.matrix(pl.DataFrame({"text": [said]}), product)
    parts = text.omissions(product, rows[0] if alone else None)
    return {name: letters.as_text(leave(rows)[0]).strip() for name, leave in parts}


def test_what_texts_share_can_be_left_out(asked: Product) -> None:
    said = left_out(asked, "B3 배송이 a, のです_7!")
    assert said["digits"] == "b 배송이 a, のです_ !"
    assert said["signs"] == "b3 배송이 a のです 7"
    assert said["hangul letters"] == "b3 a, のです_7!"
    assert said["latin letters"] == "3 배송이 , のです_7!"
    assert said["letters of other scripts"] == "b3 배송이 a, _7!"
    assert said["endings of words"] == "b 배송 a のです"
    assert said["beginnings of words"] == "3 이 , _7!"
    assert said["order of words"] == "a, b3 のです_7! 배송이"
    assert said["all after letter 5"] == "b3 배송"


def test_the_words_of_a_text_can_be_left_out_one_by_one_and_of_many_some_together(asked: Product) -> None:
    assert left_out(asked, "It's late 배송이", alone=True) == {
        "it's": "late 배송이",
        "late": "it's 배송이",
        "배송이": "it's late",
    }
    long = asked.formulation.input.model_copy(update={"length": 400})
    wide = asked.model_copy(update={"formulation": asked.formulation.model_copy(update={"input": long})})
    written = " ".join(f"w{i}" for i in range(80))
    parts = left_out(wide, written, alone=True)
    assert len(parts) == omissions.MOST
    assert " ".join(parts) == written
    assert all(name not in f"{left} " for name, left in parts.items())


def test_the_page_leaves_out_what_the_server_leaves_out(page: Page, asked: Product) -> None:
    typed = [*TEXTS[:6], "あ" * 30, " ".join("abcdefghijklmnopqrst"), "x" * 39 + " cut off"]
    script = (
        'const { encodeAll, omissions } = await import("./words.js");'
        "return typed.map((one) => omissions(one, 40)).map((parts) =>"
        " [parts.map(([name]) => name), [...encodeAll(parts.map(([, rest]) => rest), 40)]]);"
    )
    rows = text.matrix(pl.DataFrame({"text": typed}), asked)
    parts = [list(text.omissions(asked, row)) for row in rows]
    left = [np.concatenate([leave(row[None])[0] for _, leave in some]) for row, some in zip(rows, parts, strict=True)]
    names = [[name for name, _ in some] for some in parts]
    assert page.run(script, typed=typed) == [[n, one.tolist()] for n, one in zip(names, left, strict=True)]


def test_slices_know_the_length_and_the_script(asked: Product) -> None:
    described = text.describe(pl.DataFrame({"text": ["안녕 hi", "abc", "12!"]}), asked)
    assert described["length"].to_list() == [5, 3, 3]
    assert described["hangul"].to_list() == [0.5, 0, None]
    assert described["latin"].to_list() == [0.5, 1, None]


def test_a_text_is_shown_as_text(asked: Product) -> None:
    assert "<b>" not in text.html({"text": "<b>bold</b>"}, asked)
    assert "&lt;b&gt;bold" in text.fields({"text": "<b>bold</b>"}, asked)["text"]


def test_a_folder_of_text_files_holds_a_record_in_each(asked: Product, tmp_path: Path) -> None:
    for name, payload in {
        "late/1.txt": "늦어요".encode("cp949"),
        "late/2.txt": b"\xef\xbb\xbflate\n",
        "broken/1.txt": b"broken\n\nbox",
        "broken/2.txt": b"\x00\x01",
        "broken/3.txt": b"",
        "broken/notes.md": b"# no record",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(payload)
    (frame,) = files.read(asked, str(tmp_path), licence=asked.data.licences[0])
    kept = frame.filter(pl.col("rejected").is_null()).sort("text")
    assert kept.select("text", "source_label").rows() == [
        ("broken\n\nbox", "broken"),
        ("late", "late"),
        ("늦어요", "late"),
    ]
    assert sorted(frame["rejected"].drop_nulls().str.slice(0, 7)) == ["empty f", "it hold", "not one"]


def test_the_sample_is_real_text_of_known_origin_in_two_languages(asked: Product) -> None:
    (found,) = chats.read(asked)
    assert set(found["source_label"].drop_nulls()) == set(chats.LABELS)
    known, out = found.filter(pl.col("source_label").is_not_null()), found.filter(pl.col("source_label").is_null())
    assert set(out["kind"]) == set(asked.data.out_of_scope)
    for part in (known, out):
        shares = text.describe(part, asked)
        assert shares.filter(pl.col("hangul") > 0.5).height > 40
        assert shares.filter(pl.col("latin") > 0.5).height > 40
    assert found["text"].is_unique().all()
    assert found["licence"].unique().to_list() == ["BSD-3-Clause"]
    assert found.filter(pl.col("text") == "do you drink")["group"].to_list() == ["english/food 0"]


def draw_notes(count: int = 1200) -> pl.DataFrame:
    """Draw notes in which one word decides; one in ten is labelled as of a kind out of scope."""
    random, rows = np.random.default_rng(0), []
    for i in range(count):
        label = "stranger" if i % 10 == 0 else random.choice(list(WORDS))
        words = [*random.choice(FILLERS, random.integers(1, 5)), random.choice(WORDS.get(label, OTHERS))]
        rows.append((" ".join(random.permutation(words)), label))
    return pl.DataFrame(rows, schema=["what they wrote", "label"], orient="row")


def ask_for_notes(written: dict[str, Any]) -> None:
    """Ask what is wrong; of strangers nothing is known."""
    note = {"name": "note", "type": "text", "length": 80, "column": "what they wrote", "meaning": "a note"}
    written["formulation"]["input"] = note
    written["formulation"]["answer"]["labels"] = [{"name": name, "definition": name} for name in sorted(WORDS)]
    written["requirements"] = [
        requirement("R1", "accuracy", 0.95),
        requirement("R2", "unknown_detected", 0.5),
        requirement("R3", "unknown_false_alarms", 0.4, operator="<="),
    ]
    written["data"]["kinds"] = [
        {"name": "note", "wanted": 0, "scope": "in", "note": "n"},
        {"name": "stranger", "wanted": 0, "scope": "out", "note": "n"},
    ]
    written["data"]["slices"] = [{"id": "korean", "column": "hangul", "at_least": 0.5, "reason": "r"}]


def test_unknown_messages_are_kept_never_learned_and_judged(
    lay_own: Callable[..., Own], stages: Callable[..., None]
) -> None:
    drawn = draw_notes()
    own, chosen = lay_own(ask_for_notes, drawn)
    chosen.source.options.kind = "note"
    chosen.model = OmegaConf.load(own / "conf/model/ngrams.yaml")
    stages(chosen, own)
    strange = drawn.filter(label="stranger")["what they wrote"]
    learned = pl.concat([pl.read_parquet(path, columns=["text"]) for path in Path("data/splits").glob("*.parquet")])
    assert not set(learned["text"]) & set(strange)
    assert set(pl.read_parquet("data/out_of_scope.parquet")["text"]) == set(strange)
    evaluation = json.loads(Path("reports/evaluation.json").read_text(encoding="utf-8"))
    found = evaluation["metrics"]
    silent = sum(count for word, count in evaluation["unknown"].items() if word != "accept")
    assert found["unknown_detected"] == silent / sum(evaluation["unknown"].values())
    low, high = evaluation["intervals"]["unknown_detected"]
    assert low < found["unknown_detected"] <= high + 1e-9
    assert found["unknown_false_alarms"] == pytest.approx(1 - found["answered_share"])
    verdicts = json.loads(Path("reports/acceptance.json").read_text(encoding="utf-8"))
    assert verdicts["accepted"], verdicts["failed"]
    served = settings.Settings(model="models/model.onnx", database_url=SecretStr("sqlite:///predictions.db"))
    with TestClient(app.create_app(served), "http://localhost") as client:
        asked = ["My parcel is LATE", unicodedata.normalize("NFD", "제 상자 파손"), "🎈🎈🎈 ☃☃ ʘʘʘ"]
        answer = client.post("/v1/predict", json={"records": [{"text": one} for one in asked]})
        assert answer.status_code == 200, answer.text
        said = answer.json()["predictions"]
        assert [max(one["scores"], key=one["scores"].get) for one in said[:2]] == ["late", "broken"]
        assert said[2]["decision"] == "abstain", "it has no run of letters that the model knows"
        assert "moved_by" not in said[0]
        for wrong in ("", " \n", "x" * 81, "x" * 1_000_000, 7, None):
            refused = client.post("/v1/predict", json={"records": [{"text": wrong}]})
            assert refused.status_code == 422
            assert "text" in refused.text


COUNTS = {"type": "number", "labels": [], "options": {"low": 0, "high": 20, "tolerance": 2, "widest": 12}}
SETS = {"type": "labels", "labels": [{"name": name, "definition": name} for name in sorted(WORDS)], "options": {}}


@pytest.mark.parametrize(
    ("answer", "model", "calibration", "told"),
    [
        (SETS, "ngrams", "platt", {"late": "late", "broken": "broken"}),
        (COUNTS, "linear", "split", {"late": "3", "broken": "15"}),
    ],
    ids=["labels", "number"],
)
def test_unknown_records_are_judged_whatever_is_answered(
    lay_own: Callable[..., Own], stages: Callable[..., None], answer: Any, model: str, calibration: str, told: Any
) -> None:
    """Half of the strangers are of words and signs that no known note has; of these the model must stay silent."""

    def change(written: dict[str, Any]) -> None:
        ask_for_notes(written)
        written["formulation"]["answer"] = answer
        unknown = {"R1": ("unknown_detected", 0.5, ">="), "R2": ("unknown_false_alarms", 0.9, "<=")}
        written["requirements"] = [requirement(i, name, x, operator=sign) for i, (name, x, sign) in unknown.items()]
        written["release"]["better_on"] = "unknown_detected"

    drawn = draw_notes(900)
    strange = pl.when(pl.col("label") == "stranger")
    odd = pl.lit("☃ʘ♞") + pl.int_range(pl.len()).cast(pl.String) + pl.lit("✂☂⌘ ⚑ ⚐")
    drawn = drawn.with_columns(
        pl.col("label").replace(told), **{"what they wrote": strange.then(odd).otherwise("what they wrote")}
    )
    own, chosen = lay_own(change, drawn)
    chosen.source.options.kind = "note"
    chosen.model = OmegaConf.load(own / f"conf/model/{model}.yaml")
    chosen.export.calibration = calibration
    stages(chosen, own)
    assert pl.read_parquet("data/out_of_scope.parquet").height == 90
    assert not pl.read_parquet("data/labelled.parquet").filter(pl.col("label") == "stranger").height
    evaluation = json.loads(Path("reports/evaluation.json").read_text(encoding="utf-8"))
    found, unknown = evaluation["metrics"], evaluation["unknown"]
    assert sum(unknown.values()) == 90
    assert found["unknown_detected"] == 1 - unknown.get("accept", 0) / 90
    low, high = evaluation["intervals"]["unknown_detected"]
    assert 0 <= low < found["unknown_detected"] <= high + 1e-9
    assert found["unknown_false_alarms"] == pytest.approx(1 - found["answered_share"])
    verdicts = json.loads(Path("reports/acceptance.json").read_text(encoding="utf-8"))
    assert verdicts["accepted"], verdicts["failed"]
    check_what_moved()


def check_what_moved() -> None:
    """Ask the served model for what moved its answers, and for the same messages without a word."""
    served = settings.Settings(model="models/model.onnx", database_url=SecretStr("sqlite:///predictions.db"))
    with TestClient(app.create_app(served), "http://localhost") as client:

        def ask(texts: list[str], query: str = "") -> Any:
            return client.post(f"/v1/predict{query}", json={"records": [{"text": one} for one in texts]})

        told = ask(["My parcel is LATE", "", "제 상자 파손"], "?explain=true").json()["predictions"]
        assert list(told[1]) == ["errors"], "a record that is refused keeps its place"
        for entry, key, rest in ((told[0], "late", "my parcel is"), (told[2], "파손", "제 상자")):
            moved = entry["moved_by"]
            assert moved["value"] == pytest.approx(entry["scores"][moved["of"]], abs=1e-6)
            assert moved["parts"][0]["part"] == key, "one word of each decides"
            without = ask([rest]).json()["predictions"][0]["scores"][moved["of"]]
            assert moved["parts"][0]["effect"] == pytest.approx(moved["value"] - without, abs=1e-4)
            assert abs(moved["parts"][0]["effect"]) > 0.05
        assert "moved_by" not in ask(["late"]).json()["predictions"][0]
        many = ask(["late"] * 17, "?explain=true")
        assert (many.status_code, "up to 16" in many.text) == (413, True)


def test_a_text_with_a_shape_is_refused(lay_own: Callable[..., Own], refused: Refused) -> None:
    def change(written: dict[str, Any]) -> None:
        ask_for_notes(written)
        written["formulation"]["input"]["shape"] = [8, 8]

    own, _ = lay_own(change, draw_notes(10))
    with refused("a text has neither shape nor features", "product.yaml"):
        contract.load(own / "product.yaml")


def test_an_empty_message_of_a_table_is_a_violation(asked: Product) -> None:
    row = {"id": "a", "text": None, "kind": asked.data.kinds[0].name, "licence": asked.data.licences[0], "source": "s"}
    frame = pl.DataFrame(
        [row | {"source_label": None}], schema_overrides={"text": pl.String, "source_label": pl.String}
    )
    assert [rule for rule, *_ in checks.violations(frame, frame, asked)] == ["payload"]
