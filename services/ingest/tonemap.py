"""From the many greys of a sensor to the 256 of a screen."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[Any]  # (height, width) or (height, width, channels)
Screen = NDArray[np.uint8]
Mask = NDArray[np.bool_]  # (height, width)

# Of the pixels, this share at either end may become plain black or white: a few dead or hot pixels and labels burned in
# at full scale must not hide the structure. 0.1 to 0.35 % is the usual choice (Fiji's default of "Enhance Contrast" is
# 0.35 %, https://imagej.net/ij/docs/menus/process.html#enhance); the low end keeps faint bright spots.
CLIPPED = 0.1  # per cent
SAMPLED = 1_000_000  # pixels at most, evenly spaced, are sorted for the percentiles


def stretch(pixels: Pixels, *, wide: bool = False) -> Screen:
    """Spread what lies between the percentiles CLIPPED and 100 - CLIPPED over 0..255, all channels alike.

    For pixels that say nothing of how to show them: 16 and 32 bits, floats, DICOM without a window. Evenly, except for
    `wide` ones (of more than 16 bits) of which half would fall into the darkest grey (spectra, energies): by asinh, as
    astronomers do (Lupton et al. 1999, doi:10.1086/301004), softened at the median. A picture of one value becomes
    mid-grey. Pixels that are not finite do not count and become black.
    """
    step = math.ceil(math.sqrt(pixels.shape[0] * pixels.shape[1] / SAMPLED))
    counted = _finite(pixels[::step, ::step])
    if counted.size == 0:  # none of the sample counts
        return np.zeros(pixels.shape, np.uint8)
    low, median, high = map(float, np.percentile(counted, (CLIPPED, 50, 100 - CLIPPED)))
    if low == high:  # nearly all is one value; the rest is all there is to see
        low, high = _ends(pixels)
    if low == high:
        levels = np.full(pixels.shape, 128, np.uint8)
    elif wide and 0 < median - low < (high - low) / 256:
        softened: NDArray[Any] = np.arcsinh((pixels.astype(np.float64) - low) / (median - low))
        levels = _levels(softened / math.asinh((high - low) / (median - low)))
    else:
        levels = _levels(_unit(pixels, low, high))
    if pixels.dtype.kind == "f":
        levels[~np.isfinite(pixels)] = 0
    return levels


def photograph(pixels: Pixels) -> Screen | None:
    """16-bit colours that reach into the upper quarter of their range, as they are: they were made to be seen. None
    for others, such as a camera's 12 bits."""
    if pixels.dtype != np.uint16 or np.percentile(pixels, 100 - CLIPPED) < 0.75 * 65535:
        return None
    return (pixels >> 8).astype(np.uint8)


def _finite(pixels: Pixels) -> Pixels:
    return pixels[np.isfinite(pixels)] if pixels.dtype.kind == "f" else pixels


def _ends(pixels: Pixels) -> tuple[float, float]:
    counted = _finite(pixels)
    return float(counted.min()), float(counted.max())


def _unit(pixels: Pixels, low: float, high: float) -> NDArray[Any]:
    """`low` to `high` as 0 to 1. 32-bit counts and doubles may lie far from zero and close together."""
    values: NDArray[Any] = pixels.astype(np.float64 if pixels.itemsize >= 4 else np.float32)
    # Halved: the difference of two doubles may be beyond the largest one.
    unit: NDArray[Any] = (values / 2 - low / 2) / (high / 2 - low / 2)
    return unit


def window(pixels: Pixels, centre: float, width: float, function: str = "LINEAR") -> Screen:
    """Show the values around `centre` over `width`, as DICOM PS3.3 C.11.2.1.2 and C.11.2.1.3 define it.

    `function` is LINEAR (width >= 1), LINEAR_EXACT or SIGMOID (width > 0).
    """
    values = pixels.astype(np.float32)
    if function == "SIGMOID":
        return _levels(1 / (1 + np.exp(np.clip(-4 * (values - centre) / width, -80, 80))))
    if function == "LINEAR_EXACT":
        return _levels((values - centre) / width + 0.5)
    # LINEAR: a window of width 1 is a step; the guard only avoids dividing by its zero slope.
    return _levels((values - (centre - 0.5)) / max(width - 1, 1e-6) + 0.5)


def _levels(unit: NDArray[Any]) -> Screen:
    """0..1 to 0..255, clipped."""
    levels: Screen = (np.clip(np.nan_to_num(unit, posinf=1), 0, 1) * 255 + 0.5).astype(np.uint8)
    return levels
