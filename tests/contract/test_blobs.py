"""What every store of files promises: a local folder, and an object store (obstore's own, in memory)."""

import hashlib
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from shared.blobs import CHUNK, Blobs
from shared.clock import now
from shared.errors import Invalid, NotFound, TooLarge
from shared.scratch import swept

ROOT = Path(__file__).parents[2]


@pytest.fixture(params=["file", "memory"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    url = f"file://{tmp_path / 'blobs'}" if request.param == "file" else "memory:///"
    return Blobs(url, scratch=tmp_path / "scratch")


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


async def parts(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def test_what_is_put_comes_back_under_its_content_hash(blobs: Blobs) -> None:
    blob = await blobs.put(parts(b"figure ", b"one"))
    assert (blob.sha256, blob.bytes) == (sha256(b"figure one"), 10)
    assert await blobs.read(blob.sha256) == b"figure one"
    assert await blobs.stat(blob.sha256) == blob


async def test_the_same_content_is_stored_once(blobs: Blobs, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"same")
    assert await blobs.put_file(tmp_path / "file") == await blobs.put_bytes(b"same") == await blobs.put(parts(b"same"))


async def test_a_large_file_streams_in_parts_and_by_range(blobs: Blobs) -> None:
    data = bytes(range(256)) * (CHUNK // 128)
    blob = await blobs.put_bytes(data)
    chunks = [chunk async for chunk in blobs.stream(blob.sha256)]
    assert len(chunks) == 2
    assert b"".join(chunks) == data
    assert b"".join([c async for c in blobs.stream(blob.sha256, start=250, end=260)]) == data[250:260]
    assert b"".join([c async for c in blobs.stream(blob.sha256, start=len(data))]) == b""


async def test_an_upload_that_breaks_off_leaves_nothing(blobs: Blobs, tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"half"
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await blobs.put(broken())
    assert list((tmp_path / "scratch").iterdir()) == []
    with pytest.raises(NotFound):
        await blobs.stat(sha256(b"half"))


async def test_an_upload_above_the_limit_is_refused(blobs: Blobs, tmp_path: Path) -> None:
    with pytest.raises(TooLarge):
        await blobs.put(parts(b"12345", b"67890"), limit=9)
    assert list((tmp_path / "scratch").iterdir()) == []


async def test_a_local_file_can_be_read_by_libraries(blobs: Blobs) -> None:
    blob = await blobs.put_bytes(b"pixels")
    async with blobs.local(blob.sha256) as path:
        assert path.read_bytes() == b"pixels"


async def test_deleting_twice_is_deleting_once(blobs: Blobs) -> None:
    blob = await blobs.put_bytes(b"gone")
    await blobs.delete(blob.sha256)
    await blobs.delete(blob.sha256)
    with pytest.raises(NotFound):
        await blobs.read(blob.sha256)
    with pytest.raises(NotFound):
        async with blobs.local(blob.sha256):
            pass


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "A" * 64, "a" * 63, "a" * 65])
async def test_what_is_no_content_hash_is_refused(blobs: Blobs, name: str) -> None:
    with pytest.raises(Invalid):
        await blobs.read(name)
    with pytest.raises(Invalid):
        await blobs.delete(name)


async def test_a_sweep_removes_what_a_killed_process_left(blobs: Blobs, tmp_path: Path) -> None:
    (tmp_path / "scratch" / "upload-123").write_bytes(b"half")
    (tmp_path / "scratch" / "folder-123").mkdir()
    (tmp_path / "scratch" / "folder-123" / "display.jpg").write_bytes(b"half")
    assert blobs.sweep() == 2
    assert list((tmp_path / "scratch").iterdir()) == []


async def test_a_scratch_folder_is_swept_unless_another_process_serves_on_it(blobs: Blobs, tmp_path: Path) -> None:
    part = tmp_path / "scratch" / "local-123"
    part.write_bytes(b"half")
    with swept(blobs, tmp_path):
        assert not part.exists()
        part.write_bytes(b"in use")
        with swept(blobs, tmp_path):
            assert part.exists()


async def test_a_scratch_folder_is_gone_afterwards(blobs: Blobs) -> None:
    with blobs.folder() as folder:
        (folder / "picture").write_bytes(b"picture")
        kept = await blobs.put_file(folder / "picture")
    assert not folder.exists()
    assert await blobs.read(kept.sha256) == b"picture"


_FULL = """
import asyncio, resource, sys
from datetime import timedelta
from pathlib import Path
from shared.blobs import Blobs
from shared.errors import NoRoom

async def chunks():
    for _ in range(64):
        yield bytes(4096)

async def main(folder):
    blobs = Blobs(f"file://{folder / 'blobs'}", scratch=folder / "scratch")
    (folder / "large").write_bytes(bytes(1 << 20))
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16))
    for put in (blobs.put(chunks()), blobs.put_bytes(bytes(1 << 20))):
        try:
            await put
        except NoRoom as error:
            assert error.remedy
        else:
            raise AssertionError("It had room.")
    await blobs.put_bytes(b"small")

asyncio.run(main(Path(sys.argv[1])))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the quota is Linux's")
def test_a_full_disk_is_told_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    """By the system's own bound on what a process may write to a file."""
    command = [sys.executable, "-c", _FULL, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    left = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "large"]
    assert [path.read_bytes() for path in left] == [b"small"]


async def test_what_is_put_again_is_young_again(blobs: Blobs) -> None:
    old = await blobs.put_bytes(b"old")
    past, future = now() - timedelta(hours=1), now() + timedelta(hours=1)
    assert [blob async for blob in blobs.older(past)] == []
    assert [blob async for blob in blobs.older(future)] == [old]
    assert not await blobs.delete_older(old.sha256, past)
    assert await blobs.uploaded(old.sha256) == old
    assert await blobs.delete_older(old.sha256, future)
    assert not await blobs.delete_older(old.sha256, future)
    with pytest.raises(NotFound):
        await blobs.uploaded(old.sha256)
