"""The task: how an image is named, decoded, described and checked."""

import io
import struct
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from typing import Any

import imagehash
import numpy as np
import polars as pl
import pytest
from PIL import ExifTags, Image

from fullstack_ml.artefact.graph import features_of
from fullstack_ml.inputs import image
from fullstack_ml.inputs.canvas import Canvas, canvas_of, decode

pytestmark = pytest.mark.task("image-classification")


def encoded(grey: np.ndarray, kind: str = "PNG", mode: str = "L") -> bytes:
    """Encode grey values, uint8 (height, width), as an image file."""
    buffer = io.BytesIO()
    Image.fromarray(grey).convert(mode).save(buffer, format=kind)
    return buffer.getvalue()


@pytest.fixture
def picture(product: Any) -> np.ndarray:
    """A random picture of the contract's shape."""
    shape: tuple[int, int] = product.formulation.input.shape
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


@pytest.fixture
def limited(product: Any) -> Callable[..., Any]:
    """Return the contract with other keys of its input."""

    def change(**keys: Any) -> Any:
        wanted = product.formulation.input.model_copy(update=keys)
        return product.model_copy(update={"formulation": product.formulation.model_copy(update={"input": wanted})})

    return change


def records(*contents: bytes) -> pl.DataFrame:
    """Return records with the given contents."""
    return pl.DataFrame({"id": [f"id-{i}" for i in range(len(contents))], "payload": contents})


def test_a_record_is_named_by_the_sha_256_of_its_bytes(product: Any, picture: np.ndarray) -> None:
    contents = [encoded(picture), encoded(255 - picture), b"anything"]
    found = image.content_id(pl.DataFrame({"payload": contents}), product)
    assert found.to_list() == [sha256(content).hexdigest() for content in contents]


KINDS = [("PNG", "L"), ("PNG", "RGB"), ("PNG", "RGBA"), ("BMP", "RGB"), ("TIFF", "L")]


@pytest.mark.parametrize(("kind", "mode"), KINDS)
def test_an_image_without_loss_gives_its_grey_values(kind: str, mode: str, picture: np.ndarray) -> None:
    height, width = picture.shape
    found = decode(encoded(picture, kind, mode), Canvas(height, width))
    assert found.dtype == np.uint8
    assert np.array_equal(found, picture)


# Where the standard (EXIF 2.3, tag 0x0112) says that the first row and the first column of the file belong.
HELD: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda upright: upright,
    2: np.fliplr,
    3: lambda upright: np.rot90(upright, 2),
    4: np.flipud,
    5: np.transpose,
    6: np.rot90,
    7: lambda upright: np.rot90(upright, 2).T,
    8: lambda upright: np.rot90(upright, -1),
}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", HELD)
def test_a_photograph_stands_upright_however_the_camera_was_held(orientation: int, kind: str) -> None:
    rows, columns = np.mgrid[0:12, 0:8]
    upright = (15 * rows + 5 * columns).astype(np.uint8)
    exif, buffer = Image.Exif(), io.BytesIO()
    exif[0x0112] = orientation
    Image.fromarray(HELD[orientation](upright).copy()).save(buffer, kind, quality=100, exif=exif)
    assert decode(buffer.getvalue(), Canvas(12, 8)) == pytest.approx(upright, abs=3)


def test_a_turn_that_only_xmp_names_is_left_alone_as_in_a_browser() -> None:
    grey, file = np.arange(6, dtype=np.uint8).reshape(2, 3), io.BytesIO()
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf tiff:Orientation="6"/></x:xmpmeta>'
    Image.fromarray(grey).save(file, "WEBP", lossless=True, xmp=xmp)
    assert np.array_equal(decode(file.getvalue(), Canvas(2, 3)), grey)


