"""Several texts in one request: packed into texts of bounded size, and hits brought home again."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

# No name holds it, so that a hit does not swallow the end of one text and the beginning of the next.
SEPARATOR: Final = "\n\n----------\n\n"


class Piece(NamedTuple):
    """A stretch of a text in a pack. Offsets are in code points: `at` in the pack, `start` in text number `text`."""

    at: int
    text: int
    start: int
    length: int


class Place(NamedTuple):
    """A stretch of text number `text`, in code points, half open."""

    text: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Pack:
    """What is sent, and where its pieces came from, in order."""

    text: str
    pieces: tuple[Piece, ...]

    def home(self, start: int, end: int) -> Place | None:
        """Where a hit stands in its own text; None for one that crosses a boundary, or is none."""
        number = bisect_right(self.pieces, start, key=lambda piece: piece.at) - 1
        if number < 0 or not 0 <= start < end:
            return None
        piece = self.pieces[number]
        if end > piece.at + piece.length:
            return None
        return Place(piece.text, start - piece.at + piece.start, end - piece.at + piece.start)


def packed(texts: Sequence[str], limit: int) -> list[Pack]:
    """All texts, in packs of at most `limit` bytes of UTF-8. A text that is larger alone is cut between words."""
    packs: list[Pack] = []
    parts: list[str] = []
    pieces: list[Piece] = []
    size = at = 0
    for number, text in enumerate(texts):
        for start, part in _cut(text, limit):
            added = len(part.encode()) + (len(SEPARATOR) if parts else 0)
            if parts and size + added > limit:
                packs.append(Pack(SEPARATOR.join(parts), tuple(pieces)))
                parts, pieces, size, at = [], [], 0, 0
                added = len(part.encode())
            at += len(SEPARATOR) if parts else 0
            parts.append(part)
            pieces.append(Piece(at, number, start, len(part)))
            size, at = size + added, at + len(part)
    if parts:
        packs.append(Pack(SEPARATOR.join(parts), tuple(pieces)))
    return packs


def _cut(text: str, limit: int) -> list[tuple[int, str]]:
    """Parts of at most `limit` bytes, each with its start."""
    parts, start = [], 0
    while start < len(text):
        part = text[start : start + limit]
        part = part.encode()[:limit].decode(errors="ignore")
        if start + len(part) < len(text) and (words := part.rstrip()).count(" "):
            part = words[: words.rindex(" ") + 1]
        parts.append((start, part))
        start += len(part)
    return parts
