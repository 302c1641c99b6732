"""Every format: its rendition shows what its original does. The samples are `tools.pictures`."""

import io
import struct
import warnings
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import pyvips
import tifffile
from numpy.typing import NDArray

from services.ingest import rendered
from services.ingest import tiff as tiffs
from services.ingest.renditions import render, sniff
from shared.errors import Invalid, TooLarge, Unsupported
from tools import pictures
from tools.pictures import Sample

Pixels = NDArray[Any]
SAMPLES = pictures.samples()
BY_TITLE = {sample.title: sample for sample in SAMPLES}


def shown(folder: Path, content: bytes) -> Pixels:
    """The display rendition's pixels."""
    (folder / "original").write_bytes(content)
    image: Pixels = pyvips.Image.new_from_file(render(str(folder / "original"), str(folder)).display.path).numpy()
    return image


def tiff(pixels: Pixels, **options: Any) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, pixels, **options)
    return file.getvalue()


@pytest.mark.parametrize("sample", [s for s in SAMPLES if s.look != "own"], ids=lambda s: s.title)
def test_a_rendition_shows_what_its_original_shows(tmp_path: Path, sample: Sample) -> None:
    original = (pictures.colour() if sample.look == "colour" else pictures.grey()).astype(float)
    seen = shown(tmp_path, sample.make()).astype(float).squeeze()
    assert seen.ndim == original.ndim  # grey stays grey
    if seen.shape != original.shape:  # the pyramids are larger
        step = seen.shape[0] / original.shape[0]
        at = [(np.arange(size) * step + step / 2).astype(int) for size in original.shape[:2]]
        seen = seen[np.ix_(*at)]
    if sample.stretched:
        assert np.corrcoef(seen.ravel(), original.ravel())[0, 1] > 0.99
        assert np.percentile(seen, 1) < 60
        assert np.percentile(seen, 99) > 200
    else:
        assert np.abs(seen - original).mean() < 6


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda s: s.title)
def test_thumbnails_fit_and_hold_no_metadata(tmp_path: Path, sample: Sample) -> None:
    (tmp_path / "original").write_bytes(sample.make())
    done = render(str(tmp_path / "original"), str(tmp_path))
    assert max(done.thumbnail.width, done.thumbnail.height) <= rendered.THUMBNAIL_SIDE
    for jpeg in (done.display, done.thumbnail):
        content = Path(jpeg.path).read_bytes()
        assert not any(mark in content for mark in (b"Exif", b"http://ns.adobe.com", b"ICC_PROFILE", b"Photoshop"))


BARS = {"red": (254, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 254)}


@pytest.mark.parametrize("name", [n for n in pictures.PYDICOM if pictures.PYDICOM[n].startswith("SC_")])
def test_colour_bars_in_dicom_keep_their_colours_however_they_are_stored(tmp_path: Path, name: str) -> None:
    seen = shown(tmp_path, BY_TITLE[f"DICOM of pydicom: {name}"].make()).astype(int)
    for row, colour in zip((5, 25, 45), BARS.values(), strict=True):
        assert seen[row, 50] == pytest.approx(colour, abs=10)


def test_the_same_slice_looks_the_same_in_every_transfer_syntax(tmp_path: Path) -> None:
    titles = [title for title in BY_TITLE if title.startswith("DICOM of pydicom: MR, ")]
    assert len(titles) >= 5
    first, *others = [shown(tmp_path, BY_TITLE[title].make()) for title in titles]
    for other in others:
        assert np.array_equal(first, other)


@pytest.mark.parametrize(
    ("title", "count"),
    [
        ("TIFF three pages", "3"),
        ("GIF, first frame of two", "2"),
        ("DICOM enhanced, window of the frames", "2"),
        ("DICOM of pydicom: 30 frames, YBR, JPEG", "30"),
        ("TIFF pyramid in pages", None),
        ("TIFF pyramid in sub-IFDs", None),
    ],
)
def test_pages_and_frames_are_counted_and_levels_of_a_pyramid_are_none(
    tmp_path: Path, title: str, count: str | None
) -> None:
    (tmp_path / "original").write_bytes(BY_TITLE[title].make())
    assert render(str(tmp_path / "original"), str(tmp_path)).technical.get("NumberOfFrames") == count


