"""The blobs port: files by content hash (SHA-256, hex), in a local folder or any object store, through obstore."""

import errno
import hashlib
import math
import os
import shutil
import tempfile
from collections.abc import AsyncIterable, AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio
import obstore
from obstore.exceptions import BaseError as StoreError
from obstore.store import LocalStore, ObjectStore, from_url

from shared import metrics
from shared.clock import now
from shared.errors import Invalid, NoRoom, NotFound, TooLarge, Unavailable

if TYPE_CHECKING:
    from obstore import ObjectMeta  # only there for types

CHUNK: Final = 1 << 20
MAX_BYTES: Final = 2 << 30

# For how long an upload stays that nothing names: who names it later sends it again. The collector waits longer
# (services/gateway/collecting.py), so that whatever named it in time has long been stored.
KEPT: Final = timedelta(days=1)

_PARTS: Final = ("upload-", "local-", "folder-")
_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True, slots=True)
class Blob:
    """A stored file."""

    sha256: str
    bytes: int


class Blobs:
    """Files that never change. Putting the same content twice stores it once."""

    def __init__(self, url: str, *, scratch: Path) -> None:
        """`url`: file:///folder or an object store's (s3://bucket/prefix …); `scratch`: a local folder for parts of
        uploads, swept by `sweep`."""
        self._scratch = scratch
        scratch.mkdir(parents=True, exist_ok=True)
        self._folder: Path | None = None
        self._store: ObjectStore
        if url.startswith("file://"):
            self._folder = Path(url.removeprefix("file://"))
            self._folder.mkdir(parents=True, exist_ok=True)
            self._store = LocalStore(self._folder)
        else:
            self._store = from_url(url)

    async def put(self, chunks: AsyncIterable[bytes], *, limit: int = MAX_BYTES) -> Blob:
        """Streams to a part file first: a broken upload leaves nothing. Raises TooLarge above `limit`, NoRoom."""
        digest, size = hashlib.sha256(), 0
        with room():
            handle, name = tempfile.mkstemp(dir=self._scratch, prefix="upload-")
            part = Path(name)
            try:
                async with await anyio.open_file(handle, "wb") as out:
                    async for chunk in chunks:
                        size += len(chunk)
                        if size > limit:
                            raise TooLarge(
                                f"The file has more than {limit:,} bytes.", remedy="Send a smaller file, or split it."
                            )
                        digest.update(chunk)
                        await out.write(chunk)
                blob = Blob(digest.hexdigest(), size)
                await self._keep(part, blob)
            finally:
                part.unlink(missing_ok=True)
        return blob

    async def put_bytes(self, data: bytes) -> Blob:
        """Raises NoRoom."""
        blob = Blob(hashlib.sha256(data).hexdigest(), len(data))
        await self._store_bytes(blob.sha256, data)
        return blob

    async def put_file(self, path: Path) -> Blob:
        """Stores a copy of a local file. Raises NoRoom."""
        digest = await anyio.to_thread.run_sync(_digest, path)
        blob = Blob(digest, path.stat().st_size)
        with room():
            await self._keep(path, blob)
        return blob

    async def stat(self, sha256: str) -> Blob:
        """Raises NotFound."""
        return Blob(sha256, (await self._head(sha256))["size"])

    async def uploaded(self, sha256: str) -> Blob:
        """A blob that a document is about to name. Raises NotFound also when it was stored longer than KEPT ago: it may
        be collected any time."""
        meta = await self._head(sha256)
        if meta["last_modified"] < now() - KEPT:
            raise _missing(sha256)
        return Blob(sha256, meta["size"])

    async def _head(self, sha256: str) -> "ObjectMeta":
        try:
            return await obstore.head_async(self._store, _key(sha256))
        except FileNotFoundError as error:
            raise _missing(sha256) from error
        except StoreError as error:
            raise Unavailable("blobs") from error

    async def read(self, sha256: str) -> bytes:
        """The whole content. Raises NotFound."""
        return b"".join([chunk async for chunk in self.stream(sha256)])

    async def stream(self, sha256: str, *, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """The content, or its bytes from `start` to before `end`, in parts of about 1 MiB. Raises NotFound."""
        size = (await self.stat(sha256)).bytes
        stop = size if end is None else min(end, size)
        try:
            while start < stop:
                until = min(start + CHUNK, stop)
                yield bytes(await obstore.get_range_async(self._store, _key(sha256), start=start, end=until))
                metrics.BLOB_BYTES.labels("out").inc(until - start)
                start = until
        except FileNotFoundError as error:
            raise _missing(sha256) from error
        except StoreError as error:
            raise Unavailable("blobs") from error

    @asynccontextmanager
    async def local(self, sha256: str) -> AsyncIterator[Path]:
        """The content as a local file to read, for libraries that need one; gone afterwards unless it is the blob
        itself. Raises NotFound."""
        await self.stat(sha256)
        if self._folder is not None:
            yield self._folder / _key(sha256)
            return
        handle, name = tempfile.mkstemp(dir=self._scratch, prefix="local-")
        try:
            async with await anyio.open_file(handle, "wb") as out:
                async for chunk in self.stream(sha256):
                    await out.write(chunk)
            yield Path(name)
        finally:
            Path(name).unlink(missing_ok=True)

    def path(self, sha256: str) -> Path | None:
        """The local file that the blob is, if it is there; null in an object store."""
        return None if self._folder is None else self._folder / _key(sha256)

    @property
    def scratch(self) -> Path:
        """A local folder for what can be made again."""
        return self._scratch

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """A folder for files on their way in or out, gone afterwards; `sweep` removes those of a killed process."""
        path = Path(tempfile.mkdtemp(dir=self._scratch, prefix="folder-"))
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    async def each(self) -> AsyncIterator[Blob]:
        """All files, in no order. Raises Unavailable."""
        try:
            async for found in obstore.list(self._store):
                for meta in found:
                    name = str(meta["path"]).rpartition("/")[2]
                    if len(name) == 64:  # parts of files on their way in have other names
                        yield Blob(name, meta["size"])
        except StoreError as error:
            raise Unavailable("blobs") from error

    async def older(self, than: datetime) -> AsyncIterator[Blob]:
        """Files stored before `than`, in no order. Raises Unavailable."""
        try:
            async for found in obstore.list(self._store):
                for meta in found:
                    name = str(meta["path"]).rpartition("/")[2]
                    if len(name) == 64 and meta["last_modified"] < than:
                        yield Blob(name, meta["size"])
        except StoreError as error:
            raise Unavailable("blobs") from error

    async def delete_older(self, sha256: str, than: datetime) -> bool:
        """Unless it was stored again since. (On an object store a put in the milliseconds between look and deletion is
        lost; on a local folder none is.)"""
        if self._folder is not None:
            return await anyio.to_thread.run_sync(_remove_older, self._folder / _key(sha256), than.timestamp())
        try:
            if (await self._head(sha256))["last_modified"] >= than:
                return False
        except NotFound:
            return False
        await self.delete(sha256)
        return True

    async def delete(self, sha256: str) -> None:
        """No error where it was gone already."""
        try:
            await obstore.delete_async(self._store, _key(sha256))
        except FileNotFoundError:
            return
        except StoreError as error:
            raise Unavailable("blobs") from error

    def sweep(self, before: datetime | None = None) -> int:
        """Removes what killed processes left half done; returns how many files and folders. Without `before` only while
        no other process serves on these folders."""
        left = self._scratched()
        if self._folder is not None:
            left += self._folder.glob("??/part-*")
        if before is not None:
            left = [path for path in left if _stored_at(path) < before.timestamp()]
        return _removed(left)

    def sweep_scratch(self) -> int:
        """As `sweep`, of the scratch folder alone: only while no other process serves on it."""
        return _removed(self._scratched())

    def _scratched(self) -> list[Path]:
        return [path for path in self._scratch.iterdir() if path.name.startswith(_PARTS)]

    async def _keep(self, path: Path, blob: Blob) -> None:
        metrics.BLOB_BYTES.labels("in").inc(blob.bytes)
        if self._folder is None:
            try:
                await obstore.put_async(self._store, _key(blob.sha256), path)
            except StoreError as error:
                raise _unavailable(error) from error
            return
        await anyio.to_thread.run_sync(_copy_into, path, self._folder / _key(blob.sha256))

    async def _store_bytes(self, sha256: str, data: bytes) -> None:
        metrics.BLOB_BYTES.labels("in").inc(len(data))
        try:
            await obstore.put_async(self._store, _key(sha256), data)
        except StoreError as error:
            raise _unavailable(error) from error


@contextmanager
def room() -> Iterator[None]:
    """A full disk, or a quota that is used up, as NoRoom."""
    try:
        yield
    except OSError as error:
        if not _full(error):
            raise
        raise _no_room() from error


def _full(error: Exception) -> bool:
    """libvips and obstore tell of it in words only."""
    said = str(error)
    return getattr(error, "errno", None) in _FULL or any(os.strerror(number) in said for number in _FULL)


def _no_room() -> NoRoom:
    return NoRoom(
        "storage",
        "The server has no room left for this file.",
        remedy="Ask its administrator to free some, then send it again; what went in before is kept.",
    )


def _unavailable(error: StoreError) -> Unavailable:
    return _no_room() if _full(error) else Unavailable("blobs")


def _key(sha256: str) -> str:
    if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
        raise Invalid("Not a content hash.", field="blob")
    return f"{sha256[:2]}/{sha256}"


def _missing(sha256: str) -> NotFound:
    return NotFound(f"No file with the content hash {sha256[:12]}… is stored.")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _copy_into(source: Path, target: Path) -> None:
    """By hard link where the file system allows, else by copy; either way the name appears only when it is whole. Its
    time becomes the present one, also where it was there: the collector leaves it alone."""
    try:
        os.utime(target)
        return
    except FileNotFoundError:
        target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
        os.utime(target)
    except FileExistsError:
        os.utime(target)
    except OSError:
        handle, name = tempfile.mkstemp(dir=target.parent, prefix="part-")
        try:
            with os.fdopen(handle, "wb") as out, source.open("rb") as data:
                while chunk := data.read(CHUNK):
                    out.write(chunk)
            os.replace(name, target)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


def _remove_older(path: Path, than: float) -> bool:
    """Taken away first, looked at then: a put at the same moment has either made it younger, or finds nothing and puts
    it there anew."""
    aside = path.with_name(f"part-{path.name}")
    if _stored_at(path) >= than:
        return False
    try:
        os.rename(path, aside)
        if _stored_at(aside) < than:
            aside.unlink()
            return True
        with suppress(FileExistsError):
            os.link(aside, path)
        aside.unlink()
    except FileNotFoundError:
        pass
    return False


def _removed(paths: Sequence[Path]) -> int:
    for path in paths:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    return len(paths)


def _stored_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return math.inf
