"""Which pictures wait until an administrator has looked at them: a patient's name may stand in their pixels. Pure.

Nothing here can read pixels. The rules go by what files say of themselves; each names its source.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Reason: TypeAlias = Literal[
    "burned_in_annotation", "recognizable_features", "ultrasound", "secondary_capture", "screenshot"
]

# PS3.6 Annex A, SOP classes by what makes their pictures. Ultrasound machines write name and date into the picture.
ULTRASOUND: Final = frozenset(
    {
        "1.2.840.10008.5.1.4.1.1.3",  # Multi-frame (retired)
        "1.2.840.10008.5.1.4.1.1.3.1",  # Multi-frame
        "1.2.840.10008.5.1.4.1.1.6",  # Image (retired)
        "1.2.840.10008.5.1.4.1.1.6.1",  # Image
        "1.2.840.10008.5.1.4.1.1.6.2",  # Enhanced Volume
        "1.2.840.10008.5.1.4.1.1.6.3",  # Photoacoustic
    }
)
SECONDARY_CAPTURE: Final = "1.2.840.10008.5.1.4.1.1.7"  # of one frame; .1 to .4 are of several (PS3.3 A.8)
_ULTRASOUND_MODALITIES: Final = frozenset({"US", "IVUS", "BDUS"})  # PS3.3 C.7.3.1.1.1
# PS3.3 C.8.6.1.1, of ConversionType: what a person or program composed, scanned or filmed. Of the others (DI, SYN)
# the SOP class decides.
_CONVERTED: Final = frozenset({"WSD", "SD", "SI", "DF", "DV", "DRW"})
# What programs that copy the screen write of themselves into a picture, and systems into its name.
_SCREENSHOT: Final = re.compile(
    r"screen[\s_-]?(shot|capture|grab|clip|save|snap)|bildschirm(foto|aufnahme)|capture d.?.?.cran|captura de pantalla"
    r"|schermata|snipp?ing[\s_-]?tool|snip & sketch|greenshot|flameshot|sharex|lightshot|ksnip|snagit"
    r"|monosnap|cleanshot",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Traits:
    """What a DICOM says of how its pixels came about; "" where it does not."""

    sop_classes: tuple[str, ...] = ()
    modality: str = ""
    burned_in: str = ""
    recognizable: str = ""
    conversion: str = ""
    image_type: tuple[str, ...] = ()


def of_dicom(traits: Traits) -> tuple[Reason, ...]:
    """Why this picture waits; empty: it does not."""
    reasons: dict[Reason, bool] = {
        # PS3.3 C.7.6.1.1.1, (0028,0301): whether the pixels hold enough to identify the patient.
        "burned_in_annotation": _said(traits.burned_in) == "YES",
        # PS3.3 C.7.6.1, (0028,0302): whether a face, say, can be recognised in them or made of them.
        "recognizable_features": _said(traits.recognizable) == "YES",
        "ultrasound": not ULTRASOUND.isdisjoint(traits.sop_classes) or _said(traits.modality) in _ULTRASOUND_MODALITIES,
        # PS3.3 A.8: converted from something that is no DICOM, or composed by a program.
        "secondary_capture": any(f"{uid}.".startswith(f"{SECONDARY_CAPTURE}.") for uid in traits.sop_classes)
        or _said(traits.conversion) in _CONVERTED,
        # PS3.3 C.7.6.1.1.2, (0008,0008): makers write SCREEN SAVE and the like among its later values.
        "screenshot": any("SCREEN" in _said(value) for value in traits.image_type),
    }
    return tuple(reason for reason, holds in reasons.items() if holds)


def of_others(texts: Iterable[str]) -> tuple[Reason, ...]:
    """Why a picture of another format waits, by the texts in it that say which program made it and by its name."""
    return ("screenshot",) if any(_SCREENSHOT.search(text) for text in texts) else ()


def _said(value: str) -> str:
    return value.strip().upper()
