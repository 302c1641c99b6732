"""Backups of everything that an installation keeps, made while it works, and their restoration.

A backup is a folder:

    manifest.json     what it is; written last, so that a folder without a new one holds the backup before
    store-ID.sqlite   embedded: documents, events, positions and index, as of one moment
    documents-ID/     distributed: COLLECTION.jsonl.gz, a stored document a line (MongoDB Extended JSON)
    erasures.log      the figures that were erased until then
    blobs/            files by content hash; what the folder has already is not copied again

docs/decisions/0013-backups.md says why this order of collections is safe. The signing key is not in it: a new one is
made, or given, where it is restored.
"""

import asyncio
import gzip
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, Literal

import apsw
from pydantic import BaseModel, ValidationError

from mitagger.serve import MODELS, running
from shared.blobs import Blobs
from shared.clock import new_id, now
from shared.engine import ERASURES, RESTORING, STORE, blobs_of, locked
from shared.erasures import Erasures, FileErasures
from shared.errors import Conflict, Invalid, NotFound, StoreTooNew, Unavailable
from shared.settings import EMBEDDED, Settings
from shared.sqlite import BUSY_MS

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
CHUNK: Final = 1 << 20
DOCUMENTS_AT_ONCE: Final = 500
SETTLE_SECONDS: Final = 600.0

Told = Callable[[str, int], None]  # what is copied, and how much of it so far


class Part(BaseModel):
    """A file of the backup, by its path in the folder."""

    sha256: str
    bytes: int


class Manifest(BaseModel):
    """What a backup is."""

    format: int
    mitagger: str
    engine: Literal["embedded", "distributed"]
    made_at: str
    parts: dict[str, Part]
    documents: dict[str, int] = {}
    blobs: int
    blob_bytes: int


