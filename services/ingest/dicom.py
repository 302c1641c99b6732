"""DICOM by pydicom: the frames of a picture and its technical tags. Runs in workers only.

The file itself is never kept. Its decoded pixels are (`services.ingest.stored`), with the numbers that say how to show
them: `frame_of` makes a plane of both, for the display as for every later view.

No value of a file gets into an error message or a log: any element may hold a patient's name.
"""

import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import numpy as np
import pydicom.config
from pydicom import Dataset, dcmread
from pydicom.filereader import read_file_meta_info
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, apply_voi
from pydicom.pixels.utils import iter_pixels, pixel_array
from pydicom.uid import UID, JPEG2000TransferSyntaxes

from services.ingest import dicom_frames, dicom_terms, stored
from services.ingest.quarantine import Reason, Traits, of_dicom
from services.ingest.raster import Read, colours_of, guard, image_of, toned
from services.ingest.rendered import DISPLAY_SIDE, check_pixels, check_ratio, check_wavelet, frames
from services.ingest.stored import Numbers
from services.ingest.tonemap import Curve, Pixels, Tone, window
from shared.errors import Invalid, MitaggerError, Unsupported

T = TypeVar("T")

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

_NO_PICTURE = "Send an image object, not a report, plan or waveform."


def read(path: str, keep: str) -> Read:
    """The first frame, rescaled and windowed as the file says, MONOCHROME1 inverted, and its technical tags. The pixels
    of the frames go into a file at `keep`.

    Raises: Invalid when damaged, truncated or without a picture, TooLarge, Unsupported for other transfer syntaxes,
    other kinds of pixels, and whole slides in tiles.
    """
    guard()
    with _explained():
        return _read(path, keep)


def header(path: str) -> None:
    """Looks at the header alone. Raises as `read` does for what it finds there."""
    with _explained():
        _decoder(read_file_meta_info(path).get("TransferSyntaxUID"))
        dataset = dcmread(path, stop_before_pixels=True, defer_size=1024)
        if "Rows" not in dataset or "Columns" not in dataset:
            raise Invalid("This DICOM holds no picture.", remedy=_NO_PICTURE)
        check_pixels(int(dataset.Columns), int(dataset.Rows))


@contextmanager
def _explained() -> Iterator[None]:
    """Whatever pydicom stumbles over in a hostile file, in our words."""
    try:
        with _quiet():
            yield
    except (MitaggerError, MemoryError):
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the system's, not one that pydicom makes of a damaged file
        if re.search(r"unable to allocate|out of memory", str(error), re.IGNORECASE):
            raise MemoryError from None
        raise Invalid(
            f"The DICOM is damaged or incomplete ({type(error).__name__} while it was read).",
            remedy="Export it again from its archive, uncompressed.",
        ) from None


def _read(path: str, keep: str) -> Read:
    # Before anything else is parsed: a deflated file would be inflated whole.
    syntax = read_file_meta_info(path).get("TransferSyntaxUID")
    decoder = _decoder(syntax)
    dataset = dcmread(path, defer_size=1024)
    if not any(pixels in dataset for pixels in _PIXELS):
        raise Invalid("This DICOM holds no picture.", remedy=_NO_PICTURE)
    count = _check(dataset, syntax, compressed=bool(decoder))
    # Compressed frames are found in the data element; others are read from the file, one at a time.
    source = dataset if decoder else path
    first = _stored(pixel_array(source, index=0, decoding_plugin=decoder), dataset)
    numbers = _numbers(dataset, count)
    plane = stored.plane_of(first, numbers, 0)
    several = {"NumberOfFrames": str(count)} if count > 1 else {}
    small = colours_of(plane.image, DISPLAY_SIDE) if plane.screen else image_of(toned(plane)[0])
    chosen = range(1, stored.kept(count, first.size))
    rest = iter_pixels(source, indices=chosen, decoding_plugin=decoder) if chosen else ()
    frames_kept = stored.write(keep, first, (_stored(pixels, dataset) for pixels in rest), numbers)
    return Read(
        small,
        int(dataset.Columns),
        int(dataset.Rows),
        technical(dataset) | several,
        frames=frames_kept,
        deep=not plane.screen,
    )


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
    """Why the picture waits in quarantine. Of a file that `read` has read. Raises Invalid."""
    with _explained():
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


