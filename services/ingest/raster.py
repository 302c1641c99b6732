"""Pictures by libvips, and the writing of renditions. Runs in workers only.

Of libvips' loaders only those in use are enabled, and of those only what libvips calls safe for untrusted input. What
it has no loader for comes from `services.ingest.codecs` and `.tiff`.
"""

import functools
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
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
from services.ingest.tonemap import Mask, Pixels, Screen, photograph, stretch
from shared.errors import Invalid, MitaggerError, Unsupported

_LOADERS = {
    "png": "VipsForeignLoadPng",
    "jpeg": "VipsForeignLoadJpeg",
    "tiff": "VipsForeignLoadTiff",
    "webp": "VipsForeignLoadWebp",
    "gif": "VipsForeignLoadNsgif",
}
_SIDEWAYS = frozenset({5, 6, 7, 8})  # EXIF orientations that swap width and height
_LAB = frozenset({"lab", "labq", "labs"})
_COLOURS = {"grey": "b-w", "rgb": "srgb", "lab": "lab"}


@dataclass(frozen=True)
class Read:
    """A picture shrunk to DISPLAY_SIDE, in memory: one or three channels of 8 bits; `width`, `height` before that."""

    small: Any  # pyvips.Image
    width: int
    height: int
    technical: dict[str, str] = field(default_factory=dict)


@functools.cache
def _guard() -> None:
    """libvips reads files only by the loaders in use; nothing is kept between pictures, nor in files of its own."""
    os.environ["VIPS_DISC_THRESHOLD"] = "1000g"
    pyvips.block_untrusted_set(True)
    pyvips.operation_block_set("VipsForeignLoad", True)
    for loader in _LOADERS.values():
        pyvips.operation_block_set(loader, False)
    pyvips.cache_set_max(0)


def read(path: str, kind: Format) -> Read:
    """The picture (of several, the first page), upright, in sRGB or grey, alpha laid on white; what has more than 8
    bits and no colour profile is tone-mapped.

    Raises: Invalid when damaged or truncated, TooLarge, Unsupported for rare kinds.
    """
    _guard()
    with _explained(kind):
        if kind == "tiff":
            return _tiff(path)
        if kind in ("bmp", "jpeg2000"):
            return _decoded(path, kind)
        header = _load(path, kind)
        check_pixels(header.width, header.height)
        check_ratio(_bytes(header), os.path.getsize(path))
        several = frames(header.get("n-pages") if header.get_typeof("n-pages") else 1)
        return _upright(header, _shown(header, kind, path), several)


def _tiff(path: str) -> Read:
    found = tiff.structure(path)
    if found.vips:
        page, below = found.level
        image = _load(path, "tiff", page=page, **({"subifd": below} if below >= 0 else {}))
        check_pixels(image.width, image.height)
    else:
        pixels, colours = tiff.pixels(path)
        image = _coloured(pixels, colours)
    kept = image.bands - found.unspecified
    if found.unspecified and kept >= 3:  # a mask or selection that an image program saved beside the colours
        image = image.extract_band(0, n=kept)
    elif found.unspecified:
        raise _channels("tiff", image.bands)
    read = _upright(image, _shown(image, "tiff", path), found.frames)
    sideways = (read.width, read.height) == (image.height, image.width) and image.width != image.height
    width, height = (found.height, found.width) if sideways else (found.width, found.height)
    return Read(read.small, width, height, found.frames)


def _decoded(path: str, kind: Format) -> Read:
    image = _full(path, kind)
    return _upright(image, _shown(image, kind, path), {})


def _full(path: str, kind: Format) -> Any:
    """By a codec that wants the whole file."""
    data = Path(path).read_bytes()
    width, height, channels = codecs.size(data)
    check_pixels(width, height)
    check_ratio(width * height * channels, len(data))
    if kind == "jpeg2000":
        check_wavelet(width * height * channels)
    pixels = codecs.bmp(data) if kind == "bmp" else codecs.jpeg2000(data)
    return _coloured(pixels, "grey" if pixels.ndim == 2 or pixels.shape[2] < 3 else "rgb")


def _upright(image: Any, small: Any, technical: dict[str, str]) -> Read:
    sideways = image.get_typeof("orientation") and image.get("orientation") in _SIDEWAYS
    width, height = (image.height, image.width) if sideways else (image.width, image.height)
    return Read(small, width, height, technical)


def shrunk(pixels: Pixels, outside: Mask | None = None) -> Pixels:
    """To DISPLAY_SIDE, (height, width) or (height, width, 3), as stored. With `outside` (height, width) as floats, of
    which those are not numbers; their neighbours hold nothing of them."""
    _guard()
    if pixels.dtype.itemsize == 8:
        pixels = pixels.astype(np.float64)
    image = _image(pixels.astype(pixels.dtype.newbyteorder("="), copy=False))
    if outside is None:
        return np.asarray(_pixels(_shrink(image)))
    values, _ = _weighted(image, _image((~outside).astype(np.uint8) * 255))
    return values.squeeze(axis=-1) if pixels.ndim == 2 else values


