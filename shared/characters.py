"""Texts as arrays of their characters, so that many are looked at in one operation."""

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.uint8] | npt.NDArray[np.uint32]

_ALL = 0x110000  # code points


def codes(text: str) -> Codes:
    """The code points of a text; lone surrogates too."""
    if text.isascii():
        return np.frombuffer(text.encode("ascii"), np.uint8)
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


def classes(*patterns: str) -> npt.NDArray[np.uint8]:
    """For every code point, bit i (1, 2, 4 ...) where it is a character of the i-th pattern, which must match runs of
    them (`r"\\w+"`). Milliseconds each: keep it."""
    every = np.arange(_ALL, dtype=np.uint32).tobytes().decode("utf-32-le", "surrogatepass")
    table = np.zeros(_ALL, np.uint8)
    for number, pattern in enumerate(patterns):
        for run in re.finditer(pattern, every):
            table[run.start() : run.end()] |= 1 << number
    return table


def joined(texts: Sequence[str]) -> tuple[str, npt.NDArray[np.int64]]:
    """Texts as one, a line feed after each, and where each begins."""
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    return "\n".join((*texts, "")), np.cumsum(lengths + 1) - lengths - 1
