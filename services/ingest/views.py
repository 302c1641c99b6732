"""Figures looked at in depth: tiles, and any part at any scale, window and level, from the pixels that are kept.

What is asked for goes through three stages, each made when it is first needed: the page is prepared (a worker, once;
on disk, `services.ingest.prepared`), the part is cut (a worker), and stays in memory for who asks next. All of it goes
with its figure: every request reads the figure first, so that an erased one is never shown, and what is left of it on
other machines' disks is swept.
"""

import asyncio
import contextlib
import hashlib
import os
import shutil
import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog
from pydantic import TypeAdapter

from services.ingest.model import Figure
from services.ingest.prepared import VERSION, PreparedPages
from services.ingest.pyramid_model import Look, Prepared
from services.ingest.rendered import Format
from shared import metrics
from shared.blobs import Blobs
from shared.documents.port import Collection, Documents
from shared.errors import DeadlineExceeded, Invalid, MitaggerError, NotFound, PermanentError, Unavailable
from shared.tasks import ended
from shared.workers import Workers
from shared.zoom import Cut, tile

PREPARE_SECONDS: Final = 60.0
CUT_SECONDS: Final = 20.0
LARGEST_ANSWER: Final = 4096  # pixels, the longest side of a render
MEMORY_BYTES: Final = 64 << 20  # of tiles and renders
MOST_WAITING: Final = 256
NEARLY: Final = 0.95  # of the size that was asked for
REFUSED_SECONDS: Final = 300.0  # for which a page that cannot be prepared is not tried again
MOST_REFUSED: Final = 1_000
SWEEP_SECONDS: Final = 60.0
_AT_ONCE: Final = 200
_KINDS: Final[TypeAdapter[Format]] = TypeAdapter(Format)

log = structlog.get_logger()

Region = tuple[int, int, int, int]  # x, y, width, height in pixels of the page


@dataclass(frozen=True, slots=True)
class Source:
    """What a view of a figure is made of: a blob, and what it holds."""

    figure: Figure
    blob: str
    format: Format
    number: int

    @property
    def name(self) -> str:
        return f"{self.figure.id}.{self.blob}.{self.number}"


