"""What pictures other than DICOM say of the program that made them, as reasons to wait in quarantine. Runs in workers
only."""

from typing import Final

from services.ingest.quarantine import Reason, of_others
from services.ingest.raster import headers
from services.ingest.rendered import Format

# Fields in which libvips shows what programs write of themselves: texts of PNG, comments, EXIF, XMP.
_TEXTS: Final = ("png-comment-", "jpeg-comment", "gif-comment", "exif-", "image-description")
_BLOBS: Final = ("xmp-data", "exif-data")
_LONGEST: Final = 200_000  # characters of a text that are looked at


def reasons(path: str, kind: Format) -> tuple[Reason, ...]:
    """Why the picture at `path` waits. Nothing that its texts say leaves this function."""
    if kind in ("bmp", "jpeg2000"):  # which libvips has no loader for, and no program for copies of the screen writes
        return ()
    texts = []
    for name, value in headers(path, kind).items():
        if name.startswith(_TEXTS) and isinstance(value, str):
            texts.append(value[:_LONGEST])
        elif name in _BLOBS and isinstance(value, bytes):
            texts.append(value[:_LONGEST].decode("latin-1").replace("\0", ""))  # UTF-16 too
    return of_others(texts)
