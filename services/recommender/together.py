"""Versions that a site imported, and the sets of them that are used together: what its vocabularies and its mappings
have in common.

An administrator's wish becomes a document at once; whichever process finds it waiting does the work, in worker
processes. What is in use stays so until what replaces it is compiled: nothing that fails changes anything.
docs/decisions/0024-vocabularies-of-the-site.md says why there are sets.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, Generic, TypeVar

import structlog

from services.recommender.importing import Imported
from services.recommender.model import CurrentlyUsed, ImportedVersion, SkippedRow, UsedTogether
from services.recommender.queue import Queue, drop_upload
from shared.blobs import Blobs
from shared.clock import new_id, now
from shared.documents.port import Collection, Documents, Page
from shared.errors import Conflict, Invalid, NotFound

log = structlog.get_logger()

V = TypeVar("V", bound=ImportedVersion)
S = TypeVar("S", bound=UsedTogether)
C = TypeVar("C", bound=CurrentlyUsed)


class Together(ABC, Generic[V, S, C]):
    """`work` is to be called again and again."""

    def __init__(
        self,
        documents: Documents,
        kinds: tuple[type[V], type[S], type[C]],
        blobs: Blobs,
        *,
        other: type[ImportedVersion],
        wake: Callable[[], None],
    ) -> None:
        """`other`: versions that may be made of the same upload; `wake`: called when there is something to do."""
        version, self._set, current = kinds
        self._versions: Collection[V] = documents.collection(version)
        self._sets: Collection[S] = documents.collection(self._set)
        self._current: Collection[C] = documents.collection(current)
        self._blobs = blobs
        self._readers: tuple[Collection[Any], ...] = (self._versions, documents.collection(other))
        self._wake = wake
        self._imports = Queue(self._versions, failed=self._drop_upload)
        self._changes = Queue(self._sets, one_at_a_time=True)

    # --- versions

    async def version(self, id: str) -> V:
        """Raises NotFound."""
        return await self._versions.get(id)

    async def versions(self, *, name: str = "", after: str | None, limit: int) -> Page[V]:
        """The newest first."""
        where = {"name": name} if name else {}
        return await self._versions.find(where, sort=["-created_at"], after=after, limit=limit)

    async def imported(self, id: str) -> V:
        """Raises NotFound; Invalid when it is not ready."""
        version = await self._versions.get(id)
        if version.state != "ready":
            raise Invalid(f"This version of {version.name} is not imported.", remedy="See its state and problem.")
        return version

    async def delete(self, id: str) -> None:
        """Raises Conflict while the version is in use, on its way in, or is what a rollback goes back to."""
        version = await self._versions.get(id)
        if version.state in ("waiting", "running"):
            raise Conflict("This version is being imported.", remedy="Wait until it is there.")
        current = await self._in_use()
        for one in (*([current] if current else []), *await self._changes.unfinished()):
            if id in one.members.values():
                raise Conflict("This version is in use.", remedy="Activate another one first, or deactivate this one.")
        if current and current.base and id in (await self._sets.get(current.base)).members.values():
            raise Conflict(
                "A rollback would go back to this version.", remedy="Activate something else, then delete it."
            )
        await self._versions.erase(id)
        if version.package and not await self._versions.count({"package": version.package}):
            await self._blobs.delete(version.package)

    async def _begin_import(self, version: V) -> V:
        stored = await self._versions.insert(version)
        self._wake()
        return stored

    # --- sets

    async def activate(self, ids: Sequence[str], *, person: str) -> S:
        """Begins to use these versions, each in place of what has its name. Raises NotFound, Invalid."""
        versions = [await self.imported(id) for id in ids]
        base = await self._newest()
        members = {**(base.members if base else {}), **{version.name: version.id for version in versions}}
        said = ", ".join(f"{version.name} {version.release}" for version in versions)
        return await self._begin(self._made_of(base, members, versions, reason=f"activated {said}", person=person))

    async def deactivate(self, name: str, *, person: str) -> S:
        """Begins to do without what was imported under a name; a vocabulary of that name that ships takes its place
        again. Raises NotFound."""
        base = await self._newest()
        if base is None or name not in base.members:
            raise NotFound(f"Nothing that was imported as {name[:80]!r} is in use.", remedy="List what is.")
        members = {other: id for other, id in base.members.items() if other != name}
        return await self._begin(self._made_of(base, members, reason=f"deactivated {name}", person=person))

    async def roll_back(self, *, person: str) -> S | None:
        """Goes back to the set that was in use before the current one; None: to none of the site's own. Raises Conflict
        when there was none, Conflict or NotFound when it cannot be used any more."""
        current = await self._in_use()
        if current is None:
            raise Conflict(
                "Nothing that was imported is in use; nothing was before.", remedy="Activate a version instead."
            )
        before = await self._sets.get(current.base) if current.base else None
        await self._require_usable(before)
        await self._switch(current.id, before, person)
        return await self._in_use()

    async def get_set(self, id: str) -> S:
        """Raises NotFound."""
        return await self._sets.get(id)

    async def sets(self, *, after: str | None, limit: int) -> Page[S]:
        """The newest first."""
        return await self._sets.find(sort=["-created_at"], after=after, limit=limit)

    async def current(self) -> str:
        """The id of the set in use; "": none of the site's own."""
        try:
            return (await self._current.get(CurrentlyUsed.ID)).set
        except NotFound:
            return ""

    async def active(self) -> frozenset[str]:
        """The ids of the versions in use."""
        current = await self._in_use()
        return frozenset(current.members.values() if current else ())

    async def _in_use(self) -> S | None:
        id = await self.current()
        return await self._sets.get(id) if id else None

    async def _newest(self) -> S | None:
        """What a change is made of: what is on its way into use, else what is."""
        coming = await self._changes.unfinished()
        return coming[-1] if coming else await self._in_use()

    def _made_of(
        self, base: S | None, members: Mapping[str, str], added: Sequence[V] = (), *, reason: str, person: str
    ) -> S:
        """The set that takes the place of `base`; `added`: the versions that come in."""
        return self._set(
            id=new_id(),
            members=dict(sorted(members.items())),
            reason=reason,
            base=base.id if base else "",
            person=person,
            created_at=now(),
        )

    async def _begin(self, one: S) -> S:
        stored = await self._sets.insert(one)
        self._wake()
        return stored

    @abstractmethod
    async def _require_usable(self, before: S | None) -> None:
        """Raises Conflict or NotFound where nothing can go back to this set; None: that of none of the site's own."""

    @abstractmethod
    async def _switch(self, base: str, one: S | None, person: str) -> None:
        """Uses a set in place of `base`, unless another took that place meanwhile."""

    # --- work

    async def work(self) -> bool:
        """Does what waits, or was left by a process that died; whether there was something."""
        imported = await self._imports.work(self._import)
        await self._activate_imported()
        return await self._changes.work(self._put_into_use) or imported

    async def _import(self, version: V) -> None:
        with self._blobs.folder() as folder:
            package, progress = folder / "package.zip", folder / "rows"
            async with self._imports.beating(version.id, progress):
                imported = await self._read(version, package, progress)
            blob = None if imported.failed else (await self._blobs.put_file(package)).sha256
        done = await self._versions.update(version.id, lambda one: (_imported(one, imported, blob), ()))
        await self._drop_upload(done)

    @abstractmethod
    async def _read(self, version: V, package: Path, progress: Path) -> Imported:
        """Makes the package of what was sent; `progress` holds the rows read so far, in decimal."""

    async def _put_into_use(self, one: S) -> None:
        if one.base != (using := await self.current()) and one.id != using:
            raise Conflict("Another set came into use meanwhile.", remedy="Ask for the change again.")
        async with self._changes.beating(one.id):
            compiled = await self._compiled(one)
        await self._switch(one.base, compiled, one.person)
        await self._sets.update(one.id, lambda found: (found.changed(state="ready"), ()))
        self._wake()
        log.info("put into use", set=one.id, reason=one.reason)
        await self._drop_artefacts()

    @abstractmethod
    async def _compiled(self, one: S) -> S:
        """The set, with its artefact, as it is stored."""

    @abstractmethod
    async def _drop_artefacts(self) -> None:
        """Those of older sets go."""

    async def _activate_imported(self) -> None:
        """Those that are to be as soon as they are imported."""
        page = await self._versions.find({"state": "ready", "activate": True}, limit=1000)
        for version in page.items:
            newest = await self._newest()
            if newest is None or newest.members.get(version.name) != version.id:
                await self.activate([version.id], person=version.person)
            await self._versions.update(version.id, lambda one: (one.changed(activate=False), ()))

    async def _drop_upload(self, version: V) -> None:
        await drop_upload(version.upload, self._readers, self._blobs)


def _imported(version: V, imported: Imported, package: str | None) -> V:
    """`imported` names what was read as the document does."""
    read = {field.name: getattr(imported, field.name) for field in fields(imported) if field.name != "failed"}
    return version.changed(
        **{
            **read,
            "state": "failed" if imported.failed else "ready",
            "problem": str(imported.failed) if imported.failed else "",
            "release": version.release or imported.release or (f"sha256:{package[:12]}" if package else ""),
            "package": package,
            "skipped_rows": tuple(SkippedRow(**row._asdict()) for row in imported.skipped_rows),
        }
    )
