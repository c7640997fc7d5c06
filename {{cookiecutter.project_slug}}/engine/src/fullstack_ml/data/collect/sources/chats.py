"""Source ``chats``: about 2,800 messages to a chat robot, in Korean and English, by subject.

ChatterBot Language Training Corpus, G. Cox and contributors, https://github.com/gunthercox/chatterbot-corpus, BSD
3-Clause. The package chatterbot-corpus holds it, an extra of the engine.
"""

import unicodedata
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import polars as pl
import yaml

from fullstack_ml.data.collect.sources.terms import kind_of
from fullstack_ml.product.types import Product
from fullstack_ml.workspace.errors import UserError

LANGUAGES = ("english", "korean")
# The label of a message by the file in which it stands. Of what has none a product that answers these knows nothing.
LABELS = {
    "feelings": ("emotion", "psychology"),
    "knowledge": ("history", "literature", "money", "movies", "politics", "science", "sports", "trivia"),
    "talk": ("ai", "botprofile", "conversations", "gossip", "greetings", "humor"),
}
OTHERS = ("computers", "food", "health")
SUBJECTS = {subject: label for label, subjects in LABELS.items() for subject in subjects}


def read(product: Product) -> Iterator[pl.DataFrame]:
    """Yield the whole data set as one batch, every text once; texts longer than product.yaml allows are left out.

    Raises:
        UserError: if the package is not installed.
    """
    package = find_spec("chatterbot_corpus")
    if package is None or package.origin is None:
        fix = "uv add 'chatterbot-corpus>=1.3.3,<2', or choose another source in conf/config.yaml"
        raise UserError("the package chatterbot-corpus is not installed", "conf/source/sample.yaml", fix)
    data, out = Path(package.origin).with_name("data"), [k.name for k in product.data.kinds if k.scope == "out"]
    rows, seen, length = [], set(), product.formulation.input.length
    for place in (f"{language}/{subject}" for language in LANGUAGES for subject in (*SUBJECTS, *OTHERS)):
        label = SUBJECTS.get(place.partition("/")[2])
        kind = kind_of(product, None) if label else next(iter(out), None)
        for group, text in messages(data / f"{place}.yml") if kind else ():
            if text.lower() not in seen and len(text) <= length:
                seen.add(text.lower())
                rows.append((text, label, kind, f"{place} {group}"))
    names = ("text", "source_label", "kind", "group")
    frame = pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")
    yield frame.with_columns(source=pl.lit("chatterbot-corpus"), licence=pl.lit("BSD-3-Clause"))


def messages(file: Path) -> Iterator[tuple[int, str]]:
    """Yield every message of a file, and the number of what its conversation begins with: answers to that go along."""
    begun: dict[str, int] = {}
    for conversation in yaml.safe_load(file.read_text(encoding="utf-8"))["conversations"] if file.exists() else ():
        said = conversation if isinstance(conversation, list) else [conversation]
        group = begun.setdefault(str(said[0]), len(begun))
        for one in said:
            if text := unicodedata.normalize("NFC", str(one)).strip():
                yield group, text
