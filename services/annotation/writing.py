"""Every write of an assignment that is there: with its history, its figure's review, its adjudication.

A write is atomic for one document with its events. Two things span documents, both safe to break off anywhere:

- History: see `filing`.
- A verdict. The assignment decides it and says `unrecorded`; the figure's review records it with review.done; then
  `unrecorded` is cleared. Broken off between, the next command on the assignment, or the next start, goes on. The same
  way the figure's adjudication hears of what is handed over, or taken back, where several tag it.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final, TypeAlias

from services.annotation import adjudicating, reviewing, rights, telling
from services.annotation.filing import Filing
from services.annotation.model import Adjudication, Assignment, Comment, Figure, Judged, Review
from shared.access import Action, Caller
from shared.documents.port import Change, Collection, Documents
from shared.errors import Conflict, Erased, NotFound
from shared.events.envelope import Event, event_id

Changed: TypeAlias = tuple[Assignment, Sequence[Event]]

_PAGE: Final = 500


class Writing:
    """How the use cases write, over the service's documents."""

    def __init__(self, documents: Documents) -> None:
        self._figures: Collection[Figure] = documents.collection(Figure)
        self._assignments: Collection[Assignment] = documents.collection(Assignment)
        self._comments: Collection[Comment] = documents.collection(Comment)
        self._adjudications: Collection[Adjudication] = documents.collection(Adjudication)
        self._reviews: Collection[Review] = documents.collection(Review)
        self._filing = Filing(documents)

    async def allowed(self, caller: Caller, action: Action, id: str) -> Assignment:
        """The assignment, if the caller may; a verdict left half done is recorded before anything changes. Raises
        Forbidden, NotFound, Erased."""
        assignment = await self._assignments.get(id)
        rights.require(caller, action, assignment)
        return await self.settle(assignment)

    async def write(self, seen: Assignment, change: Change[Assignment], *, version: int | None = None) -> Assignment:
        """Raises Conflict: its state forbids the change, or it is not at `version` any more; then it carries the
        difference. Raises Erased, NotFound."""
        filed = await self._filing.file(seen)

        def with_history(current: Assignment) -> Changed:
            changed, events = change(current)
            if changed == current:
                return current, events
            kept = tuple(entry for entry in changed.recent if entry.number not in filed)
            written = changed.changed(recent=kept, leased_until=None)
            return written, [*events, telling.changed(written)]

        try:
            return await self.settle(await self._assignments.update(seen.id, with_history, version=version, known=seen))
        except Conflict as conflict:
            current = await self._assignments.get(seen.id)
            if version is None or version == current.version:
                raise  # not stale: its state forbids it
            wanted, _events = change(current)
            if wanted == current:
                return current  # what was asked stands already: the answer to an earlier try was lost
            raise await self._stale(current, wanted, version) from conflict
        except Erased:
            await self._filing.erase(seen.id, filed)
            raise

    async def move(self, seen: Assignment, change: Change[Assignment], *, version: int | None = None) -> Assignment:
        """As `write`; where several tag the figure, its adjudication hears of it. Raises as `write`."""
        # A trial is like any other assignment to its annotator, its versions too.
        overlapping = seen.trial is None and len(await self._overlapping(seen.figure)) > 1

        def marked(current: Assignment) -> Changed:
            changed, events = change(current)
            return (changed.changed(unrecorded=True) if overlapping and changed != current else changed), events

        return await self.write(seen, marked, version=version)

    async def judge(
        self, assignment: Assignment, judge: Callable[[Assignment], Assignment], *, version: int | None
    ) -> Assignment:
        """As `move`, to or from a verdict. Raises TooLarge: review.done must fit into an event before the verdict is
        given, for then it must be sent."""
        judged = judge(assignment)
        review = next(iter(await self._reviews.get_many([assignment.figure])), reviewing.unreviewed(assignment))
        for event in reviewing.record(review, judged)[1]:
            event.body()
        return await self.move(assignment, lambda current: (judge(current), []), version=version)

    async def _stale(self, current: Assignment, wanted: Assignment, version: int) -> Conflict:
        """The conflict of a write that saw `version`: what changed since, beside what the write wanted."""
        difference: dict[str, Any] = {}
        entries = [*await self._filing.filed(current.id, start=version + 1, limit=1000), *current.recent]
        since = [entry for entry in entries if entry.number > version]
        for key in dict.fromkeys(decided.tag.key for entry in since for decided in entry.decisions):
            mine, theirs = wanted.decided(key), current.decided(key)
            difference[f"decisions.{key}"] = {
                "yours": mine.kind if mine and mine != theirs else None,
                "theirs": theirs.kind if theirs else None,
            }
        if any(entry.state != wanted.state for entry in since):
            difference["state"] = {"yours": wanted.state, "theirs": current.state}
        difference["version"] = {"yours": version, "theirs": current.version}
        return Conflict("The assignment was changed since you loaded it.", difference=difference)

    async def settle(self, assignment: Assignment) -> Assignment:
        """Has the figure's review record a verdict that it does not have yet, and its adjudication hear of the
        assignment. Any number of times is once."""
        if not assignment.unrecorded:
            return assignment
        await self.follow(assignment)
        if judged := assignment.judged:
            await self._comments.insert_many(reasons := _reasons(assignment, judged))
            if reasons and not await self._figures.get_many([assignment.figure]):  # erased meanwhile: as a comment
                await asyncio.gather(*(self._comments.erase(reason.id) for reason in reasons))
        await self.tell(assignment.figure)
        return await self._assignments.update(
            assignment.id, lambda current: (reviewing.recorded(current, assignment), [])
        )

    async def settle_all(self) -> int:
        """What a dead process left half done. Returns how many verdicts it recorded."""
        settled = 0
        while (page := await self._assignments.find({"unrecorded": True}, limit=_PAGE)).items:
            for assignment in page.items:
                await self.settle(assignment)
            settled += len(page.items)
        return settled

    async def follow(self, assignment: Assignment) -> None:
        """Has the figure's review record the verdict, and hear who is awaited. Who reads the siblings before one of
        them is written, and the review after, looks again: so the last one is right."""
        siblings: list[Assignment] | None = None
        while siblings != (siblings := await self._overlapping(assignment.figure)):
            seen = siblings
            if assignment.judged:
                await self._reviews.update(
                    assignment.figure,
                    lambda review, seen=seen: _followed(review, assignment, seen),  # type: ignore[misc]
                    initial=reviewing.unreviewed(assignment),
                )
            elif assignment.trial is None and await self._reviews.get_many([assignment.figure]):
                with suppress(NotFound):  # erased meanwhile
                    await self._reviews.update(
                        assignment.figure,
                        lambda review, seen=seen: reviewing.follow(review, assignment, seen),  # type: ignore[misc]
                    )
            if len(seen) < 2:
                return

    async def tell(self, figure: str) -> Adjudication | None:
        """Has the figure's adjudication hear of all its assignments; null where one person has it. Raises Erased."""
        siblings = await self._overlapping(figure)
        if len(siblings) < 2:
            return None
        review = next(iter(await self._reviews.get_many([figure])), None)
        settled = review.settled.rounds if review and review.settled else {}
        return await self._adjudications.update(
            figure,
            lambda current: (adjudicating.told(current, siblings, settled), []),
            initial=adjudicating.unheard(siblings[0]),
        )

    async def _overlapping(self, figure: str) -> list[Assignment]:
        found = await self._assignments.find({"figure": figure}, limit=1000)
        return [one for one in found.items if one.trial is None]


def _followed(review: Review, assignment: Assignment, siblings: Sequence[Assignment]) -> tuple[Review, Sequence[Event]]:
    """As `reviewing.follow`; and word to those whose work was settled with the assignment's, where what came of it is
    another now."""
    done, events = reviewing.follow(review, assignment, siblings)
    judged = assignment.judged
    if judged is None or done is review:
        return done, events
    by = judged.by or assignment.reviewer
    told = [
        telling.settled(one, done.version + 1, by, judged.decided_at)
        for one in siblings
        if one.id != assignment.id and adjudicating.settled_of(one, review) != adjudicating.settled_of(one, done)
    ]
    return done, [*events, *told]


def _reasons(assignment: Assignment, judged: Judged) -> list[Comment]:
    """What a verdict says of single tags; their ids are computed, so that saying it twice is once."""
    return [
        Comment(
            id=event_id("annotation", "reason", assignment.id, judged.round, reason.key),
            project=assignment.project,
            assignment=assignment.id,
            figure=assignment.figure,
            author=judged.by or assignment.reviewer,
            at=judged.decided_at,
            text=reason.text,
            key=reason.key,
        )
        for reason in judged.reasons
    ]
