"""Bringing a folder to a server: files uploaded, rows sent in order, problems collected; or a look at what would be.

A row that is sent again changes nothing, so whatever breaks off goes on: a lost answer by sending the same rows again,
a killed command by the id of its job (`mitagger.import_records`), from the first row that the server is not done with.
"""

import asyncio
import hashlib
import tempfile
import time
from collections.abc import Awaitable, Callable, Container, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self, TypeVar

from mitagger.client import AsyncClient
from mitagger.client import models as m
from mitagger.client.errors import Busy, Rejected, Unreachable
from mitagger.client.errors import Problem as Refusal
from mitagger.import_records import Record, Records
from services.ingest.archive import copy, holds_dicom, open_bundle, originals, rows
from services.ingest.looking import looked
from services.ingest.manifest import Problem, Row
from services.ingest.renditions import sniff
from shared.archive import Bundle, Folder
from shared.errors import DeadlineExceeded, Invalid, NotFound
from shared.workers import Workers

# Rows in one request: enough to keep the server's renderers busy, few enough to show progress.
BATCH: Final = 32
# Rows without files cost the server little.
BATCH_WITHOUT_FILES: Final = 200
# A server that is started again, or a database that is, is waited for.
PATIENCE_SECONDS: Final = 60.0
PAUSE_SECONDS: Final = 0.5
FULL: Final = 507  # the server's disk: no waiting helps
LOOK_SECONDS: Final = 60.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an import is: rows and files."""

    done: int
    total: int
    created: int = 0
    existing: int = 0
    rejected: int = 0


Told = Callable[[Progress], None]


@dataclass(slots=True)
class Brought:
    """What became of an import. `problems` has the rows and files that did not go in, and warnings."""

    job: str = ""
    created: int = 0
    existing: int = 0
    rejected: int = 0
    problems: list[Problem] = field(default_factory=list)


@dataclass(slots=True)
class Source:
    """A folder or zip that was read: its rows in order, and what is wrong with it before anything is sent."""

    bundle: Bundle
    said: bytes | None  # a manifest that is not the bundle's own
    rows: list[Row]
    problems: list[Problem]
    state: str  # changes when the folder does

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.bundle.__exit__()

    @property
    def refused(self) -> int:
        """Rows and files that stay out."""
        errors = [problem for problem in self.problems if problem.severity == "error"]
        return len({problem.row for problem in errors if problem.row is not None}) + sum(
            problem.row is None for problem in errors
        )

    def originals(self, numbers: Container[int]) -> tuple[list[str], dict[int, list[str]]]:
        """As the manifest has these rows: its columns, and their cells by number."""
        return originals(self.bundle, self.said, numbers)


def read(path: Path, manifest: Path | None = None) -> Source:
    """What is at `path`, a folder or a zip, as its manifest says, or the one at `manifest`. Raises NotFound, Invalid,
    TooLarge when nothing of it can be read."""
    said = None
    if manifest is not None:
        try:
            said = manifest.read_bytes()
        except OSError as error:
            raise Invalid(f"{manifest} cannot be read: {error.strerror}.", remedy="Check the path.") from error
    bundle = open_bundle(path)
    try:
        items = list(rows(bundle, said))
        wanted = [item for item in items if isinstance(item, Row)]
        problems = [item for item in items if isinstance(item, Problem)]
        return Source(bundle, said, wanted, problems, _state(bundle, wanted))
    except BaseException:
        bundle.__exit__()
        raise


async def bring(
    client: AsyncClient,
    source: Source,
    *,
    records: Records | None = None,
    record: Record | None = None,
    resume: str = "",
    begun: Callable[[str], None] = lambda job: None,
    told: Told = lambda progress: None,
) -> Brought:
    """Imports a folder; `told` hears how far it is after each request, `begun` the id of its job at the start.

    Sending the same folder again changes nothing: what went in is found there. `resume`: the job of an earlier call
    that was cut off; of rows that it is done with nothing is sent again. With `records` the job is remembered as
    `record`. Raises the client's errors when the server cannot be reached for a minute, or refuses.
    """
    job = await _patient(lambda: client.import_(resume)) if resume else await _started(client, source)
    if records is not None and record is not None and not resume:
        records.begin(job.id, record)
    begun(job.id)
    wanted = [row for row in source.rows if row.number >= max(1, job.next_row)]
    counts = Counts(source, job)
    told(counts.progress)
    unread: list[Problem] = []
    if resume and records is not None:
        _, unread = _recalled(records, job.id)
    size = BATCH if any(row.file for row in wanted) else BATCH_WITHOUT_FILES
    batches = [wanted[start : start + size] for start in range(0, len(wanted), size)]
    # The next files are on their way while the server renders those before.
    ahead = _ahead(client, source.bundle, batches, 0)
    try:
        for place in range(len(batches)):
            sent, unreadable = await ahead
            unread += unreadable
            if records is not None and record is not None:
                records.note(job.id, unreadable)
            ahead = _ahead(client, source.bundle, batches, place + 1)
            counts.add(await _patient(lambda sent=sent: client.import_rows(job.id, sent)))  # type: ignore[misc]
            told(counts.progress)
    finally:
        ahead.cancel()
        await asyncio.gather(ahead, return_exceptions=True)
    return await _brought(client, job.id, source, unread)


class Counts:
    """Of the job so far, and of what stays out before it."""

    def __init__(self, source: Source, job: m.Import) -> None:
        refused = source.refused
        self.progress = Progress(
            job.created + job.existing + job.rejected + refused,
            len(source.rows) + refused,
            job.created,
            job.existing,
            job.rejected + refused,
        )

    def add(self, results: Sequence[m.RowResult]) -> None:
        of = {status: sum(one.status == status for one in results) for status in ("created", "existing", "rejected")}
        before = self.progress
        self.progress = Progress(
            before.done + len(results),
            before.total,
            before.created + of["created"],
            before.existing + of["existing"],
            before.rejected + of["rejected"],
        )


async def preview(client: AsyncClient, source: Source, *, told: Told = lambda progress: None) -> Brought:
    """What an import would do: the manifest, the first bytes and the header of each file are looked at here, and the
    server is asked what it has. Nothing is stored. What only decoding shows, such as a file cut short, is not found."""
    found = Brought(problems=list(source.problems))
    found.rejected = source.refused
    total = len(source.rows) + found.rejected
    workers, seen = Workers(), set[tuple[object, ...]]()
    size = BATCH if any(row.file for row in source.rows) else BATCH_WITHOUT_FILES
    for start in range(0, len(source.rows), size):
        batch = source.rows[start : start + size]
        hashes = await _looked(source.bundle, batch, workers, found)
        # What a file is called is nothing that the server needs for this.
        sent = [
            {**_values(row, hash), **({"file": hash[:16]} if hash else {})}
            for row in batch
            if (hash := hashes.get(row.number)) or not row.file
        ]
        by_number = {row.number: row for row in batch}
        for result in await _patient(lambda sent=sent: client.preview_rows(sent)) if sent else ():  # type: ignore[misc]
            row = by_number[result.row]
            content = hashes.get(row.number) or row.external_id or row.legend
            key = (row.doi, row.collection, content, row.label)
            again = key in seen
            seen.add(key)
            found.rejected += result.status == "rejected"
            found.existing += result.status == "existing" or (result.status == "created" and again)
            found.created += result.status == "created" and not again
            if result.problem is not None:
                found.problems.append(_problem(result.problem, row, result.status))
        told(Progress(start + len(batch) + source.refused, total, found.created, found.existing, found.rejected))
    return found


async def _looked(bundle: Bundle, batch: Sequence[Row], workers: Workers, found: Brought) -> dict[int, str]:
    """Hashes of the files that look well, by row; the others go to what is found."""
    hashes: dict[int, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        paths: dict[int, str] = {}
        for row in batch:
            if not row.file:
                continue
            try:
                path = await asyncio.to_thread(_path, bundle, row.file, Path(folder, str(row.number)))
                hashes[row.number] = await asyncio.to_thread(_digest, path)
                paths[row.number] = str(path)
            except Invalid as problem:
                found.problems.append(Problem(problem.message, problem.remedy, row.number, "file", row.file))
                found.rejected += 1
        problems = dict(zip(paths, await _headers(workers, list(paths.values())), strict=True))
    for row in batch:
        if (wrong := problems.get(row.number)) is not None:
            del hashes[row.number]
            found.problems.append(Problem(wrong.message, wrong.remedy, row.number, "file", row.file))
            found.rejected += 1
    return hashes


async def _headers(workers: Workers, paths: list[str]) -> list[Invalid | None]:
    """All at once; where that fails, one by one, so that only the culprit is blamed."""
    if not paths:
        return []
    try:
        return await workers.run(looked, paths, timeout=LOOK_SECONDS)
    except (Invalid, DeadlineExceeded) as error:
        if len(paths) == 1:
            return [error if isinstance(error, Invalid) else Invalid(error.message, remedy="Send a simpler file.")]
    return [(await _headers(workers, [path]))[0] for path in paths]


def _ahead(
    client: AsyncClient, bundle: Bundle, batches: Sequence[Sequence[Row]], place: int
) -> "asyncio.Task[tuple[list[dict[str, Any]], list[Problem]]]":
    batch = batches[place] if place < len(batches) else ()
    return asyncio.create_task(_uploaded(client, bundle, batch))


async def _uploaded(
    client: AsyncClient, bundle: Bundle, batch: Sequence[Row]
) -> tuple[list[dict[str, Any]], list[Problem]]:
    """The rows as they are sent, their files on the server where it needs them; and what is wrong with the others."""
    with tempfile.TemporaryDirectory() as folder:
        unread: list[Problem] = []
        sent: list[dict[str, Any]] = []
        paths: dict[str, Path] = {}  # by content
        for row in batch:
            digest = None
            if row.file:
                try:
                    path = await asyncio.to_thread(_path, bundle, row.file, Path(folder, str(row.number)))
                    digest = await asyncio.to_thread(_digest, path)
                    paths[digest] = path
                except Invalid as problem:
                    # Sent all the same, so that the server counts it; it refuses a file that did not come.
                    unread.append(Problem(problem.message, problem.remedy, row.number, "file", row.file))
            sent.append(_values(row, digest, paths.get(digest or "")))
        if paths:
            known = await _patient(lambda: client.preview_rows(sent))
            new = {
                values["upload"]
                for values, one in zip(sent, known, strict=True)
                if one.status == "created" and values["upload"]
            }
            wrong = dict(
                zip(new, await asyncio.gather(*(_refusal(client, paths[digest]) for digest in new)), strict=True)
            )
            for values, row in zip(sent, batch, strict=True):
                if (error := wrong.get(values["upload"])) is not None:
                    unread.append(Problem(error.detail, error.remedy, row.number, "file", row.file))
                    values["upload"] = None
        return sent, unread


async def _refusal(client: AsyncClient, path: Path) -> Refusal | None:
    """Uploads a file; what the server has against it, such as its size."""
    try:
        await _patient(lambda: client.upload(path))
    except Rejected as error:
        return error.problem
    return None


def _values(row: Row, digest: str | None, path: Path | None = None) -> dict[str, Any]:
    values = row.model_dump(exclude={"number"}, exclude_defaults=True)
    if digest is not None and path is not None and _is_dicom(path):
        values["file"] = f"{digest[:16]}.dcm"  # it may be named after the patient
    return {**values, "row": row.number, "upload": digest}


def _is_dicom(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return sniff(file.read(132)) == "dicom"
    except (Invalid, OSError):
        return False


def _path(bundle: Bundle, name: str, scratch: Path) -> Path:
    """Where the file can be read: at `scratch`, a name that is free, for a member of a zip. Raises Invalid."""
    if not isinstance(bundle, Folder):
        with scratch.open("wb") as out:
            copy(bundle, name, out)
        return scratch
    path = bundle.path(name)
    try:
        str(path).encode()
    except UnicodeEncodeError:  # libvips wants names in UTF-8
        scratch.symlink_to(path)
        return scratch
    return path


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise Invalid(
            f"It cannot be read: {error.strerror}.", field="file", remedy="Copy it again from where it came."
        ) from error


def _state(bundle: Bundle, wanted: Sequence[Row]) -> str:
    """A fingerprint of what was read: the rows, and the sizes and times of their files."""
    digest = hashlib.sha256()
    for row in wanted:
        digest.update(repr(row).encode(errors="backslashreplace"))
        if row.file and isinstance(bundle, Folder):
            try:
                found = bundle.path(row.file).stat()
            except OSError:
                continue
            digest.update(f"{found.st_size} {found.st_mtime_ns}".encode())
    return digest.hexdigest()


async def _started(client: AsyncClient, source: Source) -> m.Import:
    # A folder of DICOM is often named after the patient.
    of_dicom = await asyncio.to_thread(holds_dicom, source.bundle)
    name = f"{len(source.rows)} files" if of_dicom else source.bundle.name[:200]
    return await _patient(lambda: client.start_import(name, len(source.rows)))


def _recalled(records: Records, job: str) -> tuple[Record | None, list[Problem]]:
    try:
        return records.get(job)
    except NotFound:
        return None, []


async def _brought(client: AsyncClient, id: str, source: Source, unread: Sequence[Problem]) -> Brought:
    """As the server counted, its files named as they are here."""
    job = await _patient(lambda: client.import_(id))
    refused = source.refused
    brought = Brought(job.id, job.created, job.existing, job.rejected + refused, list(source.problems))
    here = {problem.row: problem for problem in unread}
    files = {row.number: row.file for row in source.rows}
    async for reject in client.rejects(id):
        problem = Problem(
            reject.problem, reject.remedy, reject.row, reject.field, files.get(reject.row, ""), reject.severity
        )
        brought.problems.append(here.get(reject.row, problem))
    return brought


def _problem(found: m.RowProblem, row: Row, status: str) -> Problem:
    severity: Any = "error" if status == "rejected" else "warning"
    return Problem(found.detail, found.remedy, row.number, found.field, row.file, severity)


async def _patient(call: Callable[[], Awaitable[T]]) -> T:
    """Repeatable calls: until there is an answer, or nothing was answered for a minute."""
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return await call()
        except (Unreachable, Busy) as error:
            full = isinstance(error, Busy) and error.problem.status == FULL
            if full or time.monotonic() > until:
                raise
        await asyncio.sleep(PAUSE_SECONDS)
