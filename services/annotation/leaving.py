"""Somebody leaves a project: their open figures go back or to another annotator, their reviews to another reviewer.

What they submitted stays in review, what was approved stays as it is; tags stay under the pseudonym. Every step may
be broken off and done again: what has moved already is not theirs any more.
"""

from dataclasses import dataclass
from typing import Final

from services.annotation.assigning import Pair
from services.annotation.giving import Giving
from services.annotation.model import Assignment
from services.annotation.moving import OPEN, Chosen, Moving, of
from shared.access import Caller
from shared.documents.port import Collection, Documents, In, Where

AT_ONCE: Final = 500
# What somebody still has, or may get, to review.
REVIEWED: Final = (*OPEN, "submitted")


@dataclass(frozen=True, slots=True)
class Left:
    """What a step moved, and what is left to move."""

    released: int
    reassigned: int
    reviews: int
    open: int
    reviewing: int


class Leaving:
    """The use cases over the service's documents."""

    def __init__(self, documents: Documents, moving: Moving) -> None:
        self._assignments: Collection[Assignment] = documents.collection(Assignment)
        self._giving = Giving(documents)
        self._moving = moving

    async def left(self, caller: Caller, project: str, person: str) -> Left:
        """What somebody has. Raises Forbidden."""
        caller.require("member.write", project=project)
        return await self._moved(project, person)

    async def move(self, caller: Caller, project: str, person: str, *, to: Pair | None, reviewer: str | None) -> Left:
        """Moves at most `AT_ONCE` figures of each kind. `to`: who gets the open ones; null: nobody, they are released.
        `reviewer`: who reviews from now on; null: reviews stay. Raises Forbidden."""
        caller.require("member.write", project=project)
        released = reassigned = reviews = 0
        for assignment in await self._of(of(project, Chosen(person))):
            handed = await self._moving.hand_on(caller, assignment, to)
            reassigned += handed
            released += not handed
        if reviewer is not None:
            for assignment in await self._of(_reviewed(project, person)):
                await self._giving.review_by(caller, assignment, reviewer)
                reviews += 1
        return await self._moved(project, person, released, reassigned, reviews)

    async def _moved(self, project: str, person: str, released: int = 0, reassigned: int = 0, reviews: int = 0) -> Left:
        return Left(
            released,
            reassigned,
            reviews,
            await self._assignments.count(of(project, Chosen(person))),
            await self._assignments.count(_reviewed(project, person)),
        )

    async def _of(self, where: Where) -> list[Assignment]:
        return (await self._assignments.find(where, limit=AT_ONCE)).items


def _reviewed(project: str, person: str) -> Where:
    return {"project": project, "reviewer": person, "state": In(REVIEWED)}
