import csv
from importlib.util import find_spec
from pathlib import Path

import pytest
import pyvips

from mitagger.sample import sample
from services.ingest.archive import rows
from services.ingest.manifest import Row
from services.ingest.rendered import Rendered
from services.ingest.renditions import render
from shared.archive import Folder
from shared.errors import Unavailable


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for package in ("skimage", "nibabel", "mahotas"):
        if find_spec(package) is None:
            pytest.skip(f"the sample's pictures come from {package}, which is not installed")
    return sample.write(tmp_path_factory.mktemp("sample"))


@pytest.fixture(scope="module")
def figures(folder: Path) -> list[Row]:
    items = list(rows(Folder(folder)))
    assert all(isinstance(item, Row) for item in items), items
    return [item for item in items if isinstance(item, Row)]


@pytest.fixture(scope="module")
def rendered(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Rendered]:
    names = [*sample.DICOM, *sample.PICTURES]
    return {name: render(str(folder / name), str(tmp_path_factory.mktemp("out"))) for name in names}


def test_every_picture_has_its_row_and_every_row_its_picture(folder: Path, figures: list[Row]) -> None:
    files = {path.name for path in folder.iterdir()} - {"figures.csv"}
    assert files == {row.file for row in figures}
    assert len(figures) == 24
    assert len({row.doi or row.collection for row in figures}) == 4
    assert len({row.external_id for row in figures}) == 24


def test_made_up_articles_say_so(figures: list[Row]) -> None:
    for row in figures:
        assert row.doi is None or row.doi.startswith("10.5555/mitagger.sample.")
        assert "made-up" in row.title
        assert "legends written for this sample" in row.journal


def test_legends_are_as_long_as_in_papers_but_for_the_one_that_is_missing(figures: list[Row]) -> None:
    words = sorted(len(row.legend.split()) for row in figures)
    assert words[0] == 0
    assert 60 <= words[1] <= words[-1] <= 150
    assert [row.language for row in figures].count("de") == 1


def test_all_formats_are_there_and_render(rendered: dict[str, Rendered]) -> None:
    assert {picture.format for picture in rendered.values()} == {"png", "jpeg", "tiff", "dicom"}
    assert all(min(picture.width, picture.height) >= 64 for picture in rendered.values())


def test_some_pictures_have_sixteen_bits(folder: Path) -> None:
    formats = [pyvips.Image.new_from_file(str(path)).format for path in folder.glob("*.tif")]
    assert formats == ["ushort"] * 6


def test_writing_the_sample_again_changes_nothing(folder: Path) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    sample.write(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_missing_package_is_named_with_the_way_to_install_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sample, "find_spec", lambda _name: None)
    with pytest.raises(Unavailable, match="pydicom, which is not installed") as raised:
        sample.write(tmp_path)
    assert "mitagger[sample]" in raised.value.remedy


def test_the_committed_manifest_is_plain_csv() -> None:
    with open(Path(sample.__file__).with_name("figures.csv"), newline="", encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == 24
