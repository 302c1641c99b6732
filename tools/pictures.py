"""A small picture in every format that is read: what tests render and mutate, and what the gallery shows.

All are made from two pictures that scikit-image carries, so that they can be compared: a stained tissue in colour and
its grey. Others are the DICOM files that pydicom carries.
"""

import functools
import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Literal

import imagecodecs
import numpy as np
import pyvips
import tifffile
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

Pixels = NDArray[Any]
Look = Literal["colour", "grey", "own"]  # which of the two it shows as it is; or a picture of its own


@dataclass(frozen=True)
class Sample:
    """`look` says what its rendition must show; `stretched` that its greys may be spread wider than the original's."""

    title: str
    ending: str
    make: Callable[[], bytes]
    look: Look
    stretched: bool = False

    @property
    def name(self) -> str:
        """A file name."""
        return re.sub("[^a-z0-9]+", "-", self.title.lower()) + self.ending


@functools.cache
def colour() -> Pixels:
    """Immunohistochemistry of a colon, (192, 256, 3), 8 bits."""
    return _carried("skimage", "data", "ihc.png")[100:292, 100:356, :3]


@functools.cache
def grey() -> Pixels:
    """The same in grey, (192, 256), 8 bits, from 0 to 255."""
    levels: Pixels = colour().astype(float) @ (0.299, 0.587, 0.114)
    scaled: Pixels = np.round((levels - levels.min()) / (levels.max() - levels.min()) * 255)
    return scaled.astype(np.uint8)


def samples() -> tuple[Sample, ...]:
    return (*_png(), *_jpeg(), *_others(), *_tiff_depths(), *_tiff_compressions(), *_tiff_kinds(), *_dicom())


def _carried(package: str, *parts: str) -> Pixels:
    spec = find_spec(package)
    assert spec is not None  # noqa: S101 - of the development environment
    assert spec.submodule_search_locations  # noqa: S101
    pixels: Pixels = pyvips.Image.new_from_file(str(Path(spec.submodule_search_locations[0], *parts))).numpy()
    return pixels


def _vips(pixels: Pixels) -> Any:
    image = pyvips.Image.new_from_array(np.ascontiguousarray(pixels))
    if pixels.dtype == np.uint16:
        return image.copy(interpretation="grey16" if pixels.ndim == 2 else "rgb16")
    return image


def _saved(pixels: Callable[[], Pixels], suffix: str, **options: Any) -> Callable[[], bytes]:
    return lambda: bytes(_vips(pixels()).write_to_buffer(suffix, **options))


def deep(bits: int = 12, offset: int = 500) -> Pixels:
    """The grey picture as a camera of so many bits gives it, in 16 bits, with an offset."""
    levels: Pixels = grey().astype(np.uint32) * (2**bits - 1 - offset) // 255 + offset
    return levels.astype(np.uint16)


def _fade() -> Pixels:
    """The colour picture with an alpha channel: transparent beyond a circle."""
    y, x = np.mgrid[:192, :256]
    inside = (x - 128) ** 2 + (y - 96) ** 2 < 90**2
    return np.dstack([colour(), inside * 255]).astype(np.uint8)


def _png() -> tuple[Sample, ...]:
    return (
        Sample("PNG", ".png", _saved(colour, ".png"), "colour"),
        Sample("PNG grey", ".png", _saved(grey, ".png"), "grey"),
        Sample("PNG 16 bits grey", ".png", _saved(deep, ".png"), "grey", stretched=True),
        Sample("PNG 16 bits colour", ".png", _saved(lambda: colour().astype(np.uint16) * 257, ".png"), "colour", True),
        Sample("PNG interlaced", ".png", _saved(colour, ".png", interlace=True), "colour"),
        Sample("PNG palette", ".png", _saved(colour, ".png", palette=True, dither=0.5), "colour"),
        Sample("PNG 1 bit", ".png", _saved(lambda: (grey() > 120).astype(np.uint8) * 255, ".png", bitdepth=1), "own"),
        Sample("PNG with alpha", ".png", _saved(_fade, ".png"), "own"),
    )


