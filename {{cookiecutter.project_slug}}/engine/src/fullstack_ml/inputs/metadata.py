"""What a picture's file says beside its pixels: left out here, so that Pillow does not unpack it without bound.

Reads and writes nothing. The directory of a TIFF file or of EXIF says where each of its values lies, and many may name
the same bytes; texts of a PNG are packed; comments of a GIF are added one to the other. Pillow, which reads all of
them, made gigabytes of 4 MB, or took half a minute.
"""

import io
import re
import struct

from PIL import ExifTags

MARKER = re.compile(rb"\xff([^\x00\xff])")
SCAN = 0xDA
TABLES = (*range(0xC0, 0xC8), *range(0xC9, 0xD0), *range(0xDB, 0xE0))  # sizes and tables of a JPEG
DECODED = {*TABLES, 0xE0, 0xEE}  # and two applications' that say how its colours are meant: JFIF, Adobe
ALONE = {0xC8, *range(0xD0, 0xDA), *range(0xF0, 0xFE)}  # without a length, as Pillow takes them
PNG = b"\x89PNG\r\n\x1a\n"
SEEN = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"acTL", b"fcTL", b"fdAT")  # the last three: it moves
BLOCK = re.compile(rb"[!,;]")  # of a GIF: an extension, a picture, the end; what lies between them is passed over
CONTROL = 0xF9  # the extension that names the transparent colour
EXIF = b"Exif\0\0"
SHORT = 3


def without_metadata(payload: bytes) -> tuple[bytes, bytes]:
    """Return a JPEG, PNG or GIF file with what its decoding needs, and its EXIF (empty where there is none)."""
    if payload.startswith(b"\xff\xd8"):
        return jpeg_alone(payload)
    if payload.startswith(PNG):
        return png_alone(payload)
    return gif_alone(payload) if payload.startswith(b"GIF8") else payload, b""


def gif_alone(gif: bytes) -> bytes:
    """Return the pictures of a GIF file and what says how they are shown (GIF89a, sections 20 to 26)."""

    def colours(flags: int) -> int:
        return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0

    padded = gif + bytes(10)  # where it is cut off
    at = 13 + colours(padded[10])
    kept = [gif[:at]]
    while (found := BLOCK.search(gif, at)) and found[0] != b";":
        start, picture = found.start(), found[0] == b","
        at = start + (11 + colours(padded[start + 9]) if picture else 2)
        while at < len(gif) and gif[at]:
            at += 1 + gif[at]
        at += 1
        if picture or padded[start + 1] == CONTROL:
            kept.append(gif[start:at])
    return b"".join([*kept, b";"])


def png_alone(png: bytes) -> tuple[bytes, bytes]:
    """Return the chunks that say what is seen, and the EXIF."""
    kept, exif, at = [PNG], b"", len(PNG)
    while at < len(png):
        start, name = at, png[at + 4 : at + 8]
        at += 12 + int.from_bytes(png[at : at + 4])
        if name in SEEN:
            kept.append(png[start:at])
        elif name == b"eXIf":
            exif = png[start + 8 : at - 4]
    return b"".join(kept), exif


def jpeg_alone(jpeg: bytes) -> tuple[bytes, bytes]:
    """Return the segments that decoding needs, and the EXIF.

    A second picture in the file, such as the preview of a phone, is no longer named, and so is passed over.
    """
    kept, exif, at = [jpeg[:2]], b"", 2
    while (found := MARKER.search(jpeg, at)) and found[1][0] != SCAN:
        kind, start = found[1][0], found.end()
        at = start if kind in ALONE else start + max(2, int.from_bytes(jpeg[start : start + 2]))
        if kind in DECODED:
            kept.append(jpeg[found.start() : at])
        elif jpeg.startswith(EXIF, start + 2):
            exif = jpeg[start + 2 : at]
    return b"".join([*kept, jpeg[found.start() :] if found else b""]), exif


def orientation(exif: bytes) -> int:
    """Return how a camera was held, 1 to 8 (EXIF 2.3, tag 0x0112); 1 where that is not said, or damaged."""
    block = exif.removeprefix(EXIF)
    order = "<" if block[:2] == b"II" else ">"
    try:
        (start,) = struct.unpack_from(f"{order}I", block, 4)
        (count,) = struct.unpack_from(f"{order}H", block, start)
        for place in range(start + 2, start + 2 + 12 * count, 12):
            tag, kind, _, value = struct.unpack_from(f"{order}HHIH", block, place)
            if tag == ExifTags.Base.Orientation and kind == SHORT:
                return int(value)
    except struct.error:  # what is damaged says nothing, as in a browser
        pass
    return 1


class Metered(io.BytesIO):
    """A file that is not read much more often than it is long, while a library looks for what it says of itself."""

    def __init__(self, content: bytes) -> None:
        """Allow eight times the content: a directory is read a few times over."""
        super().__init__(content)
        self.left = 8 * len(content) + 2**16

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next ``size`` bytes.

        Raises:
            ValueError: when more was read than a file can mean.
        """
        part = super().read(size)
        self.left -= len(part)
        if self.left < 0:
            raise ValueError("its directory names the same bytes again and again")
        return part
