"""Every picture is generated here; the DICOM files are those that pydicom's package carries."""

import gc
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvips
import tifffile
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.data import get_testdata_file

from services.ingest.rendered import LARGEST_PICTURE
from services.ingest.renditions import render, sniff
from shared.errors import Invalid, TooLarge, Unsupported
from shared.workers import Workers

Pixels = NDArray[Any]


def gradient(height: int = 60, width: int = 90, channels: int = 1, top: int = 255) -> Pixels:
    """Dark at the left, bright at the right, with as much noise as a photograph has (so it does not compress away)."""
    ramp = np.linspace(0, top, width)[None, :, None] * np.ones((height, 1, channels))
    noise = np.random.default_rng(1).normal(0, top / 50, ramp.shape)
    return np.clip(ramp + noise, 0, top).astype(np.uint8 if top < 256 else np.uint16).squeeze()


def save(path: Path, pixels: Pixels, **options: Any) -> str:
    pyvips.Image.new_from_array(pixels).write_to_file(str(path), **options)
    return str(path)


def seen(path: str) -> Pixels:
    """A rendition's pixels, as a viewer would show them."""
    image: Pixels = pyvips.Image.new_from_file(path).numpy()
    return image


def dicom(path: Path, pixels: Pixels, **elements: Any) -> str:
    """A file with these pixels, made of one of pydicom's."""
    dataset = dcmread(str(get_testdata_file("CT_small.dcm", download=False)))
    dataset.Rows, dataset.Columns = pixels.shape[:2]
    dataset.SamplesPerPixel = 3 if pixels.ndim == 3 else 1
    dataset.PhotometricInterpretation = "RGB" if pixels.ndim == 3 else "MONOCHROME2"
    if pixels.ndim == 3:
        dataset.PlanarConfiguration = 0
    dataset.BitsAllocated = dataset.BitsStored = pixels.itemsize * 8
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(np.issubdtype(pixels.dtype, np.signedinteger))
    dataset.RescaleIntercept, dataset.RescaleSlope = 0, 1
    dataset.PixelData = pixels.tobytes()
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    dataset.save_as(path)
    return str(path)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif"])
@pytest.mark.parametrize("channels", [1, 3])
def test_small_pictures_keep_their_size_and_look(tmp_path: Path, name: str, channels: int) -> None:
    pixels = gradient(channels=channels)
    rendered = render(save(tmp_path / name, pixels), str(tmp_path))
    assert rendered.format == {"a.png": "png", "a.jpg": "jpeg", "a.tif": "tiff"}[name]
    assert (rendered.width, rendered.height) == (rendered.display.width, rendered.display.height) == (90, 60)
    assert rendered.display.bytes == Path(rendered.display.path).stat().st_size
    levels = seen(rendered.display.path).squeeze()
    assert levels.shape == pixels.shape  # grey stays grey
    difference = np.abs(levels.astype(int) - pixels.astype(int))
    assert difference.mean() < 6  # of the noise that JPEG smooths, twice for a JPEG
    assert rendered.technical == {}


def test_large_pictures_fit_into_display_and_thumbnail(tmp_path: Path) -> None:
    rendered = render(save(tmp_path / "a.png", gradient(1500, 3000)), str(tmp_path))
    assert (rendered.width, rendered.height) == (3000, 1500)
    assert (rendered.display.width, rendered.display.height) == (2048, 1024)
    assert (rendered.thumbnail.width, rendered.thumbnail.height) == (320, 160)
    assert seen(rendered.thumbnail.path).shape[:2] == (160, 320)


@pytest.mark.parametrize("shape", [(1, 1), (1, 30_000), (30_000, 1)])
@pytest.mark.parametrize("top", [255, 65535])
def test_points_and_lines_are_pictures_too(tmp_path: Path, shape: tuple[int, int], top: int) -> None:
    rendered = render(
        save(tmp_path / "a.tif", np.full(shape, top, np.uint8 if top < 256 else np.uint16)), str(tmp_path)
    )
    assert (rendered.height, rendered.width) == shape
    assert min(rendered.thumbnail.width, rendered.thumbnail.height) == 1


