"""DICOM by pydicom: the first frame of a picture and its technical tags. Runs in workers only.

No value of a file gets into an error message or a log: any element may hold a patient's name.
"""

import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
import pydicom.config
from pydicom import Dataset, dcmread
from pydicom.filereader import read_file_meta_info
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, apply_voi
from pydicom.pixels.utils import pixel_array
from pydicom.uid import UID, JPEG2000TransferSyntaxes

from services.ingest import dicom_frames, dicom_terms
from services.ingest.quarantine import Reason, Traits, of_dicom
from services.ingest.raster import Read, from_screen, shrunk
from services.ingest.rendered import check_pixels, check_ratio, check_wavelet, frames
from services.ingest.tonemap import Mask, Pixels, Screen, stretch, window
from shared.errors import Invalid, MitaggerError, Unsupported

_GREY = frozenset({"MONOCHROME1", "MONOCHROME2"})
_COLOUR = frozenset({"RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT"})  # the last four become RGB
_PALETTE = "PALETTE COLOR"
_PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")

# Tags that say how the picture was made, none of them about whom. Of the codes only the standard's own terms are kept
# (`dicom_terms`): a code string may be any words in capitals, "DOE JOHN" too (PS3.5 6.2, CS). Numbers are short.
_CODES: Final = {
    "Modality": dicom_terms.MODALITIES,
    "BodyPartExamined": dicom_terms.BODY_PARTS,
    "ViewPosition": dicom_terms.VIEWS,
    "Laterality": dicom_terms.LATERALITIES,
    "ImageLaterality": dicom_terms.LATERALITIES,
    "PhotometricInterpretation": frozenset({*_GREY, *_COLOUR, _PALETTE}),
}
_NUMBERS: Final = {  # how many values at most
    "Rows": 1,
    "Columns": 1,
    "NumberOfFrames": 1,
    "PixelSpacing": 2,
    "ImagerPixelSpacing": 2,
    "WindowCenter": 8,
    "WindowWidth": 8,
}
_NUMBER: Final = re.compile(r"[-+]?[0-9]{1,10}(\.[0-9]{0,14})?([eE][-+]?[0-9]{1,2})?")
_NUMBER_LENGTH: Final = 16  # PS3.5 6.2, DS
# Of the model's name, which is free text, the word that is its number: "CT660" of "Optima CT660". Too short for a name,
# and no date or number alone.
_MODEL: Final = "ManufacturerModelName"
_MODEL_NUMBER: Final = re.compile(r"(?<!\S)[A-Za-z]{1,3}[0-9]{1,4}[A-Za-z+]?(?!\S)")
# What decides on quarantine, in the order of its traits.
_TRAITS: Final = (
    "SOPClassUID", "Modality", "BurnedInAnnotation", "RecognizableVisualFeatures", "ConversionType", "ImageType"
)  # fmt: skip


def read(path: str) -> Read:
    """The first frame, rescaled and windowed as the file says, MONOCHROME1 inverted, and its technical tags.

    Raises: Invalid when damaged, truncated or without a picture, TooLarge, Unsupported for other transfer syntaxes,
    other kinds of pixels, and whole slides in tiles.
    """
    try:
        with _quiet():
            return _read(path)
    except (MitaggerError, MemoryError):
        raise
    except Exception as error:  # whatever pydicom stumbles over in a hostile file
        if re.search(r"unable to allocate|out of memory", str(error), re.IGNORECASE):
            raise MemoryError from None
        raise Invalid(
            f"The DICOM is damaged or incomplete ({type(error).__name__} while it was read).",
            remedy="Export it again from its archive, uncompressed.",
        ) from None


