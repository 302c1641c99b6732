"""Somebody leaves a project: first they are no member any more, then their work there moves (annotation does that).

Broken off between the two, it is asked again: both steps may be done any number of times.
"""

from pydantic import BaseModel

from services.gateway.projects import Pair, ProjectsOfTheSite
from shared.access import Caller
from shared.errors import Conflict, NotFound
from shared.grants import Signer
from shared.http import Hop

SECONDS = 600.0


class Left(BaseModel):
    """What became of somebody's open work. `released`: figures that nobody has now, or are in the pool again;
    `reassigned`: those that another annotator has; `reviews`: figures that another person reviews."""

    released: int = 0
    reassigned: int = 0
    reviews: int = 0

    def __add__(self, more: "Left") -> "Left":
        return Left(
            released=self.released + more.released,
            reassigned=self.reassigned + more.reassigned,
            reviews=self.reviews + more.reviews,
        )

    @property
    def any(self) -> bool:
        return bool(self.released or self.reassigned or self.reviews)


class _Step(Left):
    """Annotation's answer. `open` and `reviewing`: what is still theirs to tag, or to review."""

    open: int
    reviewing: int


class Leaving:
    """Over the projects, and annotation behind its hop."""

    def __init__(self, projects: ProjectsOfTheSite, annotation: Hop, signer: Signer) -> None:
        self._projects = projects
        self._annotation = annotation
        self._signer = signer

    async def leave(self, caller: Caller, project: str, person: str, *, to: str | None, reviewer: str | None) -> Left:
        """`to`: an annotator who gets the open figures; null: they are released. `reviewer`: who reviews in their
        place. Raises Forbidden, NotFound, Invalid (one of these may not), Conflict (nobody would review), Unavailable.
        """
        takers = await self._projects.paired(project, [Pair(to, None)] if to else [])
        if reviewer is not None:
            await self._projects.require_reviewer(project, reviewer)
        before = await self._asked("GET", caller, project, {"person": person})
        if before.reviewing and reviewer is None:
            raise Conflict(
                f"{before.reviewing} figures wait for their review, or will.",
                remedy="Say who reviews these from now on (`reviewer`).",
            )
        try:
            await self._projects.leave(project, person)
        except NotFound:  # the account was deleted; what they had here was not
            if not before.open and not before.reviewing:
                raise
        wanted = {"person": person}
        if to is not None:
            wanted |= {"to": to, "to_reviewer": takers[0][1]}
        if reviewer is not None:
            wanted["reviewer"] = reviewer
        done = Left()
        while (step := await self._asked("POST", caller, project, wanted)).any:
            done += step
        return done

    async def _asked(self, method: str, caller: Caller, project: str, params: dict[str, str]) -> _Step:
        return await self._annotation.told(
            _Step,
            method,
            f"/internal/projects/{project}/leaving",
            otherwise="What they have could not be moved",
            token=self._signer.token(caller, self._annotation.service),
            params=params,
            seconds=SECONDS,
        )
