"""What libvips' wheel has no decoder for, by imagecodecs: BMP, and the JPEG family of DICOM. Runs in workers only.

Each codec of imagecodecs is a module of its own, loaded when first called: those not called here never are. A header is
read before its pixels are decoded, since the codecs take memory for whatever it claims.
"""

import struct
from typing import Any, Final

import imagecodecs
import numpy as np

from services.ingest.tonemap import Pixels

# Frame headers (T.81 table B.1, T.87 C.1.1): baseline, extended, progressive, lossless, JPEG-LS; no hierarchical ones.
_FRAME_HEADERS: Final = frozenset({0xC0, 0xC1, 0xC2, 0xC3, 0xF7})
_STANDALONE: Final = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a length (T.81 B.1.1.3)
_CODESTREAM: Final = b"\xff\x4f\xff\x51"  # SOC and SIZ of JPEG 2000 (T.800 A.4.1, A.5.1)
_END: Final = b"\xff\xd9"  # of the pictures of the whole family


class Damaged(Exception):
    """A codec's data does not decode."""


def jpeg(data: bytes, *, adobe: bool) -> Pixels:
    """Baseline, extended (8 and 12 bits), progressive and lossless (to 16 bits), as stored; with `adobe` what Adobe's
    marker says of the colours is undone. Raises Damaged."""
    colours = None if adobe else {3: "RGB", 4: "CMYK"}.get(size(data)[2])
    return _decoded(imagecodecs.jpeg8_decode, data, colorspace=colours, outcolorspace=colours)


def jpeg_ls(data: bytes) -> Pixels:
    """Raises Damaged."""
    return _decoded(imagecodecs.jpegls_decode, data)


def jpeg2000(data: bytes) -> Pixels:
    """A codestream or a JP2 file; its component transform and sYCC are undone. Raises Damaged."""
    return _decoded(imagecodecs.jpeg2k_decode, data, numthreads=1)


def bmp(data: bytes) -> Pixels:
    """1 to 32 bits, uncompressed. Raises Damaged."""
    if data[30:34] in (b"\x04\0\0\0", b"\x05\0\0\0"):  # BI_JPEG and BI_PNG: another format in disguise, its size unread
        raise Damaged("a JPEG or PNG in a BMP")
    try:
        pixels: Pixels = imagecodecs.bmp_decode(data)
    except (RuntimeError, ValueError) as error:
        raise Damaged(_said(error)) from None
    return pixels


def _decoded(codec: Any, data: bytes, **options: Any) -> Pixels:
    if _END not in data[-64:]:  # the codecs paint what is missing grey, and say nothing
        raise Damaged("its end is missing")
    try:
        pixels: Pixels = codec(data, **options)
    except (RuntimeError, ValueError) as error:
        raise Damaged(_said(error)) from None
    return np.ascontiguousarray(pixels)


def _said(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__


def has_adobe(data: bytes) -> bool:
    """Whether a JPEG has Adobe's marker, which says how its colours are stored (T.872 6.5.3)."""
    return any(marker == 0xEE and data[at : at + 5] == b"Adobe" for marker, at in _segments(data))


def size(data: bytes) -> tuple[int, int, int]:
    """Width, height and channels that a JPEG, JPEG-LS, JPEG 2000 or BMP claims (a palette counts as one).

    Raises: Damaged.
    """
    if data.startswith(b"BM"):
        return _bmp_size(data)
    if data.startswith(b"\xff\xd8"):
        return _frame(data)
    return _jpeg2000_size(data)


def _frame(data: bytes) -> tuple[int, int, int]:
    for marker, at in _segments(data):
        if marker in _FRAME_HEADERS and at + 6 <= len(data):
            _, height, width, components = struct.unpack_from(">BHHB", data, at)
            return width, height, components
    raise Damaged("it has no frame header")


def _segments(data: bytes) -> Any:
    """Marker and place of what it holds, of each segment before the first scan."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # fill
            at += 1
        elif marker in _STANDALONE:
            at += 2
        elif marker == 0xDA:  # the scan
            return
        else:
            yield marker, at + 4
            at += 2 + max(2, int.from_bytes(data[at + 2 : at + 4], "big"))


def _jpeg2000_size(data: bytes) -> tuple[int, int, int]:
    at = data.find(_CODESTREAM)
    if at < 0 or at + 42 > len(data):
        raise Damaged("it has no codestream")
    right, bottom, left, top = struct.unpack_from(">4I", data, at + 8)
    if right <= left or bottom <= top:
        raise Damaged("it has no pixels")
    return right - left, bottom - top, int.from_bytes(data[at + 40 : at + 42], "big")


def _bmp_size(data: bytes) -> tuple[int, int, int]:
    if len(data) < 30 or int.from_bytes(data[14:18], "little") < 40:
        raise Damaged("a BMP of OS/2")
    width, height = struct.unpack_from("<ii", data, 18)
    if width <= 0 or height == 0:
        raise Damaged("it has no pixels")
    return width, abs(height), max(1, int.from_bytes(data[28:30], "little") // 8)
