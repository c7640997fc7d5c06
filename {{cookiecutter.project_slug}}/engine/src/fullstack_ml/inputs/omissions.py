"""What can be left out of a text: its words one by one, or what all texts share, as digits, endings or order of words.

Reads and writes nothing. ``make ablate`` fits without what all share; server and page leave out a word and ask again
(``edge/page/words.js`` cuts a text in the same way).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from operator import itemgetter

import numpy as np

from fullstack_ml.inputs import Omission, letters

PIECE = 6  # letters of a part where a text has no blanks, as Japanese has none
MOST = 32  # parts of one text; of a longer one neighbours go together
# A letter of any script, with its marks: neither a digit, nor a sign, nor a blank.
LETTER, SIGN, DIGIT, WORD = r"[^\W\d_]", r"[^\w\s]|_", r"\d", r"\S+"
# First and last letter of the scripts of which a slice may ask the share, and of what counts as any.
SCRIPTS = {"hangul": "[\u1100-\u11ff\u3130-\u318f\uac00-\ud7a3]", "latin": "[A-Za-z\u00c0-\u024f]"}
Change = Callable[[str], str]


def pieces(values: np.ndarray) -> list[np.ndarray]:
    """Return the places of every word of one text, of a very long one in parts."""
    inside = np.flatnonzero(values > letters.BLANK)
    found: list[np.ndarray] = []
    for word in np.split(inside, np.flatnonzero(np.diff(inside) > 1) + 1):
        found += [word] if len(word) <= 2 * PIECE else np.array_split(word, -(-len(word) // PIECE))
    return found


def replacing(pattern: str, by: str = " ") -> Change:
    """Return what puts ``by`` in place of all that a pattern finds."""
    known = re.compile(pattern)
    return lambda text: known.sub(by, text)


def halves(first: bool) -> Change:
    """Return what takes the first or the second half away from every word; a word of one letter stays."""
    word = re.compile(WORD)

    def kept(found: re.Match[str]) -> str:
        middle = (len(found[0]) + 1) // 2
        return found[0][middle:] or found[0] if first else found[0][:middle]

    return lambda text: word.sub(kept, text)


def shared(length: int) -> Iterator[tuple[str, Change]]:
    """Yield what texts of up to ``length`` letters share, and what takes it out of one."""
    yield "digits", replacing(DIGIT)
    yield "signs", replacing(SIGN)
    for name, script in SCRIPTS.items():
        yield f"{name} letters", replacing(script)
    known = "".join(f"(?!{script})" for script in SCRIPTS.values())
    yield "letters of other scripts", replacing(known + LETTER)
    yield "beginnings of words", halves(first=True)
    yield "endings of words", halves(first=False)
    yield "order of words", lambda text: " ".join(sorted(text.split(" ")))
    for most in (length // 2, length // 4, length // 8):
        yield f"all after letter {most}", itemgetter(slice(most))


def of_all(length: int) -> Iterator[Omission]:
    """Yield what texts share; each takes inputs of texts and returns them without it."""
    for name, change in shared(length):

        def leave(inputs: np.ndarray, change: Change = change) -> np.ndarray:
            return letters.as_letters([change(letters.as_text(row).strip()) for row in inputs], length)

        yield name, leave


def of_one(values: np.ndarray) -> Iterator[Omission]:
    """Yield the words of one text, at most ``MOST``: of more, neighbours go together."""
    found = pieces(values)
    groups = np.array_split(np.arange(len(found)), min(MOST, len(found))) if found else []
    for group in groups:
        places = np.arange(found[group[0]][0], found[group[-1]][-1] + 1)

        def leave(inputs: np.ndarray, places: np.ndarray = places) -> np.ndarray:
            kept = [letters.as_text(np.delete(row, places)) for row in inputs]
            return letters.as_letters(kept, inputs.shape[1] - 2)

        yield letters.as_text(values[places]), leave
