"""From the many greys of a sensor to the 256 of a screen."""

import math
from dataclasses import dataclass
from typing import Any, Literal

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

Curve = Literal["even", "asinh", "one value", "upper bytes", "LINEAR", "LINEAR_EXACT", "SIGMOID", "table"]


@dataclass(frozen=True)
class Tone:
    """How values become the greys of a screen: measured once on a whole picture, then used for any part of it.

    even: `low` to `high`, all channels alike; asinh: likewise, softened at `middle`; LINEAR and the like: DICOM's
    windows (PS3.3 C.11.2.1.2), from `low` to `high`, which are centre - width / 2 and centre + width / 2; table:
    `table` holds a grey for each whole value from `low` on.
    """

    curve: Curve
    low: float = 0
    high: float = 255
    middle: float = 0
    table: tuple[int, ...] = ()
    inverted: bool = False

    def shown(self, pixels: Pixels) -> Screen:
        """Pixels that are not finite become black."""
        levels = self._levels(pixels)
        if pixels.dtype.kind == "f" and self.curve in ("even", "asinh", "one value"):
            levels[~np.isfinite(pixels)] = 0
        return 255 - levels if self.inverted else levels

    def line(self) -> tuple[float, float] | None:
        """The values that become black and white, where all between them are spread evenly."""
        if self.curve == "LINEAR":
            return self.low, max(self.high - 1, self.low + 1e-6)
        return (self.low, self.high) if self.curve in ("even", "LINEAR_EXACT") else None

    def _levels(self, pixels: Pixels) -> Screen:
        if self.curve == "one value":
            return np.full(pixels.shape, 128, np.uint8)
        if self.curve == "upper bytes":
            return (pixels.astype(np.uint16, copy=False) >> 8).astype(np.uint8)
        if self.curve == "asinh":
            softened: NDArray[Any] = np.arcsinh((pixels.astype(np.float64) - self.low) / (self.middle - self.low))
            return _levels(softened / math.asinh((self.high - self.low) / (self.middle - self.low)))
        if self.curve == "even":
            return _levels(_unit(pixels, self.low, self.high))
        if self.curve == "table":
            values = np.rint(np.clip(np.nan_to_num(pixels.astype(np.float64)) - self.low, 0, len(self.table) - 1))
            return np.asarray(self.table, np.uint8)[values.astype(np.int64)]
        return window(pixels, (self.low + self.high) / 2, self.high - self.low, self.curve)


def stretch(pixels: Pixels, *, wide: bool = False) -> Screen:
    """As `measured` says."""
    return measured(pixels, wide=wide).shown(pixels)


def measured(pixels: Pixels, *, wide: bool = False) -> Tone:
    """Spread what lies between the percentiles CLIPPED and 100 - CLIPPED over 0..255, all channels alike.

    For pixels that say nothing of how to show them: 16 and 32 bits, floats, DICOM without a window. Evenly, except for
    `wide` ones (of more than 16 bits) of which half would fall into the darkest grey (spectra, energies): by asinh, as
    astronomers do (Lupton et al. 1999, doi:10.1086/301004), softened at the median. A picture of one value becomes
    mid-grey. Pixels that are not finite do not count.
    """
    step = math.ceil(math.sqrt(pixels.shape[0] * pixels.shape[1] / SAMPLED))
    counted = _finite(pixels[::step, ::step])
    if counted.size == 0:  # none of the sample counts
        return Tone("even", 0, 1)
    low, median, high = map(float, np.percentile(counted, (CLIPPED, 50, 100 - CLIPPED)))
    if low == high:  # nearly all is one value; the rest is all there is to see
        low, high = ends(pixels)
    if low == high:
        return Tone("one value", low, high)
    if wide and 0 < median - low < (high - low) / 256:
        return Tone("asinh", low, high, median)
    return Tone("even", low, high)


def photograph(pixels: Pixels) -> Tone | None:
    """16-bit colours that reach into the upper quarter of their range, as they are: they were made to be seen. None
    for others, such as a camera's 12 bits."""
    if pixels.dtype != np.uint16 or np.percentile(pixels, 100 - CLIPPED) < 0.75 * 65535:
        return None
    return Tone("upper bytes", 0, 65535)


def ends(pixels: Pixels) -> tuple[float, float]:
    """The lowest and the highest of the finite values; 0 and 0 without any."""
    counted = _finite(pixels)
    return (float(counted.min()), float(counted.max())) if counted.size else (0.0, 0.0)


def _finite(pixels: Pixels) -> Pixels:
    return pixels[np.isfinite(pixels)] if pixels.dtype.kind == "f" else pixels


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