@pytest.mark.parametrize("name", ["a.tif", "a.png"])
@pytest.mark.parametrize("channels", [1, 3])
def test_sixteen_bits_show_their_structure_whatever_part_of_the_range_they_fill(
    tmp_path: Path, name: str, channels: int
) -> None:
    pixels = gradient(channels=channels, top=1000) + np.uint16(300)  # a camera of 10 bits with an offset
    pixels[0, 0] = 65535  # and a hot pixel
    image = pyvips.Image.new_from_array(pixels)
    image.copy(interpretation="grey16" if channels == 1 else "rgb16").write_to_file(str(tmp_path / name))
    levels = seen(render(str(tmp_path / name), str(tmp_path)).display.path)
    assert levels[:, :5].mean() < 25
    assert levels[:, -5:].mean() > 230
    assert 110 < levels[:, 43:47].mean() < 145


def test_a_picture_of_one_grey_stays_one_grey(tmp_path: Path) -> None:
    rendered = render(save(tmp_path / "a.tif", np.full((20, 20), 7, np.uint16)), str(tmp_path))
    assert np.unique(seen(rendered.display.path)).tolist() == [128]


def test_what_is_transparent_becomes_white(tmp_path: Path) -> None:
    pixels = np.zeros((20, 20, 4), np.uint8)
    rendered = render(save(tmp_path / "a.png", pixels), str(tmp_path))
    assert seen(rendered.display.path).min() > 250


def test_the_first_page_of_several_is_shown_and_their_number_told(tmp_path: Path) -> None:
    pages = pyvips.Image.new_from_array(np.vstack([np.full((20, 30), level, np.uint8) for level in (10, 200)]))
    pages.write_to_file(str(tmp_path / "a.tif"), page_height=20)
    rendered = render(str(tmp_path / "a.tif"), str(tmp_path))
    assert (rendered.height, rendered.technical) == (20, {"NumberOfFrames": "2"})
    assert seen(rendered.display.path).mean() == pytest.approx(10, abs=2)


def test_a_photograph_is_turned_upright_and_its_metadata_dropped(tmp_path: Path) -> None:
    image = pyvips.Image.new_from_array(gradient(channels=3)).copy()
    image.set_type(pyvips.GValue.gint_type, "orientation", 6)
    image.set_type(pyvips.GValue.gstr_type, "exif-ifd0-Artist", "Jane SENTINEL")
    image.write_to_file(str(tmp_path / "a.jpg"))
    assert b"SENTINEL" in (tmp_path / "a.jpg").read_bytes()
    rendered = render(str(tmp_path / "a.jpg"), str(tmp_path))
    assert (rendered.width, rendered.height) == (rendered.display.width, rendered.display.height) == (60, 90)
    for jpeg in (rendered.display, rendered.thumbnail):
        assert b"SENTINEL" not in Path(jpeg.path).read_bytes()
        assert b"Exif" not in Path(jpeg.path).read_bytes()


@pytest.mark.parametrize(("profile", "name"), [("p3", "a.jpg"), ("p3", "a.png"), ("cmyk", "a.jpg"), ("cmyk", "a.tif")])
def test_colours_of_other_spaces_become_srgb(tmp_path: Path, profile: str, name: str) -> None:
    pixels = np.tile(np.array([[[200, 90, 60]]], np.uint8), (20, 20, 1))
    image = pyvips.Image.new_from_array(pixels).copy(interpretation="srgb")
    image.icc_transform(profile, input_profile="srgb").write_to_file(str(tmp_path / name), Q=98)
    rendered = render(str(tmp_path / name), str(tmp_path))
    assert seen(rendered.display.path).mean(axis=(0, 1)) == pytest.approx([200, 90, 60], abs=6)


