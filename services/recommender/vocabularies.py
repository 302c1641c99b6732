"""The site's vocabularies: importing versions, putting sets of them into use, taking them out again.

An administrator's wish becomes a document at once (`VocabularyVersion`, `VocabularySet`); whichever process finds it
waiting does the work, in worker processes. What works is in use until what replaces it is compiled: nothing that fails
changes anything. docs/decisions/0024-vocabularies-of-the-site.md says why there are sets.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import structlog

from services.recommender.importing import (
    Difference,
    Imported,
    Move,
    compile_into,
    difference,
    import_file,
    moves,
)
from services.recommender.loading import Library, Member, Site
from services.recommender.model import CurrentSet, SkippedRow, VocabularySet, VocabularyVersion, Work
from shared.blobs import Blobs
from shared.clock import new_id, now
from shared.documents.port import Collection, Documents, In, Page
from shared.errors import Conflict, DeadlineExceeded, Invalid, MitaggerError, NotFound, PermanentError, TransientError
from shared.events.recommendation import Axis
from shared.vocabulary.axes import AxisTable, default_table
from shared.vocabulary.defaults import Origin
from shared.workers import GIB, Workers

MEMORY: Final = 8 * GIB  # of address space; compiling 1.2 million names takes about half
IMPORT_SECONDS: Final = 1800.0
COMPILE_SECONDS: Final = 3600.0
COMPARE_SECONDS: Final = 300.0
BEAT_SECONDS: Final = 2.0
SILENCE: Final = timedelta(seconds=30)  # after which whoever did it counts as dead
SETS_KEPT: Final = 5  # whose artefacts stay; those of older ones are compiled again if need be

log = structlog.get_logger()

W = TypeVar("W", bound=Work)


class SiteVocabularies:
    """See the module. `work` is to be called again and again."""

    def __init__(self, documents: Documents, blobs: Blobs, library: Library, wake: Callable[[], None]) -> None:
        """`wake`: called when there is something to do."""
        self._versions: Collection[VocabularyVersion] = documents.collection(VocabularyVersion)
        self._sets: Collection[VocabularySet] = documents.collection(VocabularySet)
        self._current: Collection[CurrentSet] = documents.collection(CurrentSet)
        self._blobs = blobs
        self._library = library
        self._workers = Workers(1, memory=MEMORY)
        self._wake = wake
        self._run = new_id()

    # --- versions

    async def bring(
        self, *, name: str, upload: str, file: str, release: str, axis: Axis | None, activate: bool, person: str
    ) -> VocabularyVersion:
        """Begins to import a file that was uploaded. Raises NotFound when it was not within a day."""
        await self._blobs.uploaded(upload)
        version = await self._versions.insert(
            VocabularyVersion(
                id=new_id(),
                name=name,
                release=release,
                axis=axis,
                file=file,
                upload=upload,
                activate=activate,
                person=person,
                created_at=now(),
            )
        )
        self._wake()
        return version

    async def version(self, id: str) -> VocabularyVersion:
        """Raises NotFound."""
        return await self._versions.get(id)

    async def versions(self, *, name: str = "", after: str | None, limit: int) -> Page[VocabularyVersion]:
        """The newest first."""
        where = {"name": name} if name else {}
        return await self._versions.find(where, sort=["-created_at"], after=after, limit=limit)

    async def delete(self, id: str) -> None:
        """Raises Conflict while the version is in use, on its way in, or is what a rollback goes back to."""
        version = await self._versions.get(id)
        if version.state in ("waiting", "running"):
            raise Conflict("This version is being imported.", remedy="Wait until it is there.")
        current = await self._in_use()
        using = [one async for one in self._unfinished()]
        for one in (*([current] if current else []), *using):
            if id in one.members.values():
                raise Conflict("This version is in use.", remedy="Activate another one first, or deactivate this one.")
        if current and current.base:
            before = await self._sets.get(current.base)
            if id in before.members.values():
                raise Conflict(
                    "A rollback would go back to this version.", remedy="Activate something else, then delete it."
                )
        await self._versions.erase(id)
        if version.package and not await self._versions.count({"package": version.package}):
            await self._blobs.delete(version.package)

    async def compare(self, id: str, *, against: str = "") -> Difference:
        """What changes when this version takes the place of another (default: of what is in use under its name).

        Raises NotFound; Invalid when one of them is not imported."""
        after = await self._imported(id)
        async with AsyncExitStack() as stack:
            before: Origin | None
            if against:
                before = await self._origin(stack, await self._imported(against))
            else:
                before = await self._origin_in_use(stack, after.name)
            return await self._workers.run(
                difference, before, await self._origin(stack, after), timeout=COMPARE_SECONDS
            )

    async def _imported(self, id: str) -> VocabularyVersion:
        version = await self._versions.get(id)
        if version.state != "ready":
            raise Invalid(f"This version of {version.name} is not imported.", remedy="See its state and problem.")
        return version

    async def _origin(self, stack: AsyncExitStack, version: VocabularyVersion) -> Origin:
        assert version.package is not None  # noqa: S101 - those that are ready have one
        path = await stack.enter_async_context(self._blobs.local(version.package))
        return Origin(version.name, path, version.release, version.package, imported=True)

    async def _origin_in_use(self, stack: AsyncExitStack, name: str) -> Origin | None:
        current = await self._in_use()
        if current and name in current.members:
            return await self._origin(stack, await self._versions.get(current.members[name]))
        shipped = await asyncio.to_thread(self._library.origins, Site())
        return next((one for one in shipped if one.name == name), None)

    # --- sets

    async def activate(self, ids: Sequence[str], *, person: str) -> VocabularySet:
        """Begins to put these versions into use, each in place of what has its name. Raises NotFound, Invalid."""
        versions = [await self._imported(id) for id in ids]
        base = await self._newest()
        table = base.table if base else None
        for version in versions:
            if version.axis is not None:
                table = (table or default_table()).wholly(version.name, version.axis)
            elif version.places_itself:
                table = (table or default_table()).without(version.name)
        members = {**(base.members if base else {}), **{version.name: version.id for version in versions}}
        said = ", ".join(f"{version.name} {version.release}" for version in versions)
        return await self._begin(base, members, table, reason=f"activated {said}", person=person)

    async def deactivate(self, name: str, *, person: str) -> VocabularySet:
        """Begins to do without an imported vocabulary; one that ships takes its place again. Raises NotFound."""
        base = await self._newest()
        if base is None or name not in base.members:
            raise NotFound(f"No imported vocabulary {name[:80]!r} is in use.", remedy="List them.")
        members = {other: id for other, id in base.members.items() if other != name}
        return await self._begin(base, members, base.table, reason=f"deactivated {name}", person=person)

    async def table(self) -> AxisTable:
        """The axis table in use, or on its way."""
        newest = await self._newest()
        return (newest.table if newest else None) or default_table()

    async def preview(self, table: AxisTable) -> list[Move]:
        """What another axis table would change of the vocabularies in use."""
        async with AsyncExitStack() as stack:
            site = await self.site(await self.current())
            origins = await self._origins(stack, site)
            return await self._workers.run(moves, origins, table, timeout=COMPARE_SECONDS)

    async def apply(self, table: AxisTable, *, person: str) -> VocabularySet:
        """Begins to use another axis table."""
        base = await self._newest()
        members = base.members if base else {}
        kept = None if table == default_table() else table
        return await self._begin(base, members, kept, reason="changed the axis table", person=person)

    async def roll_back_table(self, *, person: str) -> VocabularySet:
        """Begins to use the axis table that was in use before the current one, with the vocabularies of now. Raises
        Conflict when there was no other."""
        base = await self._newest()
        current = base.table if base else None
        before = base
        while before is not None and before.table == current:
            if not before.base:
                before = VocabularySet(id="", person="", created_at=before.created_at) if current else None
                break
            before = await self._sets.get(before.base)
        if base is None or before is None:
            raise Conflict("There was no other axis table before.", remedy="Apply one instead.")
        return await self._begin(base, base.members, before.table, reason="rolled back the axis table", person=person)

    async def roll_back(self) -> VocabularySet | None:
        """Goes back to the set that was in use before the current one; None: to the defaults. Raises Conflict when
        there was none, NotFound when one of its versions was deleted."""
        current = await self._in_use()
        if current is None:
            raise Conflict("Only the defaults are in use; nothing was before.", remedy="Activate a version instead.")
        await self.site(current.base)
        await self._current.update(
            CurrentSet.ID, lambda old: (old.changed(set=current.base) if old.set == current.id else old, ())
        )
        self._wake()
        return await self._in_use()

    async def get_set(self, id: str) -> VocabularySet:
        """Raises NotFound."""
        return await self._sets.get(id)

    async def sets(self, *, after: str | None, limit: int) -> Page[VocabularySet]:
        """The newest first."""
        return await self._sets.find(sort=["-created_at"], after=after, limit=limit)

    async def current(self) -> str:
        """The id of the set in use; "": the defaults."""
        try:
            return (await self._current.get(CurrentSet.ID)).set
        except NotFound:
            return ""

    async def active(self) -> frozenset[str]:
        """The ids of the versions in use."""
        current = await self._in_use()
        return frozenset(current.members.values() if current else ())

    async def _in_use(self) -> VocabularySet | None:
        id = await self.current()
        return await self._sets.get(id) if id else None

    async def _unfinished(self) -> AsyncIterator[VocabularySet]:
        page = await self._sets.find({"state": In(("waiting", "running"))}, limit=1000)
        for one in page.items:
            yield one

    async def _newest(self) -> VocabularySet | None:
        """What a change is made of: what is on its way into use, else what is."""
        coming = sorted([one async for one in self._unfinished()], key=lambda one: one.created_at)
        return coming[-1] if coming else await self._in_use()

    async def _begin(
        self,
        base: VocabularySet | None,
        members: Mapping[str, str],
        table: AxisTable | None,
        *,
        reason: str,
        person: str,
    ) -> VocabularySet:
        one = await self._sets.insert(
            VocabularySet(
                id=new_id(),
                members=dict(sorted(members.items())),
                table=table,
                reason=reason,
                base=base.id if base else "",
                person=person,
                created_at=now(),
            )
        )
        self._wake()
        return one

    # --- what is in use

    async def site(self, id: str) -> Site:
        """What a set is made of. Raises NotFound when one of its versions was deleted."""
        if not id:
            return Site()
        one = await self._sets.get(id)
        versions = [await self._imported(version) for version in one.members.values()]
        return Site(tuple(Member(each.name, each.release, each.package or "") for each in versions), one.table)

    async def prepared(self, id: str) -> Site:
        """The set, with its artefact in this process's cache. Raises NotFound, Invalid, Unavailable."""
        site = await self.site(id)
        path = await asyncio.to_thread(self._library.artefact, site)
        if path.exists():
            return site
        one = await self._sets.get(id) if id else None
        if one is not None and one.artefact is not None and one.identity == path.stem:
            async with self._blobs.local(one.artefact) as kept:
                await asyncio.to_thread(_copy, kept, path)
        else:  # the first time, or of another compiler or other defaults
            await self._compile(site, path)
        return site

    async def _compile(self, site: Site, path: Path) -> None:
        async with AsyncExitStack() as stack:
            origins = await self._origins(stack, site)
            log.info("compiling the vocabularies", cache=str(path.parent))
            await self._workers.run(compile_into, origins, path, timeout=COMPILE_SECONDS)

    async def _origins(self, stack: AsyncExitStack, site: Site) -> list[Origin]:
        """With the packages at hand until the stack ends."""
        packages = {
            member.package: await stack.enter_async_context(self._blobs.local(member.package))
            for member in site.members
        }
        return await asyncio.to_thread(self._library.origins, site, packages)

    # --- work

    async def work(self) -> bool:
        """Does what waits, or was left by a process that died; whether there was something."""
        worked = False
        for version in await self._claimed(self._versions):
            worked = True
            await self._done(self._versions, version, self._import)
        await self._activate_imported()
        for one in await self._claimed(self._sets):
            worked = True
            await self._done(self._sets, one, self._put_into_use)
        return worked

    async def _claimed(self, collection: Collection[W]) -> list[W]:
        page = await collection.find({"state": In(("waiting", "running"))}, limit=1000)
        for found in sorted(page.items, key=lambda one: one.created_at):
            claimed = await collection.update(
                found.id,
                lambda one: (
                    one.changed(state="running", run=self._run, alive_at=now()) if self._free(one) else one,
                    (),
                ),
            )
            if claimed.state == "running" and claimed.run == self._run:
                return [claimed]
            if collection is self._sets and claimed.state == "running":
                return []  # somebody is at it, and the next is made of it
        return []

    def _free(self, one: Work) -> bool:
        silent = one.alive_at is None or now() - one.alive_at > SILENCE
        return one.state == "waiting" or (one.state == "running" and (silent or one.run == self._run))

    async def _done(self, collection: Collection[W], one: W, how: Callable[[W], Awaitable[None]]) -> None:
        try:
            await how(one)
        except (PermanentError, DeadlineExceeded) as error:
            await self._fail(collection, one.id, str(error))
        except TransientError as error:
            log.warning("vocabulary waits", id=one.id, error=str(error))
            raise
        except Exception:
            log.exception("vocabulary failed", id=one.id)
            await self._fail(collection, one.id, "It failed for a reason that only the server's log tells.")

    async def _fail(self, collection: Collection[W], id: str, problem: str) -> None:
        with suppress(NotFound):
            failed = await collection.update(id, lambda one: (one.changed(state="failed", problem=problem), ()))
            if isinstance(failed, VocabularyVersion):
                await self._drop_upload(failed)

    async def _import(self, version: VocabularyVersion) -> None:
        assert version.upload is not None  # noqa: S101 - it is read before it goes
        with self._blobs.folder() as folder:
            package, progress = folder / "package.zip", folder / "rows"
            async with self._blobs.local(version.upload) as path, self._beating(self._versions, version.id, progress):
                imported = await self._workers.run(
                    import_file, path, version.file, version.name, package, progress, timeout=IMPORT_SECONDS
                )
            blob = None if imported.failed else (await self._blobs.put_file(package)).sha256
        done = await self._versions.update(version.id, lambda one: (_imported(one, imported, blob), ()))
        await self._drop_upload(done)

    async def _activate_imported(self) -> None:
        """Those that are to be as soon as they are imported."""
        page = await self._versions.find({"state": "ready", "activate": True}, limit=1000)
        for version in page.items:
            newest = await self._newest()
            if newest is None or newest.members.get(version.name) != version.id:
                await self.activate([version.id], person=version.person)
            await self._versions.update(version.id, lambda one: (one.changed(activate=False), ()))

    async def _drop_upload(self, version: VocabularyVersion) -> None:
        """Unless another import of the same file still reads it."""
        if version.upload and not await self._versions.count(
            {"state": In(("waiting", "running")), "upload": version.upload}
        ):
            await self._blobs.delete(version.upload)

    async def _put_into_use(self, one: VocabularySet) -> None:
        if one.base != (using := await self.current()) and one.id != using:
            raise Conflict("Another set came into use meanwhile.", remedy="Ask for the change again.")
        async with self._beating(self._sets, one.id):
            site = await self.site(one.id)
            path = await asyncio.to_thread(self._library.artefact, site)
            if not path.exists():
                await self._compile(site, path)
            artefact = (await self._blobs.put_file(path)).sha256
        await self._sets.update(
            one.id, lambda found: (found.changed(artefact=artefact, identity=path.stem, alive_at=now()), ())
        )
        await self._current.update(
            CurrentSet.ID,
            lambda current: (current.changed(set=one.id) if current.set == one.base else current, ()),
            initial=CurrentSet(id=CurrentSet.ID),
        )
        await self._sets.update(one.id, lambda found: (found.changed(state="ready"), ()))
        self._wake()
        log.info("vocabularies put into use", set=one.id, reason=one.reason)
        await self._drop_artefacts()

    async def _drop_artefacts(self) -> None:
        """Those of older sets go. Their packages stay, until their versions are deleted."""
        page = await self._sets.find({"state": "ready"}, sort=["-created_at"], limit=1000)
        kept = {one.artefact for one in page.items[:SETS_KEPT]}
        for old in page.items[SETS_KEPT:]:
            if old.artefact is not None and old.id != await self.current():
                await self._sets.update(old.id, lambda one: (one.changed(artefact=None), ()))
                if old.artefact not in kept:
                    await self._blobs.delete(old.artefact)

    @asynccontextmanager
    async def _beating(self, collection: Collection[W], id: str, progress: Path | None = None) -> AsyncIterator[None]:
        """Meanwhile the document says that it is alive, and how far it is."""

        async def beat() -> None:
            while True:
                await asyncio.sleep(BEAT_SECONDS)
                with suppress(TransientError):
                    await collection.update(id, partial(_alive, rows=_rows(progress) if progress else None))

        beating = asyncio.create_task(beat(), name=f"beat {id}")
        try:
            yield
        finally:
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)


def _imported(version: VocabularyVersion, imported: Imported, package: str | None) -> VocabularyVersion:
    failed: MitaggerError | None = imported.failed
    return version.changed(
        state="failed" if failed else "ready",
        problem=str(failed) if failed else "",
        release=version.release or imported.release or (f"sha256:{package[:12]}" if package else ""),
        package=package,
        format=imported.format,
        places_itself=imported.places_itself,
        rows=imported.rows,
        concepts=imported.concepts,
        names=imported.names,
        skipped=imported.skipped,
        skipped_rows=tuple(SkippedRow(**row._asdict()) for row in imported.skipped_rows),
    )


def _alive(one: W, *, rows: int | None) -> tuple[W, tuple[()]]:
    return one.changed(alive_at=now(), **({} if rows is None else {"rows": rows})), ()


def _rows(progress: Path) -> int | None:
    try:
        return int(progress.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_suffix(f".{os.getpid()}.part")
    part.write_bytes(source.read_bytes())
    part.replace(target)
