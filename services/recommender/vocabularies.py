"""The site's vocabularies: importing versions, putting sets of them into use with an axis table (see `together`), and
what of that is compiled in this process's cache.
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
    ImportedVocabulary,
    Move,
    compile_into,
    difference,
    import_file,
    moves,
)
from services.recommender.loading import Library, Member, Site
from services.recommender.model import CurrentSet, MappingVersion, VocabularySet, VocabularyVersion
from services.recommender.together import Together
from shared.blobs import Blobs
from shared.clock import new_id, now
from shared.documents.port import Documents
from shared.errors import Conflict
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
        kinds = (VocabularyVersion, VocabularySet, CurrentSet)
        super().__init__(documents, kinds, blobs, other=MappingVersion, wake=wake)
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
        kept = None if table == default_table() else table
        return await self._begin_table(base, kept, reason="changed the axis table", person=person)

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
        return await self._begin_table(base, before.table, reason="rolled back the axis table", person=person)

    async def _begin_table(
        self, base: VocabularySet | None, table: AxisTable | None, *, reason: str, person: str
    ) -> VocabularySet:
        made = self._made_of(base, base.members if base else {}, reason=reason, person=person)
        return await self._begin(made.changed(table=table))

    def _made_of(
        self,
        base: VocabularySet | None,
        members: Mapping[str, str],
        added: Sequence[VocabularyVersion] = (),
        *,
        reason: str,
        person: str,
    ) -> VocabularySet:
        table = base.table if base else None
        for version in added:
            if version.axis is not None:
                table = (table or default_table()).wholly(version.name, version.axis)
            elif version.places_itself:
                table = (table or default_table()).without(version.name)
        return super()._made_of(base, members, added, reason=reason, person=person).changed(table=table)

    async def _require_usable(self, before: VocabularySet | None) -> None:
        await self.site(before.id if before else "")

    async def _switch(self, base: str, one: VocabularySet | None, person: str) -> None:
        id = one.id if one else ""
        await self._current.update(
            CurrentSet.ID,
            lambda current: (current.changed(set=id) if current.set == base else current, ()),
            initial=CurrentSet(id=CurrentSet.ID),
        )
        self._wake()

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

    async def _read(self, version: VocabularyVersion, package: Path, progress: Path) -> ImportedVocabulary:
        assert version.upload is not None  # noqa: S101 - it is read before it goes
        async with self._blobs.local(version.upload) as path:
            return await self._workers.run(
                import_file, path, version.file, version.name, package, progress, timeout=IMPORT_SECONDS
            )

    async def _compiled(self, one: VocabularySet) -> VocabularySet:
        site = await self.site(one.id)
        path = await asyncio.to_thread(self._library.artefact, site)
        if not path.exists():
            await self._compile(site, path)
        artefact = (await self._blobs.put_file(path)).sha256
        return await self._sets.update(
            one.id, lambda found: (found.changed(artefact=artefact, identity=path.stem, alive_at=now()), ())
        )

    async def _drop_artefacts(self) -> None:
        """Those of older sets go. Their packages stay, until their versions are deleted."""
        page = await self._sets.find({"state": "ready"}, sort=["-created_at"], limit=1000)
        kept = {one.artefact for one in page.items[:SETS_KEPT]}
        for old in page.items[SETS_KEPT:]:
            if old.artefact is not None and old.id != await self.current():
                await self._sets.update(old.id, lambda one: (one.changed(artefact=None), ()))
                if old.artefact not in kept:
                    await self._blobs.delete(old.artefact)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_suffix(f".{os.getpid()}.part")
    part.write_bytes(source.read_bytes())
    part.replace(target)