@pytest.mark.parametrize("name", ["picture.jpg", "picture", "picture[page=3]", "a [b", "-o.tif", "ü.dcm"])
def test_the_content_decides_not_the_name(tmp_path: Path, name: str) -> None:
    png = Path(save(tmp_path / "a.png", gradient()))
    assert render(str(png.rename(tmp_path / name)), str(tmp_path)).format == "png"


def test_the_same_picture_gives_the_same_bytes_even_after_memory_was_used_again(tmp_path: Path) -> None:
    path = save(tmp_path / "a.tif", gradient(300, 400, top=4000))
    first = Path(render(path, str(tmp_path)).display.path).read_bytes()
    for _ in range(5):
        gc.collect()
        _rubbish = [np.random.default_rng(2).integers(0, 255, (300, 400), np.uint8) for _ in range(20)]
        assert Path(render(path, str(tmp_path)).display.path).read_bytes() == first


TRUNCATED: dict[str, dict[str, Any]] = {
    "a.png": {},
    "interlaced.png": {"interlace": True},
    "a.jpg": {},
    "progressive.jpg": {"interlace": True},
    "a.tif": {},
    "lzw.tif": {"compression": "lzw"},
    "tiled.tif": {"compression": "deflate", "tile": True},
}


@pytest.mark.parametrize("name", TRUNCATED)
@pytest.mark.parametrize("size", [(300, 400), (1600, 2200)], ids=["small", "shrunk"])
@pytest.mark.parametrize("part", [0.02, 0.5, 0.95])
def test_truncated_pictures_are_refused_not_shown_half_grey(
    tmp_path: Path, name: str, size: tuple[int, int], part: float
) -> None:
    path = Path(save(tmp_path / name, gradient(*size), **TRUNCATED[name]))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])
    with pytest.raises(Invalid, match="damaged, incomplete") as raised:
        render(str(path), str(tmp_path))
    assert raised.value.remedy


DESCRIBED: dict[str, dict[str, Any]] = {
    "plain": {},
    "tiles": {"tile": (64, 64)},
    "deflate": {"compression": "zlib", "rowsperstrip": 16},
}


@pytest.mark.parametrize("options", DESCRIBED.values(), ids=DESCRIBED)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_tiff_that_says_a_tag_twice_is_read_and_refused_when_truncated(
    tmp_path: Path, options: dict[str, Any], channels: int
) -> None:
    path, pixels = tmp_path / "a.tif", gradient(300, 400, channels)
    tifffile.imwrite(path, pixels, description="mouse 7", photometric="rgb" if channels == 3 else None, **options)
    levels = seen(render(str(path), str(tmp_path)).display.path).squeeze()
    assert np.abs(levels.astype(int) - pixels.astype(int)).mean() < 6
    content = path.read_bytes()
    for part in (0.02, 0.5, 0.95, 0.999):
        path.write_bytes(content[: int(len(content) * part)])
        with pytest.raises(Invalid, match="damaged, incomplete"):
            render(str(path), str(tmp_path))


@pytest.mark.parametrize("part", [0.3, 0.9])
def test_truncated_dicom_is_refused(tmp_path: Path, part: float) -> None:
    path = Path(dicom(tmp_path / "a.dcm", gradient(100, 100)))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])
    with pytest.raises(Invalid):
        render(str(path), str(tmp_path))


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    with pytest.raises(Invalid, match="empty"):
        render(str(tmp_path / "a.png"), str(tmp_path))


@pytest.mark.parametrize(
    ("head", "name"),
    [(b"\xff\x0a\0\0", "JPEG XL"), (b"\0\0\0\x20ftypheic", "HEIF"), (b"%PDF-1.7", "PDF"), (b"<svg x", "SVG")],
)
def test_other_formats_are_named_with_those_that_are_read(head: bytes, name: str) -> None:
    with pytest.raises(Unsupported, match=f"{name}.* is not supported") as raised:
        sniff(head)
    assert "PNG, JPEG, TIFF, WebP, GIF, BMP, JPEG 2000 and DICOM" in raised.value.remedy


