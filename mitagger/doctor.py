"""Looks at everything that an installation needs and says in plain words what is wrong and what to do.

Nothing is changed by looking, except that a small file is written to the blobs and deleted again. Each check is bounded
in time; one that fails hides no other.
"""

import asyncio
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Final

import apsw
import httpx
from pydantic import BaseModel, ValidationError

from mitagger.layout import indexes, topics
from mitagger.serve import MODELS
from shared.engine import blobs_of
from shared.errors import MitaggerError
from shared.search import meilisearch
from shared.settings import EMBEDDED, Settings
from shared.sqlite import APPLICATION_ID, STORE_VERSION
from shared.standing import Standing

CHECK_SECONDS: Final = 30.0
ANSWER_SECONDS: Final = 10.0
LOW_SPACE: Final = 0.1  # of the disk
LITTLE_SPACE_BYTES: Final = 2 << 30
LONG_LOG_BYTES: Final = 1 << 30
SKEW: Final = timedelta(milliseconds=30)  # what services/recommender/slots.py allows clocks to differ
MONGODB: Final = (6, 0)  # the oldest that its maker supported when this was written
LAGGING: Final = 1_000


class Level(StrEnum):
    OK = "ok"
    WARNING = "warning"  # works, but not for long or not safely
    PROBLEM = "problem"  # does not work


class Finding(BaseModel):
    """What was found of `subject`. `remedy` says what to do, empty when nothing is."""

    subject: str
    level: Level
    what: str
    remedy: str = ""


Findings = AsyncIterator[Finding]
Check = Callable[[Settings], Findings]


async def examine(settings: Settings) -> list[Finding]:
    """All findings, in the order of the checks."""
    found = await asyncio.gather(*(_bounded(check, settings) for check in _checks(settings)))
    return [finding for findings in found for finding in findings]


def _checks(settings: Settings) -> Sequence[tuple[str, Check]]:
    if settings.bus == EMBEDDED and settings.documents == EMBEDDED:
        return (("settings", _settings), ("data folder", _data), ("store", _store), ("blobs", _blobs))
    return (
        ("settings", _settings),
        ("data folder", _data),
        ("kafka", _kafka),
        ("mongodb", _mongodb),
        ("search", _search),
        ("blobs", _blobs),
        ("services", _services),
    )


async def _bounded(check: tuple[str, Check], settings: Settings) -> list[Finding]:
    subject, look = check
    found: list[Finding] = []
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            async for finding in look(settings):
                found.append(finding)  # noqa: PERF401 - what was found before a failure counts
    except MitaggerError as error:
        found.append(Finding(subject=subject, level=Level.PROBLEM, what=error.message, remedy=error.remedy))
    except TimeoutError:
        what = f"It did not answer within {CHECK_SECONDS:.0f} s."
        found.append(Finding(subject=subject, level=Level.PROBLEM, what=what, remedy="Is it overloaded, or cut off?"))
    except Exception as error:  # one check that fails hides no other
        what = f"This check itself failed ({type(error).__name__})."
        found.append(Finding(subject=subject, level=Level.PROBLEM, what=what, remedy="Please report it."))
    return found


async def _settings(settings: Settings) -> Findings:
    if (settings.bus == EMBEDDED) != (settings.documents == EMBEDDED):
        yield _problem(
            "settings",
            "Of MITAGGER_BUS and MITAGGER_DOCUMENTS only one is set.",
            "Set both (kafka://…, mongodb://…), or none: state and events become durable together.",
        )
        return
    settings.signing_key()
    kind = "embedded engines, one process" if settings.bus == EMBEDDED else "Kafka and MongoDB, one process a service"
    yield _ok("settings", f"They fit together: {kind}.")
    if settings.bus != EMBEDDED and settings.blobs == EMBEDDED:
        yield _problem(
            "settings",
            "Every service would keep files in a folder of its own.",
            "Set MITAGGER_BLOBS to a folder that all share (file://…) or an object store (s3://…).",
        )


