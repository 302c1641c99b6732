"""How a process stands: what it says at /readyz, and what the gateway gathers from all of them."""

from datetime import datetime

from pydantic import BaseModel

from shared.bus.port import Progress
from shared.clock import now
from shared.engine import Engine
from shared.errors import TransientError
from shared.readiness import Readiness

OUTBOX = "outbox"  # stands for a group in progress: a service that has not told its events yet


class GroupProgress(BaseModel):
    """How far a group is on a topic; of the group "outbox": how many documents of a service have events to tell."""

    group: str
    topic: str
    behind: int
    moved_at: datetime | None
    waiting_for: str


class Standing(BaseModel):
    """Whether a process can do its work; `problems` says what is wrong, a sentence each."""

    ready: bool
    problems: list[str]
    progress: list[GroupProgress] = []


class Watch:
    """Looks at the process of the service `name`."""

    def __init__(self, engine: Engine, name: str) -> None:
        self._engine = engine
        self._name = name
        self._readiness = Readiness()

    async def look(self) -> Standing:
        """An engine that is down is a problem of the process, not of asking for it."""
        outbox = self._engine.outbox
        try:
            waiting = Progress(OUTBOX, self._name, await outbox.pending(), outbox.moved_at, outbox.waiting_for)
            progress = await self._engine.bus.progress()
        except TransientError as error:
            return Standing(ready=False, problems=[error.message])
        if waiting.behind or waiting.waiting_for:
            progress.append(waiting)
        problems = self._readiness.problems(progress, now())
        shown = [GroupProgress.model_validate(each, from_attributes=True) for each in progress]
        return Standing(ready=not problems, problems=problems, progress=shown)
