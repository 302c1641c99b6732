"""Deep zoom: how a picture is cut into tiles, in the layout of Microsoft's Deep Zoom Images (DZI), which OpenSeadragon
and most other viewers read. https://openseadragon.github.io/examples/tilesource-dzi/

At level n the picture's longest side has at most 2^n pixels; the highest level is the picture itself. Tiles do not
overlap, and count from the top left.
"""

from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import BaseModel, Field

from shared.errors import NotFound
from shared.events.image import Picture
from shared.grants import Signer

TILE_SIDE: Final = 512  # pixels: a 4K screen full is 40 requests, and slides are mostly stored in tiles of 256 or 512
OVERLAP: Final = 0


class TileSource(BaseModel):
    """What a viewer needs to show a picture at any depth. The addresses hold for about an hour and need nothing else.

    A tile is at `url`{level}/{column}_{row}.jpg, a part of any size at `render`, more about a page at `about`. Each
    takes `?page=`, `frame=`, `window=`, `level=`, `invert=`. `windowed`: the picture has more greys than a screen, so
    that a window and level make sense.
    """

    url: str
    render: str
    about: str
    width: Annotated[int, Field(description="Pixels, of the first page or frame")]
    height: Annotated[int, Field(description="Pixels")]
    tile_size: int = TILE_SIDE
    overlap: int = OVERLAP
    max_level: int
    pages: int
    frames: int
    windowed: bool


@dataclass(frozen=True, slots=True)
class Cut:
    """A part of the picture at some scale: the whole has `across` x `down` pixels there; the part begins at `left`,
    `top`."""

    across: int
    down: int
    left: int
    top: int
    width: int
    height: int


def source(figure: str, picture: Picture, signer: Signer) -> TileSource:
    """Of a figure, for whoever may see it: its addresses are signed."""
    address, width, height = f"/api/v1/views/{signer.view_grant(figure)}", picture.width, picture.height
    return TileSource(
        url=f"{address}/tiles/",
        render=f"{address}/render",
        about=address,
        width=width,
        height=height,
        max_level=max_level(width, height),
        pages=picture.pages,
        frames=picture.frames,
        windowed=picture.windowed,
    )


def max_level(width: int, height: int) -> int:
    """The level of the picture itself."""
    return (max(width, height) - 1).bit_length()


def tile(width: int, height: int, level: int, column: int, row: int) -> Cut:
    """A tile of a picture of `width` x `height`. Raises NotFound when there is none."""
    highest = max_level(width, height)
    if not 0 <= level <= highest:
        raise NotFound(f"There is no zoom level {level}.", remedy=f"The levels of this picture are 0 to {highest}.")
    step = 2 ** (highest - level)
    across, down = -(-width // step), -(-height // step)
    left, top = column * TILE_SIDE, row * TILE_SIDE
    if not (0 <= left < across and 0 <= top < down):
        raise NotFound(
            f"There is no tile {column}_{row} at zoom level {level}.",
            remedy=f"It has {-(-across // TILE_SIDE)} columns and {-(-down // TILE_SIDE)} rows; they count from 0.",
        )
    return Cut(across, down, left, top, min(TILE_SIDE, across - left), min(TILE_SIDE, down - top))