def from_screen(pixels: Screen, width: int, height: int, technical: dict[str, str]) -> Read:
    """A picture of `width` x `height` from 8-bit pixels already shrunk, (height, width) or (height, width, 3)."""
    return Read(_image(pixels), width, height, technical)


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
    """Every page and frame at full size, upright; of a pyramid the picture itself. Raises as `read`."""
    _guard()
    with _explained(kind):
        if kind in ("bmp", "jpeg2000"):
            yield _full(path, kind)
            return
        count = 1
        if kind == "tiff":
            found = tiff.structure(path)
            check_pixels(found.width, found.height)
            if not found.vips:
                yield _coloured(*tiff.pixels(path))
                return
            count = int(found.frames.get("NumberOfFrames", 1)) if found.level == (0, -1) else 1
        else:
            header = _load(path, kind)
            check_pixels(header.width, header.height)
            check_ratio(_bytes(header), os.path.getsize(path))
            count = int(header.get("n-pages")) if header.get_typeof("n-pages") else 1
            frames(count)
        for number in range(count):
            image = _load(path, kind, **({"page": number} if count > 1 else {}))
            check_pixels(image.width, image.height)
            yield image.copy_memory().autorot()


def headers(path: str, kind: Format) -> dict[str, Any]:
    """What libvips finds beside the pixels, by its names; nothing where another library decodes the file."""
    _guard()
    try:
        image = _load(path, kind)
    except pyvips.Error:
        return {}
    return {name: image.get(name) for name in image.get_fields()}


@contextmanager
def _explained(kind: Format) -> Iterator[None]:
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

    Not `thumbnail_source` either: libvips 8.18 ignores its `fail_on` and paints the rest of a truncated file grey.
    """
    return getattr(pyvips.Image, f"{kind}load")(path, access="sequential", fail_on="error", **options)


def _shown(image: Any, kind: Format, path: str) -> Any:
    """Shrunk, one or three channels of 8 bits.

    More bits with a colour profile are a photograph's, whose profile says how to show them; so are CMYK and Lab.
    """
    profiled = image.get_typeof("icc-profile-data") and image.format == "ushort"
    if image.interpretation in _LAB:
        small = _photo(image.colourspace("srgb"))
    elif image.format == "uchar" or image.interpretation == "cmyk" or profiled:
        small = _photo(image, _smaller(image, path) if kind == "jpeg" else image)
    else:
        small = _sensor(image, kind)
    if small.bands not in (1, 3):
        raise _channels(kind, image.bands)
    return small


def _smaller(header: Any, path: str) -> Any:
    """JPEGs are decoded no larger than needed."""
    shrink = max(s for s in (1, 2, 4, 8) if s == 1 or max(header.width, header.height) >= s * DISPLAY_SIDE)
    return _load(path, "jpeg", shrink=shrink)


def _photo(header: Any, image: Any = None) -> Any:
    """Colour profiles applied, EXIF orientation too."""
    # A profile is converted to sRGB only where there is one: libvips would convert sRGB too, at three times the time.
    converted = header.get_typeof("icc-profile-data") or header.interpretation == "cmyk"
    profile = {"output_profile": "srgb"} if converted else {}
    image = (header if image is None else image).thumbnail_image(
        DISPLAY_SIDE, height=DISPLAY_SIDE, size="down", **profile
    )
    return (image.flatten(background=255) if image.hasalpha() else image).copy_memory()


def _sensor(image: Any, kind: Format) -> Any:
    """More than 8 bits: shrunk first, so that the tone mapping sees few pixels and the file is read once."""
    there, colours, wide = None, image, image.format in ("int", "uint", "float", "double")
    if image.hasalpha():
        colours, there = image.extract_band(0, n=image.bands - 1), image.extract_band(image.bands - 1) > 0
    elif image.format in ("float", "double"):
        there = (image - image == 0).bandand()  # neither infinite nor not a number
    elif image.format in ("complex", "dpcomplex"):
        raise Unsupported("A TIFF of complex numbers is not supported.", remedy="Save their magnitude.")
    if colours.bands not in (1, 3):
        raise _channels(kind, image.bands)
    if there is None:
        pixels = _pixels(_shrink(colours))
        seen = photograph(pixels) if colours.bands == 3 else None
        return _turned(stretch(pixels, wide=wide) if seen is None else seen, image)
    values, outside = _weighted(colours, there)
    levels = stretch(values, wide=wide)
    if image.hasalpha():
        levels[outside] = 255
    return _turned(levels, image)


def _weighted(colours: Any, there: Any) -> tuple[Pixels, Mask]:
    """Shrunk, (height, width, channels) of floats; what is not there (0 in `there`, else 255) weighs nothing, and is no
    number where it is most of a pixel. Which those are."""
    kept = there.ifthenelse(colours, 0).cast("double" if colours.format in ("double", "int", "uint") else "float")
    together = _pixels(_shrink(kept.bandjoin((there / 255).cast(kept.format))))
    values, weight = together[..., :-1], together[..., -1:]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(weight > 0.5, values / weight, np.nan), weight[..., 0] <= 0.5


def _turned(levels: Screen, image: Any) -> Any:
    """Upright, as the file's EXIF says."""
    small = _image(levels)
    if image.get_typeof("orientation") and image.get("orientation") != 1:
        small = small.copy()
        small.set_type(pyvips.GValue.gint_type, "orientation", image.get("orientation"))
        small = small.autorot()
    return small


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