async def _data(settings: Settings) -> Findings:
    folder = settings.data
    if not folder.is_dir():
        yield _ok("data folder", f"{folder} is not there yet; the first start makes it.")
        return
    for path in (folder, folder / "signing.key"):
        if path.exists() and os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o077:
            yield _problem("data folder", f"Others can read {path}.", f"chmod go-rwx '{path}'")
    if not os.access(folder, os.W_OK):
        yield _problem("data folder", f"{folder} cannot be written to.", "Give it to the user that serves.")
    disk = shutil.disk_usage(folder)
    free = f"{disk.free / 2**30:,.1f} GiB free of {disk.total / 2**30:,.0f}"
    if disk.free < max(LITTLE_SPACE_BYTES, 0) or disk.free < LOW_SPACE * disk.total:
        yield _warning("data folder", f"The disk of {folder} is nearly full: {free}.", "Free some space, or move it.")
    else:
        yield _ok("data folder", f"{folder}: {free}.")


async def _store(settings: Settings) -> Findings:
    path = settings.data / "mitagger.sqlite"
    if not path.exists():
        yield _ok("store", "It is not there yet; the first start makes it.")
        return
    for finding in await asyncio.to_thread(_file, path):
        yield finding
    log = path.with_name(f"{path.name}-wal")
    if log.exists() and log.stat().st_size > LONG_LOG_BYTES:
        yield _warning(
            "store",
            f"The write-ahead log has {log.stat().st_size / 2**30:.1f} GiB: something reads an old state for long.",
            "Restart the server.",
        )


def _file(path: Path) -> list[Finding]:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        if connection.pragma("application_id") != APPLICATION_ID:
            return [_problem("store", f"{path} is another program's database.", "Choose another data folder.")]
        if connection.pragma("user_version") > STORE_VERSION:
            return [_problem("store", f"A newer MITagger wrote {path}.", "Install that version again.")]
        wrong = [str(row[0]) for row in connection.execute("PRAGMA quick_check(3)") if row[0] != "ok"]
        if wrong:
            what = f"{path} is damaged: {'; '.join(wrong)[:300]}"
            return [_problem("store", what, "Stop the server and restore the last backup (mitagger restore).")]
        letters = connection.execute("SELECT count(*) FROM dead_letters").fetchone()
    except apsw.Error as error:
        return [_problem("store", f"{path} cannot be read ({type(error).__name__}).", "Is it whole? Is the disk?")]
    finally:
        connection.close()
    # What was written last stands in the log beside it.
    size = sum(file.stat().st_size for file in (path, path.with_name(f"{path.name}-wal")) if file.exists())
    found = [_ok("store", f"{path} is whole, {size / 2**20:,.1f} MiB.")]
    return found + _letters(int(str(letters[0])) if letters else 0)


async def _blobs(settings: Settings) -> Findings:
    if settings.blobs == EMBEDDED and not settings.data.is_dir():
        return
    content = secrets.token_bytes(32)
    with tempfile.TemporaryDirectory() as scratch:
        blobs = blobs_of(settings, Path(scratch))
        blob = await blobs.put_bytes(content)
        read = await blobs.read(blob.sha256)
        await blobs.delete(blob.sha256)
    if read != content:
        yield _problem("blobs", "What was written came back changed.", "Do not trust this store; look at its disks.")
    else:
        yield _ok("blobs", "A small file was written, read and deleted.")


async def _kafka(settings: Settings) -> Findings:
    from shared.bus.kafka import KafkaBus  # noqa: PLC0415 - an optional package
    from shared.bus.kafka_address import parsed  # noqa: PLC0415

    async with AsyncExitStack() as stack:
        bus = KafkaBus(parsed(settings.bus))
        await bus.connect()
        stack.push_async_callback(bus.close)
        brokers = await bus.brokers()
        if brokers >= 3:
            yield _ok("kafka", f"It answers, {brokers} brokers.")
        else:
            yield _warning(
                "kafka",
                f"It answers, with {brokers} broker(s): losing a disk loses events that were not handled.",
                "Run three brokers where that matters; topics made then have three copies.",
            )
        there = await stack.enter_async_context(topics(settings))
        changes = await there.plan()
        for change in changes:
            level = _warning if change.action.harmless else _problem
            yield level(
                "topics",
                f"{change.topic.name}: {change.action} ({change.detail}).",
                "mitagger topics plan shows all, mitagger topics apply makes it so.",
            )
        if not changes:
            yield _ok("topics", f"All {len(there.wanted)} are as they should be.")
        for each in await bus.overview():
            if each.behind >= LAGGING:
                yield _warning(
                    "consumers",
                    f"{each.group} has {each.behind:,} events of {each.topic} left to do.",
                    "Is the service up and ready? If it only lacks speed, start more copies.",
                )
        for finding in _letters(len(await bus.dead_letters(limit=1_000))):
            yield finding


