"""Blacking out parts of a picture, for good: what is under them is in no file any more. Runs in workers only."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
import tifffile

from services.ingest import raster, stored
from services.ingest.rendered import DISPLAY_SIDE, Area, Format, Size
from services.ingest.tonemap import Pixels

_INK: Final = frozenset({"cmyk"})  # in which the most of each colour is black
_LAB: Final = frozenset({"lab", "labq", "labs"})


def write(path: str, kind: Format, areas: Sequence[Area], size: Size, target: str) -> None:
    """See `renditions.black_out`."""
    _write(target, (_blackened(image, areas, *size) for image in raster.whole(path, kind)))


def _blackened(image: Any, areas: Sequence[Area], width: int, height: int) -> Any:
    """In a copy of its own. Areas grow to whole pixels, where the file has others."""
    if image.interpretation in _LAB:
        image = image.colourspace("srgb")
    image = image.copy_memory()
    black = [255.0 if image.interpretation in _INK else 0.0] * image.bands
    if image.hasalpha():
        black[-1] = 65535.0 if image.format == "ushort" else 255.0
    x, y = image.width / width, image.height / height
    for left, top, across, down in areas:
        begin, above = int(left * x), int(top * y)
        end, below = min(image.width, -int(-(left + across) * x // 1)), min(image.height, -int(-(top + down) * y // 1))
        if begin < end and above < below:
            image = image.draw_rect(black, begin, above, end - begin, below - above, fill=True)
    return image


def _write(target: str, images: Iterable[Any]) -> None:
    """One page in memory at a time."""
    with tifffile.TiffWriter(target, bigtiff=True) as out:
        for image in images:
            pixels: Pixels = np.asarray(image.numpy())
            if pixels.ndim == 3 and pixels.shape[2] == 1:
                pixels = pixels[..., 0]
            profile = image.get("icc-profile-data") if image.get_typeof("icc-profile-data") else None
            ink = image.interpretation in _INK
            colours = "separated" if ink else "rgb" if image.bands >= 3 else "minisblack"
            out.write(
                pixels,
                photometric=colours,
                planarconfig="contig" if pixels.ndim == 3 else None,
                extrasamples=["unassalpha"] if image.hasalpha() else None,
                compression="zlib",
                predictor=pixels.dtype.kind in "iu",
                iccprofile=profile,
                metadata=None,
                software=False,
                contiguous=False,
            )


def write_stored(path: str, areas: Sequence[Area], target: str) -> tuple[Any, int, bool]:
    """Of a DICOM's stored pixels (`services.ingest.stored`). The first frame as it shows, how many frames there are,
    and whether they have more values than a screen."""
    numbers, frames = stored.frames(path)
    black = (_without(pixels, areas, inverted=numbers.inverted) for pixels in frames)
    first = next(black)
    plane = stored.plane_of(first, numbers, 0)
    small = raster.colours_of(plane.image, DISPLAY_SIDE) if plane.screen else raster.image_of(raster.toned(plane)[0])
    return small, stored.write(target, first, black, numbers), not plane.screen


def _without(pixels: Pixels, areas: Sequence[Area], *, inverted: bool) -> Pixels:
    """The areas in the darkest value, of numbers with a sign the frame's own: another would move its window."""
    darkest = np.nanmax(pixels) if inverted else np.nanmin(pixels) if pixels.dtype.kind != "u" else 0
    for left, top, width, height in areas:
        pixels[top : top + height, left : left + width] = darkest
    return pixels