@pytest.mark.filterwarnings("ignore")
def test_a_damaged_file_is_read_or_refused_and_never_breaks_the_program() -> None:
    random, picture = np.random.default_rng(0), Image.fromarray(np.zeros((9, 7, 3), np.uint8))
    held = Image.Exif()
    held[ExifTags.Base.Orientation] = 6
    for kind in ("JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP"):
        file = io.BytesIO()
        picture.save(file, kind, **({"exif": held} if kind not in ("GIF", "BMP") else {}))
        for _ in range(200):
            content = bytearray(file.getvalue())
            for place in random.integers(0, len(content), 3):
                content[place] = random.integers(0, 256)
            with suppress(ValueError):
                decode(bytes(content), Canvas(4, 4))


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bits_are_scaled_to_8(kind: str) -> None:
    deep = np.array([[0, 257, 32768], [51400, 65278, 65535]], np.uint16)
    buffer = io.BytesIO()
    Image.fromarray(deep).save(buffer, kind)
    assert decode(buffer.getvalue(), Canvas(2, 3)).tolist() == [[0, 1, 128], [200, 254, 255]]


def transparent(colour: int) -> bytes:
    """Return a picture of two seen pixels, black and grey, among hidden ones of ``colour``."""
    rgba = np.full((2, 2, 4), (colour, colour, colour, 0), np.uint8)
    rgba[0, 0], rgba[1, 1] = (0, 0, 0, 255), (0, 0, 0, 128)
    return encoded(rgba, "PNG", "RGBA")


@pytest.mark.parametrize("colour", [0, 255], ids=["hidden-black", "hidden-white"])
def test_what_is_transparent_lies_on_white_whatever_colour_is_hidden(colour: int) -> None:
    # Half of black on white is 255 * (1 - 128 / 255).
    assert decode(transparent(colour), Canvas(2, 2)).tolist() == [[0, 255], [255, 127]]


def test_a_transparent_colour_of_a_palette_lies_on_white_too() -> None:
    picture = Image.fromarray(np.array([[0, 1]], np.uint8), "P")
    picture.putpalette([0, 0, 0, 0, 0, 0])
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", transparency=1)
    assert decode(buffer.getvalue(), Canvas(1, 2)).tolist() == [[0, 255]]


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "TIFF"])
def test_a_picture_that_moves_is_refused_by_name(kind: str) -> None:
    frames = [Image.new("L", (8, 8), colour) for colour in (0, 100, 200)]
    buffer = io.BytesIO()
    frames[0].save(buffer, kind, save_all=True, append_images=frames[1:])
    with pytest.raises(ValueError, match="it moves, or has several pages"):
        decode(buffer.getvalue(), Canvas(8, 8))


def test_a_picture_that_moves_is_refused_also_when_it_was_turned() -> None:
    frames, turned, buffer = [Image.new("RGB", (8, 8), (grey,) * 3) for grey in (0, 200)], Image.Exif(), io.BytesIO()
    turned[ExifTags.Base.Orientation] = 6
    frames[0].save(buffer, "WEBP", save_all=True, append_images=frames[1:], exif=turned)
    with pytest.raises(ValueError, match="it moves, or has several pages"):
        decode(buffer.getvalue(), Canvas(8, 8))


def test_the_preview_in_the_file_of_a_phone_is_passed_over() -> None:
    buffer = io.BytesIO()
    preview = Image.new("L", (8, 8), 200)
    Image.new("L", (64, 64), 10).save(buffer, "MPO", save_all=True, append_images=[preview])
    assert decode(buffer.getvalue(), Canvas(2, 2)) == pytest.approx(np.full((2, 2), 10), abs=2)


def claiming(tags: int, size: int) -> bytes:
    """Return a directory of TIFF, of which each tag says that its value is the same ``size`` bytes at the end."""
    at = 8 + 2 + 12 * tags + 4
    rows = b"".join(struct.pack("<HHII", 40_000 + i, 1, size, at) for i in range(tags))
    return b"II*\0" + struct.pack("<IH", 8, tags) + rows + bytes(4 + size)


def with_exif(kind: str, exif: bytes) -> bytes:
    """Return a small picture with this EXIF, in as many parts as the format asks for."""
    buffer = io.BytesIO()
    Image.new("L", (8, 8), 50).save(buffer, kind, **({} if kind == "JPEG" else {"exif": exif}))
    if kind != "JPEG":
        return buffer.getvalue()
    parts = [exif[at : at + 65_000] for at in range(0, len(exif), 65_000)]
    told = b"".join(b"\xff\xe1" + struct.pack(">H", len(part) + 8) + b"Exif\0\0" + part for part in parts)
    return buffer.getvalue()[:2] + told + buffer.getvalue()[2:]


