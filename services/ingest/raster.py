"""Pictures by libvips: a page of one, what it shows, and the writing of renditions. Runs in workers only.

Of libvips' loaders only those in use are enabled, and of those only what libvips calls safe for untrusted input. What
it has no loader for comes from `services.ingest.codecs` and `.tiff`.
"""

import ctypes
import functools
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyvips

from services.ingest import codecs, tiff
from services.ingest.rendered import (
    DISPLAY_SIDE,
    QUALITY,
    THUMBNAIL_SIDE,
    Format,
    Jpeg,
    check_pixels,
    check_ratio,
    check_wavelet,
    frames,
)
from services.ingest.tonemap import Mask, Pixels, Screen, Tone, ends, measured, photograph
from shared.errors import Invalid, MitaggerError, NotFound, Unsupported

_LOADERS = {
    "png": "VipsForeignLoadPng",
    "jpeg": "VipsForeignLoadJpeg",
    "tiff": "VipsForeignLoadTiff",
    "webp": "VipsForeignLoadWebp",
    "gif": "VipsForeignLoadNsgif",
}
_M_ARENA_MAX = -8  # of glibc's malloc.h
_SIDEWAYS = frozenset({5, 6, 7, 8})  # EXIF orientations that swap width and height
_LAB = frozenset({"lab", "labq", "labs"})
_COLOURS = {"grey": "b-w", "rgb": "srgb", "lab": "lab"}


@dataclass(frozen=True)
class Read:
    """A picture shrunk to DISPLAY_SIDE, in memory: one or three channels of 8 bits; `width`, `height` before that.

    `deep`: its values were more than a screen's, so that a window over them makes sense.
    """

    small: Any  # pyvips.Image
    width: int
    height: int
    technical: dict[str, str] = field(default_factory=dict)
    pages: int = 1
    frames: int = 1
    deep: bool = False


@dataclass(frozen=True)
class Plane:
    """One page or frame at full size, not yet upright, read when it is needed. On the way from file to screen: either
    made to be seen (`screen`: `toned` only brings its colours to sRGB), or values that a tone maps.

    `weighted`: its last channel says how much of a pixel is there (0 to 1), by which its values are multiplied, so that
    they can be shrunk; `clear`: what is not there is transparent (white), else it is no number (black); `wide`: of more
    than 16 bits. `tone`: where the file itself says how to show it; `inverted`: the largest is black.
    """

    image: Any  # pyvips.Image
    screen: bool
    weighted: bool = False
    clear: bool = False
    wide: bool = False
    tone: Tone | None = None
    inverted: bool = False


@dataclass(frozen=True)
class Opened:
    """A page of a file and its size before it is turned upright; how many pages and frames there are."""

    image: Any  # pyvips.Image
    width: int
    height: int
    pages: int = 1
    frames: int = 1


@functools.cache
def guard() -> None:
    """libvips reads files only by the loaders in use; nothing is kept between pictures, nor in files of its own."""
    os.environ["VIPS_DISC_THRESHOLD"] = "1000g"
    pyvips.block_untrusted_set(True)
    pyvips.operation_block_set("VipsForeignLoad", True)
    for loader in _LOADERS.values():
        pyvips.operation_block_set(loader, False)
    pyvips.cache_set_max(0)
    if sys.platform == "linux":
        with suppress(AttributeError):  # another C library than glibc
            # One heap for all of libvips' threads: each would keep what it had, two thirds of the memory in all.
            ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


def read(path: str, kind: Format) -> Read:
    """The picture (of several, the first page), upright, in sRGB or grey, alpha laid on white; what has more than 8
    bits and no colour profile is tone-mapped.

    Raises: Invalid when damaged or truncated, TooLarge, Unsupported for rare kinds.
    """
    guard()
    with explained(kind):
        found = _opened(path, kind, 0, deepest=False)
        plane = plane_of(found.image, kind)
        if plane.screen:
            smaller = _smaller(found.image, path) if kind == "jpeg" else plane.image
            small = colours_of(plane.image, DISPLAY_SIDE, smaller).copy_memory()
        else:
            small = upright(_image(toned(plane)[0]), found.image)
        if small.bands not in (1, 3):
            raise _channels(kind, small.bands)
        width, height = (found.height, found.width) if sideways(found.image) else (found.width, found.height)
        several = max(found.pages, found.frames)
        technical = {"NumberOfFrames": str(several)} if several > 1 else {}
        return Read(small, width, height, technical, found.pages, found.frames, not plane.screen)


