"""Pictures with the noise of a camera, which compress as photographs do."""

from pathlib import Path
from typing import Any, Final

import numpy as np
import pyvips

Vips = Any  # pyvips.Image

DISPLAY: Final = 2048
THUMBNAIL: Final = 320


def noisy(side: int, channels: int, *, seed: int = 1) -> Vips:
    random = np.random.default_rng(seed)
    waves = np.sin(np.linspace(0, 40, side))[:, None, None] * np.cos(np.linspace(0, 30, side))[None, :, None]
    pixels = 128 + 90 * waves + random.normal(0, 6, (side, side, channels))
    return pyvips.Image.new_from_array(np.clip(pixels, 0, 255).astype(np.uint8))


def bare_pyvips(path: str, folder: str) -> None:
    """The renditions as one would first write them: two `thumbnail` calls, no check that the file is whole."""
    for side, name in ((DISPLAY, "display.jpg"), (THUMBNAIL, "thumbnail.jpg")):
        pyvips.Image.thumbnail(path, side, size="down").jpegsave(str(Path(folder, name)), Q=90, keep="none")