@pytest.mark.parametrize("kind", ["TIFF", "JPEG", "PNG", "WEBP"])
def test_values_that_lie_in_the_same_bytes_are_not_copied_again_and_again(kind: str) -> None:
    block = claiming(300, 500_000)
    content = block if kind == "TIFF" else with_exif(kind, block)
    tracemalloc.start()
    with suppress(ValueError):
        decode(content, Canvas(8, 8))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20 * len(content)  # 300 copies otherwise


def test_numbers_without_a_range_are_refused() -> None:
    buffer = io.BytesIO()
    Image.fromarray(np.ones((2, 2), np.float32)).save(buffer, "TIFF")
    with pytest.raises(ValueError, match="no range"):
        decode(buffer.getvalue(), Canvas(2, 2))


def test_a_photograph_of_12_megapixels_is_read() -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (4000, 3000), (10, 10, 10)).save(buffer, "JPEG")
    assert decode(buffer.getvalue(), Canvas(3, 4)) == pytest.approx(np.full((3, 4), 10), abs=1)


def test_a_larger_image_is_averaged_over_blocks(product: Any) -> None:
    height, width = product.formulation.input.shape
    large = np.random.default_rng(0).integers(0, 256, (2 * height, 3 * width), np.uint8)
    blocks = large.reshape(height, 2, width, 3).mean(axis=(1, 3))
    assert decode(encoded(large), Canvas(height, width)) == pytest.approx(blocks, abs=1)


def test_a_smaller_image_is_repeated(product: Any) -> None:
    found = decode(encoded(np.full((1, 1), 77, np.uint8)), canvas_of(product))
    assert np.array_equal(found, np.full(product.formulation.input.shape, 77))


