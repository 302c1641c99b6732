"""PNG, JPEG and TIFF by libvips, and the writing of renditions. Runs in workers only.

Of libvips' loaders only these three are enabled, and of those only what libvips calls safe for untrusted input.
"""

import functools
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyvips

from services.ingest.rendered import DISPLAY_SIDE, QUALITY, THUMBNAIL_SIDE, Format, Jpeg, check_pixels
from services.ingest.tonemap import Screen, stretch
from shared.errors import Invalid, Unsupported

_LOADERS = {"png": "VipsForeignLoadPng", "jpeg": "VipsForeignLoadJpeg", "tiff": "VipsForeignLoadTiff"}
_SIDEWAYS = frozenset({5, 6, 7, 8})  # EXIF orientations that swap width and height


@dataclass(frozen=True)
class Read:
    """A picture shrunk to DISPLAY_SIDE, in memory: one or three channels of 8 bits; `width`, `height` before that."""

    small: Any  # pyvips.Image
    width: int
    height: int
    technical: dict[str, str] = field(default_factory=dict)


@functools.cache
def _guard() -> None:
    """libvips reads files only by the loaders in use; nothing is kept between pictures."""
    pyvips.block_untrusted_set(True)
    pyvips.operation_block_set("VipsForeignLoad", True)
    for loader in _LOADERS.values():
        pyvips.operation_block_set(loader, False)
    pyvips.cache_set_max(0)


def read(path: str, kind: Format) -> Read:
    """The picture (of several, the first page), upright, in sRGB or grey, alpha laid on white; 16 bits are tone-mapped.

    Raises: Invalid when damaged or truncated, TooLarge, Unsupported for samples that are not of 8 or 16 bits.
    """
    _guard()
    with _explained(kind):
        header = _load(path, kind)
        check_pixels(header.width, header.height)
        if header.format not in ("uchar", "ushort"):
            raise Unsupported(
                f"A {kind.upper()} of {header.format} samples is not supported.",
                remedy="Samples of 8 or 16 bits without sign are; convert it.",
            )
        small = _photo(path, kind, header) if header.format == "uchar" else _sensor(header)
    if small.bands not in (1, 3):
        raise Unsupported(
            f"A {kind.upper()} of {header.bands} channels is not supported.", remedy="Grey and colour are; convert it."
        )
    pages = header.get("n-pages") if header.get_typeof("n-pages") else 1
    sideways = header.get_typeof("orientation") and header.get("orientation") in _SIDEWAYS
    width, height = (header.height, header.width) if sideways else (header.width, header.height)
    return Read(small, width, height, {"NumberOfFrames": str(pages)} if pages > 1 else {})


def from_screen(pixels: Screen, technical: dict[str, str]) -> Read:
    """A picture from 8-bit pixels, (height, width) or (height, width, 3)."""
    _guard()
    small = _image(_pixels(_shrink(_image(pixels))))
    return Read(small, pixels.shape[1], pixels.shape[0], technical)


def write(small: Any, folder: str) -> tuple[Jpeg, Jpeg]:
    """Display and thumbnail of a picture already shrunk, as files in `folder`."""
    try:
        thumbnail = small.thumbnail_image(THUMBNAIL_SIDE, height=THUMBNAIL_SIDE, size="down")
        return _jpeg(small, os.path.join(folder, "display.jpg")), _jpeg(
            thumbnail, os.path.join(folder, "thumbnail.jpg")
        )
    except pyvips.Error as error:  # the picture was read well, so it is not to blame
        raise OSError(f"The renditions could not be written ({_first_line(error)}).") from error


@contextmanager
def _explained(kind: Format) -> Iterator[None]:
    """libvips' errors as ours."""
    try:
        yield
    except pyvips.Error as error:
        if re.search("(out of|insufficient) memory", str(error), re.IGNORECASE):
            raise MemoryError from error
        raise Invalid(
            f"The {kind.upper()} is damaged, incomplete or of a rare kind ({_first_line(error)}).",
            remedy="Send it again; if that does not help, open and save it in an image program.",
        ) from error


def _load(path: str, kind: Format, **options: Any) -> Any:
    """By the format's own loader: `new_from_file` would take options from a path that ends in brackets.

    Not `thumbnail_source` either: libvips 8.18 ignores its `fail_on` and paints the rest of a truncated file grey.
    """
    return getattr(pyvips.Image, f"{kind}load")(path, access="sequential", fail_on="error", **options)


def _photo(path: str, kind: Format, header: Any) -> Any:
    """8 bits: JPEGs are decoded no larger than needed, colour profiles applied, EXIF orientation too."""
    shrink = max(s for s in (1, 2, 4, 8) if s == 1 or max(header.width, header.height) >= s * DISPLAY_SIDE)
    image = _load(path, kind, shrink=shrink) if kind == "jpeg" else header
    # A profile is converted to sRGB only where there is one: libvips would convert sRGB too, at three times the time.
    converted = header.get_typeof("icc-profile-data") or header.interpretation == "cmyk"
    profile = {"output_profile": "srgb"} if converted else {}
    image = image.thumbnail_image(DISPLAY_SIDE, height=DISPLAY_SIDE, size="down", **profile)
    return (image.flatten(background=255) if image.hasalpha() else image).copy_memory()


def _sensor(image: Any) -> Any:
    """16 bits: shrunk first, so that the tone mapping sees few pixels and the file is read once."""
    if image.hasalpha():
        image = image.flatten(background=65535)
    return _image(stretch(_pixels(_shrink(image.autorot()))))


def _image(pixels: Screen) -> Any:
    """Over the array's own memory, which pyvips keeps alive through all operations but not through `copy_memory`."""
    return pyvips.Image.new_from_array(np.ascontiguousarray(pixels))


def _pixels(image: Any) -> Any:
    return np.atleast_2d(image.numpy())  # pyvips gives a single grey pixel without dimensions


def _shrink(image: Any) -> Any:
    scale = min(1.0, DISPLAY_SIDE / max(image.width, image.height))
    # Each side keeps a pixel, however long and thin the picture is.
    return image.resize(scale, vscale=max(scale, 1 / image.height)) if scale < 1 else image


def _jpeg(image: Any, path: str) -> Jpeg:
    image.jpegsave(path, Q=QUALITY, keep="none")
    return Jpeg(path, image.width, image.height, os.path.getsize(path))


def _first_line(error: pyvips.Error) -> str:
    """What libvips says, without its way of repeating itself."""
    return str(error.detail or error.message).strip().splitlines()[0]