class Views:
    """Views of the figures of one store, made by these workers. Of its own, so that no import is in front of them."""

    def __init__(self, documents: Documents, blobs: Blobs, workers: Workers, most_bytes: int) -> None:
        self._figures: Collection[Figure] = documents.collection(Figure)
        self._blobs = blobs
        self._workers = workers
        self._pages = PreparedPages(blobs.scratch / "views", most_bytes)
        self._memory = Memory(MEMORY_BYTES)
        self._refused = _Refused()
        self._preparing: dict[str, asyncio.Task[tuple[Path, Prepared]]] = {}
        self._waiting = 0
        self._sweeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._sweeper = asyncio.create_task(self._sweep_on(), name="views")

    async def stop(self) -> None:
        await ended(*(task for task in (self._sweeper, *self._preparing.values()) if task is not None))

    async def source(self, figure: str, *, page: int = 0, frame: int = 0, waiting: bool = False) -> Source:
        """`waiting`: also of a picture in quarantine. Raises NotFound, Erased, Invalid when its picture has no such
        page or frame."""
        found = await self._figures.get(figure)
        picture = found.held if waiting else found.picture
        if picture is None:
            raise NotFound("This figure has no picture.")
        if page >= picture.pages > 0 and page:
            raise _none_such("page", page, picture.pages)
        if frame >= picture.frames > 0 and frame:
            raise _none_such("frame", frame, picture.frames)
        if picture.format != "dicom":
            return Source(found, picture.sha256, _KINDS.validate_python(picture.format), page or frame)
        if found.pixels is None:  # it came in before pixels were kept
            return Source(found, picture.display.blob, "jpeg", 0)
        return Source(found, found.pixels, "dicom", frame)

    async def about(self, source: Source) -> Prepared:
        """Prepares the page if need be. Raises what preparing it raises: Invalid, TooLarge, Unsupported,
        DeadlineExceeded."""
        return (await self._prepared(source))[1]

    async def tile(self, source: Source, look: Look, *, zoom: int, column: int, row: int) -> bytes:
        """A tile as JPEG. Raises NotFound when there is none; as `about`."""
        page = await self.about(source)
        return await self._cut(source, tile(page.width, page.height, zoom, column, row), look)

    async def render(self, source: Source, look: Look, *, region: Region | None, size: int) -> bytes:
        """A part as JPEG, its longest side at most `size` pixels (or up to 5 % less), and never larger than it is.
        Raises Invalid when the region is not within the page; as `about`."""
        page = await self.about(source)
        return await self._cut(source, scaled(page, region, size), look)

    async def forget(self, figures: Iterable[str]) -> None:
        """All that was made of them goes, from here."""
        chosen = list(figures)
        self._memory.forget(chosen)
        await asyncio.to_thread(self._pages.forget, chosen)

    async def sweep(self) -> None:
        """What was made of figures that are gone, or have another picture now, goes."""
        held = await asyncio.to_thread(self._pages.figures)
        for id in self._memory.figures():
            held.setdefault(id, set())
        ids = list(held)
        for start in range(0, len(ids), _AT_ONCE):
            some = ids[start : start + _AT_ONCE]
            there = {figure.id: _blobs_of(figure) for figure in await self._figures.get_many(some)}
            await self.forget([id for id in some if not held[id] <= there.get(id, set()) or id not in there])
        metrics.VIEWS_BYTES.set(await asyncio.to_thread(self._pages.sweep))

    async def _sweep_on(self) -> None:
        while True:
            try:
                await self.sweep()
            except (Unavailable, OSError) as error:
                log.warning("views were not swept", error=type(error).__name__)
            await asyncio.sleep(SWEEP_SECONDS)

    async def _cut(self, source: Source, part: Cut, look: Look) -> bytes:
        key = f"{part} {look.model_dump_json()}"
        known = self._memory.get(source, key)
        if known is not None:
            metrics.VIEWS.labels("memory").inc()
            return known
        with self._turn():
            for again in (True, False):
                path, page = await self._prepared(source)
                try:
                    made = await self._workers.run(cut_view, str(path), page, part, look, timeout=CUT_SECONDS)
                    break
                except FileNotFoundError:  # it had to make room, just now
                    if not again:
                        raise
        metrics.VIEWS.labels("made").inc()
        self._memory.put(source, key, made)
        return made

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        if self._waiting >= MOST_WAITING:
            raise Unavailable("views", "Too many views are being made.", remedy="Try again in a moment.")
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1

    async def _prepared(self, source: Source) -> tuple[Path, Prepared]:
        """The page and the file to cut from. However many ask for it, it is prepared once."""
        task = self._preparing.get(source.name)
        if task is None:
            self._refused.check(source.name)
            found = await asyncio.to_thread(self._find, source)
            if found is not None:
                metrics.VIEWS_PREPARED.labels("ready").inc()
                return self._where(source, *found)
            task = self._preparing.get(source.name)
        if task is None:
            task = asyncio.create_task(self._prepare(source), name="prepare")
            self._preparing[source.name] = task
            task.add_done_callback(lambda done: self._done(source.name, done))
        return await asyncio.shield(task)

    def _done(self, name: str, task: asyncio.Task[tuple[Path, Prepared]]) -> None:
        del self._preparing[name]
        error = None if task.cancelled() else task.exception()  # whoever waits is told too
        if isinstance(error, (PermanentError, DeadlineExceeded)):
            self._refused.add(name, error)

    async def _prepare(self, source: Source) -> tuple[Path, Prepared]:
        metrics.VIEWS_PREPARED.labels("made").inc()
        id, number = source.figure.id, source.number
        async with self._blobs.local(source.blob) as original:
            with self._blobs.folder() as folder:
                target = folder / "pyramid.tif"
                page = await self._workers.run(
                    prepare_view, str(original), source.format, number, str(target), timeout=PREPARE_SECONDS
                )
                if page.direct and self._blobs.path(source.blob) is None:  # the object store is too far away
                    await asyncio.to_thread(shutil.copyfile, original, target)
                made = target if target.exists() else None
                await asyncio.to_thread(self._pages.keep, id, source.blob, number, page, made)
        found = await asyncio.to_thread(self._find, source)
        if found is None:
            raise Unavailable(
                "views", "The page had to make room for others at once.", remedy="Raise MITAGGER_VIEW_BYTES."
            )
        return self._where(source, *found)

    def _find(self, source: Source) -> tuple[Path, Prepared] | None:
        copied = self._blobs.path(source.blob) is None
        return self._pages.find(source.figure.id, source.blob, source.number, copied=copied)

    def _where(self, source: Source, pyramid: Path, page: Prepared) -> tuple[Path, Prepared]:
        own = self._blobs.path(source.blob) if page.direct else None
        return own or pyramid, page