def _check(dataset: Dataset, syntax: UID, *, compressed: bool) -> int:
    """Before a pixel is decoded. How many frames there are."""
    columns, rows = int(dataset.Columns), int(dataset.Rows)
    check_pixels(columns, rows)
    if compressed:
        samples, bits = int(dataset.SamplesPerPixel), int(dataset.BitsAllocated)
        check_ratio(columns * rows * samples * bits // 8, len(dataset.PixelData))
        if syntax in JPEG2000TransferSyntaxes:
            check_wavelet(columns * rows * samples)
    count = int(dataset.get("NumberOfFrames") or 1)
    frames(count)
    if int(dataset.get("TotalPixelMatrixColumns") or 0) > columns:
        raise Unsupported(
            "A whole slide cut into tiles is not supported as DICOM.",
            remedy="Send one picture of it, or the slide as a pyramidal TIFF.",
        )
    return count


def _stored(pixels: Pixels, dataset: Dataset) -> Pixels:
    """As they are kept: colours as RGB; greys as the file has them, but for a modality table, which is applied."""
    photometric = str(dataset.PhotometricInterpretation)
    if photometric in _COLOUR:
        return pixels
    if photometric == _PALETTE:
        return _byte(apply_color_lut(pixels, dataset)[..., :3])
    if photometric not in _GREY:
        raise Unsupported(
            "A DICOM of this photometric interpretation is not supported.",
            remedy=f"These are: {', '.join(sorted({*_GREY, *_COLOUR, _PALETTE}))}.",
        )
    if not dataset.get("ModalityLUTSequence"):
        return pixels
    rescaled = apply_modality_lut(pixels, dataset)
    padding = _padding(dataset)
    if padding is not None:
        rescaled = np.where((pixels >= padding[0]) & (pixels <= padding[1]), np.nan, rescaled).astype(np.float32)
    return rescaled


def _byte(colours: Pixels) -> Pixels:
    """Palettes of 16 bits fill them (PS3.3 C.7.6.3.1.5)."""
    return (colours >> 8 if colours.itemsize == 2 else colours).astype(np.uint8)


def _numbers(dataset: Dataset, count: int) -> Numbers:
    """How the stored pixels of its frames become values, and these greys."""
    if str(dataset.PhotometricInterpretation) not in _GREY:
        return Numbers(frames=count)
    table = bool(dataset.get("ModalityLUTSequence"))
    tones = [_tone(dataset, frame) for frame in range(count)] if _per_frame(dataset) else [_tone(dataset, 0)]
    rescale = [_rescale(dataset, frame) for frame in range(count)] if _per_frame(dataset) else [_rescale(dataset, 0)]
    unit = str(_group(dataset, "PixelValueTransformationSequence", 0).get("RescaleType") or "")
    return Numbers(
        frames=count,
        rescale=_alike([(1.0, 0.0)] if table else rescale),
        tones=_alike(tones),
        padding=None if table else _padding(dataset),
        inverted=str(dataset.PhotometricInterpretation) == "MONOCHROME1",
        wide=int(dataset.BitsAllocated) > 16,
        unit=unit if unit == "HU" else "",
    )


def _alike(of_frames: list[T]) -> list[T]:
    """One for all where they are equal."""
    return of_frames if any(one != of_frames[0] for one in of_frames) else of_frames[:1]


def _per_frame(dataset: Dataset) -> bool:
    return bool(dataset.get("PerFrameFunctionalGroupsSequence"))


def _rescale(dataset: Dataset, frame: int) -> tuple[float, float]:
    """Slope and intercept; enhanced objects have them for each frame (PS3.3 C.7.6.16.2.9)."""
    group = _group(dataset, "PixelValueTransformationSequence", frame)
    slope, intercept = _first(group.get("RescaleSlope")), _first(group.get("RescaleIntercept"))
    # pydicom's rule: both, or neither.
    return (slope, intercept) if slope is not None and intercept is not None else (1.0, 0.0)


def _padding(dataset: Dataset) -> tuple[float, float] | None:
    """The values of pixels that are none, but padding (PS3.3 C.7.5.1.1.2), from the lowest to the highest."""
    first, last = dataset.get("PixelPaddingValue"), dataset.get("PixelPaddingRangeLimit")
    if not isinstance(first, int):
        return None
    low, high = sorted((first, last if isinstance(last, int) else first))
    return low, high


def _tone(dataset: Dataset, frame: int) -> Tone | None:
    """The file's first VOI table or window (PS3.3 C.11.2); None when it has none that makes sense."""
    if dataset.get("VOILUTSequence"):
        return _table(dataset)
    group = _group(dataset, "FrameVOILUTSequence", frame)
    centre, width = _first(group.get("WindowCenter")), _first(group.get("WindowWidth"))
    function = str(group.get("VOILUTFunction") or "LINEAR")
    if centre is None or width is None or width < (1 if function == "LINEAR" else 1e-6):
        return None
    curve: Curve = "SIGMOID" if function == "SIGMOID" else "LINEAR_EXACT" if function == "LINEAR_EXACT" else "LINEAR"
    return Tone(curve, centre - width / 2, centre + width / 2)


def _table(dataset: Dataset) -> Tone:
    entries, first, bits = map(int, dataset.VOILUTSequence[0].LUTDescriptor)
    entries = entries or 65536
    levels = apply_voi(np.arange(first, first + entries, dtype=np.int32), dataset)
    # Of the table's bits, which it fills (PS3.3 C.11.2.1.1).
    greys = window(levels, 2 ** (bits - 1), 2**bits)
    return Tone("table", first, first + entries - 1, table=tuple(greys.tolist()))


def _group(dataset: Dataset, keyword: str, frame: int) -> Dataset:
    """What holds for a frame: its own functional group, the one shared by all, or the dataset itself
    (PS3.3 C.7.6.16)."""
    for sequence, index in (("PerFrameFunctionalGroupsSequence", frame), ("SharedFunctionalGroupsSequence", 0)):
        groups = dataset.get(sequence)
        if groups and index < len(groups) and groups[index].get(keyword):
            found: Dataset = groups[index][keyword].value[0]
            return found
    return dataset


def _first(value: Any) -> float | None:
    if value is None or value == "" or (_many(value) and not len(value)):
        return None
    return float(value[0]) if _many(value) else float(value)
