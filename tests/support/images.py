"""Small pictures, made without a library of images."""

import random
import struct
import zlib


def png(seed: int = 0, *, width: int = 64, height: int = 48, comment: str = "") -> bytes:
    """A grey picture whose pixels follow from `seed`; `comment` stands in its file."""
    pixels = random.Random(seed).randbytes(width * height)
    lines = b"".join(b"\0" + pixels[row * width : (row + 1) * width] for row in range(height))
    said = [_chunk(b"tEXt", b"Comment\0" + comment.encode("latin-1"))] if comment else []
    data = _chunk(b"IDAT", zlib.compress(lines))
    return _signed(_chunk(b"IHDR", _header(width, height)), *said, data, _chunk(b"IEND", b""))


def bomb(side: int = 50_000) -> bytes:
    """A few bytes that claim to be a picture of `side` squared pixels."""
    data = zlib.compress(b"\0" * 1_000)
    return _signed(_chunk(b"IHDR", _header(side, side)), _chunk(b"IDAT", data), _chunk(b"IEND", b""))


def _header(width: int, height: int) -> bytes:
    return struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)  # 8 bits of grey


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _signed(*chunks: bytes) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)
