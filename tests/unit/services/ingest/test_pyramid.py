"""Prepared pages and what is cut from them: as the display shows it, from the right level, at the right place."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvips
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from services.ingest.pyramid import cut, prepare
from services.ingest.pyramid_model import Level, Look, Prepared
from services.ingest.renditions import render
from services.ingest.tonemap import Tone
from services.ingest.views import scaled
from shared.errors import Invalid, NotFound
from shared.zoom import TILE_SIDE, Cut, max_level, tile
from tools import pictures
from tools.pictures import Sample

Pixels = NDArray[Any]


def prepared(folder: Path, content: bytes, number: int = 0) -> tuple[str, Prepared, Pixels]:
    """Where to cut from, what is known, and the display rendition."""
    original = folder / "original"
    original.write_bytes(content)
    rendered = render(str(original), str(folder))
    source = rendered.pixels or str(original)
    page = prepare(source, rendered.format, number, str(folder / "pyramid.tif"))
    assert (page.width, page.height) == (rendered.width, rendered.height)
    return source if page.direct else str(folder / "pyramid.tif"), page, read(Path(rendered.display.path).read_bytes())


def read(jpeg: bytes) -> Pixels:
    pixels: Pixels = pyvips.Image.new_from_buffer(jpeg, "").numpy().astype(float)
    return pixels


def whole(page: Prepared, side: int = 2048) -> Cut:
    scale = min(1.0, side / max(page.width, page.height))
    width, height = round(page.width * scale), round(page.height * scale)
    return Cut(width, height, 0, 0, width, height)


def tiff(pixels: Pixels, **options: Any) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, pixels, **options)
    return file.getvalue()


@pytest.mark.parametrize("sample", pictures.samples(), ids=lambda sample: sample.title)
def test_a_view_shows_what_the_display_shows(tmp_path: Path, sample: Sample) -> None:
    path, page, display = prepared(tmp_path, sample.make())
    seen = read(cut(path, page, whole(page), Look()))
    assert seen.shape == display.shape
    assert np.abs(seen - display).mean() < 1


def test_a_large_picture_of_16_bits_has_one_tone_for_all_its_tiles_and_that_of_the_display(tmp_path: Path) -> None:
    y, x = np.mgrid[:2200, :3000]
    values = (500 + 900 * x / 3000 + 200 * np.sin(y / 40) + np.random.default_rng(1).normal(0, 20, x.shape)).astype(
        "<u2"
    )
    path, page, display = prepared(tmp_path, tiff(values))
    assert [(level.width, level.height) for level in page.levels][:4] == [
        (3000, 2200),
        (1500, 1100),
        (750, 550),
        (375, 275),
    ]
    seen = read(cut(path, page, whole(page), Look()))
    assert np.abs(seen - display).mean() < 2
    place = tile(3000, 2200, 12, 3, 2)
    part = read(cut(path, page, place, Look()))
    original = page.tone.shown(values[1024:1536, 1536:2048])
    assert np.abs(part - original).mean() < 3  # JPEG's share of the noise


@pytest.mark.parametrize("number", [0, 1])
def test_a_pyramid_is_read_directly_its_label_never(tmp_path: Path, number: int) -> None:
    """As Aperio's scanners write them: levels, then pages that show the slide's label and the whole slide."""
    picture = np.tile(pictures.colour(), (16, 12, 1))  # 3072 x 3072
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as out:
        options: dict[str, Any] = {"photometric": "rgb", "metadata": None, "software": False}
        about = "Aperio Image Library v11\n3072x3072 (256x256)|AppMag = 20"
        out.write(picture, tile=(256, 256), description=about, **options)
        out.write(picture[::8, ::8], description="Aperio Image Library v11\nthumbnail", **options)
        out.write(picture[::4, ::4], tile=(256, 256), description=f"{about} 768x768", **options)
        out.write(np.zeros((100, 100, 3), np.uint8), description="Aperio\nlabel 100x100", subfiletype=1, **options)
        out.write(np.zeros((100, 100, 3), np.uint8), description="Aperio\nmacro 100x100", subfiletype=9, **options)
    if number:
        (tmp_path / "original").write_bytes(file.getvalue())
        with pytest.raises(NotFound):
            prepare(str(tmp_path / "original"), "tiff", number, str(tmp_path / "pyramid.tif"))
        return
    path, page, _ = prepared(tmp_path, file.getvalue())
    assert (page.direct, page.pages) == (True, 1)
    assert [level.width for level in page.levels] == [3072, 768]
    assert not (tmp_path / "pyramid.tif").exists()
    part = read(cut(path, page, tile(3072, 3072, 12, 5, 5), Look()))
    assert np.abs(part - picture[2560:3072, 2560:3072]).mean() < 3


def test_labels_among_the_pages_of_other_tiffs_are_not_shown(tmp_path: Path) -> None:
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as out:
        out.write(pictures.grey(), metadata=None)
        out.write(pictures.grey()[:50, :50], subfiletype=1, metadata=None)
    (tmp_path / "original").write_bytes(file.getvalue())
    with pytest.raises(NotFound):
        prepare(str(tmp_path / "original"), "tiff", 1, str(tmp_path / "pyramid.tif"))


@given(width=st.integers(1, 300_000), height=st.integers(1, 300_000), data=st.data())
def test_tiles_cover_every_level_once(width: int, height: int, data: st.DataObject) -> None:
    level = data.draw(st.integers(0, max_level(width, height)))
    first = tile(width, height, level, 0, 0)
    columns, rows = -(-first.across // TILE_SIDE), -(-first.down // TILE_SIDE)
    last = tile(width, height, level, columns - 1, rows - 1)
    assert (last.left + last.width, last.top + last.height) == (first.across, first.down)
    assert max(first.across, first.down) <= 2**level
    for column, row in ((columns, 0), (0, rows)):
        with pytest.raises(NotFound):
            tile(width, height, level, column, row)


def test_damage_in_one_part_of_a_slide_is_told_of_that_part(tmp_path: Path) -> None:
    """Read directly, so that nobody saw it when it came in."""
    content = bytearray(tiff(np.tile(pictures.colour(), (12, 9, 1)), tile=(256, 256), compression="zlib"))
    path, page, _ = prepared(tmp_path, bytes(content))
    assert page.direct
    with tifffile.TiffFile(path) as file:
        last = file.pages.first.dataoffsets[-1]
    content[last : last + 200] = bytes(200)
    Path(path).write_bytes(content)
    cut(path, page, tile(page.width, page.height, max_level(page.width, page.height), 0, 0), Look())
    with pytest.raises(Invalid):
        cut(path, page, tile(page.width, page.height, max_level(page.width, page.height), 4, 4), Look())


@pytest.mark.parametrize(("size", "across"), [(2048, 2000), (2000, 2000), (1999, 1999), (1000, 1000), (4000, 4000)])
def test_a_level_that_has_nearly_as_many_pixels_is_taken_as_it_is(size: int, across: int) -> None:
    levels = [Level(ifd=ifd, width=4000 >> ifd, height=3000 >> ifd) for ifd in range(4)]
    page = Prepared(
        width=4000, height=3000, levels=levels, direct=False, screen=True, tone=Tone("even"), low=0, high=255
    )
    assert scaled(page, None, size).across == across
    part = scaled(page, (1000, 500, 3000, 2500), size)
    assert max(part.width, part.height) <= size
    assert part.left + part.width <= part.across
    assert part.top + part.height <= part.down
