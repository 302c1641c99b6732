"""How a TIFF is built, by tifffile, and the few kinds of TIFF that libvips cannot decode. Runs in workers only.

libvips decodes what it can: it streams. But it shows a page black, without an error, when its libtiff lacks the
compression; and it takes all extra channels for transparency and each level of a pyramid for a page.
"""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import tifffile
from tifffile import COMPRESSION, EXTRASAMPLE, PHOTOMETRIC

from services.ingest.rendered import DISPLAY_SIDE, LARGEST_PICTURE, check_pixels, check_ratio, frames
from services.ingest.tonemap import Pixels
from shared.errors import Invalid, MitaggerError, NotFound, Unsupported

# What the libtiff in libvips' wheel decodes.
_BY_LIBVIPS: Final = frozenset(
    {
        COMPRESSION.NONE, COMPRESSION.CCITTRLE, COMPRESSION.CCITT_T4, COMPRESSION.CCITT_T6, COMPRESSION.LZW,
        COMPRESSION.JPEG, COMPRESSION.ADOBE_DEFLATE, COMPRESSION.DEFLATE, COMPRESSION.PACKBITS, COMPRESSION.WEBP,
    }
)  # fmt: skip
_JPEG2000: Final = frozenset(
    {
        COMPRESSION.JPEG2000, COMPRESSION.APERIO_JP2000_YCBC, COMPRESSION.APERIO_JP2000_RGB, COMPRESSION.JPEG_2000_LOSSY
    }
)  # fmt: skip
_PLAIN: Final = frozenset(
    {COMPRESSION.NONE, COMPRESSION.LZW, COMPRESSION.ADOBE_DEFLATE, COMPRESSION.DEFLATE, COMPRESSION.PACKBITS}
)
_SIMPLE: Final = frozenset({PHOTOMETRIC.MINISBLACK, PHOTOMETRIC.MINISWHITE, PHOTOMETRIC.RGB})
_PROFILE: Final = 34675  # the tag of ICC profiles
_LAB: Final = frozenset({PHOTOMETRIC.CIELAB, PHOTOMETRIC.ICCLAB})
# How tifffile calls the files of slide scanners, whose first series is the picture.
_SCANNERS: Final = ("is_svs", "is_ndpi", "is_scn", "is_bif", "is_qpi", "is_philips", "is_avs")
_MACRO: Final = 8  # in NewSubfileType, with which Aperio marks the overview
READABLE: Final = "none, CCITT, LZW, deflate, PackBits, JPEG, JPEG 2000 and WebP"

Level = tuple[int, int]  # page, and sub-IFD of it (-1: the page itself)


@dataclass(frozen=True)
class Structure:
    """Of the page to show: its size, the level of its pyramid to decode, how many pages there are.

    `vips` says whether libvips decodes it; `unspecified` how many of its last channels mean nothing that is known;
    `levels`, the largest first, where libvips can read any part of each: all are tiled and alike.
    """

    width: int
    height: int
    level: Level
    vips: bool
    unspecified: int
    pages: int
    levels: tuple[tuple[Level, int, int], ...] = ()  # place, width, height


def structure(path: str, number: int = 0, *, deepest: bool = False) -> Structure:
    """Of page `number`; of a pyramid the level for the display, or the `deepest` within bounds.

    Raises: Invalid when damaged, TooLarge, Unsupported, NotFound when there is no such page.
    """
    with _opened(path) as file:
        found = _chosen(file, number)
        level = found.deepest() if deepest else found.enough()
        page = level.page
        check_pixels(page.imagewidth, page.imagelength)
        decoded = page.imagewidth * page.imagelength * page.samplesperpixel * max(8, page.bitspersample) // 8
        check_ratio(decoded, file.filehandle.size)
        frames(found.count)
        alike = all(one.page.is_tiled and one.page.compression == page.compression for one in found.levels)
        vips = _by_libvips(page)
        return Structure(
            width=found.levels[0].page.imagewidth,
            height=found.levels[0].page.imagelength,
            level=level.place,
            vips=vips,
            unspecified=sum(sample == EXTRASAMPLE.UNSPECIFIED for sample in page.extrasamples),
            pages=found.count,
            levels=tuple((one.place, one.page.imagewidth, one.page.imagelength) for one in found.levels)
            if vips and alike
            else (),
        )


def pixels(path: str, number: int = 0, *, deepest: bool = False) -> tuple[Pixels, str]:
    """Those of a picture that libvips cannot decode, and their colours: "grey", "rgb", or "lab" (floats).

    Raises: Invalid when damaged.
    """
    with _opened(path) as file:
        chosen = _chosen(file, number)
        page = (chosen.deepest() if deepest else chosen.enough()).source
        _whole(page, file.filehandle.size)
        found = np.asarray(page.asarray(maxworkers=1))
        if page.planarconfig == 2 and found.ndim == 3:
            found = np.moveaxis(found, 0, -1)
        if page.photometric in _LAB:
            return _lab(found, icc=page.photometric == PHOTOMETRIC.ICCLAB), "lab"
        if page.compression == COMPRESSION.APERIO_JP2000_YCBC:
            found = _rgb(found)
        if page.photometric == PHOTOMETRIC.MINISWHITE:
            found = np.iinfo(found.dtype).max - found if found.dtype.kind == "u" else -found
    if found.dtype.kind in "iu" and found.itemsize == 8:  # which libvips has no format for
        found = found.astype(np.float64)
    return found, "rgb" if found.ndim == 3 and found.shape[2] >= 3 else "grey"


