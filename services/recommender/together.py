"""Versions that a site imported, and the sets of them that are used together: what its vocabularies and its mappings
have in common. Documents are the queue, what is in use stays so until what replaces it is compiled
(docs/decisions/0024-vocabularies-of-the-site.md).
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from services.recommender.model import CurrentlyUsed, ImportedVersion, UsedTogether
from services.recommender.queue import Queue, drop_upload
from shared.blobs import Blobs
from shared.documents.port import Collection, Page
from shared.errors import Conflict, Invalid, NotFound

V = TypeVar("V", bound=ImportedVersion)
S = TypeVar("S", bound=UsedTogether)
C = TypeVar("C", bound=CurrentlyUsed)


class Together(ABC, Generic[V, S, C]):
    """`work` is to be called again and again."""

    def __init__(
        self,
        versions: Collection[V],
        sets: Collection[S],
        current: Collection[C],
        blobs: Blobs,
        *,
        readers: Sequence[Collection[Any]],
        wake: Callable[[], None],
    ) -> None:
        """`readers`: versions that may be made of the same upload; `wake`: called when there is something to do."""
        self._versions = versions
        self._sets = sets
        self._current = current
        self._blobs = blobs
        self._readers = readers
        self._wake = wake
        self._imports = Queue(versions, failed=self._drop_upload)
        self._changes = Queue(sets, one_at_a_time=True)

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

    @abstractmethod
    async def activate(self, ids: Sequence[str], *, person: str) -> S:
        """Begins to use these versions, each in place of what has its name. Raises NotFound, Invalid."""

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

    async def _begin_change(self, one: S) -> S:
        stored = await self._sets.insert(one)
        self._wake()
        return stored

    # --- work

    async def work(self) -> bool:
        """Does what waits, or was left by a process that died; whether there was something."""
        imported = await self._imports.work(self._import)
        await self._activate_imported()
        return await self._changes.work(self._put_into_use) or imported

    @abstractmethod
    async def _import(self, version: V) -> None: ...

    @abstractmethod
    async def _put_into_use(self, one: S) -> None: ...

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