async def _mongodb(settings: Settings) -> Findings:
    from shared.documents.outbox import pending  # noqa: PLC0415 - an optional package
    from shared.mongo import answering, connected  # noqa: PLC0415

    async with connected(settings.documents) as database, indexes(settings) as there:
        with answering():
            said = await database.client.admin.command("isMaster")  # the old name of hello, which every server knows
            version = str((await database.client.admin.command("buildInfo"))["version"])
        yield _ok("mongodb", f"It answers, version {version}.")
        if tuple(int(part) for part in version.split(".")[:2]) < MONGODB:
            wanted = ".".join(map(str, MONGODB))
            yield _warning("mongodb", f"Version {version} is older than {wanted}.", "Upgrade it while it is easy.")
        if "setName" not in said:
            yield _problem(
                "mongodb",
                "It is no replica set: a write that is retried after a broken connection may happen twice.",
                "Make it one, a single member is enough: start it with --replSet and run rs.initiate() once.",
            )
        skew = abs(datetime.now(UTC) - said["localTime"].replace(tzinfo=UTC)) if "localTime" in said else timedelta()
        if skew > SKEW + timedelta(seconds=1):  # the question takes a while itself
            yield _warning("clocks", f"MongoDB's differs by {skew.total_seconds():.1f} s.", "Run a time service (NTP).")
        differences = [each for each in await there.plan() if each.state != "unknown"]
        for each in differences:
            name = f"The index {each.name} of {each.collection}"
            if each.state == "missing":
                yield _warning("indexes", f"{name} is missing.", "mitagger indexes apply")
            else:
                yield _problem(
                    "indexes", f"{name} is another one.", "Drop it while nobody writes; mitagger indexes apply"
                )
        if not differences:
            yield _ok("indexes", "All are as they should be.")
        waiting = await pending(database[model.collection] for model in MODELS)
        if waiting:
            yield _warning(
                "outbox",
                f"{waiting:,} documents have events that Kafka does not have yet.",
                "They are sent within seconds while a service runs. If not: does Kafka answer?",
            )


async def _search(settings: Settings) -> Findings:
    if settings.search == EMBEDDED:
        yield _ok("search", "The index lies in the data folder of export, which must be one process.")
        return
    async with meilisearch.opened(settings.search, settings.key_for_search()) as search:
        yield _ok("search", f"Meilisearch answers, version {await search.version()}.")
        if differences := await search.plan():
            names = ", ".join(each.name for each in differences)
            yield _warning("search", f"Settings of the index differ: {names}.", "mitagger indexes apply")


async def _services(settings: Settings) -> Findings:
    if not settings.addresses:
        yield _ok("services", "Their addresses are not set here (MITAGGER_ADDRESSES__…), so they were not asked.")
    async with httpx.AsyncClient(trust_env=False, timeout=ANSWER_SECONDS) as http:
        for name, address in sorted(settings.addresses.items()):
            try:
                standing = Standing.model_validate_json((await http.get(f"{address}/readyz")).content)
            except (httpx.HTTPError, ValidationError):
                yield _problem(name, f"It does not answer at {address}.", f"Is mitagger serve {name} running there?")
                continue
            for problem in standing.problems:
                yield _problem(name, problem, "Mend what it waits for; it goes on by itself.")
            if standing.ready:
                yield _ok(name, "It is ready.")


def _letters(count: int) -> list[Finding]:
    if not count:
        return []
    what = f"{count:,} events could not be handled."
    return [_warning("dead letters", what, "mitagger dead-letters list; after the cause is mended: replay --all")]


def _ok(subject: str, what: str) -> Finding:
    return Finding(subject=subject, level=Level.OK, what=what)


def _warning(subject: str, what: str, remedy: str) -> Finding:
    return Finding(subject=subject, level=Level.WARNING, what=what, remedy=remedy)


def _problem(subject: str, what: str, remedy: str) -> Finding:
    return Finding(subject=subject, level=Level.PROBLEM, what=what, remedy=remedy)