def _read(path: str) -> Read:
    # Before anything else is parsed: a deflated file would be inflated whole.
    syntax = read_file_meta_info(path).get("TransferSyntaxUID")
    decoder = _decoder(syntax)
    dataset = dcmread(path, defer_size=1024)
    if not any(pixels in dataset for pixels in _PIXELS):
        raise Invalid("This DICOM holds no picture.", remedy="Send an image object, not a report, plan or waveform.")
    _check(dataset, syntax, compressed=bool(decoder))
    # Compressed frames are found in the data element; of the others only the first is read from the file.
    source = dataset if decoder else path
    screen = _screen(pixel_array(source, index=0, decoding_plugin=decoder), dataset)
    return from_screen(screen, int(dataset.Columns), int(dataset.Rows), technical(dataset))


@contextmanager
def _quiet() -> Iterator[None]:
    """pydicom quotes values in what it logs and warns of."""
    logging.getLogger("pydicom").setLevel(logging.CRITICAL + 1)
    with warnings.catch_warnings(), pydicom.config.disable_value_validation():
        warnings.simplefilter("ignore")
        yield


def technical(dataset: Dataset) -> dict[str, str]:
    """The whitelisted tags whose values are defined terms or numbers, several values divided by a backslash; of the
    model's name its number. Anything else is dropped, whatever it is."""
    found = {}
    for keyword, terms in _CODES.items():
        code = " ".join(str(dataset.get(keyword) or "").split())
        if code in terms:
            found[keyword] = code
    for keyword, most in _NUMBERS.items():
        values = _texts(dataset.get(keyword))
        if 0 < len(values) <= most and all(map(_is_number, values)):
            found[keyword] = "\\".join(values)
    if model := _MODEL_NUMBER.search(str(dataset.get(_MODEL) or "")):
        found[_MODEL] = model.group()
    return found


def reasons(path: str) -> tuple[Reason, ...]:
    """Why the picture waits in quarantine. Of a file that `read` has read."""
    with _quiet():
        dataset = dcmread(path, stop_before_pixels=True, specific_tags=list(_TRAITS))
        # The class stands in the meta information too; either may have been left out or changed.
        meta = str(dataset.file_meta.get("MediaStorageSOPClassUID") or "")
        sop_class, modality, burned_in, recognizable, conversion = (
            "".join(_texts(dataset.get(keyword))) for keyword in _TRAITS[:-1]
        )
        return of_dicom(
            Traits(
                (sop_class, meta),
                modality,
                burned_in,
                recognizable,
                conversion,
                tuple(_texts(dataset.get(_TRAITS[-1]))),
            )
        )


def _texts(value: Any) -> list[str]:
    if value is None or value == "":
        return []
    return [str(one).strip() for one in value] if _many(value) else [str(value).strip()]


def _is_number(text: str) -> bool:
    return len(text) <= _NUMBER_LENGTH and _NUMBER.fullmatch(text) is not None


def _many(value: Any) -> bool:
    return not isinstance(value, str) and hasattr(value, "__iter__")


def _decoder(syntax: UID | None) -> str:
    """Who decodes the frames (`dicom_frames.plugin`)."""
    decoder = dicom_frames.plugin(syntax) if syntax is not None else None
    if decoder is None:
        known = getattr(syntax, "name", "") if getattr(syntax, "is_transfer_syntax", False) else ""
        raise Unsupported(
            f"DICOM compressed as {known or 'an unknown transfer syntax'} is not supported.",
            remedy="Uncompressed, RLE, JPEG, JPEG-LS and JPEG 2000 are; convert it or export it so.",
        )
    return decoder


