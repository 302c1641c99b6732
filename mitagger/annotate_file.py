"""A file of legends into a file of records: in worker processes, in stable order, with flat memory, resumable.

What is done is noted beside the output (`OUTPUT.progress`) once it is on the disk. After whatever end, the same call
cuts the output back to what was noted and goes on from there: nothing is lost, nothing is repeated.
"""

import asyncio
import gc
import hashlib
import os
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from io import BufferedReader
from pathlib import Path
from time import monotonic
from typing import BinaryIO, Final, NamedTuple, cast

from pydantic import BaseModel, ValidationError

from mitagger.annotate import Annotated, Narrowed, failed, is_structured, records, written
from mitagger.blocks import BROKEN, Block, Packing, blocks, packed, packing, unpacked
from services.recommender.local import LocalAnnotator
from services.recommender.profiles import PROFILES, ProfileName
from shared.errors import Conflict, DeadlineExceeded, Invalid, NotFound, Unavailable
from shared.vocabulary import defaults
from shared.workers import Workers

_NOTED_EVERY: Final = 1.0  # seconds
_LONGEST: Final = 300.0  # seconds that a block may take; usual ones take 0.1
_SKIPPED: Final = 1024**2  # bytes at once
_HASHED: Final = 64 * 1024  # bytes of the input by which it is known again


class Loading(NamedTuple):
    """Which vocabularies an annotator has (see `defaults.load`), and its profile. It can be sent to a worker."""

    cache: Path
    added: tuple[tuple[str, Path], ...]
    only: bool
    profile: ProfileName


class Files(NamedTuple):
    """Where legends come from (None: standard input), where records go and, if apart from them, errors."""

    legends: Path | None
    output: Path
    rejects: Path | None


@dataclass(frozen=True)
class Job:
    """What is done with each block."""

    loading: Loading
    narrowed: Narrowed
    output: Packing
    rejects: Packing | None  # None: errors stand among the records


class Done(NamedTuple):
    """A block as it is written, how many legends it had, and how many of them could not be annotated."""

    output: bytes
    rejects: bytes
    legends: int
    failed: int


class Progress(BaseModel):
    """How far it is: the `line` and `offset` in the unpacked input that come next, and the sizes of what is written."""

    made_by: str
    structured: bool | None = None  # not known before the first line
    line: int = 1
    offset: int = 0
    output: int = 0
    rejects: int = 0
    legends: int = 0
    failed: int = 0

    def after(self, block: Block, structured: bool, done: Done) -> "Progress":
        return Progress(
            made_by=self.made_by,
            structured=structured,
            line=block.first + len(block.lines),
            offset=block.end,
            output=self.output + len(done.output),
            rejects=self.rejects + len(done.rejects),
            legends=self.legends + done.legends,
            failed=self.failed + done.failed,
        )


Shown = Callable[[Progress, float | None], None]  # and which share of the input is read, if that is known


@lru_cache(maxsize=1)
def annotator(loading: Loading) -> LocalAnnotator:
    """Of this process. What it holds lives as long: the garbage collector need not look at it again and again."""
    made = LocalAnnotator(
        defaults.load(loading.cache, added=dict(loading.added), only=loading.only), PROFILES[loading.profile]
    )
    gc.freeze()
    gc.set_threshold(500_000)  # more than lives while a block is annotated
    return made


def annotate_block(job: Job, structured: bool, first: int, lines: list[bytes]) -> Done:
    """What lines give, the first of which has the number `first`. Workers run it."""
    return _written(job, records(lines, first, annotator(job.loading), structured=structured, narrowed=job.narrowed))


def _written(job: Job, made: Sequence[Annotated]) -> Done:
    refused = [record for record in made if "error" in record]
    rejects = b""
    if job.rejects is not None:
        rejects = packed(b"".join(map(written, refused)), job.rejects)
        output = b"".join(written(record) for record in made if "error" not in record)
    else:
        output = b"".join(map(written, made))
    return Done(packed(output, job.output), rejects, len(made), len(refused))


async def annotate_file(
    files: Files, loading: Loading, narrowed: Narrowed, *, made_by: str, workers: int, shown: Shown
) -> Progress:
    """Annotates a file into another; goes on where an earlier call ended, if one did. `made_by` names the annotator and
    what it was told; `shown` is called about once a second.

    Raises NotFound where the input cannot be read, Unavailable where the output cannot be written, Conflict where it
    exists and is not what this call had begun, Invalid where the input is damaged.
    """
    with ExitStack() as held:
        raw = held.enter_context(opened(files.legends))
        progress = _begun(files, hashlib.sha256(f"{made_by}\n{_beginning(files.legends)}".encode()).hexdigest())
        output = held.enter_context(_output(files.output, progress.output))
        rejects = held.enter_context(_output(files.rejects, progress.rejects)) if files.rejects else None
        job = Job(loading, narrowed, packing(files.output), packing(files.rejects) if files.rejects else None)
        todo = _labelled(_blocks(raw, files.legends, progress), progress.structured)
        noted = monotonic()
        try:
            async for block, structured, done in _in_order(job, todo, Workers(workers), most=3 * workers):
                output.write(done.output)
                if rejects:
                    rejects.write(done.rejects)
                progress = progress.after(block, structured, done)
                if monotonic() - noted >= _NOTED_EVERY:
                    _note(files, progress, output, rejects)
                    shown(progress, _share(raw, files.legends))
                    noted = monotonic()
        finally:
            _note(files, progress, output, rejects)
    _noted_in(files.output).unlink(missing_ok=True)
    return progress