def test_what_is_no_picture_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("Dear editor, please find attached")
    with pytest.raises(Invalid, match="not a picture"):
        render(str(tmp_path / "a.png"), str(tmp_path))


def png_claiming(width: int, height: int, *, colour: bool = False, interlaced: bool = False) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2 * colour, 0, 0, interlaced)
    body = zlib.compress(b"\0" * 100_000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def test_a_bomb_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png_claiming(20_000, LARGEST_PICTURE // 20_000 + 1))
    with pytest.raises(TooLarge, match="200 megapixels"):
        render(str(tmp_path / "a.png"), str(tmp_path))


def test_what_claims_to_unpack_to_thousands_of_times_its_size_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png_claiming(14_000, 14_000))
    with pytest.raises(TooLarge, match="2,000 times is the most"):
        render(str(tmp_path / "a.png"), str(tmp_path))


def test_dicom_of_that_many_pixels_is_refused(tmp_path: Path) -> None:
    path = dicom(tmp_path / "a.dcm", gradient(), Rows=65535, Columns=65535)
    with pytest.raises(TooLarge):
        render(path, str(tmp_path))


def test_dicom_is_windowed_as_it_says(tmp_path: Path) -> None:
    pixels = (np.arange(100, dtype=np.int16) * 20 - 1000)[None, :].repeat(50, axis=0)
    path = dicom(tmp_path / "a.dcm", pixels, WindowCenter=40, WindowWidth=400, BodyPartExamined="CHEST")
    rendered = render(path, str(tmp_path))
    levels = seen(rendered.display.path)[25]
    assert rendered.format == "dicom"
    assert levels[pixels[0] < -220].max() < 12  # black below the window, give or take what JPEG does
    assert levels[pixels[0] > 300].min() > 243
    assert levels[52] == pytest.approx(128, abs=8)  # 40, the centre
    assert rendered.technical["BodyPartExamined"] == "CHEST"
    assert rendered.technical["WindowWidth"] == "400.0"


def test_rescaling_comes_before_the_window(tmp_path: Path) -> None:
    pixels = np.full((20, 20), 1040, np.uint16)
    path = dicom(tmp_path / "a.dcm", pixels, RescaleIntercept=-1000, WindowCenter=40, WindowWidth=400)
    assert seen(render(path, str(tmp_path)).display.path).mean() == pytest.approx(128, abs=2)


@pytest.mark.parametrize("window", [{}, {"WindowCenter": 500, "WindowWidth": 0}, {"WindowCenter": 500}])
def test_dicom_without_a_sensible_window_shows_its_structure(tmp_path: Path, window: dict[str, int]) -> None:
    path = dicom(tmp_path / "a.dcm", gradient(top=900), **window)
    levels = seen(render(path, str(tmp_path)).display.path)
    assert levels[:, :5].mean() < 25
    assert levels[:, -5:].mean() > 230


def test_a_dicom_of_one_pixel_is_a_picture_too(tmp_path: Path) -> None:
    assert render(dicom(tmp_path / "a.dcm", np.full((1, 1), 7, np.uint16)), str(tmp_path)).display.width == 1


def test_monochrome1_is_inverted(tmp_path: Path) -> None:
    path = dicom(tmp_path / "a.dcm", gradient(top=900), PhotometricInterpretation="MONOCHROME1")
    levels = seen(render(path, str(tmp_path)).display.path)
    assert levels[:, :5].mean() > 230


def test_dicom_in_colour_keeps_its_colours(tmp_path: Path) -> None:
    pixels = np.tile(np.array([[[200, 30, 90]]], np.uint8), (20, 20, 1))
    rendered = render(dicom(tmp_path / "a.dcm", pixels), str(tmp_path))
    assert seen(rendered.display.path).mean(axis=(0, 1)) == pytest.approx([200, 30, 90], abs=3)


def test_the_first_frame_of_several_is_shown(tmp_path: Path) -> None:
    frames = np.stack([np.full((20, 30), level, np.uint16) for level in (100, 900)])
    path = dicom(tmp_path / "a.dcm", frames[0], NumberOfFrames=2, WindowCenter=500, WindowWidth=1000)
    dataset = dcmread(path)
    dataset.PixelData = frames.tobytes()
    dataset.save_as(path)
    rendered = render(path, str(tmp_path))
    assert rendered.technical["NumberOfFrames"] == "2"
    assert seen(rendered.display.path).mean() == pytest.approx(25, abs=2)


def test_only_whitelisted_code_values_leave_a_dicom(tmp_path: Path) -> None:
    path = dicom(
        tmp_path / "a.dcm",
        gradient(),
        PatientName="SENTINEL^JANE",
        StationName="SENTINEL",
        ManufacturerModelName="SENTINEL",
        ViewPosition="Jane Sentinel, 1970",
        StudyDescription="SENTINEL",
    )
    rendered = render(path, str(tmp_path))
    assert rendered.technical["Modality"] == "CT"
    assert rendered.technical["PixelSpacing"] == "0.661468\\0.661468"
    assert "sentinel" not in repr(rendered.technical).lower()
    assert set(rendered.technical) <= {
        "Modality", "BodyPartExamined", "ViewPosition", "PhotometricInterpretation", "Rows", "Columns",
        "NumberOfFrames", "PixelSpacing", "WindowCenter", "WindowWidth",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["image_dfl.dcm"])
def test_dicom_of_other_transfer_syntaxes_is_refused_with_those_that_are_read(tmp_path: Path, name: str) -> None:
    with pytest.raises(Unsupported, match="compressed as Deflated") as raised:
        render(str(get_testdata_file(name, download=False)), str(tmp_path))
    assert "JPEG 2000" in raised.value.remedy


def test_a_deflated_dicom_is_refused_before_it_is_inflated(tmp_path: Path) -> None:
    path = Path(str(get_testdata_file("image_dfl.dcm", download=False)))
    bomb = zlib.compressobj(9, wbits=-15)
    (tmp_path / "a.dcm").write_bytes(path.read_bytes()[:350] + bomb.compress(bytes(50_000_000)) + bomb.flush())
    with pytest.raises(Unsupported, match="Deflated"):
        render(str(tmp_path / "a.dcm"), str(tmp_path))


@pytest.mark.parametrize("name", ["rtplan.dcm", "test-SR.dcm", "waveform_ecg.dcm"])
def test_dicom_without_a_picture_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(Invalid, match="no picture"):
        render(str(get_testdata_file(name, download=False)), str(tmp_path))


def test_a_dicom_that_begins_like_a_tiff_is_a_dicom(tmp_path: Path) -> None:
    path = Path(dicom(tmp_path / "a.dcm", gradient()))
    path.write_bytes(b"II*\0" + path.read_bytes()[4:])
    assert render(str(path), str(tmp_path)).format == "dicom"


async def test_in_a_worker_errors_arrive_with_their_remedy(tmp_path: Path) -> None:
    workers = Workers(1)
    rendered = await workers.run(render, save(tmp_path / "a.png", gradient()), str(tmp_path), timeout=30)
    assert rendered.display.width == 90
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes()[:500])
    with pytest.raises(Invalid, match="damaged") as raised:
        await workers.run(render, str(tmp_path / "b.png"), str(tmp_path), timeout=30)
    assert raised.value.remedy


async def test_a_picture_that_needs_more_memory_than_a_worker_has_is_too_large(tmp_path: Path) -> None:
    claim = png_claiming(14_000, 14_000, colour=True, interlaced=True)  # 588 MB decoded
    (tmp_path / "a.png").write_bytes(claim + bytes(400_000))  # else it would be taken for a bomb
    with pytest.raises(TooLarge, match="MiB of memory") as raised:
        await Workers(1, memory=500 * 1024**2).run(render, str(tmp_path / "a.png"), str(tmp_path), timeout=30)
    assert raised.value.remedy
