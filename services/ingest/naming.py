"""Under which name a sender's file is told of. Pure.

Files and folders of DICOM are often named after the patient. So a file's name is kept only when it is known to be of
another format: by its content, or, where that cannot be said, by its ending. Else it gets an id from its content; who
sent it finds it by the number of its row.
"""

from pathlib import PurePosixPath
from typing import Final

from services.ingest.rendered import Format

DICOM_COLLECTION: Final = "DICOM"  # of figures whose folder is not to be named
ENDINGS: Final[dict[str, Format]] = {
    ".png": "png",
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".tif": "tiff",
    ".tiff": "tiff",
    ".webp": "webp",
    ".gif": "gif",
    ".bmp": "bmp",
    ".jp2": "jpeg2000",
    ".j2k": "jpeg2000",
    ".dcm": "dicom",
}
# Other endings that no DICOM has, nor a report on a patient.
_NO_PICTURES: Final = frozenset({".svg", ".ps", ".eps", ".csv", ".jsonl"})


def by_ending(file: str) -> Format | None:
    """The format that the name speaks of, if it speaks of one."""
    return ENDINGS.get(PurePosixPath(file).suffix.lower())


def told(file: str, *, dicom: bool | None = None, upload: str | None = None) -> str:
    """The name to keep of a file; "" when there is none to keep. `dicom`: whether its content is, where that is known;
    `upload`: its content hash."""
    if dicom is None:
        dicom = by_ending(file) in (None, "dicom") and PurePosixPath(file).suffix.lower() not in _NO_PICTURES
    if not dicom:
        return file
    return f"{upload[:16]}.dcm" if upload and file else ""