def _jpeg() -> tuple[Sample, ...]:
    def turned() -> bytes:
        image = _vips(np.rot90(colour())).copy()  # lies on its side; EXIF says how to turn it
        image.set_type(pyvips.GValue.gint_type, "orientation", 6)
        return bytes(image.write_to_buffer(".jpg", Q=92))

    def profiled(profile: str) -> Callable[[], bytes]:
        def make() -> bytes:
            image = _vips(colour()).copy(interpretation="srgb").icc_transform(profile, input_profile="srgb")
            return bytes(image.write_to_buffer(".jpg", Q=95))

        return make

    return (
        Sample("JPEG", ".jpg", _saved(colour, ".jpg", Q=92), "colour"),
        Sample("JPEG grey", ".jpg", _saved(grey, ".jpg", Q=92), "grey"),
        Sample("JPEG progressive", ".jpg", _saved(colour, ".jpg", Q=92, interlace=True), "colour"),
        Sample("JPEG turned by EXIF", ".jpg", turned, "colour"),
        Sample("JPEG CMYK with ICC profile", ".jpg", profiled("cmyk"), "colour"),
        Sample("JPEG Display P3", ".jpg", profiled("p3"), "colour"),
    )


def _others() -> tuple[Sample, ...]:
    def film() -> bytes:
        image = _vips(np.vstack([colour(), 255 - colour()])).copy()
        image.set_type(pyvips.GValue.gint_type, "page-height", 192)
        return bytes(image.write_to_buffer(".gif"))

    def bmp(pixels: Callable[[], Pixels]) -> Callable[[], bytes]:
        return lambda: bytes(imagecodecs.bmp_encode(pixels()))

    def jp2(pixels: Callable[[], Pixels], **options: Any) -> Callable[[], bytes]:
        return lambda: bytes(imagecodecs.jpeg2k_encode(pixels(), **options))

    return (
        Sample("WebP", ".webp", _saved(colour, ".webp", Q=92), "colour"),
        Sample("WebP lossless with alpha", ".webp", _saved(_fade, ".webp", lossless=True), "own"),
        Sample("GIF, first frame of two", ".gif", film, "colour"),
        Sample("BMP 24 bits", ".bmp", bmp(colour), "colour"),
        Sample("BMP 8 bits", ".bmp", bmp(grey), "grey"),
        Sample("JPEG 2000", ".jp2", jp2(colour, level=0), "colour"),
        Sample(
            "JPEG 2000 lossy codestream", ".j2k", jp2(colour, level=45, codecformat="j2k", reversible=False), "colour"
        ),
        Sample("JPEG 2000 16 bits", ".jp2", jp2(deep, level=0), "grey", stretched=True),
    )


def _tiff(pixels: Callable[[], Pixels], **options: Any) -> Callable[[], bytes]:
    def make() -> bytes:
        file = io.BytesIO()
        tifffile.imwrite(file, pixels(), **options)
        return file.getvalue()

    return make


def _tiff_depths() -> tuple[Sample, ...]:
    def unit() -> Pixels:
        return grey() / 255

    def holes() -> Pixels:
        values = (unit() * 37.5).astype(np.float32) - 1000
        values[:, :40], values[:20] = np.nan, np.inf
        return values

    def spectrum() -> Pixels:
        """Twelve orders of magnitude."""
        return (np.abs(np.fft.fftshift(np.fft.fft2(grey()))) ** 2).astype(np.float32)

    def spots() -> Pixels:
        """Fluorescence: a dark camera's noise, thirty cells of very different brightness."""
        random = np.random.default_rng(4)
        y, x = np.mgrid[:192, :256]
        light = random.normal(100, 3, (192, 256))
        for bright in np.geomspace(30, 30_000, 30):
            top, left = random.integers(8, 184), random.integers(8, 248)
            light += bright * np.exp(-((y - top) ** 2 + (x - left) ** 2) / 18)
        return np.clip(light, 0, 65535).astype(np.uint16)

    depths: dict[str, Callable[[], Pixels]] = {
        "16 bits of 12": deep,
        "16 bits with sign": lambda: (deep().astype(np.int32) - 2048).astype(np.int16),
        "8 bits with sign": lambda: (grey().astype(np.int16) - 128).astype(np.int8),
        "32 bits": lambda: deep().astype(np.uint32) * 100_000,
        "32 bits with sign": lambda: (deep().astype(np.int32) - 2048) * 100_000,
        "64 bits": lambda: deep().astype(np.uint64) * 10**12,
        "float 16": lambda: unit().astype(np.float16),
        "float 32": lambda: (unit() * 0.003).astype(np.float32),
        "float 64": lambda: unit() * 1e12,
    }
    return (
        Sample("TIFF 1 bit", ".tif", _tiff(lambda: grey() > 120, photometric="minisblack"), "own"),
        Sample("TIFF 1 bit, white is zero", ".tif", _tiff(lambda: grey() <= 120, photometric="miniswhite"), "own"),
        *(Sample(f"TIFF {what}", ".tif", _tiff(pixels), "grey", True) for what, pixels in depths.items()),
        Sample("TIFF float 32 with NaN and infinity", ".tif", _tiff(holes), "own"),
        Sample("TIFF float 32, a power spectrum", ".tif", _tiff(spectrum), "own"),
        Sample("TIFF 16 bits, few bright spots", ".tif", _tiff(spots), "own"),
        Sample("TIFF white is zero", ".tif", _tiff(lambda: 255 - grey(), photometric="miniswhite"), "grey"),
        Sample(
            "TIFF 16 bits white is zero", ".tif", _tiff(lambda: 65535 - deep(), photometric="miniswhite"), "grey", True
        ),
        Sample(
            "TIFF 16 bits colour",
            ".tif",
            _tiff(lambda: colour().astype(np.uint16) * 16, photometric="rgb"),
            "colour",
            True,
        ),
    )


