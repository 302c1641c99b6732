"""The record of administration: who did what, when, on whom. It only ever grows."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from services.gateway.model import AuditEntry, Outcome
from shared.clock import new_id, now
from shared.documents.port import Documents, Page, Range
from shared.errors import PermanentError

LONGEST_DETAIL = 200


@dataclass(slots=True)
class Act:
    """An act while it is done: what is known of it only afterwards."""

    target: str
    outcome: Outcome = "done"
    detail: dict[str, str] = field(default_factory=dict)


class Audit:
    """Over the documents port."""

    def __init__(self, documents: Documents) -> None:
        self._entries = documents.collection(AuditEntry)

    @asynccontextmanager
    async def recorded(
        self, actor: str, action: str, target: str = "", detail: Mapping[str, str] | None = None, *, project: str = ""
    ) -> AsyncIterator[Act]:
        """Around an act. The entry is written before, so that nothing is done unrecorded: where it cannot be written,
        the act is not done (Unavailable), and an entry that stays `begun` is of a process that died."""
        entry = AuditEntry(
            id=new_id(),
            at=now(),
            actor=actor,
            action=action,
            target=target,
            project=project[:LONGEST_DETAIL],
            detail=_short(detail),
        )
        await self._entries.insert(entry)
        act = Act(target, detail=dict(entry.detail))
        try:
            yield act
        except PermanentError:
            act.outcome = "refused"
            raise
        except Exception:
            act.outcome = "failed"
            raise
        finally:
            changed = {"target": act.target, "outcome": act.outcome, "detail": _short(act.detail)}
            await self._entries.update(entry.id, lambda begun: (begun.changed(**changed), ()))

    async def page(self, after: str | None, limit: int, *, since: str | None, until: str | None) -> Page[AuditEntry]:
        """Newest first; `since` <= at < `until`, ISO times in UTC."""
        where = {"at": Range(gte=since, lt=until)} if since or until else None
        return await self._entries.find(where, sort=("-at",), after=after, limit=limit)


def _short(detail: Mapping[str, str] | None) -> dict[str, str]:
    return {name: value[:LONGEST_DETAIL] for name, value in (detail or {}).items()}
