"""The site's vocabularies: importing versions, putting sets of them into use, taking them out again.

An administrator's wish becomes a document at once (`VocabularyVersion`, `VocabularySet`); whichever process finds it
waiting does the work, in worker processes. What works is in use until what replaces it is compiled: nothing that fails
changes anything. docs/decisions/0024-vocabularies-of-the-site.md says why there are sets.
"""

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

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
from services.recommender.model import CurrentSet, MappingVersion, SkippedRow, VocabularySet, VocabularyVersion
from services.recommender.together import Together
from shared.blobs import Blobs
from shared.clock import new_id, now
from shared.documents.port import Documents
from shared.errors import Conflict, MitaggerError, NotFound
from shared.events.recommendation import Axis
from shared.vocabulary.axes import AxisTable, default_table
from shared.vocabulary.defaults import Origin
from shared.workers import GIB, Workers

MEMORY: Final = 8 * GIB  # of address space; compiling 1.2 million names takes about half
IMPORT_SECONDS: Final = 1800.0
COMPILE_SECONDS: Final = 3600.0
COMPARE_SECONDS: Final = 300.0
SETS_KEPT: Final = 5  # whose artefacts stay; those of older ones are compiled again if need be

log = structlog.get_logger()


class SiteVocabularies(Together[VocabularyVersion, VocabularySet, CurrentSet]):
    """See the module."""

    def __init__(self, documents: Documents, blobs: Blobs, library: Library, wake: Callable[[], None]) -> None:
        """`wake`: called when there is something to do."""
        versions = documents.collection(VocabularyVersion)
        super().__init__(
            versions,
            documents.collection(VocabularySet),
            documents.collection(CurrentSet),
            blobs,
            readers=(versions, documents.collection(MappingVersion)),
            wake=wake,
        )
        self._library = library
        self._workers = Workers(1, memory=MEMORY)

    # --- versions

    async def bring(
        self, *, name: str, upload: str, file: str, release: str, axis: Axis | None, activate: bool, person: str
    ) -> VocabularyVersion:
        """Begins to import a file that was uploaded. Raises NotFound when it was not within a day."""
        await self._blobs.uploaded(upload)
        return await self._begin_import(
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

    async def compare(self, id: str, *, against: str = "") -> Difference:
        """What changes when this version takes the place of another (default: of what is in use under its name).

        Raises NotFound; Invalid when one of them is not imported."""
        after = await self.imported(id)
        async with AsyncExitStack() as stack:
            before: Origin | None
            if against:
                before = await self._origin(stack, await self.imported(against))
            else:
                before = await self._origin_in_use(stack, after.name)
            return await self._workers.run(
                difference, before, await self._origin(stack, after), timeout=COMPARE_SECONDS
            )

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
        versions = [await self.imported(id) for id in ids]
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

    async def _begin(
        self,
        base: VocabularySet | None,
        members: Mapping[str, str],
        table: AxisTable | None,
        *,
        reason: str,
        person: str,
    ) -> VocabularySet:
        return await self._begin_change(
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

    # --- what is in use

    async def site(self, id: str) -> Site:
        """What a set is made of. Raises NotFound when one of its versions was deleted."""
        if not id:
            return Site()
        one = await self._sets.get(id)
        versions = [await self.imported(version) for version in one.members.values()]
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

    async def _import(self, version: VocabularyVersion) -> None:
        assert version.upload is not None  # noqa: S101 - it is read before it goes
        with self._blobs.folder() as folder:
            package, progress = folder / "package.zip", folder / "rows"
            async with self._blobs.local(version.upload) as path, self._imports.beating(version.id, progress):
                imported = await self._workers.run(
                    import_file, path, version.file, version.name, package, progress, timeout=IMPORT_SECONDS
                )
            blob = None if imported.failed else (await self._blobs.put_file(package)).sha256
        done = await self._versions.update(version.id, lambda one: (_imported(one, imported, blob), ()))
        await self._drop_upload(done)

    async def _put_into_use(self, one: VocabularySet) -> None:
        if one.base != (using := await self.current()) and one.id != using:
            raise Conflict("Another set came into use meanwhile.", remedy="Ask for the change again.")
        async with self._changes.beating(one.id):
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


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_suffix(f".{os.getpid()}.part")
    part.write_bytes(source.read_bytes())
    part.replace(target)