@pytest.mark.parametrize("sub", [0, 1], ids=["pages", "sub-IFDs"])
def test_a_pyramid_is_read_at_the_level_that_fills_the_display_and_told_at_its_full_size(
    tmp_path: Path, sub: int
) -> None:
    whole = np.full((3000, 9000), 200, np.uint8)
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as out:
        out.write(whole, tile=(256, 256), subifds=sub)
        out.write(np.full((1500, 4500), 90, np.uint8), tile=(256, 256), subfiletype=1)
    (tmp_path / "original").write_bytes(file.getvalue())
    done = render(str(tmp_path / "original"), str(tmp_path))
    assert (done.width, done.height) == (9000, 3000)
    assert pyvips.Image.new_from_file(done.display.path).avg() == pytest.approx(90, abs=1)


def test_a_pyramid_larger_than_a_picture_may_be_is_read_at_its_smaller_level(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (rendered, tiffs):
        monkeypatch.setattr(module, "LARGEST_PICTURE", 5_000_000)
    assert shown(tmp_path, BY_TITLE["TIFF pyramid in pages"].make()).shape == (1152, 1536, 3)


@pytest.mark.parametrize("compression", ["zstd", "lerc", "lzma", "png", "jpegxl"])
def test_a_tiff_that_libtiff_would_show_black_is_refused_with_what_is_read(tmp_path: Path, compression: str) -> None:
    with pytest.raises(Unsupported, match="not supported") as raised:
        shown(tmp_path, tiff(pictures.colour(), photometric="rgb", compression=compression))
    assert "LZW, deflate" in raised.value.remedy


@pytest.mark.parametrize("channels", [2, 5])
def test_a_tiff_of_odd_channels_is_refused(tmp_path: Path, channels: int) -> None:
    pixels = np.dstack([pictures.grey()] * channels)
    with pytest.raises(Unsupported, match=f"{channels} channels"):
        shown(
            tmp_path, tiff(pixels, photometric="minisblack", planarconfig="contig", extrasamples=[0] * (channels - 1))
        )


def test_floats_that_are_none_are_black_and_do_not_hide_the_others(tmp_path: Path) -> None:
    seen = shown(tmp_path, BY_TITLE["TIFF float 32 with NaN and infinity"].make()).squeeze()
    assert seen[:18].max() < 20
    assert seen[:, :36].max() < 20
    assert np.corrcoef(seen[24:, 48:].ravel(), pictures.grey()[24:, 48:].ravel())[0, 1] > 0.99


@pytest.mark.parametrize("pixels", [np.full((30, 40), np.nan, np.float32), np.full((30, 40), np.inf)])
def test_a_picture_of_no_number_at_all_is_black(tmp_path: Path, pixels: Pixels) -> None:
    assert shown(tmp_path, tiff(pixels)).max() == 0


@pytest.mark.parametrize("title", ["TIFF 16 bits with alpha", "PNG with alpha", "TIFF with alpha"])
def test_what_is_transparent_is_white_and_does_not_count(tmp_path: Path, title: str) -> None:
    seen = shown(tmp_path, BY_TITLE[title].make()).astype(int)
    assert seen[:10, :10].min() > 245
    inside = seen[60:130, 90:170].astype(float)
    assert np.corrcoef(inside.ravel(), pictures.colour()[60:130, 90:170].ravel())[0, 1] > 0.98


def test_a_power_spectrum_shows_more_than_its_centre(tmp_path: Path) -> None:
    seen = shown(tmp_path, BY_TITLE["TIFF float 32, a power spectrum"].make()).squeeze()
    assert 0.05 < (seen > 40).mean() < 0.6


def test_padding_of_a_dicom_is_black_and_does_not_count(tmp_path: Path) -> None:
    seen = shown(tmp_path, BY_TITLE["DICOM with padding"].make()).squeeze()
    assert seen[:, :36].max() < 20
    assert np.corrcoef(seen[:, 48:].ravel(), pictures.grey()[:, 48:].ravel())[0, 1] > 0.99


def test_a_voi_table_is_applied(tmp_path: Path) -> None:
    seen = shown(tmp_path, BY_TITLE["DICOM with VOI table"].make()).squeeze().astype(float)
    assert np.abs(seen - np.sqrt(pictures.grey() / 255) * 255).mean() < 6


def test_window_and_rescale_of_an_enhanced_object_are_those_of_its_frames(tmp_path: Path) -> None:
    seen = shown(tmp_path, BY_TITLE["DICOM enhanced, window of the frames"].make()).squeeze().astype(float)
    expected = np.clip((pictures.deep().astype(float) - 1000) / 2096, 0, 1) * 255
    assert np.abs(seen - expected).mean() < 6


def test_a_whole_slide_in_tiles_is_refused_not_shown_as_its_first_tile(tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match="whole slide"):
        shown(tmp_path, pictures.dicom(pictures.colour(), TotalPixelMatrixColumns=90_000, TotalPixelMatrixRows=60_000))


@pytest.mark.parametrize("bits", [1, 4, 16, 32])
def test_bmp_of_other_depths(tmp_path: Path, bits: int) -> None:
    assert shown(tmp_path, bmp(bits)).mean() == pytest.approx(255, abs=2)


def bmp(bits: int, *, compression: int = 0, width: int = 16, height: int = 8) -> bytes:
    """All white."""
    colours = struct.pack("<4B", 0, 0, 0, 0) + b"\xff\xff\xff\0" * (2**bits - 1) if bits < 16 else b""
    rows = b"\xff" * (((width * bits + 31) // 32) * 4 * height)
    start = 54 + len(colours)
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, len(rows), 2835, 2835, 0, 0)
    return b"BM" + struct.pack("<IHHI", start + len(rows), 0, 0, start) + header + colours + rows


@pytest.mark.parametrize("compression", [4, 5], ids=["JPEG", "PNG"])
def test_another_format_disguised_as_bmp_is_refused(tmp_path: Path, compression: int) -> None:
    with pytest.raises(Invalid, match="BMP is damaged, incomplete or of a rare kind"):
        shown(tmp_path, bmp(8, compression=compression))


@pytest.mark.parametrize(
    "content", [bmp(24, width=16, height=8)[:18] + struct.pack("<ii", 40_000, 40_000) + bytes(500)]
)
def test_a_bmp_bomb_is_refused_before_it_is_decoded(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(TooLarge):
        shown(tmp_path, content)


def test_a_jpeg2000_bomb_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    content = bytearray(imagecodecs.jpeg2k_encode(pictures.grey(), level=0, codecformat="j2k"))
    content[8:16] = struct.pack(">II", 60_000, 60_000)
    with pytest.raises(TooLarge):
        shown(tmp_path, bytes(content))


CUT_OFF = ["JPEG 2000", "DICOM RGB, JPEG baseline", "DICOM JPEG-LS 12 bits", "WebP", "BMP 24 bits", "TIFF JPEG 2000"]


@pytest.mark.parametrize(
    ("title", "part"),
    [(title, part) for title in CUT_OFF for part in (0.1, 0.6, 0.9)] + [("GIF, first frame of two", 0.4)],
)
def test_what_is_cut_off_is_refused_not_shown_half_grey(tmp_path: Path, title: str, part: float) -> None:
    content = BY_TITLE[title].make()
    with pytest.raises(Invalid):
        shown(tmp_path, content[: int(len(content) * part)])


def test_a_frame_of_another_size_than_its_dicom_says_is_refused(tmp_path: Path) -> None:
    frame = bytes(imagecodecs.jpeg8_encode(np.zeros((64, 64), np.uint8), lossless=True, predictor=1))
    content = pictures.dicom(pictures.grey(), pictures.JPEGLosslessSV1, frame)
    with pytest.raises(Invalid, match="damaged"):
        shown(tmp_path, content)


@pytest.mark.parametrize("part", [1.0, 0.9])
def test_nothing_of_a_dicom_is_said_on_the_way(
    tmp_path: Path, part: float, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    frame = bytes(imagecodecs.jpeg8_encode(pictures.grey(), lossless=True, predictor=1))
    names = {
        "PatientName": "SENTINEL^A",
        "PatientBirthDate": "SENTINEL",
        "PatientAge": "SENTINEL",
        "PatientID": "SENTINEL",
    }
    content = pictures.dicom(pictures.grey(), pictures.JPEGLosslessSV1, frame[: int(len(frame) * part)], **names)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        if part == 1:
            shown(tmp_path, content)
        else:
            with pytest.raises(Invalid) as refused:
                shown(tmp_path, content)
            assert "SENTINEL" not in str(refused.value)
    said = [*capfd.readouterr(), caplog.text, *(str(warning.message) for warning in warned)]
    assert not any("SENTINEL" in what for what in said)
    assert said[:3] == ["", "", ""]


def test_more_frames_than_anyone_needs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendered, "MOST_FRAMES", 2)
    for title in ("TIFF three pages", "DICOM of pydicom: 30 frames, YBR, JPEG"):
        with pytest.raises(TooLarge, match="pages or frames"):
            shown(tmp_path, BY_TITLE[title].make())


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda s: s.title)
def test_the_format_is_told_by_the_first_bytes(sample: Sample) -> None:
    kind = {"tif": "tiff", "jpg": "jpeg", "dcm": "dicom", "jp2": "jpeg2000", "j2k": "jpeg2000"}
    ending = sample.ending.lstrip(".")
    assert sniff(sample.make()[:132]) == kind.get(ending, ending)
