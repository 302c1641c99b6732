"""The site's mappings between vocabularies: importing versions, putting sets of them into use, taking them out again.

As with vocabularies (`together`, docs/decisions/0024). Which set is in use goes out as an event, since others use it:
exports, and the preview of a change of vocabulary (docs/decisions/0030).
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from services.recommender.loading import Library
from services.recommender.mapping_files import ImportedMappings, compile_into, import_file, import_vocabulary
from services.recommender.model import CurrentMappings, MappingSet, MappingVersion, VocabularyVersion
from services.recommender.together import Together
from services.recommender.vocabularies import SiteVocabularies
from shared.access import DEFAULT_PROJECT
from shared.blobs import Blobs
from shared.clock import new_id, now
from shared.documents.port import Documents
from shared.errors import Conflict, NotFound
from shared.events.mapping import MappingsActivated, MappingsUsed
from shared.vocabulary.mappings import Member
from shared.workers import GIB, Workers

MEMORY: Final = 4 * GIB  # of address space; two million mappings take about 2
IMPORT_SECONDS: Final = 900.0
COMPILE_SECONDS: Final = 900.0
SETS_KEPT: Final = 5  # whose artefacts stay here; an export keeps that which it was made with


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
        kinds = (MappingVersion, MappingSet, CurrentMappings)
        super().__init__(documents, kinds, blobs, other=VocabularyVersion, wake=wake)
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

    async def _require_usable(self, before: MappingSet | None) -> None:
        if before is not None and before.members and before.artefact is None:
            raise Conflict("Those mappings are no longer compiled.", remedy="Activate their versions again.")

    # --- work

    async def _read(self, version: MappingVersion, package: Path, progress: Path) -> ImportedMappings:
        if version.upload is not None:
            async with self._blobs.local(version.upload) as path:
                return await self._workers.run(
                    import_file, path, version.file, version.least, package, progress, timeout=IMPORT_SECONDS
                )
        source = await self._vocabularies.imported(version.vocabulary)
        async with self._blobs.local(source.package or "") as path:
            return await self._workers.run(import_vocabulary, path, source.release, package, timeout=IMPORT_SECONDS)

    async def _compiled(self, one: MappingSet) -> MappingSet:
        artefact, pairs = await self._compile(one) if one.members else (None, 0)
        return await self._sets.update(
            one.id, lambda found: (found.changed(artefact=artefact, pairs=pairs, alive_at=now()), ())
        )

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
        """Says so with the same write."""
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
