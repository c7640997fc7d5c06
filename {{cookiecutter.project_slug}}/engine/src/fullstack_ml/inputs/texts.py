"""A short text as numbers: how many words it has, and for each of 256 buckets whether a term of it falls there.

Reads and writes nothing. Terms are the words and their first two and four letters: Korean adds its particles at the end
of a word, English its endings. A term's bucket is its CRC-32 (Weinberger et al. 2009, Feature Hashing for Large Scale
Multitask Learning), so nothing is learned from the data, and the page reads a text in the same way
(``edge/page/texts.js``).
"""

import re
import unicodedata
import zlib

import numpy as np

BUCKETS = 256
STEMS = (2, 4)  # letters
# Blanks and signs of ASCII; the normal form below turns most others into these.
BETWEEN = re.compile(r"[\x00-/:-@\[-`{-\x7f]+")


def words_of(text: str) -> list[str]:
    """Return the words of a text in lower case and in Unicode's normal form NFKC."""
    return [word for word in BETWEEN.split(unicodedata.normalize("NFKC", text).lower()) if word]


def buckets_of(words: list[str]) -> list[int]:
    """Return the buckets of the words and of their beginnings; one may come twice."""
    terms = [*words, *(f"{word[:count]}*" for count in STEMS for word in words if len(word) > count)]
    return [zlib.crc32(term.encode()) % BUCKETS for term in terms]


def count_words(text: str | None) -> float:
    """Return how many words there are, NaN where the text is missing."""
    return float("nan") if text is None else float(len(words_of(text)))


def as_buckets(texts: list[str | None]) -> np.ndarray:
    """Return float32 (records, buckets): 1 where a term of the text falls, all 0 where it is missing."""
    made = np.zeros((len(texts), BUCKETS), np.float32)
    for row, text in zip(made, texts, strict=True):
        if text:
            row[buckets_of(words_of(text))] = 1
    return made
