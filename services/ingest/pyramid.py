"""Pictures looked at in depth: a page is prepared once, then any part of it is cut at any scale. Runs in workers only.

Prepared is a tiled pyramid of the page, upright, with all its bits, not compressed: what is cut touches little of it.
A file that is such a pyramid already (a slide) is not prepared but read directly, however large it is.
"""

from typing import Any, Final

import numpy as np
import pyvips

from services.ingest import raster, stored, tiff
from services.ingest.pyramid_model import Level, Look, Prepared
from services.ingest.raster import Plane
from services.ingest.rendered import DISPLAY_SIDE, QUALITY, Format
from services.ingest.tonemap import Pixels, Tone
from shared.zoom import TILE_SIDE, Cut

SMALLEST_ENOUGH: Final = 2 * DISPLAY_SIDE  # a file whose smallest level is larger is no pyramid worth the name
PREPARED_TILE: Final = 256  # pixels: libvips holds two rows of tiles of each level while it writes them
MARGIN: Final = 8  # pixels around a part that shrinking looks at


def prepare(path: str, kind: Format, number: int, target: str) -> Prepared:
    """Page or frame `number` of the file at `path`, as a pyramid at `target` unless it is read directly. A DICOM is not
    the file but its stored pixels.

    Raises: NotFound when there is no such page; as `renditions.render`.
    """
    if kind == "dicom":
        plane, numbers, count = stored.read(path, number)
        opened = raster.Opened(plane.image, plane.image.width, plane.image.height, frames=count)
        return _written(plane, opened, target, numbers.unit)
    if kind == "tiff":
        raster.guard()
        with raster.explained(kind):
            found = _direct(path, number)
        if found is not None:
            return found
    opened, plane = raster.page(path, kind, number)
    with raster.explained(kind):
        return _written(plane, opened, target, "")


def cut(path: str, page: Prepared, part: Cut, look: Look) -> bytes:
    """A part of a prepared page as JPEG. `path`: the pyramid. Raises Invalid when its file is damaged there."""
    raster.guard()
    with raster.explained("tiff"):
        image = _looked(_part(path, page, part), page, look)
        return bytes(image.jpegsave_buffer(Q=QUALITY, keep="none"))


def _direct(path: str, number: int) -> Prepared | None:
    """If any part of the page can be read from the file itself."""
    found = tiff.structure(path, number)
    if not found.levels or found.unspecified or max(found.levels[-1][1:]) > SMALLEST_ENOUGH:
        return None
    levels = [Level(ifd=ifd, below=below, width=w, height=h) for (ifd, below), w, h in found.levels]
    top = _load(path, levels[0])
    plane = raster.plane_of(top, "tiff")
    turned = top.get_typeof("orientation") and top.get("orientation") != 1
    if turned or not (plane.screen or (top.format == "ushort" and not plane.weighted)):
        return None
    known = _described(path, levels, plane, direct=True)
    known.pages = found.pages
    return known


def _written(plane: Plane, opened: raster.Opened, target: str, unit: str) -> Prepared:
    offset, factor = 0.0, 1.0
    if plane.screen:
        image = raster.colours_of(plane.image, max(plane.image.width, plane.image.height))
    else:
        image = plane.image
        if image.format == "double":  # which libvips cannot read from a TIFF
            image, offset, factor = _as_floats(plane)
        image = raster.upright(image, opened.image)
    options: dict[str, Any] = {"compression": "none", "bigtiff": True, "keep": "none"}
    if max(image.width, image.height) > TILE_SIDE:
        options |= {"tile": True, "tile_width": PREPARED_TILE, "tile_height": PREPARED_TILE}
        options |= {"pyramid": True, "region_shrink": "mean"}
    image.tiffsave(target, **options)
    count = pyvips.Image.tiffload(target).get("n-pages")
    sizes = [(each.width, each.height) for each in (pyvips.Image.tiffload(target, page=ifd) for ifd in range(count))]
    levels = [Level(ifd=ifd, width=width, height=height) for ifd, (width, height) in enumerate(sizes)]
    known = _described(target, levels, plane, direct=False, offset=offset, factor=factor)
    full = (opened.height, opened.width) if raster.sideways(opened.image) else (opened.width, opened.height)
    known.width, known.height, known.unit = *full, unit
    known.pages, known.frames = opened.pages, opened.frames
    return known


def _described(
    path: str, levels: list[Level], plane: Plane, *, direct: bool, offset: float = 0, factor: float = 1
) -> Prepared:
    """With the tone that the display has: measured at the same size."""
    tone, ends = Tone("even", 0, 255), (0.0, 255.0)
    if not plane.screen:
        enough = [level for level in levels if max(level.width, level.height) >= DISPLAY_SIDE] or levels[:1]
        image = _load(path, enough[-1])
        if (offset, factor) != (0, 1):
            image = _values(image, offset, factor, weighted=plane.weighted)
        seen = Plane(image, screen=False, weighted=plane.weighted, clear=plane.clear, wide=plane.wide, tone=plane.tone,
                     inverted=plane.inverted)  # fmt: skip
        _, tone, ends = raster.toned(seen)
    return Prepared(
        width=levels[0].width,
        height=levels[0].height,
        levels=levels,
        direct=direct,
        screen=plane.screen,
        weighted=plane.weighted,
        clear=plane.clear,
        tone=tone,
        low=ends[0],
        high=ends[1],
        offset=offset,
        factor=factor,
    )