async def _in_order(
    job: Job, todo: Iterator[tuple[Block, bool]], workers: Workers, *, most: int
) -> AsyncIterator[tuple[Block, bool, Done]]:
    """What blocks give, in their order; so many are at work or wait at once. What was begun before `todo` raised is
    given before that is raised."""
    running: deque[tuple[Block, bool, asyncio.Task[Done]]] = deque()
    broken: Invalid | None = None
    try:
        while True:
            while len(running) < most and broken is None:
                try:
                    block, structured = next(todo)
                except StopIteration:
                    break
                except Invalid as error:
                    broken = error
                    break
                work = asyncio.create_task(_annotated(job, structured, block.first, block.lines, workers))
                running.append((block, structured, work))
            if not running:
                break
            block, structured, work = running.popleft()
            yield block, structured, await work
        if broken:
            raise broken
    finally:
        for _, _, work in running:
            work.cancel()
        await asyncio.gather(*(work for _, _, work in running), return_exceptions=True)


async def _annotated(job: Job, structured: bool, first: int, lines: list[bytes], workers: Workers) -> Done:
    """One after the other where they cannot be done together, so that a line that kills its worker harms no other."""
    try:
        return await workers.run(annotate_block, job, structured, first, lines, timeout=_LONGEST)
    except (Invalid, DeadlineExceeded) as error:
        if len(lines) == 1:
            return _written(job, [failed(None if structured else str(first), first, error)])
    parts = [await _annotated(job, structured, number, [line], workers) for number, line in enumerate(lines, first)]
    return Done(
        b"".join(part.output for part in parts),
        b"".join(part.rejects for part in parts),
        sum(part.legends for part in parts),
        sum(part.failed for part in parts),
    )


def _labelled(todo: Iterator[Block], structured: bool | None) -> Iterator[tuple[Block, bool]]:
    """Blocks, and whether their lines are JSON: the first line that is not blank decides."""
    for block in todo:
        if structured is None:
            structured = is_structured(block.lines)
        yield block, bool(structured)


def _blocks(raw: BufferedReader, path: Path | None, progress: Progress) -> Iterator[Block]:
    """What is left of the input."""
    how = packing(path) if path else ""
    name = path or "Standard input"
    try:
        file = unpacked(raw, how)
        if how:
            left = progress.offset
            while left:
                skipped = len(file.read(min(left, _SKIPPED)))
                if not skipped:
                    raise Invalid(f"{name} is shorter than before.", remedy="Delete the output and begin anew.")
                left -= skipped
        elif progress.offset:
            file.seek(progress.offset)
        # What a damaged file gives before it breaks counts: read1 returns it, where read would raise.
        yield from blocks(file.read1 if how else file.read, progress.line, progress.offset)
    except BROKEN as error:
        raise Invalid(
            f"{name} is damaged: {error}.", remedy="Fetch it again; what came before is annotated."
        ) from error


def _share(raw: BufferedReader, path: Path | None) -> float | None:
    return raw.tell() / max(1, path.stat().st_size) if path else None


@contextmanager
def opened(path: Path | None) -> Iterator[BufferedReader]:
    """A file to read, or standard input. Raises NotFound."""
    if path is None:
        yield cast("BufferedReader", sys.stdin.buffer)
        return
    try:
        file = path.open("rb")
    except OSError as error:
        raise NotFound(f"{path} cannot be read: {error.strerror}.") from error
    with file:
        yield file


@contextmanager
def _output(path: Path, size: int) -> Iterator[BinaryIO]:
    """The file, cut to `size`, at its end."""
    try:
        with path.open("ab") as file:
            file.truncate(size)
            file.seek(size)
            yield file
    except OSError as error:
        raise Unavailable(
            "the output", f"{path} cannot be written: {error.strerror}.", remedy="Call it again: it then goes on."
        ) from error


def _begun(files: Files, made_by: str) -> Progress:
    """How far an earlier call came with the same. Raises Conflict where the output is of something else."""
    noted = _noted_in(files.output)
    try:
        progress = Progress.model_validate_json(noted.read_bytes())
    except FileNotFoundError:
        for path in (files.output, files.rejects):
            if path and path.exists() and path.stat().st_size:
                raise Conflict(f"{path} exists.", remedy="Delete it, or name another file.") from None
        return Progress(made_by=made_by)
    except ValidationError as error:
        raise Conflict(f"{noted} cannot be read.", remedy=f"Delete it and {files.output}, and begin anew.") from error
    short = files.output.stat().st_size < progress.output if files.output.exists() else progress.output
    if progress.made_by != made_by or short:
        raise Conflict(
            f"{files.output} was begun with another input, other options or other vocabularies, or was changed.",
            remedy=f"Delete it and {noted}, or name another file.",
        )
    return progress


def _note(files: Files, progress: Progress, output: BinaryIO, rejects: BinaryIO | None) -> None:
    """Notes how far it is, after what was written is on the disk. Standard input cannot be read again: nothing is noted
    of it."""
    for file in (output, rejects):
        if file:
            file.flush()
            os.fsync(file.fileno())
    if files.legends:
        noted = _noted_in(files.output)
        new = noted.with_name(noted.name + ".new")
        with new.open("wb") as file:
            file.write(progress.model_dump_json().encode())
            file.flush()
            os.fsync(file.fileno())
        new.replace(noted)


def _noted_in(output: Path) -> Path:
    return output.with_name(output.name + ".progress")


def _beginning(path: Path | None) -> str:
    """By which an input is known again: its name and its first bytes."""
    if path is None:
        return ""
    with path.open("rb") as file:
        return f"{path.resolve()} {hashlib.sha256(file.read(_HASHED)).hexdigest()}"
