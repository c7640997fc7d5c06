"""Pictures as people see them: upright, at a size in which a person can judge them; and real ones to be strange.

Reads two photographs that are bundled with scikit-learn; writes nothing.
"""

import base64
import io

import numpy as np
from PIL import ExifTags, Image

PHOTOGRAPHS = 100
# A picture is enlarged to about SMALL pixels, smoothly, since people read shapes and not pixels, or reduced to LARGE.
SMALL, LARGE = 240, 1024
# On a page with many records it is no larger than this.
THUMBNAIL = 256
BROWSERS = ("PNG", "JPEG", "GIF", "WEBP")  # what is sent as it was collected, unless its size is changed

# Pillow's own function also writes EXIF, and fails where that is damaged.
WAYS = Image.Transpose
TURNS = {2: WAYS.FLIP_LEFT_RIGHT, 3: WAYS.ROTATE_180, 4: WAYS.FLIP_TOP_BOTTOM, 5: WAYS.TRANSPOSE}
TURNS |= {6: WAYS.ROTATE_270, 7: WAYS.TRANSVERSE, 8: WAYS.ROTATE_90}


def upright(image: Image.Image) -> Image.Image:
    """Turn a photograph as its camera was held, which a JPEG says (EXIF 2.3, tag 0x0112) and browsers follow."""
    turn = TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1)) if image.format == "JPEG" else None
    return image if turn is None else image.transpose(turn)


def picture(payload: bytes, small: int = SMALL, large: int = LARGE) -> str:
    """Return image bytes as a data URI that a browser shows at a size in which a person can judge it."""
    with Image.open(io.BytesIO(payload)) as image:
        kind, longest = image.format or "", max(image.size)
        if kind not in BROWSERS or not small <= longest <= large:
            shown = upright(image).convert("RGB" if image.mode not in ("L", "LA", "RGBA") else image.mode)
            factor = (small if longest < small else min(longest, large)) / longest
            size = (max(1, round(shown.width * factor)), max(1, round(shown.height * factor)))
            buffer, kind = io.BytesIO(), "PNG" if shown.mode != "RGB" else "JPEG"
            shown.resize(size, Image.Resampling.BICUBIC).save(buffer, format=kind, quality=92)
            payload = buffer.getvalue()
    return f"data:image/{kind.lower()};base64,{base64.b64encode(payload).decode()}"


def photographs(shape: tuple[int, ...], random: np.random.Generator) -> np.ndarray:
    """Cut squares out of the photographs and reduce them to ``shape``."""
    from sklearn.datasets import load_sample_images  # slow to import

    cuts = []
    for photograph in load_sample_images().images:
        grey = np.asarray(Image.fromarray(photograph).convert("L"))
        for _ in range(PHOTOGRAPHS // 2):
            side = int(random.integers(32, 128))
            top, left = (int(random.integers(0, edge - side)) for edge in grey.shape)
            cut = Image.fromarray(grey[top : top + side, left : left + side])
            cuts.append(np.asarray(cut.resize((shape[1], shape[0]), Image.Resampling.BOX)))
    return np.stack(cuts)
