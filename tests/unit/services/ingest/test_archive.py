import io
import os
import stat
import struct
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import shared.archive
from services.ingest import archive
from services.ingest.archive import Zip, copy, open_bundle, rows
from services.ingest.manifest import Problem, Row
from shared.archive import Bundle, Folder
from shared.errors import Invalid, NotFound, TooLarge

PNG = b"\x89PNG\r\n\x1a\n" + bytes(200)
MANIFEST = "doi,file,legend\n10.5555/a,one.png,A legend\n10.5555/a,sub/two.png,Another\n"


def make_zip(path: Path, files: dict[str, bytes | str]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in files.items():
            file.writestr(name, content)
    return path


def make_folder(path: Path, files: dict[str, bytes | str]) -> Path:
    for name, content in files.items():
        target = path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.fixture(params=["folder", "zip", "zip of a folder"])
def make(request: pytest.FixtureRequest, tmp_path: Path):  # type: ignore[no-untyped-def]
    """Makes the same bundle as a folder, as a zip, and as the zip of a folder."""

    def bundle(files: dict[str, bytes | str]) -> Bundle:
        if request.param == "folder":
            return Folder(make_folder(tmp_path / "box", files))
        prefix = "box/" if request.param == "zip of a folder" else ""
        return Zip(make_zip(tmp_path / "box.zip", {prefix + name: content for name, content in files.items()}))

    return bundle


def split(bundle: Bundle) -> tuple[list[Row], list[Problem]]:
    items = list(rows(bundle))
    return [i for i in items if isinstance(i, Row)], [i for i in items if isinstance(i, Problem)]


def test_a_manifest_tells_the_figures(make) -> None:  # type: ignore[no-untyped-def]
    with make({"figures.csv": MANIFEST, "one.png": PNG, "sub/two.png": PNG + b"2"}) as bundle:
        found, problems = split(bundle)
        assert [(row.file, row.legend) for row in found] == [("one.png", "A legend"), ("sub/two.png", "Another")]
        assert problems == []
        to = io.BytesIO()
        assert copy(bundle, "sub/two.png", to) == len(PNG) + 1
        assert to.getvalue() == PNG + b"2"


def test_a_file_that_is_missing_is_reported_with_its_row(make) -> None:  # type: ignore[no-untyped-def]
    with make({"figures.csv": MANIFEST, "one.png": PNG, "Sub/two.png": PNG}) as bundle:
        found, problems = split(bundle)
    assert [row.file for row in found] == ["one.png"]
    assert [(p.row, p.column, p.file) for p in problems if p.severity == "error"] == [(3, "file", "sub/two.png")]
    assert ["Sub/two.png" in p.message for p in problems if p.severity == "warning"] == [True]


def test_without_a_manifest_every_picture_is_of_a_collection_named_like_the_folder(make) -> None:  # type: ignore[no-untyped-def]
    files = {
        "b.png": PNG,
        "a.bin": PNG,
        "readme.txt": "Hello",
        ".hidden.png": PNG,
        "__MACOSX/b.png": PNG,
        "e.zip": b"PK\x03\x04",
    }
    with make(files) as bundle:
        found, problems = split(bundle)
    assert [(row.collection, row.file, row.legend) for row in found] == [("box", "a.bin", ""), ("box", "b.png", "")]
    assert [p.file for p in problems] == ["e.zip", "readme.txt"]
    assert "zip archive" in problems[0].message
    assert problems[0].remedy == "Unpack it first."


def test_two_manifests_are_one_too_many(make) -> None:  # type: ignore[no-untyped-def]
    with make({"figures.csv": MANIFEST, "figures.jsonl": "{}"}) as bundle, pytest.raises(Invalid, match=r"csv and"):
        list(rows(bundle))


def test_a_name_that_is_not_there_is_not_found(make) -> None:  # type: ignore[no-untyped-def]
    with make({"one.png": PNG}) as bundle:
        for name in ("two.png", "../one.png", "/etc/passwd", "box/../one.png", ""):
            with pytest.raises(NotFound):
                bundle.open(name)


def test_names_are_found_however_their_accents_are_stored(make) -> None:  # type: ignore[no-untyped-def]
    with make({"figures.csv": "doi,file\n10.5555/a,sch\u00e4del.png\n", "scha\u0308del.png": PNG}) as bundle:
        assert split(bundle)[1] == []


def test_copying_stops_at_the_bound(make, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    with make({"one.png": PNG}) as bundle:
        monkeypatch.setattr(archive, "LARGEST_FILE", 100)
        with pytest.raises(TooLarge):
            copy(bundle, "one.png", io.BytesIO())


@pytest.mark.parametrize("name", ["../evil.png", "/evil.png", "a/../../evil.png", "..\\evil.png", "C:/evil.png"])
def test_names_that_lead_out_of_a_zip_are_refused_and_the_others_go_in(tmp_path: Path, name: str) -> None:
    with Zip(make_zip(tmp_path / "a.zip", {name: PNG, "one.png": PNG})) as bundle:
        found, problems = split(bundle)
    assert [row.file for row in found] == ["one.png"]
    assert [p.file for p in problems] == [name.replace("\\", "/")]
    assert "leads out" in problems[0].message


def test_links_in_a_zip_are_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("link.png")
    link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr(link, "/etc/passwd")
    with Zip(tmp_path / "a.zip") as bundle:
        assert bundle.names() == []
        assert "link" in bundle.problems[0].message


def test_links_out_of_a_folder_and_pipes_are_refused(tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(PNG)
    folder = make_folder(tmp_path / "box", {"one.png": PNG})
    (folder / "out.png").symlink_to(tmp_path / "secret.png")
    (folder / "in.png").symlink_to(folder / "one.png")
    (folder / "elsewhere").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe.png")
    bundle = Folder(folder)
    assert bundle.names() == ["in.png", "one.png"]
    assert sorted(p.file for p in bundle.problems) == ["elsewhere", "out.png", "pipe.png"]


def test_encrypted_members_are_refused(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", {"one.png": PNG})
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1  # the flag in the list of members
    path.write_bytes(content)
    with Zip(path) as bundle:
        assert (bundle.names(), "encrypted" in bundle.problems[0].message) == ([], True)


def test_two_files_of_a_name_are_both_left_out(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr("one.png", PNG)
        with pytest.warns(UserWarning, match="Duplicate"):
            file.writestr("one.png", PNG + b"x")
        file.writestr("two.png", PNG)
    with Zip(tmp_path / "a.zip") as bundle:
        assert bundle.names() == ["two.png"]
        assert [p.file for p in bundle.problems] == ["one.png"]


def test_a_bomb_is_refused_unopened_and_the_others_go_in(tmp_path: Path) -> None:
    with Zip(make_zip(tmp_path / "a.zip", {"bomb.png": bytes(50_000_000), "one.png": PNG})) as bundle:
        assert bundle.names() == ["one.png"]
        assert "100 times" in bundle.problems[0].message


def test_a_bomb_of_members_that_share_their_bytes_is_refused_whole(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", {f"{number:03}.png": os.urandom(3000) for number in range(20)})
    content = bytearray(path.read_bytes())
    place = 0
    while (place := content.find(b"PK\x01\x02", place + 1)) > 0:
        content[place + 42 : place + 46] = bytes(4)  # where the member begins: all at the first
        content[place + 20 : place + 24] = struct.pack("<I", 50_000)
    path.write_bytes(content)
    with pytest.raises(Invalid, match="overlap") as raised:
        Zip(path)
    assert raised.value.remedy


def test_a_zip_in_a_zip_stays_closed(tmp_path: Path) -> None:
    inner = make_zip(tmp_path / "inner.zip", {"one.png": PNG}).read_bytes()
    with Zip(make_zip(tmp_path / "a.zip", {"inner.zip": inner, "two.png": PNG})) as bundle:
        found, problems = split(bundle)
    assert [row.file for row in found] == ["two.png"]
    assert [(p.file, p.remedy) for p in problems] == [("inner.zip", "Unpack it first.")]


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "shift_jis", "gb18030"])
def test_names_in_old_encodings_are_files_all_the_same(tmp_path: Path, encoding: str) -> None:
    name = {"shift_jis": "図一", "gb18030": "图一"}.get(encoding, "schädel")
    path = make_zip(tmp_path / "a.zip", {"X" * len(name.encode(encoding)) + ".png": PNG, "b.png": PNG})
    content = path.read_bytes().replace(b"X" * len(name.encode(encoding)), name.encode(encoding))
    path.write_bytes(content)
    with Zip(path) as bundle:
        found, problems = split(bundle)
        assert (len(found), problems) == (2, [])
        for row in found:
            assert copy(bundle, row.file, io.BytesIO()) == len(PNG)


def test_a_member_larger_than_it_says_is_damaged(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", {"one.png": bytes(5_000_000)})
    content = bytearray(path.read_bytes())
    place = content.index(b"PK\x01\x02") + 24
    content[place : place + 4] = struct.pack("<I", 1000)
    path.write_bytes(content)
    to = io.BytesIO()
    with Zip(path) as bundle, pytest.raises(Invalid, match="damaged"):
        copy(bundle, "one.png", to)
    assert len(to.getvalue()) <= 1000


def test_a_member_that_does_not_match_its_checksum_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("one.png", PNG)
    content = bytearray(path.read_bytes())
    content[content.index(PNG) + 100] ^= 255
    path.write_bytes(content)
    with Zip(path) as bundle, pytest.raises(Invalid, match="damaged"):
        copy(bundle, "one.png", io.BytesIO())


def test_too_many_members_too_much_in_all_or_too_long_a_list_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_zip(tmp_path / "a.zip", {"one.png": PNG, "two.png": PNG})
    for bound, value in (("MOST_FILES", 1), ("LARGEST_TOTAL", 300), ("LARGEST_DIRECTORY", 60)):
        with monkeypatch.context() as patch:
            patch.setattr(shared.archive, bound, value)
            with pytest.raises(TooLarge):
                Zip(path)


@pytest.mark.parametrize("part", [0.5, 0.9])
def test_half_a_zip_is_refused(tmp_path: Path, part: float) -> None:
    path = make_zip(tmp_path / "a.zip", {"one.png": PNG})
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])
    with pytest.raises(Invalid):
        Zip(path)


def zipped() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("figures.csv", "collection,file\nx,a.png\n")
        file.writestr("a.png", PNG)
        file.writestr("ü/b.png", PNG)
    return content.getvalue()


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.lists(st.tuples(st.integers(0, len(zipped()) - 1), st.integers(0, 255)), min_size=1, max_size=6))
def test_a_damaged_zip_ends_in_rows_and_files_or_clear_words(tmp_path: Path, changes: list[tuple[int, int]]) -> None:
    content = bytearray(zipped())
    for place, value in changes:
        content[place] = value
    (tmp_path / "a.zip").write_bytes(content)
    try:
        with Zip(tmp_path / "a.zip") as bundle:
            for name in bundle.names():
                with suppress(Invalid):
                    copy(bundle, name, io.BytesIO())
            list(rows(bundle))
    except Invalid as refused:
        error = refused
    else:
        return
    assert error.remedy


def test_rare_compressions_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_LZMA) as file:
        file.writestr("one.png", PNG)
    with Zip(tmp_path / "a.zip") as bundle:
        assert bundle.names() == []
        assert "deflate" in bundle.problems[0].remedy


def test_names_in_utf8_without_the_flag_are_read_as_utf8(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", {"schXXdel.png": PNG, "b.png": PNG})
    path.write_bytes(path.read_bytes().replace(b"schXXdel", "schädel".encode()))
    with Zip(path) as bundle:
        assert bundle.names() == ["b.png", "schädel.png"]


@pytest.mark.filterwarnings("error::ResourceWarning")
def test_a_zip_is_closed_after_use_and_after_refusal(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", {"one.png": PNG})
    with Zip(path) as bundle:
        kept = bundle
    with pytest.raises(ValueError, match="closed"):
        kept.open("one.png")
    before = len(os.listdir("/dev/fd"))
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(Invalid) as raised:
        Zip(path)
    assert raised.value.remedy
    assert len(os.listdir("/dev/fd")) == before


def test_folders_divided_by_a_backslash_are_folders(tmp_path: Path) -> None:
    with Zip(make_zip(tmp_path / "a.zip", {"sub\\one.png": PNG, "two.png": PNG})) as bundle:
        assert bundle.names() == ["sub/one.png", "two.png"]


def test_a_path_that_is_neither_is_refused_with_what_would_be(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Hello")
    with pytest.raises(Invalid, match="neither a folder nor a zip"):
        open_bundle(tmp_path / "a.txt")
    with pytest.raises(NotFound):
        open_bundle(tmp_path / "nothing")
    assert open_bundle(tmp_path).name == tmp_path.name