def _check(dataset: Dataset, syntax: UID, *, compressed: bool) -> None:
    """Before a pixel is decoded."""
    columns, rows = int(dataset.Columns), int(dataset.Rows)
    check_pixels(columns, rows)
    if compressed:
        samples, bits = int(dataset.SamplesPerPixel), int(dataset.BitsAllocated)
        check_ratio(columns * rows * samples * bits // 8, len(dataset.PixelData))
        if syntax in JPEG2000TransferSyntaxes:
            check_wavelet(columns * rows * samples)
    frames(int(dataset.get("NumberOfFrames") or 1))
    if int(dataset.get("TotalPixelMatrixColumns") or 0) > columns:
        raise Unsupported(
            "A whole slide cut into tiles is not supported as DICOM.",
            remedy="Send one picture of it, or the slide as a pyramidal TIFF.",
        )


def _screen(pixels: Pixels, dataset: Dataset) -> Screen:
    photometric = str(dataset.PhotometricInterpretation)
    if photometric in _COLOUR:
        small = shrunk(pixels)
        return small.astype(np.uint8) if small.itemsize == 1 else stretch(small)
    if photometric == _PALETTE:
        return _byte(shrunk(apply_color_lut(pixels, dataset)[..., :3]))
    if photometric not in _GREY:
        raise Unsupported(
            "A DICOM of this photometric interpretation is not supported.",
            remedy=f"These are: {', '.join(sorted({*_GREY, *_COLOUR, _PALETTE}))}.",
        )
    # Shrunk first, so that the tone mapping sees few pixels; a table's steps between stored values must stand.
    outside = _padding(pixels, dataset)
    if dataset.get("ModalityLUTSequence"):
        grey = _windowed(shrunk(_rescaled(pixels, dataset), outside), dataset)
    else:
        grey = _windowed(_rescaled(shrunk(pixels, outside), dataset), dataset)
    return 255 - grey if photometric == "MONOCHROME1" else grey


def _byte(colours: Pixels) -> Screen:
    """Palettes of 16 bits fill them (PS3.3 C.7.6.3.1.5)."""
    return (colours >> 8 if colours.itemsize == 2 else colours).astype(np.uint8)


def _rescaled(pixels: Pixels, dataset: Dataset) -> Pixels:
    """By the file's modality table or slope; enhanced objects have it for each frame (PS3.3 C.7.6.16.2.9)."""
    return apply_modality_lut(pixels, _group(dataset, "PixelValueTransformationSequence"))


def _padding(pixels: Pixels, dataset: Dataset) -> Mask | None:
    """Which pixels are none, but padding (PS3.3 C.7.5.1.1.2); None when none is."""
    first, last = dataset.get("PixelPaddingValue"), dataset.get("PixelPaddingRangeLimit")
    if not isinstance(first, int):
        return None
    low, high = sorted((first, last if isinstance(last, int) else first))
    outside: Mask = (pixels >= low) & (pixels <= high)
    return outside if outside.any() else None


def _windowed(values: Pixels, dataset: Dataset) -> Screen:
    """By the file's first VOI table or window (PS3.3 C.11.2); by percentiles when it has none that makes sense."""
    if dataset.get("VOILUTSequence"):
        bits = int(dataset.VOILUTSequence[0].LUTDescriptor[2])  # of the table, which fills them (PS3.3 C.11.2.1.1)
        return window(apply_voi(np.rint(np.nan_to_num(values)).astype(np.int32), dataset), 2 ** (bits - 1), 2**bits)
    group = _group(dataset, "FrameVOILUTSequence")
    centre, width = _first(group.get("WindowCenter")), _first(group.get("WindowWidth"))
    function = str(group.get("VOILUTFunction") or "LINEAR")
    if centre is None or width is None or width < (1 if function == "LINEAR" else 1e-6):
        return stretch(values, wide=int(dataset.BitsAllocated) > 16)
    return window(values, centre, width, function)


def _group(dataset: Dataset, keyword: str) -> Dataset:
    """What holds for the first frame: its own functional group, the one shared by all, or the dataset itself
    (PS3.3 C.7.6.16)."""
    for sequence in ("PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence"):
        groups = dataset.get(sequence)
        if groups and groups[0].get(keyword):
            found: Dataset = groups[0][keyword].value[0]
            return found
    return dataset


def _first(value: Any) -> float | None:
    if value is None or value == "" or (_many(value) and not len(value)):
        return None
    return float(value[0]) if _many(value) else float(value)