async def back_up(settings: Settings, folder: Path, told: Told) -> Manifest:
    """Makes a backup, or renews the one in this folder. Raises Invalid when the folder holds something else, NotFound
    when there is nothing to back up, Unavailable."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(folder.iterdir()) and not (folder / MANIFEST).exists() and not (folder / "blobs").exists():
        raise Invalid(f"{folder} holds something that is no backup.", remedy="Choose an empty folder, or a backup.")
    id, documents = new_id(), dict[str, int]()
    if settings.bus == EMBEDDED:
        names = [await asyncio.to_thread(_copy_store, settings.data / STORE, folder / f"store-{id}.sqlite")]
        await _keep_ledger(FileErasures(settings.data / ERASURES), folder)
    else:
        documents = await _copy_documents(settings, folder / f"documents-{id}", told)
        names = [f"documents-{id}/{name}.jsonl.gz" for name in documents]
    # After the documents: what they name was there before them, and stays unless it is erased.
    blobs = blobs_of(settings, folder / "scratch")
    count, size = await _copy_blobs(blobs, folder / "blobs", told)
    shutil.rmtree(folder / "scratch", ignore_errors=True)
    parts = {name: await asyncio.to_thread(_part, folder / name) for name in [*names, ERASURES]}
    manifest = Manifest(
        format=FORMAT,
        mitagger=version("mitagger"),
        engine="embedded" if settings.bus == EMBEDDED else "distributed",
        made_at=now().isoformat(),
        parts=parts,
        documents=documents,
        blobs=count,
        blob_bytes=size,
    )
    await asyncio.to_thread(_replace, folder / MANIFEST, manifest.model_dump_json(indent=2).encode())
    for path in folder.iterdir():  # of the backup before, or of one that was interrupted
        if path.name.startswith(("store-", "documents-")) and id not in path.name:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    return manifest


async def restore(
    settings: Settings, folder: Path, told: Told, *, replace: bool = False, erasures: Path | None = None
) -> Manifest:
    """Brings a backup back, and erases what was erased since it was made, as far as the ledger knows that is here, or
    the one at `erasures`. Nothing is touched before the backup has been found whole. Killed in between, it is run
    again.

    Raises NotFound, Invalid (damaged, of the other engine, a server runs), StoreTooNew, Conflict when there is
    something and `replace` was not asked for, Unavailable.
    """
    manifest = await asyncio.to_thread(_read, folder)
    await asyncio.to_thread(_verify, folder, manifest, told)
    mine = "embedded" if settings.bus == EMBEDDED else "distributed"
    if manifest.engine != mine:
        raise Invalid(
            f"This backup is of {manifest.engine} engines, and these settings are of {mine} ones.",
            remedy="Restore it with the engines that it was made with.",
        )
    gone = list(await FileErasures(folder / ERASURES).all())
    if erasures is not None:
        if not erasures.is_file():
            raise NotFound(f"There is no ledger of erasures at {erasures}.")
        gone += await FileErasures(erasures).all()
    if mine == "embedded":
        await _restore_embedded(settings, folder, manifest, gone, told, replace=replace)
    else:
        await _restore_distributed(settings, folder, manifest, gone, told)
    return manifest


# --- embedded


def _copy_store(source: Path, target: Path) -> str:
    """The store as of one moment, without what was erased from its pages; its server may go on writing."""
    if not source.exists():
        raise NotFound(f"There is no store at {source}.", remedy="Name the data folder: --data.")
    connection = apsw.Connection(str(source), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        connection.set_busy_timeout(BUSY_MS)
        # Without it the copy's pages keep remains of rows that moved while it was written, which no erasure would find.
        connection.pragma("secure_delete", True)
        connection.execute("VACUUM INTO ?", (str(target),))
    except apsw.Error as error:
        target.unlink(missing_ok=True)
        raise Unavailable("documents", f"The store cannot be copied ({type(error).__name__}).") from error
    finally:
        connection.close()
    return target.name


async def _restore_embedded(
    settings: Settings, folder: Path, manifest: Manifest, gone: Sequence[str], told: Told, *, replace: bool
) -> None:
    data = settings.data
    with locked(data):
        store, marker = data / STORE, data / RESTORING
        if store.exists() and not marker.exists() and not replace:
            raise Conflict(
                f"There is a store in {data} already.", remedy="Restore into another folder, or replace it: --replace."
            )
        marker.touch()
        blobs = blobs_of(settings)
        await _bring_blobs(folder, blobs, told)
        part = store.with_suffix(".restored")
        (name,) = (name for name in manifest.parts if name.startswith("store-"))
        await asyncio.to_thread(shutil.copyfile, folder / name, part)
        for ending in ("-wal", "-shm"):  # of the old store: with the new one they would damage it
            Path(f"{store}{ending}").unlink(missing_ok=True)
        os.replace(part, store)
        await _drop_blobs(folder, blobs)
        await FileErasures(data / ERASURES).add(gone)
        marker.unlink()
    # The services erase again what the ledger says, everywhere, before anybody is served.
    told("erasures", 0)
    quiet = settings.model_copy(update={"log_level": "warning"})
    async with running(quiet, port=0) as server, asyncio.timeout(SETTLE_SECONDS):
        await server.settled()


# --- distributed


async def _copy_documents(settings: Settings, folder: Path, told: Told) -> dict[str, int]:
    """Collection by collection, those first that follow others; how many of each."""
    from shared.mongo import MongoErasures, answering, connected  # noqa: PLC0415 - an optional package

    folder.mkdir()
    counts = {}
    async with connected(settings.documents) as database:
        for model in MODELS:
            name = model.collection
            with answering(), gzip.open(folder / f"{name}.jsonl.gz", "wt", encoding="utf-8", compresslevel=3) as out:
                counts[name] = 0
                async for record in database[name].find({}).sort("_id"):
                    out.write(_line(record))
                    counts[name] += 1
                    told(name, counts[name])
        await _keep_ledger(MongoErasures(database), folder.parent)
    return counts


async def _restore_distributed(
    settings: Settings, folder: Path, manifest: Manifest, gone: Sequence[str], told: Told
) -> None:
    """Into a database without documents and topics without records: what was told after the backup was made must not
    be heard by what is as old as it."""
    from bson import json_util  # noqa: PLC0415 - an optional package
    from pymongo.errors import BulkWriteError  # noqa: PLC0415

    from shared.bus.kafka import KafkaBus  # noqa: PLC0415
    from shared.bus.kafka_address import parsed  # noqa: PLC0415
    from shared.mongo import MongoErasures, answering, connected  # noqa: PLC0415

    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(connected(settings.documents))
        bus = KafkaBus(parsed(settings.bus))
        await bus.connect()
        stack.push_async_callback(bus.close)
        with answering():
            mark = await database[RESTORING].find_one({"_id": RESTORING})
            there = [model.collection for model in MODELS if await database[model.collection].find_one({}, {"_id": 1})]
        if (there and (mark is None or mark["made_at"] != manifest.made_at)) or await bus.records():
            raise Conflict(
                "A backup is restored into a new database and new topics, and here there are some already.",
                remedy="Choose new names at the ends of MITAGGER_DOCUMENTS and MITAGGER_BUS.",
            )
        with answering():
            told_once = {"$set": {"made_at": manifest.made_at}}
            await database[RESTORING].update_one({"_id": RESTORING}, told_once, upsert=True)
            for model in reversed(MODELS):
                name = model.collection
                count = 0
                for lines in _batches(folder, manifest, name):
                    records = [json_util.loads(line) for line in lines]
                    try:
                        await database[name].insert_many(records, ordered=False)
                    except BulkWriteError as error:  # run again: what is there stays
                        if any(one["code"] != _DUPLICATE_KEY for one in (error.details or {})["writeErrors"]):
                            raise
                    count += len(records)
                    told(name, count)
        await _bring_blobs(folder, blobs_of(settings), told)
        await MongoErasures(database).add(gone)
        with answering():
            await database[RESTORING].drop()


_DUPLICATE_KEY: Final = 11000


def _line(record: Any) -> str:
    from bson import json_util  # noqa: PLC0415
    from bson.json_util import CANONICAL_JSON_OPTIONS  # noqa: PLC0415

    from shared.documents.outbox import FREE  # noqa: PLC0415

    # Who was about to send its events does not live where it is restored.
    return json_util.dumps({**record, "lease": FREE}, json_options=CANONICAL_JSON_OPTIONS) + "\n"


def _batches(folder: Path, manifest: Manifest, name: str) -> Iterable[list[str]]:
    for part in manifest.parts:
        if part.endswith(f"/{name}.jsonl.gz"):
            with gzip.open(folder / part, "rt", encoding="utf-8") as lines:
                batch: list[str] = []
                for line in lines:
                    batch.append(line)
                    if len(batch) == DOCUMENTS_AT_ONCE:
                        yield batch
                        batch = []
                if batch:
                    yield batch


# --- files and the ledger


async def _copy_blobs(blobs: Blobs, folder: Path, told: Told) -> tuple[int, int]:
    """How many files there are, and their bytes; what has gone from the blobs goes from the backup. Raises Invalid when
    a file is not what its name says."""
    count, size, names = 0, 0, set[str]()
    folder.mkdir(exist_ok=True)
    async for blob in blobs.each():
        path = folder / blob.sha256[:2] / blob.sha256
        if not path.exists() or path.stat().st_size != blob.bytes:
            path.parent.mkdir(exist_ok=True)
            part, digest = path.with_suffix(".part"), hashlib.sha256()
            try:
                with part.open("wb") as out:
                    async for chunk in blobs.stream(blob.sha256):
                        digest.update(chunk)
                        out.write(chunk)
            except NotFound:  # erased meanwhile
                part.unlink(missing_ok=True)
                continue
            if digest.hexdigest() != blob.sha256:
                part.unlink()
                raise Invalid(
                    f"The file {blob.sha256[:12]}… in the blobs is damaged.", remedy="Restore it from an older backup."
                )
            os.replace(part, path)
        names.add(blob.sha256)
        count, size = count + 1, size + blob.bytes
        told("files", count)
    for path in folder.glob("??/*"):
        if path.name not in names:
            path.unlink()
    return count, size


async def _bring_blobs(folder: Path, blobs: Blobs, told: Told) -> None:
    for count, path in enumerate(sorted((folder / "blobs").glob("??/*")), start=1):
        try:
            await blobs.stat(path.name)
        except NotFound:
            await blobs.put_file(path)
        told("files", count)


async def _drop_blobs(folder: Path, blobs: Blobs) -> None:
    """Files of the store that was replaced, which nothing names any more."""
    async for blob in blobs.each():
        if not (folder / "blobs" / blob.sha256[:2] / blob.sha256).exists():
            await blobs.delete(blob.sha256)


async def _keep_ledger(erasures: Erasures, folder: Path) -> None:
    (folder / ERASURES).touch()
    await FileErasures(folder / ERASURES).add(await erasures.all())


def _part(path: Path) -> Part:
    with path.open("rb") as file:
        return Part(sha256=hashlib.file_digest(file, "sha256").hexdigest(), bytes=path.stat().st_size)


def _replace(path: Path, content: bytes) -> None:
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)


def _read(folder: Path) -> Manifest:
    try:
        text = (folder / MANIFEST).read_text(encoding="utf-8")
        if json.loads(text)["format"] > FORMAT:
            raise StoreTooNew("A newer MITagger made this backup.", remedy="Restore it with that version.")
        return Manifest.model_validate_json(text)
    except FileNotFoundError as error:
        raise NotFound(f"There is no whole backup in {folder}.", remedy=f"It would have a {MANIFEST}.") from error
    except (ValidationError, ValueError, KeyError, TypeError) as error:
        raise Invalid(f"{folder / MANIFEST} is damaged.", remedy="Use another backup.") from error


def _verify(folder: Path, manifest: Manifest, told: Told) -> None:
    for name, part in manifest.parts.items():
        path = folder / name
        if ".." in Path(name).parts or Path(name).is_absolute() or not path.exists() or _part(path) != part:
            raise Invalid(f"The backup is damaged: {name} is not what it was.", remedy="Use another backup.")
    count = 0
    for path in (folder / "blobs").glob("??/*"):
        if _part(path).sha256 != path.name:
            raise Invalid(f"The backup is damaged: the file {path.name[:12]}….", remedy="Use another backup.")
        count += 1
        told("checked files", count)
    if count != manifest.blobs:
        raise Invalid(
            f"The backup is damaged: it has {count:,} files, and had {manifest.blobs:,}.", remedy="Use another backup."
        )
