"""Which pictures wait, by what files say of themselves; under which name files are told of."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvips
from pydicom import dcmread
from pydicom.datadict import dictionary_VR

from services.ingest import dicom, marks
from services.ingest.dicom import technical
from services.ingest.naming import told
from services.ingest.quarantine import Reason, Traits, of_dicom, of_others
from tools import pictures

GREY = np.arange(64, dtype=np.uint8).reshape(8, 8)


@pytest.mark.parametrize(
    ("elements", "reasons"),
    [
        ({}, ()),
        ({"BurnedInAnnotation": "NO"}, ()),
        ({"BurnedInAnnotation": "YES"}, ("burned_in_annotation",)),
        ({"BurnedInAnnotation": "yes "}, ("burned_in_annotation",)),
        ({"RecognizableVisualFeatures": "YES"}, ("recognizable_features",)),
        ({"Modality": "US"}, ("ultrasound",)),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.3.1", "Modality": "OT"}, ("ultrasound",)),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, ("secondary_capture",)),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7.2"}, ("secondary_capture",)),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.77.1.6"}, ()),
        ({"ConversionType": "WSD"}, ("secondary_capture",)),
        ({"ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]}, ("screenshot",)),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"]}, ()),
    ],
)
def test_a_dicom_waits_by_its_elements(tmp_path: Path, elements: dict[str, Any], reasons: tuple[Reason, ...]) -> None:
    path = tmp_path / "a"
    path.write_bytes(pictures.dicom(GREY, **elements))
    assert dicom.reasons(str(path)) == reasons


def test_the_class_of_the_meta_information_counts_too() -> None:
    assert of_dicom(Traits(sop_classes=("", "1.2.840.10008.5.1.4.1.1.6.1"))) == ("ultrasound",)


@pytest.mark.parametrize(
    ("field", "text", "waits"),
    [
        ("png-comment-0-Software", "gnome-screenshot", True),
        ("png-comment-0-Title", "Screen Shot 2026-01-01", True),
        ("exif-ifd2-UserComment", "Screenshot", True),
        ("png-comment-0-Software", "ImageJ 1.54f", False),
        ("png-comment-0-Software", "Adobe ImageReady", False),
    ],
)
def test_a_png_waits_by_the_program_that_made_it(tmp_path: Path, field: str, text: str, waits: bool) -> None:
    path, image = tmp_path / "a.png", pyvips.Image.black(8, 8).copy()
    image.set_type(pyvips.GValue.gstr_type, field, text)
    image.pngsave(str(path))
    assert bool(marks.reasons(str(path), "png")) is waits


@pytest.mark.parametrize(
    ("name", "waits"),
    [("Screenshot 2026-01-01 at 10.00.png", True), ("Bildschirmfoto.png", True), ("screen_7.png", False)],
)
def test_a_picture_waits_by_its_name(name: str, waits: bool) -> None:
    assert bool(of_others([name])) is waits


@pytest.mark.parametrize(
    ("file", "dicom", "name"),
    [
        ("DOE/fig1.png", False, "DOE/fig1.png"),
        ("fig1.jpg", None, "fig1.jpg"),
        ("DOE_JOHN.dcm", None, "aaaaaaaaaaaaaaaa.dcm"),
        ("DOE_JOHN.DCM", True, "aaaaaaaaaaaaaaaa.dcm"),
        ("DOE_JOHN/IM0001", None, "aaaaaaaaaaaaaaaa.dcm"),
        ("DOE_JOHN.png", True, "aaaaaaaaaaaaaaaa.dcm"),
        ("IM0001", False, "IM0001"),
        ("DOE.JOHN", None, "aaaaaaaaaaaaaaaa.dcm"),
        ("", None, ""),
    ],
)
def test_what_may_be_a_dicom_is_told_of_by_an_id(file: str, dicom: bool | None, name: str) -> None:
    assert told(file, dicom=dicom, upload="a" * 64) == name


@pytest.mark.parametrize(
    ("keyword", "value", "kept"),
    [
        ("Modality", "MR", "MR"),
        ("Modality", "DOE", None),
        ("BodyPartExamined", "BRAIN", "BRAIN"),
        ("BodyPartExamined", "DOE JOHN", None),
        ("ViewPosition", "MLO", "MLO"),
        ("ViewPosition", "JOHN", None),
        ("Laterality", "L", "L"),
        ("Laterality", "D", None),
        ("PixelSpacing", ["0.5", "0.5"], "0.5\\0.5"),
        ("PixelSpacing", ["1", "2", "3"], None),
        ("WindowCenter", "40", "40"),
        ("WindowCenter", "1" * 17, None),
        ("ManufacturerModelName", "Optima CT660", "CT660"),
        ("ManufacturerModelName", "John Doe 1954-03-02", None),
        ("ManufacturerModelName", "Doe", None),
        ("PatientName", "DOE^JOHN", None),
        ("ImageComments", "DOE JOHN", None),
    ],
)
def test_only_terms_and_numbers_of_a_dicom_are_kept(keyword: str, value: Any, kept: str | None) -> None:
    dataset = dcmread(io.BytesIO(pictures.dicom(GREY)))
    for clear in ("Modality", "BodyPartExamined", "ManufacturerModelName", "WindowCenter", keyword):
        if clear in dataset:
            delattr(dataset, clear)
    dataset.add_new(keyword, dictionary_VR(keyword), value)  # a value that pydicom would not let pass too
    assert technical(dataset).get(keyword) == kept
