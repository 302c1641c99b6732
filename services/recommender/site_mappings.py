"""The site's mappings between vocabularies: importing versions, putting sets of them into use, taking them out again.

As with vocabularies (`vocabularies`, docs/decisions/0024): documents are the queue, what is in use stays so until what
replaces it is compiled, and nothing that fails changes anything. Which set is in use goes out as an event, since others
use it: exports, and the preview of a change of vocabulary (docs/decisions/0030).
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Final

import structlog

from services.recommender.loading import Library
from services.recommender.mapping_files import ImportedMappings, compile_into, import_file, import_vocabulary
from services.recommender.model import CurrentMappings, MappingSet, MappingVersion, SkippedRow, VocabularyVersion
from services.recommender.together import Together
from services.recommender.vocabularies import SiteVocabularies
from shared.access import DEFAULT_PROJECT
from shared.blobs import Blobs
from shared.clock import new_id, now
from shared.documents.port import Documents
from shared.errors import Conflict, MitaggerError, NotFound
from shared.events.mapping import MappingsActivated, MappingsUsed
from shared.vocabulary.mappings import Member
from shared.workers import GIB, Workers

MEMORY: Final = 4 * GIB  # of address space; two million mappings take about 2
IMPORT_SECONDS: Final = 900.0
COMPILE_SECONDS: Final = 900.0
SETS_KEPT: Final = 5  # whose artefacts stay here; an export keeps that which it was made with

log = structlog.get_logger()


class SiteMappings(Together[MappingVersion, MappingSet, CurrentMappings]):
    """See the module."""

    def __init__(
        self,
        documents: Documents,
        blobs: Blobs,
        library: Library,
        vocabularies: SiteVocabularies,
        wake: Callable[[], None],
    ) -> None:
        """`wake`: called when there is something to do."""
        versions = documents.collection(MappingVersion)
        super().__init__(
            versions,
            documents.collection(MappingSet),
            documents.collection(CurrentMappings),
            blobs,
            readers=(versions, documents.collection(VocabularyVersion)),
            wake=wake,
        )
        self._library = library
        self._vocabularies = vocabularies
        self._workers = Workers(1, memory=MEMORY)

    # --- versions

    async def bring(
        self, *, name: str, upload: str, file: str, release: str, least: float, activate: bool, person: str
    ) -> MappingVersion:
        """Begins to import a file that was uploaded. Raises NotFound when it was not within a day."""
        await self._blobs.uploaded(upload)
        return await self._begin_import(
            MappingVersion(
                id=new_id(),
                name=name,
                release=release,
                file=file,
                upload=upload,
                vocabulary="",
                least=least,
                activate=activate,
                person=person,
                created_at=now(),
            )
        )

    async def take(self, *, name: str, vocabulary: str, release: str, activate: bool, person: str) -> MappingVersion:
        """Begins to import what an imported vocabulary (the id of its version) says of others. Raises NotFound; Invalid
        where that is not imported."""
        source = await self._vocabularies.imported(vocabulary)
        return await self._begin_import(
            MappingVersion(
                id=new_id(),
                name=name,
                release=release or source.release,
                file=source.file,
                upload=None,
                vocabulary=vocabulary,
                least=0.0,
                activate=activate,
                person=person,
                created_at=now(),
            )
        )

    # --- sets

    async def activate(self, ids: Sequence[str], *, person: str) -> MappingSet:
        """Begins to use these versions, each in place of what has its name. Raises NotFound, Invalid."""
        versions = [await self.imported(id) for id in ids]
        base = await self._newest()
        members = {**(base.members if base else {}), **{version.name: version.id for version in versions}}
        said = ", ".join(f"{version.name} {version.release}" for version in versions)
        return await self._begin(base, members, reason=f"activated {said}", person=person)

    async def deactivate(self, name: str, *, person: str) -> MappingSet:
        """Begins to do without mappings of this name. Raises NotFound."""
        base = await self._newest()
        if base is None or name not in base.members:
            raise NotFound(f"No mappings {name[:80]!r} are in use.", remedy="List them.")
        members = {other: id for other, id in base.members.items() if other != name}
        return await self._begin(base, members, reason=f"deactivated {name}", person=person)

    async def roll_back(self, *, person: str) -> MappingSet | None:
        """Goes back to the set that was in use before the current one; None: to none. Raises Conflict when there was
        none, or it is too long ago."""
        current = await self._in_use()
        if current is None:
            raise Conflict("No mappings are in use; nothing was before.", remedy="Activate a version instead.")
        before = await self._sets.get(current.base) if current.base else None
        if before is not None and before.members and before.artefact is None:
            raise Conflict("Those mappings are no longer compiled.", remedy="Activate their versions again.")
        await self._switch(current.id, before, person)
        return await self._in_use()

    async def _begin(
        self, base: MappingSet | None, members: Mapping[str, str], *, reason: str, person: str
    ) -> MappingSet:
        return await self._begin_change(
            MappingSet(
                id=new_id(),
                members=dict(sorted(members.items())),
                reason=reason,
                base=base.id if base else "",
                person=person,
                created_at=now(),
            )
        )

    # --- work

    async def _import(self, version: MappingVersion) -> None:
        with self._blobs.folder() as folder:
            package, progress = folder / "pairs.zip", folder / "rows"
            async with AsyncExitStack() as stack:
                await stack.enter_async_context(self._imports.beating(version.id, progress))
                if version.upload is not None:
                    path = await stack.enter_async_context(self._blobs.local(version.upload))
                    imported = await self._workers.run(
                        import_file, path, version.file, version.least, package, progress, timeout=IMPORT_SECONDS
                    )
                else:
                    source = await self._vocabularies.imported(version.vocabulary)
                    path = await stack.enter_async_context(self._blobs.local(source.package or ""))
                    imported = await self._workers.run(
                        import_vocabulary, path, source.release, package, timeout=IMPORT_SECONDS
                    )
            blob = None if imported.failed else (await self._blobs.put_file(package)).sha256
        done = await self._versions.update(version.id, lambda one: (_imported(one, imported, blob), ()))
        await self._drop_upload(done)

    async def _put_into_use(self, one: MappingSet) -> None:
        if one.base != (using := await self.current()) and one.id != using:
            raise Conflict("Other mappings came into use meanwhile.", remedy="Ask for the change again.")
        async with self._changes.beating(one.id):
            artefact, pairs = await self._compile(one) if one.members else (None, 0)
        compiled = await self._sets.update(
            one.id, lambda found: (found.changed(artefact=artefact, pairs=pairs, alive_at=now()), ())
        )
        await self._switch(one.base, compiled, one.person)
        await self._sets.update(one.id, lambda found: (found.changed(state="ready"), ()))
        log.info("mappings put into use", set=one.id, reason=one.reason)
        await self._drop_artefacts()

    async def _compile(self, one: MappingSet) -> tuple[str, int]:
        site = await self._vocabularies.prepared(await self._vocabularies.current())
        names = await asyncio.to_thread(self._library.artefact, site)
        async with AsyncExitStack() as stack:
            folder = stack.enter_context(self._blobs.folder())
            versions = [await self.imported(id) for id in one.members.values()]
            members = [
                Member(
                    version.name,
                    version.release,
                    await stack.enter_async_context(self._blobs.local(version.package or "")),
                )
                for version in versions
            ]
            into = folder / "mappings.sqlite"
            pairs = await self._workers.run(compile_into, members, names, into, timeout=COMPILE_SECONDS)
            return (await self._blobs.put_file(into)).sha256, pairs

    async def _switch(self, base: str, one: MappingSet | None, person: str) -> None:
        """Uses a set in place of `base`, and says so with the same write."""
        at, members = now(), await self._members(one)

        def switched(current: CurrentMappings) -> tuple[CurrentMappings, Sequence[MappingsActivated]]:
            if current.set != base:
                return current, ()
            changed = current.changed(set=one.id if one else "", person=person, since=at)
            return changed, (_activated(changed, one, members, revision=current.version + 1),)

        await self._current.update(CurrentMappings.ID, switched, initial=CurrentMappings(id=CurrentMappings.ID))

    async def said(self) -> MappingsActivated | None:
        """What was told last of the mappings in use, with the id and revision that it had; None: nothing ever was."""
        try:
            current = await self._current.get(CurrentMappings.ID)
        except NotFound:
            return None
        one = await self._sets.get(current.set) if current.set else None
        return _activated(current, one, await self._members(one), revision=current.version)

    async def _members(self, one: MappingSet | None) -> list[MappingsUsed]:
        versions = [await self._versions.get(id) for id in one.members.values()] if one else []
        return [MappingsUsed(id=each.id, name=each.name, version=each.release) for each in versions]

    async def _drop_artefacts(self) -> None:
        """Those of older sets go, with the collector of files, unless an export names them."""
        current = await self._in_use()
        spared = {current.id, current.base} if current else set[str]()
        page = await self._sets.find({"state": "ready"}, sort=["-created_at"], limit=1000)
        for old in page.items[SETS_KEPT:]:
            if old.artefact is not None and old.id not in spared:
                await self._sets.update(old.id, lambda one: (one.changed(artefact=None), ()))


def _activated(
    current: CurrentMappings, one: MappingSet | None, members: list[MappingsUsed], *, revision: int
) -> MappingsActivated:
    return MappingsActivated(
        time=current.since or now(),
        project=DEFAULT_PROJECT,
        actor=current.person,
        revision=revision,
        set=current.set,
        artefact=one.artefact if one else None,
        members=members,
    )


def _imported(version: MappingVersion, imported: ImportedMappings, package: str | None) -> MappingVersion:
    failed: MitaggerError | None = imported.failed
    return version.changed(
        state="failed" if failed else "ready",
        problem=str(failed) if failed else "",
        release=version.release or imported.release or (f"sha256:{package[:12]}" if package else ""),
        package=package,
        format=imported.format,
        rows=imported.rows,
        mappings=imported.mappings,
        left_out=imported.left_out,
        skipped=imported.skipped,
        skipped_rows=tuple(SkippedRow(**row._asdict()) for row in imported.skipped_rows),
    )
