"""DICOM by pydicom: the first frame of an uncompressed picture and its technical tags. Runs in workers only.

No value of a file gets into an error message: any element may hold a patient's name.
"""

import re
from typing import Any

import numpy as np
from pydicom import Dataset, dcmread
from pydicom.filereader import read_file_meta_info
from pydicom.pixels.processing import apply_modality_lut, apply_voi
from pydicom.pixels.utils import pixel_array
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from services.ingest.raster import Read, from_screen
from services.ingest.rendered import check_pixels
from services.ingest.tonemap import Pixels, Screen, stretch, window
from shared.errors import Invalid, MitaggerError, Unsupported

_UNCOMPRESSED = frozenset({ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian})
_GREY = frozenset({"MONOCHROME1", "MONOCHROME2"})
_COLOUR = frozenset({"RGB", "YBR_FULL", "YBR_FULL_422"})

# Tags that say how the picture was made, none of them about whom, and what their values may look like
# (PS3.5 6.2: CS is a code string; DS and IS are numbers, several divided by a backslash). Other values are dropped.
_CODE = re.compile(r"[A-Z0-9_ ]{1,16}")
_NUMBERS = re.compile(r"[-+0-9.eE]{1,16}(\\[-+0-9.eE]{1,16}){0,7}")
_TECHNICAL = {
    "Modality": _CODE,
    "BodyPartExamined": _CODE,
    "ViewPosition": _CODE,
    "PhotometricInterpretation": _CODE,
    "Rows": _NUMBERS,
    "Columns": _NUMBERS,
    "NumberOfFrames": _NUMBERS,
    "PixelSpacing": _NUMBERS,
    "WindowCenter": _NUMBERS,
    "WindowWidth": _NUMBERS,
}


def read(path: str) -> Read:
    """The first frame, rescaled and windowed as the file says, MONOCHROME1 inverted, and its technical tags.

    Raises: Invalid when damaged, truncated or without a picture, TooLarge, Unsupported for compressed pixels.
    """
    try:
        # Before anything else is parsed: a deflated file would be inflated whole.
        _check_syntax(read_file_meta_info(path))
        dataset = dcmread(path, defer_size=1024)
        if "PixelData" not in dataset:
            raise Invalid(
                "This DICOM holds no picture.", remedy="Send an image object, not a report, plan or waveform."
            )
        check_pixels(int(dataset.Columns), int(dataset.Rows))
        screen = _screen(pixel_array(path, index=0), dataset)
    except (MitaggerError, MemoryError):
        raise
    except Exception as error:  # whatever pydicom stumbles over in a hostile file
        raise Invalid(
            f"The DICOM is damaged or incomplete ({type(error).__name__} while it was read).",
            remedy="Export it again from its archive, uncompressed.",
        ) from None
    return from_screen(screen, technical(dataset))


def technical(dataset: Dataset) -> dict[str, str]:
    """The whitelisted tags whose values are codes or numbers, several values divided by a backslash."""
    found = {}
    for keyword, pattern in _TECHNICAL.items():
        value = dataset.get(keyword)
        if value is None:
            continue
        text = "\\".join(map(str, value)) if isinstance(value, (list, tuple)) or _many(value) else str(value)
        if pattern.fullmatch(text):
            found[keyword] = text
    return found


def _many(value: Any) -> bool:
    return not isinstance(value, str) and hasattr(value, "__iter__")


def _check_syntax(meta: Dataset) -> None:
    syntax = meta.get("TransferSyntaxUID")
    if syntax not in _UNCOMPRESSED:
        known = getattr(syntax, "name", "") if getattr(syntax, "is_transfer_syntax", False) else ""
        raise Unsupported(
            f"DICOM compressed as {known or 'an unknown transfer syntax'} is not supported.",
            remedy="Uncompressed DICOM is (Explicit or Implicit VR Little Endian); convert it or export it so.",
        )


def _screen(pixels: Pixels, dataset: Dataset) -> Screen:
    photometric = str(dataset.PhotometricInterpretation)
    if photometric in _COLOUR:
        return pixels.astype(np.uint8) if dataset.BitsAllocated == 8 else stretch(pixels)
    if photometric not in _GREY:
        raise Unsupported(
            "A DICOM of this photometric interpretation is not supported.",
            remedy=f"These are: {', '.join(sorted(_GREY | _COLOUR))}.",
        )
    grey = _windowed(apply_modality_lut(pixels, dataset), dataset)
    return 255 - grey if photometric == "MONOCHROME1" else grey


def _windowed(values: Pixels, dataset: Dataset) -> Screen:
    """By the file's first VOI table or window (PS3.3 C.11.2); by percentiles when it has none that makes sense."""
    if dataset.get("VOILUTSequence"):
        return stretch(apply_voi(values, dataset))
    centre, width = _first(dataset.get("WindowCenter")), _first(dataset.get("WindowWidth"))
    function = str(dataset.get("VOILUTFunction", "LINEAR"))
    if centre is None or width is None or width < (1 if function == "LINEAR" else 1e-6):
        return stretch(values)
    return window(values, centre, width, function)


def _first(value: Any) -> float | None:
    if value is None or value == "":
        return None
    return float(value[0]) if _many(value) else float(value)
