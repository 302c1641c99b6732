"""Prepared pages on disk: bounded, by figure, and what cannot be read is made again."""

import os
from pathlib import Path

from services.ingest.prepared import PreparedPages
from services.ingest.pyramid_model import Level, Prepared
from services.ingest.tonemap import Tone

A, B = "a" * 64, "b" * 64
TONE = Tone("table", -5, 5, table=(0, 128, 255), inverted=True)


def page(*, direct: bool = False) -> Prepared:
    level = Level(ifd=0, width=10, height=5)
    return Prepared(
        width=10, height=5, levels=[level], direct=direct, screen=False, tone=TONE, low=-5, high=5, unit="HU"
    )


def keep(pages: PreparedPages, figure: str, file: str = A, *, size: int = 1_000, age: int = 0) -> None:
    pyramid = pages_folder(pages).parent / "made.tif"
    pyramid.write_bytes(bytes(size))
    os.utime(pyramid, (10**9 - age, 10**9 - age))
    pages.keep(figure, file, 0, page(), pyramid)


def pages_folder(pages: PreparedPages) -> Path:
    return pages._folder


def test_a_page_is_found_again_by_another_process_and_gone_where_a_part_of_it_is(tmp_path: Path) -> None:
    keep(PreparedPages(tmp_path / "views", 10_000), "f1")
    pages = PreparedPages(tmp_path / "views", 10_000)
    found = pages.find("f1", A, 0)
    assert found is not None
    assert (found[0].stat().st_size, found[1]) == (1_000, page())
    assert (pages.find("f1", B, 0), pages.find("f1", A, 1), pages.find("f2", A, 0)) == (None, None, None)
    found[0].unlink()
    assert pages.find("f1", A, 0) is None


def test_a_description_that_is_damaged_counts_as_none(tmp_path: Path) -> None:
    keep(PreparedPages(tmp_path / "views", 10_000), "f1")
    (described,) = (tmp_path / "views").glob("*.json")
    described.write_text('{"width": 1', encoding="utf-8")
    assert PreparedPages(tmp_path / "views", 10_000).find("f1", A, 0) is None


def test_those_unused_for_longest_make_room(tmp_path: Path) -> None:
    pages = PreparedPages(tmp_path / "views", 3_500)
    for figure, age in (("old", 300), ("older", 400), ("new", 100)):
        keep(pages, figure, size=1_000, age=age)
    keep(pages, "newest", size=1_000, age=0)
    left = {path.name.partition(".")[0] for path in (tmp_path / "views").glob("*.tif")}
    assert left == {"new", "newest"} | left & {"old"}
    assert sum(path.stat().st_size for path in (tmp_path / "views").iterdir()) <= 3_500


def test_a_figure_takes_its_pages_with_it_or_those_of_its_former_picture(tmp_path: Path) -> None:
    pages = PreparedPages(tmp_path / "views", 100_000)
    for figure, file in (("f1", A), ("f1", B), ("f10", A)):
        keep(pages, figure, file)
    pages.forget(["f1"], but=B)
    assert pages.figures() == {"f1": {B}, "f10": {A}}
    pages.forget(["f1"])
    assert pages.figures() == {"f10": {A}}


def test_what_other_versions_and_killed_processes_left_is_swept(tmp_path: Path) -> None:
    pages = PreparedPages(tmp_path / "views", 100_000)
    keep(pages, "f1")
    (tmp_path / "views" / f"f1.{A}.0.v0.tif").write_bytes(b"old")
    (tmp_path / "views" / "half.part").write_bytes(b"half")
    assert pages.sweep() > 1_000
    assert len(list((tmp_path / "views").iterdir())) == 2
