"""Files of lines, in blocks: plain, gzip or Zstandard by their name. Memory does not grow with them."""

import gzip
import sys
from collections.abc import Callable, Iterator
from io import BufferedIOBase, BufferedReader
from pathlib import Path
from typing import Final, Literal, NamedTuple, cast

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

Packing = Literal["", ".gz", ".zst"]

LONGEST_LINE: Final = 8 * 1024**2  # bytes
_READ: Final = 256 * 1024


class Block(NamedTuple):
    """Lines without their ends, the number of the first (from 1), and where in the unpacked file the next one begins.
    Of a line that is longer than `LONGEST_LINE` only its beginning, one byte more than is allowed."""

    first: int
    lines: list[bytes]
    end: int


def blocks(read: Callable[[int], bytes], line: int = 1, offset: int = 0) -> Iterator[Block]:
    """The lines of what `read` (of some bytes; none at the end) gives, a block for what it gives at once."""
    begun, dropped = b"", 0  # of the line that has not ended
    while data := read(_READ):
        *whole, rest = data.split(b"\n")
        if whole:
            offset += len(begun) + dropped + sum(map(len, whole)) + len(whole)
            whole[0] = begun + whole[0]
            yield Block(line, [one[: LONGEST_LINE + 1].rstrip(b"\r") for one in whole], offset)
            line += len(whole)
            begun, dropped = b"", 0
        begun += rest
        if len(begun) > LONGEST_LINE + 1:
            dropped += len(begun) - LONGEST_LINE - 1
            begun = begun[: LONGEST_LINE + 1]
    if begun:
        yield Block(line, [begun.rstrip(b"\r")], offset + len(begun) + dropped)


def packing(path: Path) -> Packing:
    """By the end of the name."""
    return cast("Packing", path.suffix) if path.suffix in (".gz", ".zst") else ""


def unpacked(file: BufferedReader, how: Packing) -> BufferedIOBase:
    """What `file` holds. Reading it raises the errors in `BROKEN` where it is damaged."""
    if how == ".gz":
        return gzip.GzipFile(fileobj=file)
    if how == ".zst":
        return cast("BufferedIOBase", zstd.ZstdFile(file))
    return file


BROKEN: Final = (EOFError, gzip.BadGzipFile, zstd.ZstdError)


def packed(content: bytes, how: Packing) -> bytes:
    """As a member (gzip) or frame (Zstandard) of its own: these may follow each other in a file."""
    if not content or not how:
        return content
    return gzip.compress(content, 6, mtime=0) if how == ".gz" else zstd.compress(content)
