"""What is known of a page that can be looked at in depth, and how it is looked at. Passed to and from workers."""

from pydantic import BaseModel

from services.ingest.tonemap import Tone


class Level(BaseModel):
    """A level of the pyramid: where in the file, and its pixels."""

    ifd: int
    below: int = -1
    width: int
    height: int


class Prepared(BaseModel):
    """What is known of a page once it has been prepared.

    `direct`: the file itself is read. `screen`, `weighted`, `clear`: see `raster.Plane`. Values are what stands
    in the pyramid times `factor` plus `offset`; `low` and `high` are their ends, `unit` their unit where known.
    """

    width: int
    height: int
    levels: list[Level]
    direct: bool
    screen: bool
    weighted: bool = False
    clear: bool = False
    tone: Tone
    low: float
    high: float
    offset: float = 0
    factor: float = 1
    unit: str = ""
    pages: int = 1
    frames: int = 1


class Look(BaseModel):
    """How to show values: a window of `window` around `level`, in the file's units; without it as the display does."""

    window: float | None = None
    level: float | None = None
    invert: bool = False
