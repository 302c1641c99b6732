"""The pixels of a DICOM as they are kept: a TIFF of its frames, compressed without loss, in which stand the numbers
that say how to show them, and nothing else of the file. Runs in workers only.
"""

import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import tifffile
from pydantic import BaseModel, TypeAdapter

from services.ingest.raster import Plane, finite, image_of, none_such, weighted
from services.ingest.tonemap import Pixels, Tone
from shared.errors import Invalid

# What is kept of a film: 760 frames of 512 x 512, say; and not for longer than leaves time for the rest of the work.
MOST_SAMPLES: Final = 200_000_000
KEEPING_SECONDS: Final = 30.0
LEVEL: Final = 1  # of deflate: twice as fast as the default, 5 % larger

_DESCRIPTION: Final = 270  # the TIFF tag


class Numbers(BaseModel):
    """How stored pixels become values: slope and intercept, one pair for all frames or one each; likewise the tones.

    `padding`: stored values, from the lowest to the highest, of pixels that are none; `wide`: of more than 16 bits;
    `unit`: of the values, where known; `frames`: those of the file, of which the first ones are kept.
    """

    frames: int = 1
    rescale: list[tuple[float, float]] = [(1.0, 0.0)]
    tones: list[Tone | None] = [None]
    padding: tuple[float, float] | None = None
    inverted: bool = False
    wide: bool = False
    unit: str = ""


_NUMBERS: Final = TypeAdapter(Numbers)


def kept(frames: int, samples: int) -> int:
    """How many of so many frames, of so many samples each, are kept."""
    return max(1, min(frames, MOST_SAMPLES // max(1, samples)))


def write(path: str, first: Pixels, rest: Iterable[Pixels], numbers: Numbers) -> int:
    """Writes the frames, one in memory at a time; how many there was time for. Raises what reading `rest` raises."""
    until, count = time.monotonic() + KEEPING_SECONDS, 0
    options: dict[str, Any] = {
        "compression": "zlib",
        "compressionargs": {"level": LEVEL},
        "metadata": None,
        "photometric": "rgb" if first.ndim == 3 else "minisblack",
        "software": False,
        "contiguous": False,
    }
    big = first.nbytes * numbers.frames > 1 << 31
    with tifffile.TiffWriter(path, bigtiff=big) as out:
        for pixels in _chained(first, rest):
            whole = pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
            predictor = whole.dtype.kind in "iu" and whole.dtype.itemsize <= 4
            out.write(whole, predictor=predictor, description=None if count else numbers.model_dump_json(), **options)
            count += 1
            if time.monotonic() > until:
                break
    return count


def read(path: str, frame: int) -> tuple[Plane, Numbers, int]:
    """A frame, with the numbers of all, and how many are kept. Raises NotFound, Invalid when it is damaged."""
    try:
        with tifffile.TiffFile(path) as file:
            count = len(file.pages)
            numbers = _NUMBERS.validate_json(file.pages.first.tags[_DESCRIPTION].value)
            if frame >= count:
                raise none_such("frame", frame, count)
            pixels = np.asarray(file.pages[frame].asarray(maxworkers=1))
    except (KeyError, ValueError, tifffile.TiffFileError) as error:
        raise Invalid(f"The stored pixels in {Path(path).name[:12]} are damaged.", remedy="Import it again.") from error
    return plane_of(pixels, numbers, frame), numbers, count


def frames(path: str) -> tuple[Numbers, Iterator[Pixels]]:
    """The numbers of all frames that are kept, and their pixels as stored, one at a time. Raises Invalid when it is
    damaged."""
    try:
        with tifffile.TiffFile(path) as file:
            numbers = _NUMBERS.validate_json(file.pages.first.tags[_DESCRIPTION].value)
    except (KeyError, ValueError, tifffile.TiffFileError) as error:
        raise Invalid(f"The stored pixels in {Path(path).name[:12]} are damaged.", remedy="Import it again.") from error
    return numbers, _frames(path)


def _frames(path: str) -> Iterator[Pixels]:
    with tifffile.TiffFile(path) as file:
        for page in file.pages:
            yield np.asarray(page.asarray(maxworkers=1))


def plane_of(pixels: Pixels, numbers: Numbers, frame: int) -> Plane:
    """A frame's stored pixels as values, in the unit of the file."""
    image = image_of(pixels)
    if pixels.ndim == 3 and pixels.dtype == np.uint8:
        return Plane(image, screen=True)
    tone = _of(numbers.tones, frame)
    deep = image.format in ("int", "uint", "double")
    there = None
    if numbers.padding is not None:
        low, high = numbers.padding
        there = (image < low) | (image > high)
    if image.format in ("float", "double"):
        there = finite(image) if there is None else there & finite(image)
    slope, intercept = _of(numbers.rescale, frame)
    if (slope, intercept) != (1, 0):
        image = image.cast("double" if deep else "float") * slope + intercept
    # No pixel is padding: nothing to weigh.
    if there is None or (numbers.padding is not None and there.min() > 0):
        return Plane(image, screen=False, wide=numbers.wide, tone=tone, inverted=numbers.inverted)
    return Plane(
        weighted(image, there), screen=False, weighted=True, wide=numbers.wide, tone=tone, inverted=numbers.inverted
    )


def _of(each: list[Any], frame: int) -> Any:
    return each[frame] if len(each) > 1 else each[0]


def _chained(first: Pixels, rest: Iterable[Pixels]) -> Iterable[Pixels]:
    yield first
    yield from rest