class Memory:
    """The newest answers, by figure, so that they go with it. Bounded in bytes."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._size = 0
        self._held: OrderedDict[tuple[str, str, str], bytes] = OrderedDict()

    def get(self, source: Source, key: str) -> bytes | None:
        place = (source.figure.id, source.name, key)
        found = self._held.get(place)
        if found is not None:
            self._held.move_to_end(place)
        return found

    def put(self, source: Source, key: str, content: bytes) -> None:
        place = (source.figure.id, source.name, key)
        self._size += len(content) - len(self._held.pop(place, b""))
        self._held[place] = content
        while self._size > self._most:
            self._size -= len(self._held.popitem(last=False)[1])

    def forget(self, figures: Iterable[str]) -> None:
        gone = set(figures)
        for place in [place for place in self._held if place[0] in gone]:
            self._size -= len(self._held.pop(place))

    def figures(self) -> set[str]:
        return {place[0] for place in self._held}


class _Refused:
    """Pages that could not be prepared, and why: each tile of them would cost as much again."""

    def __init__(self) -> None:
        self._until: OrderedDict[str, tuple[float, MitaggerError]] = OrderedDict()

    def add(self, name: str, error: MitaggerError) -> None:
        self._until[name] = (time.monotonic() + REFUSED_SECONDS, error)
        if len(self._until) > MOST_REFUSED:
            self._until.popitem(last=False)

    def check(self, name: str) -> None:
        """Raises what was said, while it is fresh."""
        until, error = self._until.get(name, (0.0, None))
        if error is not None and time.monotonic() < until:
            raise error
        self._until.pop(name, None)


def tag_of(source: Source, asked: str) -> str:
    """An ETag of what is asked of a source: the same pixels, asked in the same way, give the same answer."""
    return f'"{hashlib.sha256(f"{VERSION} {source.name} {asked}".encode()).hexdigest()[:32]}"'


def scaled(page: Prepared, region: Region | None, size: int) -> Cut:
    """The region (default: the whole page), its longest side at most `size` pixels. Raises Invalid when it is not
    within the page."""
    width, height = page.width, page.height
    x, y, wide, high = region or (0, 0, width, height)
    if not (wide > 0 and high > 0 and x >= 0 and y >= 0 and x + wide <= width and y + high <= height):
        raise Invalid(
            "The region is not within the picture.",
            field="region",
            remedy=f"Send x,y,width,height in pixels; the picture has {width} x {height}.",
        )
    scale = min(1.0, size / max(wide, high))
    # A level that has hardly less is taken as it is: shrinking the next one to it would cost four times as much.
    stored = [level.width / width for level in page.levels if NEARLY * scale <= level.width / width <= scale]
    scale = max(stored, default=scale)
    to_width, to_height = max(1, round(wide * scale)), max(1, round(high * scale))
    across, down = max(to_width, round(width * scale)), max(to_height, round(height * scale))
    left, top = min(round(x * scale), across - to_width), min(round(y * scale), down - to_height)
    return Cut(across, down, left, top, to_width, to_height)


def _blobs_of(figure: Figure) -> set[str]:
    """Of which views may be made."""
    picture = figure.held
    if picture is None:
        return set()
    if picture.format != "dicom":
        return {picture.sha256}
    return {figure.pixels or picture.display.blob}


def _none_such(what: str, number: int, count: int) -> NotFound:
    return NotFound(f"There is no {what} {number}.", remedy=f"The picture has {count:,}; they count from 0.")


def prepare_view(path: str, kind: Format, number: int, target: str) -> Prepared:
    from services.ingest import pyramid  # noqa: PLC0415 - libvips loads in workers only

    return pyramid.prepare(path, kind, number, target)


def cut_view(path: str, page: Prepared, part: Cut, look: Look) -> bytes:
    from services.ingest import pyramid  # noqa: PLC0415

    if not os.path.exists(path):  # libvips would not say so
        raise FileNotFoundError(path)
    return pyramid.cut(path, page, part, look)