def header(path: str, kind: Format) -> None:
    """Looks at the header alone. Raises as `read` does for what it finds there."""
    guard()
    with explained(kind):
        if kind == "tiff":
            tiff.structure(path)
        elif kind in ("bmp", "jpeg2000"):
            width, height, _ = codecs.size(Path(path).read_bytes())
            check_pixels(width, height)
        else:
            image = _load(path, kind)
            check_pixels(image.width, image.height)
            check_ratio(_bytes(image), os.path.getsize(path))


def page(path: str, kind: Format, number: int) -> tuple[Opened, Plane]:
    """Page or frame `number` (from 0) at full size; of a TIFF's pyramid the largest level that is within bounds.

    Raises: NotFound when there is none of this number; as `read`.
    """
    guard()
    with explained(kind):
        found = _opened(path, kind, number, deepest=True)
        plane = plane_of(found.image, kind)
        if plane.weighted and not plane.clear:
            # Mostly all are numbers: worth a look, since half of the work that every view is goes with the weights.
            whole = finite(found.image).min() > 0
            found = _opened(path, kind, number, deepest=True)  # it is read from top to bottom, once
            plane = Plane(found.image, screen=False, wide=plane.wide) if whole else plane_of(found.image, kind)
        return found, plane


def _opened(path: str, kind: Format, number: int, *, deepest: bool) -> Opened:
    if kind == "tiff":
        return _tiff(path, number, deepest=deepest)
    if kind in ("bmp", "jpeg2000"):
        found = _decoded(path, kind)
    else:
        image = _load(path, kind)
        check_pixels(image.width, image.height)
        check_ratio(_bytes(image), os.path.getsize(path))
        count = int(image.get("n-pages")) if image.get_typeof("n-pages") else 1
        frames(count)
        if 0 < number < count:
            image = _load(path, kind, page=number)
        found = Opened(image, image.width, image.height, frames=count)
    if number >= found.frames:
        raise none_such("frame", number, found.frames)
    return found


def _tiff(path: str, number: int, *, deepest: bool) -> Opened:
    found = tiff.structure(path, number, deepest=deepest)
    if found.vips:
        ifd, below = found.level
        image = _load(path, "tiff", page=ifd, **({"subifd": below} if below >= 0 else {}))
        check_pixels(image.width, image.height)
    else:
        pixels, colours = tiff.pixels(path, number, deepest=deepest)
        image = _coloured(pixels, colours)
    kept = image.bands - found.unspecified
    if found.unspecified and kept >= 3:  # a mask or selection that an image program saved beside the colours
        image = image.extract_band(0, n=kept)
    elif found.unspecified:
        raise _channels("tiff", image.bands)
    return Opened(image, found.width, found.height, pages=found.pages)


def _decoded(path: str, kind: Format) -> Opened:
    """By a codec that wants the whole file."""
    data = Path(path).read_bytes()
    width, height, channels = codecs.size(data)
    check_pixels(width, height)
    check_ratio(width * height * channels, len(data))
    if kind == "jpeg2000":
        check_wavelet(width * height * channels)
    pixels = codecs.bmp(data) if kind == "bmp" else codecs.jpeg2000(data)
    image = _coloured(pixels, "grey" if pixels.ndim == 2 or pixels.shape[2] < 3 else "rgb")
    return Opened(image, image.width, image.height)


def none_such(what: str, number: int, count: int) -> NotFound:
    return NotFound(f"There is no {what} {number}.", remedy=f"The picture has {count:,}; they count from 0.")


def sideways(image: Any) -> bool:
    """Whether its EXIF orientation swaps width and height."""
    return bool(image.get_typeof("orientation") and image.get("orientation") in _SIDEWAYS)


