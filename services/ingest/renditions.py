"""A picture as sent becomes a display JPEG and a thumbnail, in a worker process (`shared.workers`).

What a file is, is read from its content, never from its name. Nothing of the original's metadata gets into a rendition.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Final

from services.ingest.rendered import LARGEST_FILE, LARGEST_TIFF, Area, Format, Rendered, Size
from shared.errors import Invalid, TooLarge, Unsupported

READABLE = "PNG, JPEG, TIFF, WebP, GIF, BMP, JPEG 2000 and DICOM"

# Offset and first bytes.
_FORMATS: tuple[tuple[int, bytes, Format], ...] = (
    (128, b"DICM", "dicom"),  # PS3.10, 7.1; first, since the 128 bytes before may hold the beginning of a TIFF
    (0, b"\x89PNG\r\n\x1a\n", "png"),
    (0, b"\xff\xd8\xff", "jpeg"),
    (0, b"II*\0", "tiff"),
    (0, b"MM\0*", "tiff"),
    (0, b"II+\0", "tiff"),  # BigTIFF
    (0, b"MM\0+", "tiff"),
    (8, b"WEBP", "webp"),  # within RIFF
    (0, b"GIF87a", "gif"),
    (0, b"GIF89a", "gif"),
    (0, b"BM", "bmp"),
    (0, b"\x00\x00\x00\x0cjP  \r\n\x87\n", "jpeg2000"),
    (0, b"\xff\x4f\xff\x51", "jpeg2000"),
)
# Those of formats that are not read, so that a refusal can name them.
_OTHERS: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\xff\x0a", "JPEG XL"),
    (0, b"\x00\x00\x00\x0cJXL ", "JPEG XL"),
    (0, b"II\xbc\x01", "JPEG XR"),
    (0, b"8BPS", "Photoshop"),
    (4, b"ftyp", "HEIF, AVIF or a film"),
    (0, b"%PDF", "PDF"),
    (0, b"%!PS", "PostScript"),
    (0, b"<svg", "SVG"),
    (0, b"<?xml", "XML or SVG"),
    (0, b"PK\x03\x04", "a zip archive or office document"),
    (0, b"\x1f\x8b", "gzip"),
    (0, b"\x5c\x01\x00\x00", "NIfTI"),
)

REDACTED: Final[Format] = "tiff"  # of the file that takes the place of one in which parts were blacked out


def sniff(head: bytes) -> Format:
    """The format of a file that begins with `head` (132 bytes are enough).

    Raises: Invalid when it is no picture, Unsupported when it is of a format that MITagger does not read.
    """
    if not head:
        raise Invalid("The file is empty.", remedy="Send the picture again; its upload or export may have failed.")
    for offset, magic, kind in _FORMATS:
        if head[offset : offset + len(magic)] == magic:
            return kind
    for offset, magic, name in _OTHERS:
        if head[offset : offset + len(magic)] == magic:
            raise Unsupported(f"{name} is not supported.", remedy=f"These are: {READABLE}. Convert it to one of them.")
    raise Invalid("This is not a picture that MITagger knows.", remedy=f"Send one of these: {READABLE}.")


def render(path: str, folder: str) -> Rendered:
    """Write `display.jpg` and `thumbnail.jpg` of the picture at `path` into `folder`, an existing one of its own; of a
    DICOM also `pixels.tif`, which is kept in its place.

    Grey stays grey, colours become sRGB; more than 8 bits are tone-mapped (`services.ingest.tonemap`, `.dicom`).

    Raises: Invalid (empty, no picture, damaged or truncated), TooLarge, Unsupported; each with a remedy.
    """
    from services.ingest import marks, raster  # noqa: PLC0415 - libvips loads in workers only

    with open(path, "rb") as file:
        kind = sniff(file.read(132))
    size, most = os.path.getsize(path), LARGEST_TIFF if kind == "tiff" else LARGEST_FILE
    if size > most:
        raise TooLarge(
            f"The file has {size:,} bytes; at most {most // 1024**2} MiB are read.",
            remedy="Send a smaller version of it.",
        )
    pixels = None
    if kind == "dicom":
        from services.ingest import dicom  # noqa: PLC0415 - pydicom in those that need it

        pixels = os.path.join(folder, "pixels.tif")
        with _whole(pixels):
            picture = dicom.read(path, pixels)
            reasons = dicom.reasons(path)
            display, thumbnail = raster.write(picture.small, folder)
    else:
        picture = raster.read(path, kind)
        reasons = marks.reasons(path, kind)
        display, thumbnail = raster.write(picture.small, folder)
    return Rendered(
        kind,
        picture.width,
        picture.height,
        display,
        thumbnail,
        picture.technical,
        picture.pages,
        picture.frames,
        picture.deep,
        pixels,
        reasons,
    )


@contextmanager
def _whole(path: str) -> Iterator[None]:
    """What fails leaves no file that is half written."""
    try:
        yield
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(path)
        raise


def black_out(path: str, kind: Format, areas: Sequence[Area], size: Size, folder: str) -> Rendered:
    """The picture at `path` with `areas` black on every page and frame, as files in `folder`, an existing one of its
    own; `pixels` of the answer is the one to keep in place of the file that was, a TIFF. `size`: of the picture in
    whose pixels the areas are; the file's may differ. A DICOM is not the file but its stored pixels.

    Metadata is left behind, but for the colour profile. Raises as `render`.
    """
    from services.ingest import raster, redaction  # noqa: PLC0415 - libvips loads in workers only

    target = os.path.join(folder, "black.tif")
    if kind == "dicom":
        small, frames, deep = redaction.write_stored(path, areas, target)
        display, thumbnail = raster.write(small, folder)
        return Rendered(kind, *size, display, thumbnail, frames=frames, deep=deep, pixels=target)
    redaction.write(path, kind, areas, size, target)
    return replace(render(target, folder), pixels=target)