@contextmanager
def _opened(path: str) -> Iterator[Any]:
    """tifffile's errors as ours; it quotes what it reads in what it logs."""
    logging.getLogger("tifffile").setLevel(logging.CRITICAL + 1)
    try:
        with tifffile.TiffFile(path) as file:
            yield file
    except (MitaggerError, MemoryError):
        raise
    except Exception as error:  # whatever it stumbles over in a hostile file
        if re.search("unable to allocate", str(error), re.IGNORECASE):
            raise MemoryError from None
        raise Invalid(
            f"The TIFF is damaged, incomplete or of a rare kind ({type(error).__name__} while it was read).",
            remedy="Send it again; if that does not help, open and save it in an image program.",
        ) from None


@dataclass(frozen=True)
class _Level:
    """`source` is what tifffile decodes, `page` what says how (they differ where the pages of a series are alike)."""

    source: Any
    page: Any

    @property
    def place(self) -> Level:
        ifd, *below = self.source.treeindex
        return ifd, below[0] if below else -1

    @property
    def side(self) -> int:
        return int(max(self.page.imagewidth, self.page.imagelength))


@dataclass(frozen=True)
class _Chosen:
    """A page as the levels of its pyramid, the largest first, and how many pages there are."""

    levels: tuple[_Level, ...]
    count: int

    def deepest(self) -> _Level:
        """The largest within bounds."""
        return next((one for one in self.levels if _within(one)), self.levels[-1])

    def enough(self) -> _Level:
        """The smallest that still fills the display, within bounds."""
        filling = [one for one in self.levels if one.side >= DISPLAY_SIDE and _within(one)]
        return filling[-1] if filling else self.deepest()


def _within(level: _Level) -> bool:
    return int(level.page.imagewidth * level.page.imagelength) <= LARGEST_PICTURE


def _chosen(file: Any, number: int) -> _Chosen:
    """Page `number`. The levels of a pyramid are no pages, nor are a slide scanner's label and overview, which may show
    who the patient is."""
    first = file.pages.first
    if first.imagewidth < 1 or first.imagelength < 1:
        raise Invalid("The TIFF has no pixels.", remedy="Save it again in an image program.")
    scanned = any(getattr(first, name) for name in _SCANNERS)
    if scanned or max(first.imagewidth, first.imagelength) > DISPLAY_SIDE:
        series = file.series[0]
        if scanned or series.is_pyramidal:
            _in(number, len(series.pages))
            ordered = sorted(series.levels, key=lambda level: -level.keyframe.imagewidth)
            levels = tuple(_Level(level.pages[number], level.keyframe) for level in ordered)
            return _Chosen(levels, len(series.pages))
    count = len(file.pages)
    _in(number, count)
    page = file.pages[number] if number else first
    if number and (page.is_reduced or page.subfiletype & _MACRO):
        raise NotFound(f"Page {number} is a label or an overview, which are not shown.")
    return _Chosen((_Level(page, page),), count)


def _in(number: int, count: int) -> None:
    if number >= count:
        raise NotFound(f"There is no page {number}.", remedy=f"The picture has {count:,}; they count from 0.")


def _by_libvips(page: Any) -> bool:
    """Raises Unsupported when tifffile is not to decode it either."""
    compression, deep = page.compression, page.bitspersample == 64
    lab8 = page.photometric in _LAB and page.bitspersample == 8
    if compression in _BY_LIBVIPS and not deep and not lab8:
        return not _repeated(page)
    if compression in _JPEG2000 or (compression in _PLAIN and (deep or lab8)):
        return False
    name = compression.name if isinstance(compression, COMPRESSION) else str(compression)
    raise Unsupported(
        f"A TIFF of {page.bitspersample} bits compressed as {name} is not supported.",
        remedy=f"These compressions are: {READABLE}. Save it with one of them.",
    )


def _repeated(page: Any) -> bool:
    """Whether tags come twice, as tifffile itself writes a description beside its own, in a page that it decodes as
    libvips would. To libtiff that is a warning, as damaged pixels are, and those must count."""
    tags = [tag.code for tag in page.tags]
    plain = page.compression in _PLAIN and page.photometric in _SIMPLE and page.bitspersample in (8, 16, 32)
    return plain and _PROFILE not in tags and len(set(tags)) < len(tags)


def _whole(page: Any, size: int) -> None:
    """tifffile shows strips and tiles that are not there as black."""
    segments = zip(page.dataoffsets, page.databytecounts, strict=True)
    if any(not count or start + count > size for start, count in segments):
        raise ValueError("pixels are missing")


def _lab(stored: Pixels, *, icc: bool) -> Pixels:
    """8 bits (TIFF 6.0 section 23; ICCLab: TIFF Technical Note 4) to L* 0..100, a* and b*."""
    lightness = stored[..., :1].astype(np.float32) * (100 / 255)
    colours = stored[..., 1:3].astype(np.float32) - 128 if icc else stored[..., 1:3].astype(np.int8).astype(np.float32)
    return np.concatenate([lightness, colours], axis=-1)


def _rgb(stored: Pixels) -> Pixels:
    """YCbCr of 8 bits (ITU-R BT.601, full range), which Aperio's compression 33003 holds."""
    y, cb, cr = np.moveaxis(stored.astype(np.float32), -1, 0)
    cb, cr = cb - 128, cr - 128
    colours = np.stack([y + 1.402 * cr, y - 0.344136 * cb - 0.714136 * cr, y + 1.772 * cb], axis=-1)
    return np.clip(colours + 0.5, 0, 255).astype(np.uint8)