def plane_of(image: Any, kind: Format) -> Plane:
    """How the pixels of this file are to be understood.

    More than 8 bits with a colour profile are a photograph's, whose profile says how to show them; so are CMYK and Lab.
    """
    if image.interpretation in _LAB:
        return Plane(image.colourspace("srgb"), screen=True)
    profiled = image.get_typeof("icc-profile-data") and image.format == "ushort"
    if image.format == "uchar" or image.interpretation == "cmyk" or profiled:
        return Plane(image, screen=True)
    wide = image.format in ("int", "uint", "float", "double")
    if image.format in ("complex", "dpcomplex"):
        raise Unsupported("A TIFF of complex numbers is not supported.", remedy="Save their magnitude.")
    if image.bands - image.hasalpha() not in (1, 3):
        raise _channels(kind, image.bands)
    if image.hasalpha():
        colours, there = image.extract_band(0, n=image.bands - 1), image.extract_band(image.bands - 1) > 0
        return Plane(weighted(colours, there), screen=False, weighted=True, clear=True, wide=wide)
    if image.format in ("float", "double"):
        return Plane(weighted(image, finite(image)), screen=False, weighted=True, wide=wide)
    return Plane(image, screen=False, wide=wide)


def finite(image: Any) -> Any:
    """255 where all channels are numbers, neither infinite nor none."""
    return (image - image == 0).bandand()


def image_of(pixels: Pixels) -> Any:
    """As a pyvips image, of arrays that libvips has a format for."""
    guard()
    if pixels.dtype.itemsize == 8:
        pixels = pixels.astype(np.float64)
    if pixels.dtype == np.float16:
        pixels = pixels.astype(np.float32)
    return _image(pixels.astype(pixels.dtype.newbyteorder("="), copy=False))


def weighted(colours: Any, there: Any) -> Any:
    """What is not there weighs nothing: values by their weight, then the weight."""
    kept = there.ifthenelse(colours, 0).cast("double" if colours.format in ("double", "int", "uint") else "float")
    return kept.bandjoin((there / 255).cast(kept.format))


def values_of(plane: Plane, image: Any) -> tuple[Pixels, Mask | None]:
    """Of a part of the plane, or the plane made smaller: its values, and where nothing is (no numbers there)."""
    pixels = _pixels(image)
    if not plane.weighted:
        return pixels, None
    values, weight = pixels[..., :-1], pixels[..., -1:]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(weight > 0.5, values / weight, np.nan), weight[..., 0] <= 0.5


def toned(plane: Plane) -> tuple[Screen, Tone, tuple[float, float]]:
    """A plane of values as it shows, shrunk to DISPLAY_SIDE; the tone that does it, and the ends of the values.
    Shrunk first, so that the tone mapping sees few pixels and the file is read once."""
    values, outside = values_of(plane, _shrink(plane.image))
    tone = plane.tone
    if tone is None and values.ndim == 3 and values.shape[2] == 3 and not plane.weighted:
        tone = photograph(values)
    tone = replace(tone or measured(values, wide=plane.wide), inverted=plane.inverted)
    return shown(plane, tone, values, outside), tone, ends(values)


def shown(plane: Plane, tone: Tone, values: Pixels, outside: Mask | None) -> Screen:
    """Values through a tone; transparent is white."""
    levels = tone.shown(values)
    if plane.clear and outside is not None:
        levels[outside] = 255
    return levels


def write(small: Any, folder: str) -> tuple[Jpeg, Jpeg]:
    """Display and thumbnail of a picture already shrunk, as files in `folder`."""
    try:
        thumbnail = small.thumbnail_image(THUMBNAIL_SIDE, height=THUMBNAIL_SIDE, size="down")
        return _jpeg(small, os.path.join(folder, "display.jpg")), _jpeg(
            thumbnail, os.path.join(folder, "thumbnail.jpg")
        )
    except pyvips.Error as error:  # the picture was read well, so it is not to blame
        raise OSError(f"The renditions could not be written ({_first_line(error)}).") from error


