"""What a rendered picture is, and the bounds on pictures."""

from dataclasses import dataclass, field
from typing import Literal

from services.ingest.quarantine import Reason
from shared.errors import TooLarge

Format = Literal["png", "jpeg", "tiff", "webp", "gif", "bmp", "jpeg2000", "dicom"]
Size = tuple[int, int]  # width, height, in pixels
Area = tuple[int, int, int, int]  # left, top, width, height, in pixels

DISPLAY_SIDE = 2048  # pixels, the long side
THUMBNAIL_SIDE = 320
QUALITY = 90  # of the JPEGs; from 90 on libvips keeps the colour channels at full resolution

# Bounds on one picture. 200 megapixels (14,142 squared) is beyond journal figures and camera microscopes, and even a
# format that must be decoded whole (interlaced PNG, four bytes a pixel) then fits in a worker's memory.
LARGEST_FILE = 512 * 1024**2  # bytes
LARGEST_TIFF = 4 * 1024**3  # since only parts of a pyramid are read
LARGEST_PICTURE = 200_000_000  # pixels
LARGEST_WAVELET = 300_000_000  # samples of a JPEG 2000, each of which takes four bytes while it is decoded
MOST_FRAMES = 100_000  # pages, slices or frames; only the first makes the renditions
# Deflate shrinks to 1/1,032 at best, and a drawing on white by any other compression hardly further. What claims more
# is a bomb, or so empty that nobody misses it; small ones can do no harm.
BOMB_RATIO = 2_000
BOMB_FROM = 64 * 1024**2  # bytes decoded


@dataclass(frozen=True)
class Jpeg:
    """A rendition in a file of the folder given to `render`; width and height in pixels, `bytes` its length."""

    path: str
    width: int
    height: int
    bytes: int
    media_type: str = "image/jpeg"


@dataclass(frozen=True)
class Rendered:
    """`width` and `height` are those of the picture as sent, upright, in pixels. `technical` holds code values only.

    `pages` and `frames` are those that can be looked at; `deep`: it has more values than a screen; `pixels`: the file
    (in the folder given to `render`) to keep in place of the original; `reasons`: why it is to wait in quarantine.
    """

    format: Format
    width: int
    height: int
    display: Jpeg
    thumbnail: Jpeg
    technical: dict[str, str] = field(default_factory=dict)
    pages: int = 1
    frames: int = 1
    deep: bool = False
    pixels: str | None = None
    reasons: tuple[Reason, ...] = ()


def check_pixels(width: int, height: int) -> None:
    """Raises TooLarge beyond LARGEST_PICTURE, before anything is decoded."""
    if width * height > LARGEST_PICTURE:
        raise TooLarge(
            f"The picture has {width} x {height} pixels; at most {LARGEST_PICTURE // 1_000_000} megapixels are read.",
            remedy="Send a smaller version of it.",
        )


def check_wavelet(samples: int) -> None:
    """Raises TooLarge beyond LARGEST_WAVELET."""
    if samples > LARGEST_WAVELET:
        raise TooLarge(
            f"A JPEG 2000 of {samples // 1_000_000} million samples is too large to be decoded at once;"
            f" {LARGEST_WAVELET // 1_000_000} million is the most.",
            remedy="Send a smaller version of it, or a tiled TIFF.",
        )


def check_ratio(decoded: int, encoded: int) -> None:
    """Raises TooLarge when `encoded` bytes claim to decode to far more (`decoded`), before they are."""
    if decoded > max(BOMB_FROM, BOMB_RATIO * encoded):
        raise TooLarge(
            f"The picture unpacks to {decoded // max(1, encoded):,} times its size; {BOMB_RATIO:,} times is the most.",
            remedy="Send it compressed in another way, or a smaller version of it.",
        )


def frames(count: int) -> None:
    """Raises TooLarge beyond MOST_FRAMES."""
    if count > MOST_FRAMES:
        raise TooLarge(
            f"The file has {count:,} pages or frames; at most {MOST_FRAMES:,} are read.", remedy="Send a part of it."
        )
