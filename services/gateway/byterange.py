"""Range requests for files (RFC 9110, section 14): one range, which is what browsers and viewers ask for."""

import re
from typing import Final, NamedTuple

_RANGE: Final = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


class ByteRange(NamedTuple):
    """0-based, half open."""

    start: int
    end: int


class NotSatisfiable(Exception):
    """The range lies outside of the file: 416."""


def requested(header: str | None, size: int) -> ByteRange | None:
    """The part asked for; null: the whole (also for what RFC 9110 lets a server ignore: several ranges, other units,
    malformed ones). Raises NotSatisfiable."""
    match = _RANGE.fullmatch(header.strip()) if header else None
    if match is None or match.group(1) == match.group(2) == "":
        return None
    first, last = match.groups()
    if first == "":
        if int(last) == 0 or size == 0:
            raise NotSatisfiable
        return ByteRange(max(0, size - int(last)), size)
    start = int(first)
    if last and int(last) < start:
        return None
    if start >= size:
        raise NotSatisfiable
    return ByteRange(start, min(int(last) + 1, size) if last else size)
