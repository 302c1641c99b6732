"""From the many greys of a sensor to the 256 of a screen."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[Any]  # (height, width) or (height, width, channels)
Screen = NDArray[np.uint8]

# Of the pixels, this share at either end may become plain black or white: a few dead or hot pixels and labels burned in
# at full scale must not hide the structure. 0.1 to 0.35 % is the usual choice (Fiji's default of "Enhance Contrast" is
# 0.35 %, https://imagej.net/ij/docs/menus/process.html#enhance); the low end keeps faint bright spots.
CLIPPED = 0.1  # per cent
SAMPLED = 1_000_000  # pixels at most, evenly spaced, are sorted for the percentiles


def stretch(pixels: Pixels) -> Screen:
    """Spread what lies between the percentiles CLIPPED and 100 - CLIPPED evenly over 0..255, all channels alike.

    For pixels that say nothing of how to show them: 16-bit TIFF and PNG, DICOM without a window. A picture of one value
    becomes mid-grey.
    """
    step = math.ceil(math.sqrt(pixels.shape[0] * pixels.shape[1] / SAMPLED))
    low, high = np.percentile(pixels[::step, ::step], (CLIPPED, 100 - CLIPPED))
    if low == high:  # nearly all is one value; the rest is all there is to see
        low, high = pixels.min(), pixels.max()
    if low == high:
        return np.full(pixels.shape, 128, np.uint8)
    return _levels((pixels.astype(np.float32) - low) / (float(high) - float(low)))


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
    levels: Screen = (np.clip(unit, 0, 1) * 255 + 0.5).astype(np.uint8)
    return levels
