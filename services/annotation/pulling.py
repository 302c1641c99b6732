"""What an annotator does next: what is theirs already, or a figure of the pool.

Pulling spans two documents and is safe to break off anywhere: the figure's place in the pool says who is `claiming`
it, then the assignment is made, then the claim is closed. An open claim is completed by its owner's next request.
Giving back is removing a name from the pool, then releasing the assignment.
"""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, Final

from services.annotation import exits, telling
from services.annotation.assigning import Pair
from services.annotation.giving import Giving, new_assignment
from services.annotation.holding import Holding
from services.annotation.model import Assignment, Figure, Trial, Waiting
from services.annotation.quality import Quality
from services.annotation.sheets import Sheet, Sheets
from services.annotation.writing import Writing
from shared.access import OWN, Caller
from shared.clock import now
from shared.documents.port import Collection, Documents, Range
from shared.errors import Conflict, NotFound

LEASE_SECONDS: Final = 7200.0


class Pulling:
    """Over the service's documents."""

    def __init__(self, documents: Documents) -> None:
        self._figures: Collection[Figure] = documents.collection(Figure)
        self._assignments: Collection[Assignment] = documents.collection(Assignment)
        self._waiting: Collection[Waiting] = documents.collection(Waiting)
        self._quality = Quality(documents)
        self._holding = Holding(documents)
        self._sheets = Sheets(documents)
        self._giving = Giving(documents)
        self._writing = Writing(documents)

    async def next(self, caller: Caller, project: str) -> Sheet | None:
        """What the caller should do next: what was returned, what is begun, for a newcomer a figure to qualify with,
        else one of the pool, or gold in between; null when there is nothing. Raises Forbidden."""
        caller.require("decision.write", OWN, project)
        assignment = await self._begun(project, caller.person)
        reviewer = caller.reviewers.get(project)
        if assignment is None and reviewer is not None:
            assignment = await self._another(caller, project, Pair(caller.person, reviewer))
        return await self._sheets.of(assignment) if assignment else None

    async def give_back(self, assignment: Assignment) -> None:
        """To the pool, where its figure came from there."""
        await self._give_back(assignment.figure, assignment.annotator)

    async def _begun(self, project: str, annotator: str) -> Assignment | None:
        for state in ("returned", "open"):
            mine = await self._assignments.find(
                {"project": project, "annotator": annotator, "state": state},
                sort=("created_at", "article"),
                limit=1,
            )
            if mine.items:
                return mine.items[0]
        return None

    async def _another(self, caller: Caller, project: str, member: Pair) -> Assignment | None:
        newcomer = await self._quality.newcomer(project, member.annotator)
        if newcomer is not None and newcomer.progress.state != "passed":
            trial, figure = await self._quality.to_qualify(project, member.annotator, newcomer.progress)
            return await self._on_trial(caller, member, figure, trial)
        await self._expire(project)
        half = await self._waiting.find({"project": project, "claiming": member.annotator}, limit=1)
        for waiting in half.items:
            if assignment := await self._complete(caller, waiting, member):
                return assignment
        return await self._pulled(caller, project, member)

    async def _pulled(self, caller: Caller, project: str, member: Pair) -> Assignment | None:
        standards, me = await self._quality.standards(project), member.annotator
        gold_is_due = await self._quality.due(standards, me)
        after: str | None = None
        while True:
            page = await self._waiting.find(
                {"project": project, "open": True}, sort=("-priority", "-uncertainty"), after=after, limit=20
            )
            for waiting in page.items:
                if me in waiting.taken or waiting.claiming is not None:
                    continue
                if gold_is_due:
                    gold_is_due = False
                    spare = await self._quality.spare(standards, [Pair(me, member.reviewer)])
                    if spare[me]:
                        return await self._on_trial(caller, member, spare[me][0], Trial(purpose="measure"))
                try:
                    claimed = await self._waiting.update(waiting.id, lambda current: (_claimed(current, me), []))
                except (Conflict, NotFound):
                    continue  # somebody was faster, or it was erased
                if assignment := await self._complete(caller, claimed, member):
                    return assignment
            after = page.next
            if after is None:
                return None

    async def _complete(self, caller: Caller, waiting: Waiting, member: Pair) -> Assignment | None:
        """Makes the assignment of a claim and closes it; null when its figure is gone or the person has had it."""
        figure = next(iter(await self._figures.get_many([waiting.id])), None)
        made: list[Assignment] = []
        if figure is not None:
            at = now()
            new = new_assignment(figure, member.annotator, member.reviewer, at).changed(
                hidden=waiting.hidden, leased_until=at.timestamp() + LEASE_SECONDS
            )
            made = (await self._giving.insert(caller, [new.noted("assign", caller.person, at)])).created
        try:
            await self._waiting.update(waiting.id, lambda current: (current.changed(claiming=None), []))
        except NotFound:
            return None  # erased meanwhile, and the assignment with it
        return made[0] if made else None

    async def _on_trial(self, caller: Caller, member: Pair, figure: str, trial: Trial) -> Assignment | None:
        """Gives somebody a gold figure; whoever asks twice at once gets the same."""
        at, found = now(), await self._figures.get(figure)
        lease = at.timestamp() + LEASE_SECONDS if trial.purpose == "measure" else None
        new = new_assignment(found, member.annotator, member.reviewer, at).changed(trial=trial, leased_until=lease)
        made = (await self._giving.insert(caller, [new.noted("assign", caller.person, at)])).created
        where = {"project": found.project, "figure": figure, "annotator": member.annotator}
        return next(iter(made or (await self._assignments.find(where, limit=1)).items), None)

    async def _expire(self, project: str) -> None:
        """Gives back what was pulled and not begun in time."""
        late = await self._assignments.find(
            {"project": project, "leased_until": Range(gte=0.0, lt=now().timestamp())}, limit=20
        )
        for assignment in late.items:
            await self._give_back(assignment.figure, assignment.annotator)
            await self._release(assignment)

    async def _release(self, late: Assignment) -> None:
        at = now()
        with suppress(NotFound):  # erased meanwhile
            released = await self._assignments.update(late.id, lambda current: _expired(current, late.leased_until, at))
            await self._writing.settle(released)
            await self._holding.let_go(late.figure)

    async def _give_back(self, figure: str, annotator: str) -> None:
        with suppress(NotFound):  # it was never in the pool, or is erased
            await self._waiting.update(figure, lambda current: (_given_back(current, annotator), []))


def _claimed(waiting: Waiting, annotator: str) -> Waiting:
    if not waiting.open or waiting.claiming is not None or annotator in waiting.taken:
        raise Conflict("Somebody else was faster.")
    taken = (*waiting.taken, annotator)
    return waiting.changed(taken=taken, claiming=annotator, open=len(taken) < waiting.wanted)


def _given_back(waiting: Waiting, annotator: str) -> Waiting:
    taken = tuple(one for one in waiting.taken if one != annotator)
    claiming = None if waiting.claiming == annotator else waiting.claiming
    return waiting.changed(taken=taken, claiming=claiming, open=len(taken) < waiting.wanted)


def _expired(assignment: Assignment, lease: float | None, at: datetime) -> tuple[Assignment, Sequence[Any]]:
    if assignment.leased_until is None or assignment.leased_until != lease:
        return assignment, []  # begun in the last moment
    released, events = exits.release(assignment, assignment.annotator, at)
    written = released.changed(leased_until=None, unrecorded=True)
    return written, [*events, telling.changed(written)]
