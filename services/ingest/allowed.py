"""Whether somebody may do something with what an id names, in the project that it is of."""

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from shared.access import Action, Caller


class OfProject(Protocol):
    @property
    def project(self) -> str: ...


D = TypeVar("D", bound=OfProject)


async def allowed(caller: Caller, action: Action, find: Callable[[str], Awaitable[D]], id: str) -> D:
    """What the id names. Raises Forbidden, NotFound. Who may do it nowhere learns nothing of what there is."""
    caller.require_somewhere(action)
    found = await find(id)
    caller.require(action, project=found.project)
    return found
