"""What is wrong with files at first sight: their first bytes and headers. No pixel is decoded, nothing is written.

For whoever wants to know before an import; runs in workers, as `services.ingest.renditions` does.
"""

import os
from collections.abc import Sequence

from services.ingest.rendered import LARGEST_FILE, LARGEST_TIFF
from services.ingest.renditions import sniff
from shared.errors import Invalid, TooLarge


def looked(paths: Sequence[str]) -> list[Invalid | None]:
    """Of each file what is wrong with it, if anything is. What only decoding shows (a truncated file) is not found."""
    return [_looked(path) for path in paths]


def _looked(path: str) -> Invalid | None:
    from services.ingest import dicom, raster  # noqa: PLC0415 - libvips and pydicom load in workers only

    try:
        with open(path, "rb") as file:
            kind = sniff(file.read(132))
        size, most = os.path.getsize(path), LARGEST_TIFF if kind == "tiff" else LARGEST_FILE
        if size > most:
            return TooLarge(
                f"The file has {size:,} bytes; at most {most // 1024**2} MiB are read.",
                remedy="Send a smaller version of it.",
            )
        if kind == "dicom":
            dicom.header(path)
        else:
            raster.header(path, kind)
    except Invalid as problem:
        return problem
    except OSError as error:
        return Invalid(f"It cannot be read: {error.strerror}.", remedy="Look whether you may read it.")
    return None
