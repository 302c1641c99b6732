"""A picture as sent becomes a display JPEG and a thumbnail, in a worker process (`shared.workers`).

What a file is, is read from its content, never from its name. Nothing of the original's metadata gets into a rendition.
"""

import os

from services.ingest.rendered import LARGEST_FILE, Format, Rendered
from shared.errors import Invalid, TooLarge, Unsupported

READABLE = "PNG, JPEG, TIFF (8 or 16 bits) and uncompressed DICOM"

# First bytes of formats that are not read (yet), so that a refusal can name them.
_OTHERS: tuple[tuple[int, bytes, str], ...] = (
    (0, b"GIF8", "GIF"),
    (8, b"WEBP", "WebP"),
    (0, b"BM", "BMP"),
    (0, b"\x00\x00\x00\x0cjP  ", "JPEG 2000"),
    (0, b"\xff\x4f\xff\x51", "JPEG 2000"),
    (4, b"ftyp", "HEIF, AVIF or a film"),
    (0, b"%PDF", "PDF"),
    (0, b"%!PS", "PostScript"),
    (0, b"<svg", "SVG"),
    (0, b"<?xml", "XML or SVG"),
    (0, b"PK\x03\x04", "a zip archive or office document"),
    (0, b"\x1f\x8b", "gzip"),
    (0, b"\x5c\x01\x00\x00", "NIfTI"),
)


def sniff(head: bytes) -> Format:
    """The format of a file that begins with `head` (132 bytes are enough).

    Raises: Invalid when it is no picture, Unsupported when it is of a format that MITagger does not read.
    """
    if not head:
        raise Invalid("The file is empty.", remedy="Send the picture again; its upload or export may have failed.")
    if head[128:132] == b"DICM":  # PS3.10, 7.1; first, since the 128 bytes before may hold the beginning of a TIFF
        return "dicom"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if head.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):  # TIFF 6.0 and BigTIFF
        return "tiff"
    for offset, magic, name in _OTHERS:
        if head[offset : offset + len(magic)] == magic:
            raise Unsupported(f"{name} is not supported.", remedy=f"These are: {READABLE}. Convert it to one of them.")
    raise Invalid("This is not a picture that MITagger knows.", remedy=f"Send one of these: {READABLE}.")


def render(path: str, folder: str) -> Rendered:
    """Write `display.jpg` and `thumbnail.jpg` of the picture at `path` into `folder`, an existing one of its own.

    Grey stays grey, colours become sRGB; 16 bits and DICOM are tone-mapped (`services.ingest.tonemap`, `.dicom`).

    Raises: Invalid (empty, no picture, damaged or truncated), TooLarge, Unsupported; each with a remedy.
    """
    from services.ingest import raster  # noqa: PLC0415 - libvips loads in workers only

    size = os.path.getsize(path)
    if size > LARGEST_FILE:
        raise TooLarge(
            f"The file has {size:,} bytes; at most {LARGEST_FILE // 1024**2} MiB are read.",
            remedy="Send a smaller version of it.",
        )
    with open(path, "rb") as file:
        kind = sniff(file.read(132))
    if kind == "dicom":
        from services.ingest import dicom  # noqa: PLC0415 - pydicom in those that need it

        picture = dicom.read(path)
    else:
        picture = raster.read(path, kind)
    display, thumbnail = raster.write(picture.small, folder)
    return Rendered(kind, picture.width, picture.height, display, thumbnail, picture.technical)