def cut_off(picture: np.ndarray) -> bytes:
    """Return the first half of an image file."""
    content = encoded(picture.repeat(32, 0).repeat(32, 1))
    return content[: len(content) // 2]


FAULTS = {
    "text": lambda picture: b"no image",
    "empty": lambda picture: b"",
    "cut-off": cut_off,
    "too-large": lambda picture: encoded(np.zeros((50_001, 1000), np.uint8)),
}


@pytest.mark.parametrize("make", FAULTS.values(), ids=FAULTS)
def test_a_file_that_cannot_be_decoded_is_named(make: Any, product: Any, picture: np.ndarray) -> None:
    frame = records(encoded(picture), make(picture))
    ((record, what),) = image.faults(frame, product)
    assert record == "id-1"
    assert what
    assert image.describe(frame, product)["ink"].is_null().to_list() == [False, True]


def test_a_picture_beyond_the_limit_of_the_contract_is_refused_before_it_is_decoded(
    limited: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = records(encoded(np.zeros((100, 61), np.uint8)))
    monkeypatch.setattr(Image.Image, "convert", lambda *_: pytest.fail("decoded"))
    said = "61 x 100 pixels are more than max_pixels, 6000"
    assert image.faults(frame, limited(max_pixels=6000)) == [("id-0", said)]


def test_a_fingerprint_is_that_of_imagehash_and_missing_where_nothing_can_be_read(limited: Any) -> None:
    random = np.random.default_rng(0)
    pictures = [random.integers(0, 256, (32, 32), np.uint8) for _ in range(20)]
    frame = records(b"no image", *(encoded(picture) for picture in pictures), encoded(np.zeros((40, 40), np.uint8)))
    expected = [int(str(imagehash.phash(Image.fromarray(picture))), 16) for picture in pictures]
    found = image.fingerprints(frame, limited(max_pixels=1500))
    assert found is not None and found.to_list() == [None, *expected, None]


@pytest.mark.parametrize("ending", image.FILES)
def test_what_a_folder_may_hold_a_server_reads_too(ending: str, picture: np.ndarray) -> None:
    file = io.BytesIO()
    Image.fromarray(picture > 127 if ending == ".pbm" else picture).save(file, Image.registered_extensions()[ending])
    assert decode(file.getvalue(), Canvas(2, 2)).shape == (2, 2)


def test_a_model_is_given_as_many_values_as_the_contract_allows(limited: Any) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (2, 60, 60, 3), np.uint8)
    for most, side in ((4096, 2), (10_800, 1), (1000, 4)):
        product = limited(shape=(60, 60, 3), max_values=most)
        planes = pictures.reshape(2, 60 // side, side, 60 // side, side, 3).mean(axis=(2, 4)).transpose(0, 3, 1, 2)
        assert features_of(pictures, product) == pytest.approx(planes.reshape(2, -1) / 255, abs=1e-6)


def test_the_model_gets_grey_values_of_the_shape_of_the_contract(product: Any, picture: np.ndarray) -> None:
    found = image.matrix(records(encoded(picture), encoded(255 - picture)), product)
    assert found.dtype == np.uint8
    assert found.shape == (2, *product.formulation.input.shape)
    assert np.array_equal(found, [picture, 255 - picture])


def test_ink_is_the_share_of_black(product: Any) -> None:
    shape = product.formulation.input.shape
    half = np.full(shape, 255, np.uint8)
    half[: shape[0] // 2] = 0
    frame = records(*(encoded(grey) for grey in (np.full(shape, 255, np.uint8), np.zeros(shape, np.uint8), half)))
    assert image.describe(frame, product)["ink"].to_list() == pytest.approx([0, 1, shape[0] // 2 / shape[0]])


def png(values: np.ndarray) -> bytes:
    """Write colours, and transparency, as they are."""
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, "PNG")
    return buffer.getvalue()


RED, BLUE = (255, 0, 0), (0, 0, 255)


def halves(width: int, height: int) -> bytes:
    """A picture that is red on the left and blue on the right."""
    values = np.zeros((height, width, 3), np.uint8)
    values[:, : width // 2], values[:, width // 2 :] = RED, BLUE
    return png(values)


def test_a_picture_in_colour_keeps_its_colours() -> None:
    assert decode(halves(8, 4), Canvas(1, 2, 3)).tolist() == [[list(RED), list(BLUE)]]
    assert decode(halves(8, 4), Canvas(1, 2)).tolist() == [[76, 29]], "the luma of ITU-R 601"


def test_a_wide_picture_gets_bars_in_a_letterbox() -> None:
    found = decode(halves(8, 4), Canvas(4, 4, 3, "letterbox", 9))
    assert found[0].tolist() == found[3].tolist() == [[9, 9, 9]] * 4
    assert found[1].tolist() == found[2].tolist() == [list(RED)] * 2 + [list(BLUE)] * 2


def test_a_wide_picture_loses_its_ends_when_it_is_cropped() -> None:
    stripes = np.repeat(np.array([[0, 0, 60, 60, 60, 60, 255, 255]], np.uint8), 4, axis=0)
    assert decode(encoded(stripes), Canvas(4, 4, fit="crop")).tolist() == [[60] * 4] * 4
    assert decode(encoded(stripes), Canvas(1, 4)).tolist() == [[0, 60, 60, 255]], "stretched, nothing is lost"


@pytest.mark.parametrize("colour", [0, 255])
def test_what_is_transparent_shows_the_ground_and_not_the_hidden_colour(colour: int) -> None:
    hidden = np.full((4, 4, 4), colour, np.uint8)
    hidden[..., 3] = 0
    assert (decode(png(hidden), Canvas(2, 2)) == 255).all()
    assert (decode(png(hidden), Canvas(2, 2, 3, ground=12)) == 12).all()


def test_a_large_picture_is_averaged_to_what_a_model_can_take(product: Any) -> None:
    wanted = product.formulation.input.model_copy(update={"shape": (224, 224, 3)})
    large = product.model_copy(update={"formulation": product.formulation.model_copy(update={"input": wanted})})
    pictures = np.zeros((2, 224, 224, 3), np.uint8)
    pictures[1, :, :112] = (255, 51, 0)
    rows = features_of(pictures, large)
    assert rows.shape == (2, 3 * 32 * 32), "squares of 7 pixels; of 6 there would be 38 on a side, and 4 332 values"
    assert rows[0].max() == 0
    planes = rows[1].reshape(3, rows.shape[1] // 3)
    assert planes.mean(axis=1) == pytest.approx([0.5, 0.1, 0.0], abs=0.02)
    places = np.concatenate([where for _, where, _ in image.regions(large)])
    assert sorted(places.tolist()) == list(range(rows.shape[1])), "every value is part of one region"
