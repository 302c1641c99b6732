"""The vocabularies that ship load from a cache folder and find what one expects on each axis."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from services.recommender.metadata import terms
from shared.errors import Invalid, NotFound, TooLarge, Unavailable
from shared.settings import Settings
from shared.vocabulary import defaults
from shared.vocabulary.artefact import Vocabularies
from shared.vocabulary.axes import AXES

CELLS = "id\tname\tscope\nCL:1\tneuron\tLABEL\n"


@pytest.fixture(scope="session")
def shipped() -> Vocabularies:
    """From this machine's cache, where servers that tests start look too: compiled once on a new machine."""
    return defaults.load(Settings().cache / "vocabularies")


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    path = tmp_path / "cells.tsv"
    path.write_text(CELLS, encoding="utf-8")
    return path


@pytest.mark.timeout(120)
def test_every_axis_has_concepts_and_every_concept_an_axis_and_an_iri(shipped: Vocabularies) -> None:
    counts = shipped.contents()
    assert {axis for one in counts for axis in one.axes} == set(AXES)
    for one in counts:
        assert sum(one.axes.values()) == one.concepts
        assert one.names >= one.concepts > 0
    assert all(shipped.concept(number).iri for number in range(0, len(shipped), 97))


@pytest.mark.timeout(120)
def test_names_are_found_in_a_legend(shipped: Vocabularies) -> None:
    text = "Nuclei of the cerebella, with ependymoma."
    found = {(text[one.start : one.end], shipped.concept(one.concept).axis) for one in shipped.occurrences(text)}
    assert {("Nuclei", "genetics"), ("cerebella", "anatomy"), ("ependymoma", "disease")} <= found


def test_compiles_once(tmp_path: Path, cells: Path) -> None:
    compiled: list[str] = []
    for _ in range(2):
        loaded = defaults.load(
            tmp_path / "cache", added={"CL": cells}, only=True, compiling=lambda: compiled.append("x")
        )
        assert list(loaded.versions) == ["CL"]
    assert compiled == ["x"]


def test_another_content_is_compiled_again(tmp_path: Path, cells: Path) -> None:
    first = defaults.load(tmp_path / "cache", added={"CL": cells}, only=True)
    cells.write_text(CELLS.replace("neuron", "fibrocyte"), encoding="utf-8")
    second = defaults.load(tmp_path / "cache", added={"CL": cells}, only=True)
    assert (first.concept(0).label, second.concept(0).label) == ("neuron", "fibrocyte")
    assert first.identity != second.identity
    assert first.versions != second.versions


def test_a_damaged_artefact_is_compiled_again(tmp_path: Path, cells: Path) -> None:
    defaults.load(tmp_path / "cache", added={"CL": cells}, only=True)
    [artefact] = (tmp_path / "cache").iterdir()
    artefact.write_bytes(artefact.read_bytes()[:100])
    assert len(defaults.load(tmp_path / "cache", added={"CL": cells}, only=True)) == 1


def _load(cache: Path, cells: Path) -> int:
    return len(defaults.load(cache, added={"CL": cells}, only=True))


def test_processes_share_the_folder(tmp_path: Path, cells: Path) -> None:
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as processes:
        started = [processes.submit(_load, tmp_path / "cache", cells) for _ in range(2)]
        assert [one.result() for one in started] == [1, 1]
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".npz"]


def test_old_artefacts_leave_the_folder(tmp_path: Path, cells: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    for number in range(defaults.KEPT + 3):
        (cache / f"{number}.npz").touch()
    defaults.load(cache, added={"CL": cells}, only=True)
    assert len(list(cache.iterdir())) == defaults.KEPT


def test_bad_files_are_refused_by_the_error_that_names_them(tmp_path: Path, cells: Path) -> None:
    with pytest.raises(NotFound, match="none"):
        defaults.load(tmp_path, added={"CL": tmp_path / "none"}, only=True)
    cells.write_text("nonsense", encoding="utf-8")
    with pytest.raises(Invalid, match="line 1"):
        defaults.load(tmp_path, added={"CL": cells}, only=True)
    cells.write_text(CELLS + "CL:2\t" + "x" * 5_000 + "\tLABEL\n", encoding="utf-8")
    with pytest.raises(TooLarge, match="line 3"):
        defaults.load(tmp_path, added={"CL": cells}, only=True)
    with pytest.raises(Invalid, match="no vocabulary"):
        defaults.load(tmp_path, only=True)


def test_a_folder_that_cannot_be_made_is_unavailable(tmp_path: Path, cells: Path) -> None:
    with pytest.raises(Unavailable, match="cannot be made"):
        defaults.load(cells / "cache", added={"CL": cells}, only=True)


@pytest.mark.timeout(120)
def test_every_concept_that_technical_tags_stand_for_is_there_on_its_axis(shipped: Vocabularies) -> None:
    axes = {"Modality": "imaging", "BodyPartExamined": "anatomy"}
    for term in terms():
        [found] = [shipped.concept(number) for number in shipped.find(term.curie)]
        assert (found.label, found.axis) == (term.label, axes[term.tag]), term