def whole(path: str, kind: Format) -> Iterator[Any]:
    """Every page and frame at full size, upright; of a pyramid the largest level within bounds, without a slide's label
    and overview. Raises as `read`."""
    guard()
    with explained(kind):
        first = _opened(path, kind, 0, deepest=True)
        for number in range(max(first.pages, first.frames)):
            try:
                found = _opened(path, kind, number, deepest=True)
            except NotFound:  # a label or an overview
                continue
            yield found.image.copy_memory().autorot()


def headers(path: str, kind: Format) -> dict[str, Any]:
    """What libvips finds beside the pixels, by its names; nothing where another library decodes the file."""
    guard()
    try:
        image = _load(path, kind)
    except pyvips.Error:
        return {}
    return {name: image.get(name) for name in image.get_fields()}


@contextmanager
def explained(kind: Format) -> Iterator[None]:
    """libvips' and the codecs' errors as ours."""
    try:
        yield
    except (MitaggerError, MemoryError, OSError):
        raise
    except Exception as error:  # whatever a hostile file makes of the libraries' assumptions
        if re.search("(out of|insufficient) memory|unable to allocate", str(error), re.IGNORECASE):
            raise MemoryError from error
        said = str(error) if isinstance(error, codecs.Damaged) else type(error).__name__
        said = _first_line(error) if isinstance(error, pyvips.Error) else said
        raise Invalid(
            f"The {kind.upper()} is damaged, incomplete or of a rare kind ({said}).",
            remedy="Send it again; if that does not help, open and save it in an image program.",
        ) from error


def _load(path: str, kind: Format, **options: Any) -> Any:
    """By the format's own loader: `new_from_file` would take options from a path that ends in brackets.

    Not `thumbnail_source` either: libvips 8.18 ignores its `fail_on` and paints the rest of a truncated file grey; and
    damaged tiles of a TIFF black unless warnings count.
    """
    strict = "warning" if kind == "tiff" else "error"
    return getattr(pyvips.Image, f"{kind}load")(path, access="sequential", fail_on=strict, **options)


def _smaller(header: Any, path: str) -> Any:
    """JPEGs are decoded no larger than needed."""
    shrink = max(s for s in (1, 2, 4, 8) if s == 1 or max(header.width, header.height) >= s * DISPLAY_SIDE)
    return _load(path, "jpeg", shrink=shrink)


def colours_of(header: Any, side: int, image: Any = None) -> Any:
    """Made to be seen, in sRGB or grey, no longer than `side`: colour profiles applied, EXIF orientation too, alpha
    laid on white. `image`: read in place of `header`, whose profile counts."""
    # A profile is converted to sRGB only where there is one: libvips would convert sRGB too, at three times the time.
    converted = header.get_typeof("icc-profile-data") or header.interpretation == "cmyk"
    profile = {"output_profile": "srgb"} if converted else {}
    image = (header if image is None else image).thumbnail_image(side, height=side, size="down", **profile)
    return image.flatten(background=255) if image.hasalpha() else image


def upright(image: Any, header: Any) -> Any:
    """As the EXIF of `header` says."""
    if header.get_typeof("orientation") and header.get("orientation") != 1:
        image = image.copy_memory()
        image.set_type(pyvips.GValue.gint_type, "orientation", header.get("orientation"))
        image = image.autorot()
    return image


def _coloured(pixels: Pixels, colours: str) -> Any:
    image = _image(pixels)
    interpretation = _COLOURS[colours]
    if image.format == "ushort":
        interpretation = "rgb16" if colours == "rgb" else "grey16"
    return image.copy(interpretation=interpretation)


def _channels(kind: Format, bands: int) -> Unsupported:
    return Unsupported(
        f"A {kind.upper()} of {bands} channels is not supported.", remedy="Grey and colour are; convert it."
    )


def _bytes(header: Any) -> int:
    """Once decoded."""
    depth = {"uchar": 1, "char": 1, "ushort": 2, "short": 2, "double": 8}.get(header.format, 4)
    return int(header.width * header.height * header.bands * depth)


def _image(pixels: Pixels) -> Any:
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
