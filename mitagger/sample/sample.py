"""Writes the sample: a folder with `figures.csv` and its pictures, cut from what packages carry (README.md)."""

import gzip
import shutil
from collections.abc import Callable
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pyvips
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.encaps import generate_frames

from shared.errors import Unavailable

Picture = Any  # pyvips.Image


def write(folder: Path) -> Path:
    """The sample in `folder`, which is made if it is missing; returns it. Writing it again changes nothing.

    Raises: Unavailable when a package that carries the pictures is not installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, source in DICOM.items():
        shutil.copyfile(_dicom(source), folder / name)
    for name, picture in PICTURES.items():
        picture().write_to_file(str(folder / name))
    with resources.as_file(resources.files(__package__) / "figures.csv") as manifest:
        shutil.copyfile(manifest, folder / "figures.csv")
    return folder


def write_screenshot(folder: Path) -> Path:
    """An ultrasound as it stands on a screen, with the name and the birthday of an invented patient in it: not of the
    sample, for what looks after such pictures. Returns the file. Raises Unavailable as `write`."""
    name = pyvips.Image.text("MUSTER, ERIKA   1964-08-12", dpi=110)
    picture = _node()
    white = (name > 0).ifthenelse(255, picture.crop(12, 10, name.width, name.height))
    file = folder / "screenshot.png"
    picture.insert(white, 12, 10).write_to_file(str(file))
    return file


# DICOM files as they are: name in the sample, name among pydicom's test files.
DICOM = {
    "ct-thorax.dcm": "CT_small.dcm",
    "mr-abdomen.dcm": "examples_overlay.dcm",
    "mr-unknown.dcm": "MR_small.dcm",
    "seg-liver.dcm": "liver_1frame.dcm",
}


def _carried(package: str, *parts: str) -> Path:
    """A file inside an installed package, which is not imported for it."""
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise Unavailable(
            f"The package {package}",
            f"The sample's pictures come from the package {package}, which is not installed.",
            remedy='Install MITagger with its sample: pip install "mitagger[sample]".',
        )
    return Path(spec.submodule_search_locations[0], *parts)


def _dicom(name: str) -> Path:
    return _carried("pydicom", "data", "test_files", name)


def _skimage(name: str) -> Picture:
    return pyvips.Image.new_from_file(str(_carried("skimage", "data", name)))


def _array(pixels: NDArray[Any]) -> Picture:
    image = pyvips.Image.new_from_array(np.ascontiguousarray(pixels))
    return image.copy(interpretation="grey16") if pixels.dtype == np.uint16 else image


def _deep(image: Picture) -> Picture:
    """8 bits as the 12 bits of a camera in a 16-bit file."""
    return (image.cast("ushort") * 16 + 100).cast("ushort").copy(interpretation="grey16")


def _beside(*panels: Picture) -> Picture:
    """Panels from left to right on white, as high as the lowest."""
    height = min(panel.height for panel in panels)
    scaled = [panel.resize(height / panel.height) for panel in panels]
    return pyvips.Image.arrayjoin(scaled, across=len(scaled), shim=12, background=255)


def _retina(*area: int) -> Picture:
    image = _skimage("retina.jpg")
    return image.crop(*area) if area else image


def _red_free(image: Picture) -> Picture:
    """The green channel, which is what a green filter before the camera gives."""
    return image[1]


def _ihc(*area: int) -> Picture:
    return _skimage("ihc.png").crop(*area)


def _nuclei(*area: int, gain: float = 1, background: float = 0) -> Picture:
    """Nuclei in fluorescence; the file has equal channels."""
    image = pyvips.Image.new_from_file(str(_carried("mahotas", "demos", "data", "nuclear.png")))[0].crop(*area)
    return ((image - background) * gain).cast("uchar")


def _nifti(name: str) -> NDArray[np.uint16]:
    """The first of the volumes in one of nibabel's test files (x to the right, y to the front, z up)."""
    import nibabel  # noqa: PLC0415 - it comes with the extra "sample"

    with gzip.open(_carried("nibabel", "tests", "data", name)) as file:
        volume = np.asarray(nibabel.Nifti1Image.from_bytes(file.read()).dataobj)
    first: NDArray[np.uint16] = np.clip(volume[..., 0], 0, None).astype(np.uint16)
    return first


def _slice(plane: NDArray[np.uint16], scale: float, aspect: float = 1) -> Picture:
    """A plane of a volume, enlarged; `aspect` is how much taller than wide its voxels are."""
    return _array(np.rot90(plane)).resize(scale, vscale=scale * aspect, kernel="cubic")


def _abdomen(*area: int) -> Picture:
    pixels = dcmread(_dicom("examples_overlay.dcm")).pixel_array.astype(np.uint16)
    return _array(pixels).crop(*area).resize(4, kernel="cubic")


def _node() -> Picture:
    """Power Doppler of a lymph node, without the lettering around it, which names a hospital."""
    return _array(dcmread(_dicom("examples_rgb_color.dcm")).pixel_array).crop(24, 56, 266, 110).resize(2)


def _heart() -> Picture:
    dataset = dcmread(_dicom("examples_ybr_color.dcm"))
    frame = next(generate_frames(dataset.PixelData, number_of_frames=int(dataset.NumberOfFrames)))
    return pyvips.Image.new_from_buffer(frame, "").crop(75, 18, 180, 188).resize(2)


PICTURES: dict[str, Callable[[], Picture]] = {
    "fundus.jpg": _retina,
    "fundus-disc.png": lambda: _retina(90, 530, 330, 330),
    "fundus-macula.png": lambda: _retina(480, 480, 430, 430),
    "fundus-arcade.png": lambda: _beside(_retina(300, 150, 500, 400), _red_free(_retina(300, 150, 500, 400))),
    "fundus-redfree.tif": lambda: _deep(_red_free(_retina())),
    "microaneurysms.png": lambda: _skimage("microaneurysms.png").resize(4, kernel="cubic"),
    "colon-overview.png": lambda: _skimage("ihc.png"),
    "colon-glands.png": lambda: _beside(_ihc(0, 0, 240, 240), _ihc(250, 280, 232, 232)),
    "colon-stroma.png": lambda: _ihc(200, 120, 256, 256).resize(2, kernel="cubic"),
    "colon-blue.tif": lambda: _deep(_skimage("ihc.png")[2].invert()),
    "colon-crypt.jpg": lambda: _ihc(250, 280, 256, 232).resize(2, kernel="cubic"),
    "liver-lesion.tif": lambda: _abdomen(40, 80, 160, 130),
    "lymph-node.png": _node,
    "heart.png": _heart,
    "brain-axial.tif": lambda: _slice(_nifti("example4d.nii.gz")[:, :, 12], 6),
    "brain-sagittal.tif": lambda: _slice(_nifti("example4d.nii.gz")[62], 8, 1.1),
    "nuclei.png": lambda: _nuclei(300, 250, 640, 480, gain=9, background=20),
    "nuclei-dividing.tif": lambda: _deep(_nuclei(850, 50, 450, 350)),
    "nuclei-panels.png": lambda: _beside(
        _nuclei(0, 700, 324, 324, gain=4, background=20), _nuclei(840, 80, 324, 324, gain=2, background=10)
    ),
    "cell-phase.png": lambda: _skimage("cell.png"),
}