def _tiff_compressions() -> tuple[Sample, ...]:
    ways: dict[str, dict[str, Any]] = {
        "LZW": {"compression": "lzw", "predictor": True},
        "deflate": {"compression": "zlib", "predictor": True},
        "PackBits": {"compression": "packbits"},
        "JPEG": {"compression": "jpeg", "compressionargs": {"level": 92}},
        "JPEG 2000": {"compression": "jpeg2000", "tile": (128, 128)},
        "JPEG 2000 of Aperio": {"compression": "aperio_jp2000_rgb", "tile": (128, 128)},
        "WebP": {"compression": "webp", "tile": (128, 128)},
    }
    return (
        *(
            Sample(f"TIFF {way}", ".tif", _tiff(colour, photometric="rgb", **how), "colour")
            for way, how in ways.items()
        ),
        Sample(
            "TIFF CCITT group 4",
            ".tif",
            _saved(lambda: (grey() > 120).astype(np.uint8) * 255, ".tif", bitdepth=1, compression="ccittfax4"),
            "own",
        ),
        Sample(
            "TIFF float 32 deflate, predictor 3",
            ".tif",
            _tiff(lambda: (grey() / 255).astype(np.float32), compression="zlib", predictor=3),
            "grey",
            True,
        ),
    )


def _tiff_kinds() -> tuple[Sample, ...]:
    def lab(interpretation: str) -> Callable[[], bytes]:
        def make() -> bytes:
            image = _vips(colour()).copy(interpretation="srgb").colourspace(interpretation)
            return bytes(image.write_to_buffer(".tif"))

        return make

    def lab8() -> Pixels:
        values = _vips(colour()).copy(interpretation="srgb").colourspace("lab").numpy()
        return np.concatenate(
            [
                np.round(values[..., :1] * 2.55).astype(np.uint8),
                np.round(values[..., 1:]).astype(np.int8).view(np.uint8),
            ],
            axis=-1,
        )

    def cmyk() -> bytes:
        image = _vips(colour()).copy(interpretation="srgb").icc_transform("cmyk", input_profile="srgb")
        return bytes(image.write_to_buffer(".tif", compression="lzw"))

    def pages() -> Pixels:
        return np.stack([grey(), 255 - grey(), grey() // 2])

    def pyramid(*, sub: bool) -> Callable[[], bytes]:
        def make() -> bytes:
            whole = np.kron(colour(), np.ones((12, 12, 1), np.uint8))  # 3072 x 2304
            file = io.BytesIO()
            with tifffile.TiffWriter(file, bigtiff=True) as tiff:
                how: dict[str, Any] = {"tile": (256, 256), "photometric": "rgb", "compression": "jpeg"}
                tiff.write(whole, **how, subifds=2 if sub else 0)
                for shrink in (2, 4):
                    tiff.write(whole[::shrink, ::shrink], **how, subfiletype=1)
            return file.getvalue()

        return make

    def mask() -> Pixels:
        return np.dstack([colour(), 255 - grey()])

    return (
        Sample("TIFF three pages", ".tif", _tiff(pages, photometric="minisblack"), "grey"),
        Sample("TIFF CMYK with ICC profile", ".tif", cmyk, "colour"),
        Sample("TIFF Lab 8 bits", ".tif", _tiff(lab8, photometric="cielab"), "colour"),
        Sample("TIFF Lab 16 bits", ".tif", lab("labs"), "colour"),
        Sample("TIFF tiled", ".tif", _tiff(colour, photometric="rgb", tile=(64, 64), compression="zlib"), "colour"),
        Sample("BigTIFF", ".tif", _tiff(colour, photometric="rgb", bigtiff=True), "colour"),
        Sample("TIFF big-endian", ".tif", _tiff(deep, byteorder=">"), "grey", True),
        Sample(
            "TIFF in planes",
            ".tif",
            _tiff(lambda: np.moveaxis(colour(), -1, 0), photometric="rgb", planarconfig="separate"),
            "colour",
        ),
        Sample("TIFF with alpha", ".tif", _tiff(_fade, photometric="rgb", extrasamples=["unassalpha"]), "own"),
        Sample(
            "TIFF 16 bits with alpha",
            ".tif",
            _tiff(lambda: _fade().astype(np.uint16) * 16, photometric="rgb", extrasamples=["unassalpha"]),
            "own",
        ),
        Sample(
            "TIFF with a mask that is no alpha",
            ".tif",
            _tiff(mask, photometric="rgb", extrasamples=["unspecified"]),
            "colour",
        ),
        Sample("TIFF pyramid in pages", ".tif", pyramid(sub=False), "colour"),
        Sample("TIFF pyramid in sub-IFDs", ".tif", pyramid(sub=True), "colour"),
    )


def dicom(pixels: Pixels, syntax: UID = ExplicitVRLittleEndian, frame: bytes | None = None, **elements: Any) -> bytes:
    """A file with these pixels, made of one of pydicom's; `frame`: they are compressed so."""
    dataset = dcmread(_pydicom("CT_small.dcm"))
    dataset.Rows, dataset.Columns = pixels.shape[:2]
    dataset.SamplesPerPixel = 3 if pixels.ndim == 3 else 1
    dataset.PhotometricInterpretation = "RGB" if pixels.ndim == 3 else "MONOCHROME2"
    if pixels.ndim == 3:
        dataset.PlanarConfiguration = 0
    dataset.BitsAllocated = dataset.BitsStored = pixels.itemsize * 8
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(np.issubdtype(pixels.dtype, np.signedinteger))
    dataset.RescaleIntercept, dataset.RescaleSlope = 0, 1
    del dataset.PixelPaddingValue
    dataset.PixelData = pixels.tobytes() + b"\0" * (pixels.nbytes % 2)
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    if dataset.PixelData is None:
        del dataset.PixelData
    if "PixelPaddingValue" in dataset:
        dataset["PixelPaddingValue"].VR = "SS"
    if frame is not None:
        dataset.PixelData = encapsulate([frame])
        dataset["PixelData"].VR = "OB"
    dataset.file_meta.TransferSyntaxUID = syntax
    file = io.BytesIO()
    dataset.save_as(file)
    return file.getvalue()


def _pydicom(name: str) -> str:
    spec = find_spec("pydicom")
    assert spec is not None  # noqa: S101
    assert spec.submodule_search_locations  # noqa: S101
    return str(Path(spec.submodule_search_locations[0], "data", "test_files", name))


# Files as pydicom carries them: what they show, and which.
PYDICOM: Final = {
    "CT": "CT_small.dcm",
    "MR, big-endian": "MR_small_bigendian.dcm",
    "MR, implicit VR": "MR_small_implicit.dcm",
    "MR, RLE": "MR_small_RLE.dcm",
    "MR, JPEG 2000": "MR_small_jp2klossless.dcm",
    "MR, JPEG-LS": "MR_small_jpeg_ls_lossless.dcm",
    "MR with an overlay, not shown": "examples_overlay.dcm",
    "scintigram, JPEG extended 12 bits": "JPGExtended.dcm",
    "scintigram, JPEG 2000 lossy": "JPEG2000.dcm",
    "JPEG 2000 that says another sign": "J2K_pixelrep_mismatch.dcm",
    "palette": "examples_palette.dcm",
    "ultrasound, RGB": "examples_rgb_color.dcm",
    "30 frames, YBR, JPEG": "examples_ybr_color.dcm",
    "YBR_RCT, JPEG 2000": "examples_jpeg2k.dcm",
    "segmentation, 1 bit": "liver_1frame.dcm",
    "dose, 32 bits": "rtdose_1frame.dcm",
    "RGB, JPEG lossless": "SC_rgb_jpeg_gdcm.dcm",
    "YBR_FULL, JPEG": "SC_rgb_dcmtk_+eb+cy+n1.dcm",
    "RGB, JPEG of Adobe": "SC_rgb_dcmtk_+eb+cr.dcm",
    "RGB, JPEG-LS lossy": "SC_rgb_jls_lossy_line.dcm",
    "RGB, RLE 16 bits": "SC_rgb_rle_16bit.dcm",
    "RGB, RLE 32 bits": "SC_rgb_rle_32bit.dcm",
    "YBR_FULL_422": "SC_ybr_full_422_uncompressed.dcm",
}


def _dicom() -> tuple[Sample, ...]:
    jpeg = imagecodecs.jpeg8_encode
    ybr, twelve = {"PhotometricInterpretation": "YBR_FULL_422"}, {"BitsStored": 12, "HighBit": 11}

    def codestream(pixels: Pixels) -> bytes:
        return bytes(imagecodecs.jpeg2k_encode(pixels, level=0, codecformat="j2k"))

    compressed: dict[str, tuple[Callable[[], Pixels], UID, Callable[[Pixels], bytes | bytearray], dict[str, Any]]] = {
        "RGB, JPEG baseline": (colour, JPEGBaseline8Bit, lambda p: jpeg(p, level=92), ybr),
        "JPEG extended 12 bits": (deep, JPEGExtended12Bit, lambda p: jpeg(p, level=95, bitspersample=12), twelve),
        "JPEG lossless 16 bits": (deep, JPEGLossless, lambda p: jpeg(p, lossless=True, predictor=4), {}),
        "JPEG lossless 8 bits": (grey, JPEGLosslessSV1, lambda p: jpeg(p, lossless=True, predictor=1), {}),
        "JPEG-LS 12 bits": (deep, JPEGLSLossless, imagecodecs.jpegls_encode, {}),
        "JPEG 2000 16 bits": (deep, JPEG2000Lossless, codestream, {}),
        "RLE": (grey, RLELossless, _rle, {}),
    }

    def made(name: str) -> Callable[[], bytes]:
        pixels, syntax, encode, elements = compressed[name]
        return lambda: dicom(pixels(), syntax, bytes(encode(pixels())), **elements)

    def signed() -> bytes:
        return dicom(deep().astype(np.int16) - 2048, RescaleSlope=0.5, RescaleIntercept=-10)

    def voi() -> bytes:
        table = Dataset()
        table.add_new("LUTDescriptor", "US", [4096, 0, 16])
        table.add_new("LUTData", "OW", (np.linspace(0, 1, 4096) ** 0.5 * 65535).astype("<u2").tobytes())
        return dicom(deep(offset=0), VOILUTSequence=[table])

    def inverted() -> bytes:
        return dicom(65535 - deep(16, 0), PhotometricInterpretation="MONOCHROME1")

    def enhanced() -> bytes:
        window, values, group = Dataset(), Dataset(), Dataset()
        window.WindowCenter, window.WindowWidth = 1048, 2096
        values.RescaleSlope, values.RescaleIntercept, values.RescaleType = 1, -1000, "HU"
        group.FrameVOILUTSequence, group.PixelValueTransformationSequence = [window], [values]
        both = np.stack([deep(), deep() // 2])
        return dicom(deep(), SharedFunctionalGroupsSequence=[group], NumberOfFrames=2, PixelData=both.tobytes())

    def padded() -> bytes:
        pixels = deep().astype(np.int16)
        pixels[:, :40] = -32000
        return dicom(pixels, PixelPaddingValue=-32000)

    def floats() -> bytes:
        values = (grey() / 255 * 0.003).astype("<f4").tobytes()
        return dicom(deep().astype(np.uint32), PixelData=None, FloatPixelData=values)

    return (
        Sample("DICOM of floats", ".dcm", floats, "grey", True),
        *(Sample(f"DICOM {n}", ".dcm", made(n), "colour" if "RGB" in n else "grey", True) for n in compressed),
        Sample("DICOM with sign, rescaled", ".dcm", signed, "grey", True),
        Sample("DICOM MONOCHROME1", ".dcm", inverted, "grey", True),
        Sample("DICOM with VOI table", ".dcm", voi, "own"),
        Sample("DICOM windowed", ".dcm", lambda: dicom(deep(), WindowCenter=2297.5, WindowWidth=3596), "grey", True),
        Sample("DICOM enhanced, window of the frames", ".dcm", enhanced, "own"),
        Sample("DICOM with padding", ".dcm", padded, "own"),
        Sample("DICOM RGB", ".dcm", lambda: dicom(colour()), "colour"),
        *(
            Sample(f"DICOM of pydicom: {what}", ".dcm", functools.partial(_read, name), "own")
            for what, name in PYDICOM.items()
        ),
    )


def _read(name: str) -> bytes:
    return Path(_pydicom(name)).read_bytes()


def _rle(pixels: Pixels) -> bytes:
    """PS3.5 annex G, one segment, every row on its own, in PackBits."""
    rows = b"".join(bytes(imagecodecs.packbits_encode(row.tobytes())) for row in pixels)
    return np.array([1, 64] + [0] * 14, "<u4").tobytes() + rows + b"\0" * (len(rows) % 2)