def _as_floats(plane: Plane) -> tuple[Any, float, float]:
    """Doubles as floats between 0 and 1 and their weight, so that those far from zero and close together stay apart;
    offset and factor that give the values back."""
    values, _ = raster.values_of(plane, plane.image)
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    factor = high - low
    if not (np.isfinite(factor) and factor > 0):
        factor = 1.0
    there = np.isfinite(values)
    units = np.where(there, (np.where(there, values, low) - low) / factor, 0).astype(np.float32)
    if not plane.weighted:
        return raster.image_of(units), low, factor
    weight = there.all(axis=-1, keepdims=True).astype(np.float32)
    return raster.image_of(np.concatenate([units, weight], axis=-1)), low, factor


def _values(image: Any, offset: float, factor: float, *, weighted: bool) -> Any:
    """What `_as_floats` took; a weight, by which the values are multiplied, untouched."""
    if not weighted:
        return image.cast("double") * factor + offset
    colours, weight = image.extract_band(0, n=image.bands - 1), image.extract_band(image.bands - 1)
    return (colours.cast("double") * factor + weight.cast("double") * offset).bandjoin(weight.cast("double"))


def _load(path: str, level: Level) -> Any:
    options = {"subifd": level.below} if level.below >= 0 else {}
    return pyvips.Image.tiffload(path, page=level.ifd, fail_on="warning", **options)


def _part(path: str, page: Prepared, part: Cut) -> Any:
    """From the smallest level that has the pixels for it."""
    enough = [level for level in page.levels if level.width >= part.across - 1 and level.height >= part.down - 1]
    level = enough[-1] if enough else page.levels[0]
    image = _load(path, level)
    if abs(part.across - level.width) <= 1 and abs(part.down - level.height) <= 1:
        return _within(image, part.left, part.top, part.width, part.height)
    # The part and a little around it, shrunk: libvips would read all that is above a part of what is shrunk whole.
    x, y = part.across / level.width, part.down / level.height
    left, top = _before(part.left, x), _before(part.top, y)
    right = min(level.width, int((part.left + part.width) / x) + 1 + MARGIN)
    bottom = min(level.height, int((part.top + part.height) / y) + 1 + MARGIN)
    around = image.crop(left, top, max(1, right - left), max(1, bottom - top))
    smaller = around.resize(max(x, 1 / around.width), vscale=max(y, 1 / around.height))
    return _within(smaller, part.left - round(left * x), part.top - round(top * y), part.width, part.height)


def _before(edge: int, scale: float) -> int:
    """Where to begin reading: before the edge, at a pixel that falls on one of the smaller picture, nearly."""
    step = max(1, round(1 / scale))
    return max(0, int(edge / scale) - max(MARGIN, step)) // step * step


def _within(image: Any, left: int, top: int, width: int, height: int) -> Any:
    """A part of it, its last pixels repeated where the part is larger: a level's sides may be a pixel short."""
    left, top = min(left, image.width - 1), min(top, image.height - 1)
    there = image.crop(left, top, min(width, image.width - left), min(height, image.height - top))
    if (there.width, there.height) == (width, height):
        return there
    return there.embed(0, 0, width, height, extend="copy")


def _looked(part: Any, page: Prepared, look: Look) -> Any:
    """As 8 bits of grey or sRGB."""
    tone = _tone(page, look)
    if page.screen:
        colours = raster.colours_of(part, max(part.width, part.height)) if page.direct else part
        return colours if tone is page.tone else colours.maplut(_lut(tone, np.uint8))
    if part.format == "ushort" and not page.weighted:
        return part.maplut(_lut(tone, np.uint16))
    line = tone.line()
    if line is not None and part.format in ("float", "short", "char") and page.factor == 1:
        return _spread(part, page, tone, line)
    if (page.offset, page.factor) != (0, 1):
        part = _values(part, page.offset, page.factor, weighted=page.weighted)
    plane = Plane(part, screen=False, weighted=page.weighted, clear=page.clear)
    values, outside = raster.values_of(plane, part)
    return raster.image_of(raster.shown(plane, tone, values, outside))


def _spread(part: Any, page: Prepared, tone: Tone, line: tuple[float, float]) -> Any:
    """As `Tone.shown` does it, by libvips, which is four times as fast."""
    black, white = line
    values = part
    if page.weighted:
        values, weight = part.extract_band(0, n=part.bands - 1), part.extract_band(part.bands - 1)
        values = values / weight
    levels = ((values - black) * (255 / (white - black)) + 0.5).cast("uchar")
    if page.weighted:
        levels = (weight > 0.5).ifthenelse(levels, 255 if page.clear and not tone.inverted else 0)
    levels = levels.invert() if tone.inverted else levels
    return levels.copy(interpretation="b-w" if levels.bands == 1 else "srgb")


def _tone(page: Prepared, look: Look) -> Tone:
    """A window that was asked for takes the curve that the file's own has."""
    tone = page.tone
    if look.window is not None and look.level is not None:
        curve = tone.curve if tone.curve in ("LINEAR", "LINEAR_EXACT", "SIGMOID") else "LINEAR_EXACT"
        low, high = look.level - look.window / 2, look.level + look.window / 2
        tone = Tone(curve, low, high, inverted=tone.inverted)
    if look.invert:
        tone = Tone(tone.curve, tone.low, tone.high, tone.middle, tone.table, not tone.inverted)
    return tone


def _lut(tone: Tone, depth: type[np.uint8] | type[np.uint16]) -> Any:
    greys: Pixels = np.arange(np.iinfo(depth).max + 1, dtype=depth)
    return raster.image_of(tone.shown(greys[np.newaxis, :]))
