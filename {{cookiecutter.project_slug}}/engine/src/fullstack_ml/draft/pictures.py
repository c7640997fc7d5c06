"""Look at a folder of pictures: their size, colour and labels.

Reads the pictures; writes nothing.
"""

import io
from collections import Counter
from dataclasses import dataclass
from hashlib import sha256
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import polars as pl
from PIL import ExifTags, Image

from fullstack_ml.data.collect.sources.files import files_below, names_below
from fullstack_ml.draft.beside import labels_beside
from fullstack_ml.draft.numbers import least_of
from fullstack_ml.draft.seen import Seen, Wish, label_rows, tell_labels
from fullstack_ml.draft.several import by_name, sets_in, take_several
from fullstack_ml.inputs.canvas import FORMATS, flattened
from fullstack_ml.inputs.image import FILES
from fullstack_ml.pages.words import words
from fullstack_ml.workspace.errors import UserError

LONGEST = 64  # pixels of the model's input: more would make a first model slow
SAMPLE, BYTES = 3_000, 150 * 2**20  # pictures that are read, and bytes
COLOURFUL = 12  # mean difference of the channels, of 255, from which on a picture has colour
SPLITS = {"train", "training", "test", "testing", "val", "valid", "validation", "dev"}


@dataclass(frozen=True)
class Looked:
    """``size`` is (height, width) as stored, ``colour`` the mean difference of the channels, ``ink`` the darkness."""

    size: tuple[int, int]
    colour: float
    ink: float


def look(system: Any, folder: str, wish: Wish, options: dict[str, Any], notes: list[str]) -> Seen:
    """Turn a folder into the facts of a contract.

    Raises:
        UserError: if it holds no picture that can be read, or pictures of one label only.
    """
    files, copies = distinct(system, listed(system, folder))
    if not files:
        raise UserError(f"{wish.place} holds no picture", "FROM", f"give a folder of {', '.join(FILES)}")
    labels, table = ({}, None) if wish.labels else labels_beside(system, folder, wish.place, files, notes)
    place: dict[str, Any] = {"label_folder": None, "labels": table}
    if not labels:
        labels, place = labels_of(files, folder, wish)
    answers = sets_in(Counter(labels.values()))
    counts = by_name(answers) or dict(sorted(Counter(labels.values()).items()))
    if len(counts) == 1:
        raise UserError(f"{wish.place} holds pictures of one label only: {next(iter(counts))!r}", "FROM", "add another")
    records, looked, broken = read_sample(system, files, labels)
    if not looked:
        raise UserError(f"no picture of {wish.place} can be read: {broken[0]}", "FROM", "mend the files")
    if copies:
        notes.append(words("%(copies)s more are copies: stage collect keeps the first of a picture", copies=copies))
    if broken:
        text = "%(broken)s of %(pictures)s pictures cannot be read, such as %(picture)s"
        notes.append(words(text, broken=len(broken), pictures=len(looked) + len(broken), picture=broken[0]))
    seen = Seen("files", options, {}, counts, records, notes=notes)
    tell_labels(seen, "pictures", place)
    seen.slices = slices_of(looked, len(files))
    seen.facts = facts_of(looked, counts, len(files), wish)
    seen.questions = [words("what the pictures show, and what makes a picture one of each label")]
    take_several(seen, answers)
    text = "do several pictures show the same thing or person? Then set group in conf/source/files.yaml"
    seen.questions.append(words(text))
    return seen


def facts_of(looked: list[Looked], counts: dict[str, int], pictures: int, wish: Wish) -> dict[str, Any]:
    """Return the facts of the contract."""
    shape, reason = shape_of(looked)
    facts: dict[str, Any] = {
        "input": {
            "name": "image",
            "type": "image",
            "meaning": words("one picture"),
            "shape": shape,
            "shape_reason": reason,
            "features": [],
        }
        | fit_of(looked),
        "labels": label_rows(counts, wish.labels),
        "ignored": [],
        "kind": {"name": "picture", "wanted": pictures, "scope": "in", "note": words("one picture")},
        "group": {
            "text": words("none is known"),
            "reason": words("say what must stay in one split: a person, a device, a film"),
        },
        "row_key": None,
        "times": [],
        "privacy": "internal",
        "privacy_reason": words("do the pictures show persons, names or addresses? Then it is personal"),
    }
    return facts


def listed(system: Any, folder: str) -> dict[str, int]:
    """Return the paths of all pictures with their bytes, at any depth, hidden ones left out."""
    return {path: size for path, size in files_below(system, folder).items() if path.lower().endswith(FILES)}


def distinct(system: Any, files: dict[str, int]) -> tuple[list[str], int]:
    """Return the first file of each content, as stage collect keeps it, and how many others there are."""
    sizes, seen, kept = Counter(files.values()), set(), []
    for file, size in files.items():
        if sizes[size] > 1:  # only such can be equal
            content = sha256(system.cat_file(file)).digest()
            if content in seen:
                continue
            seen.add(content)
        kept.append(file)
    return kept, len(files) - len(kept)


def labels_of(files: list[str], folder: str, wish: Wish) -> tuple[dict[str, str], dict[str, Any]]:
    """Return the label of every picture by its folder, and what the source must be told; nothing where all lie flat."""
    parents = {file: tuple(names_below(file, folder)[:-1]) for file in files}
    if wish.labels or not any(parents.values()):
        return {}, {"label_folder": None}
    nested = {file: names for file, names in parents.items() if names}
    first, last = ({file: names[end] for file, names in nested.items()} for end in (0, -1))
    leaves = len(set(nested.values()))
    outer = {name.lower() for name in first.values()}
    repeated = len(set(last.values())) < leaves  # a/cat and b/cat
    mixed = any(len(names) == 1 for names in nested.values()) and len(set(first.values())) > 1
    # Pictures that lie in a folder beside its sub-folders: the sub-folders sort the pictures of that label.
    inner = outer <= SPLITS or len(set(first.values())) < 2 or (repeated and not mixed)
    return last if inner else first, {"label_folder": "last" if inner else "first"}


def read_sample(system: Any, files: list[str], labels: dict[str, str]) -> tuple[pl.DataFrame, list[Looked], list[str]]:
    """Return sampled pictures with their labels, what was seen of each, and the names of broken ones."""
    drawn = [files[i] for i in np.random.default_rng(0).permutation(len(files))[:SAMPLE]]
    payloads, named, looked, broken, held = [], [], [], [], 0
    for file in drawn:
        payload = system.cat_file(file)
        try:
            looked.append(look_at(payload))
        except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError):
            broken.append(PurePosixPath(file).name)
            continue
        payloads.append(payload)
        named.append(labels.get(file))
        held += len(payload)
        if held > BYTES:
            break
    frame = pl.DataFrame({"payload": payloads, "label": named}, schema={"payload": pl.Binary, "label": pl.String})
    return frame.filter(pl.col("label").is_not_null()), looked, broken


def look_at(payload: bytes) -> Looked:
    """Measure one picture on a thumbnail of it."""
    with Image.open(io.BytesIO(payload), formats=tuple(FORMATS)) as image:
        lies = image.getexif().get(ExifTags.Base.Orientation, 1) >= 5  # a quarter turn
        size = (image.width, image.height) if lies else (image.height, image.width)
        image.draft("RGB", (128, 128))
        seen = flattened(image, "RGB", 255)
    seen.thumbnail((64, 64))
    values = np.asarray(seen, dtype=np.float64)
    colour = np.ptp(values, axis=2).mean()
    return Looked(size, float(colour), 1 - float(values.mean()) / 255)


def shape_of(looked: list[Looked]) -> tuple[list[int], str]:
    """Return the shape of the model's input: the usual size, or the median, at most ``LONGEST`` pixels, and why."""
    sizes = Counter(one.size for one in looked)
    (height, width), most = sizes.most_common(1)[0]
    text = "all pictures are %(height)s x %(width)s"
    if most < len(looked):
        text = "%(most)s of %(pictures)s pictures are %(height)s x %(width)s"
    if most < 0.6 * len(looked):
        height, width = (int(np.median([one.size[axis] for one in looked])) for axis in (0, 1))
        text = "pictures are of %(sizes)s sizes, %(height)s x %(width)s in the middle"
    seen = words(text, most=most, pictures=len(looked), sizes=len(sizes), height=height, width=width)
    if max(height, width) > LONGEST:
        factor = LONGEST / max(height, width)
        height, width = max(8, round(height * factor)), max(8, round(width * factor))
        seen += words("; reduced to %(pixels)s for a first model", pixels=LONGEST)
    seen += words("; %(coloured)s of %(pictures)s have colour", coloured=coloured(looked), pictures=len(looked))
    return [height, width, *channels(looked)], seen


def fit_of(looked: list[Looked]) -> dict[str, Any]:
    """Return bars around the picture where proportions differ much, and nothing where they hardly do."""
    low, high = (np.quantile([one.size[1] / one.size[0] for one in looked], share) for share in (0.05, 0.95))
    if high / low < 1.3:
        return {"fit": None}
    text = "width by height is from %(low)s to %(high)s: bars around a picture, or it would be squashed"
    return {"fit": "letterbox", "fit_reason": words(text, low=f"{low:.2g}", high=f"{high:.2g}")}


def coloured(looked: list[Looked]) -> int:
    """Count the pictures that are not grey."""
    return sum(one.colour >= COLOURFUL for one in looked)


def channels(looked: list[Looked]) -> list[int]:
    """Return three channels where a tenth of the pictures has colour."""
    return [3] if coloured(looked) >= 0.1 * len(looked) else []


def slices_of(looked: list[Looked], pictures: int) -> list[dict[str, Any]]:
    """Return thirds by darkness."""
    low, high = (float(f"{np.quantile([one.ink for one in looked], share):.3f}") for share in (1 / 3, 2 / 3))
    if not 0 < low < high or least_of(pictures, 0.2 / 3) < 20:
        return []
    ends = {"bright": {"below": low}, "medium": {"at_least": low, "below": high}, "dark": {"at_least": high}}
    reason = words("a third of the pictures by their darkness")
    return [{"id": name, "column": "ink", **end, "reason": reason} for name, end in ends.items()]
