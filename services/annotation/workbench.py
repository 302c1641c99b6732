"""What people do with assignments: assign, decide, submit, review, read. Every rule of access is asked here.

A write is atomic for one document with its events. Two things span documents, both safe to break off anywhere:

- History. A write leaves its entry in the assignment (`recent`). When `RECENT` have gathered, the next write first
  files them as documents of their own, whose ids are computed, then drops them; broken off between, they are filed
  again.
- A verdict. The assignment decides it and says `unrecorded`; the figure's review records it with review.done; then
  `unrecorded` is cleared. Broken off between, the next command on the assignment, or the next start, goes on.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias

from services.annotation import exits, reviewing, tagging
from services.annotation.model import (
    Assignment,
    Comment,
    ConcernReason,
    Decided,
    Entry,
    Figure,
    Guidelines,
    HistoryEntry,
    Recommendations,
    Review,
    State,
)
from shared.access import DEFAULT_PROJECT, Action, Caller, Relation
from shared.clock import new_id, now
from shared.documents.port import Change, Collection, Documents, In, Page, Range
from shared.errors import Conflict, Duplicate, Erased, Forbidden, Invalid, NotFound, TooLarge
from shared.events.envelope import Event
from shared.events.recommendation import Recommendation
from shared.events.review import Verdict

Changed: TypeAlias = tuple[Assignment, Sequence[Event]]

RECENT: Final = 8
ASSIGNED_AT_ONCE: Final = 5_000
MAX_SHOWN_BYTES: Final = 64_000
MAX_COMMENTS: Final = 500  # of one assignment
_PAGE: Final = 500
_OF_PROJECT: Final = {"project": DEFAULT_PROJECT}


@dataclass(frozen=True, slots=True)
class Assigned:
    """What an order to assign came to. `more`: there may be further figures, give the order again."""

    created: list[Assignment]
    existing: int
    more: bool


@dataclass(frozen=True, slots=True)
class Sheet:
    """All that an annotator or reviewer looks at. `recommendations` is null until they have arrived."""

    assignment: Assignment
    figure: Figure
    recommendations: Recommendations | None


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of assignments with their figures, and how many there are in each state."""

    page: Page[Assignment]
    figures: dict[str, Figure]
    counts: dict[str, int]


class Workbench:
    """The use cases over the service's documents."""

    def __init__(self, documents: Documents) -> None:
        self._figures: Collection[Figure] = documents.collection(Figure)
        self._recommendations: Collection[Recommendations] = documents.collection(Recommendations)
        self._assignments: Collection[Assignment] = documents.collection(Assignment)
        self._history: Collection[HistoryEntry] = documents.collection(HistoryEntry)
        self._guidelines: Collection[Guidelines] = documents.collection(Guidelines)
        self._comments: Collection[Comment] = documents.collection(Comment)
        self._reviews: Collection[Review] = documents.collection(Review)

    # Assigning

    async def assign_figures(self, caller: Caller, figures: Sequence[str], annotator: str, reviewer: str) -> Assigned:
        """All of these figures, or none. Raises Invalid, NotFound or Erased where one is not there."""
        self._may_assign(caller, annotator, reviewer)
        wanted = list(dict.fromkeys(figures))
        known = await self._figures.get_many(wanted)
        if len(known) < len(wanted):
            found = {figure.id for figure in known}
            missing = next(id for id in wanted if id not in found)
            await self._figure(missing)
        return await self._assign(caller, known, annotator, reviewer)

    async def assign_article(self, caller: Caller, article: str, annotator: str, reviewer: str) -> Assigned:
        """All figures of an article or collection that are there so far. Raises Invalid, NotFound."""
        self._may_assign(caller, annotator, reviewer)
        where = {"project": DEFAULT_PROJECT, "article.id": article}
        if not await self._figures.count(where):
            raise NotFound(
                f"No figure of the article {article} has arrived.",
                remedy="Check the id; if you have just sent its figures, try again in a moment.",
            )
        return await self._assign_all(caller, where, annotator, reviewer, unassigned_only=False)

    async def assign_unassigned(self, caller: Caller, annotator: str, reviewer: str) -> Assigned:
        """All figures that nobody has. Raises Invalid."""
        self._may_assign(caller, annotator, reviewer)
        return await self._assign_all(caller, {"project": DEFAULT_PROJECT}, annotator, reviewer, unassigned_only=True)

    async def release(self, caller: Caller, id: str, *, version: int | None = None) -> Assignment:
        """Takes it from its annotator. Raises Conflict when it is approved, Forbidden, NotFound, Erased."""
        assignment = await self._allowed(caller, "assignment.create", id)
        at = now()
        return await self._write(assignment, lambda current: exits.release(current, caller.person, at), version=version)

    # Deciding

    async def decide(
        self,
        caller: Caller,
        id: str,
        command: tagging.Accept | tagging.Reject | tagging.Add | tagging.Withdraw,
        *,
        version: int | None = None,
    ) -> Sheet:
        """Saves a decision. Raises Conflict (stale, or closed), Forbidden, Invalid, NotFound, Erased."""
        seen = await self.sheet_of(await self._allowed(caller, "decision.write", id))
        guidelines = next(iter((await self._guidelines.find(_OF_PROJECT, sort=("-number",), limit=1)).items), None)
        number = guidelines.number if guidelines else None
        recommended = _recommended(seen, command) if isinstance(command, tagging.Accept | tagging.Reject) else None
        at = now()
        written = await self._write(
            seen.assignment,
            lambda current: _under(number, current, tagging.decide(current, command, recommended, at)),
            version=version,
        )
        return replace(seen, assignment=written)

    async def step(
        self, caller: Caller, id: str, way: Literal["undo", "redo"], *, version: int | None = None
    ) -> Assignment:
        """Takes the last decision back, or does it again. Raises Conflict, Forbidden, NotFound, Erased."""
        assignment = await self._allowed(caller, "decision.write", id)
        at, stepped = now(), tagging.undo if way == "undo" else tagging.redo
        return await self._write(assignment, lambda current: stepped(current, at), version=version)

    async def skip(
        self, caller: Caller, id: str, reason: ConcernReason, comment: str, *, version: int | None = None
    ) -> Assignment:
        """Puts it aside for an administrator. Raises Conflict, Forbidden, NotFound, Erased."""
        assignment = await self._allowed(caller, "decision.write", id)
        at = now()
        return await self._write(
            assignment, lambda current: (exits.skip(current, reason, comment, at), []), version=version
        )

    async def flag(
        self, caller: Caller, id: str, reason: ConcernReason, comment: str, *, version: int | None = None
    ) -> Assignment:
        """Tells an administrator of a concern. Raises Conflict, Forbidden, NotFound, Erased."""
        assignment = await self._allowed(caller, "decision.write", id)
        at = now()
        return await self._write(
            assignment, lambda current: (exits.flag(current, reason, comment, at), []), version=version
        )

    async def unflag(self, caller: Caller, id: str, *, version: int | None = None) -> Assignment:
        """The concern was dealt with. Raises Conflict, Forbidden, NotFound, Erased."""
        assignment = await self._allowed(caller, "concern.settle", id)
        at = now()
        return await self._write(
            assignment, lambda current: (exits.unflag(current, caller.person, at), []), version=version
        )

    async def recall(self, caller: Caller, id: str, *, version: int | None = None) -> Assignment:
        """Takes back what was submitted or skipped. Raises Conflict, Forbidden, NotFound, Erased."""
        assignment = await self._allowed(caller, "decision.write", id)
        at = now()
        return await self._write(assignment, lambda current: (exits.recall(current, at), []), version=version)

    async def submit(
        self, caller: Caller, id: str, *, no_tag_applies: bool = False, version: int | None = None
    ) -> Assignment:
        """Hands it to its reviewer. Raises Conflict, Forbidden, Invalid, NotFound, Erased."""
        assignment = await self._allowed(caller, "decision.write", id)
        at = now()
        return await self._write(
            assignment, lambda current: (reviewing.submit(current, no_tag_applies, at), []), version=version
        )

    async def review(
        self, caller: Caller, id: str, verdict: Verdict, comment: str, *, version: int | None = None
    ) -> Assignment:
        """Approves or returns it, and has the figure's review record that. Raises Conflict, Forbidden, Invalid,
        NotFound, Erased, TooLarge."""
        assignment = await self._allowed(caller, "review.write", id)
        at = now()
        # review.done must fit into an event before the verdict is given, for then it must be sent.
        judged = reviewing.judge(assignment, verdict, comment, at)
        review = next(iter(await self._reviews.get_many([assignment.figure])), _no_review(assignment))
        for event in reviewing.record(review, judged)[1]:
            event.body()
        written = await self._write(
            assignment, lambda current: (reviewing.judge(current, verdict, comment, at), []), version=version
        )
        return await self.settle(written)

    async def begin_review(self, caller: Caller, id: str, *, version: int | None = None) -> Assignment:
        """From now on the annotator cannot recall it. Raises Conflict, Forbidden, NotFound, Erased."""
        assignment = await self._allowed(caller, "review.write", id)
        at = now()
        return await self._write(assignment, lambda current: (reviewing.begin(current, at), []), version=version)

    async def reopen(self, caller: Caller, id: str, reason: str, *, version: int | None = None) -> Assignment:
        """Gives an approved one back to its annotator. Raises Conflict, Forbidden, Invalid, NotFound, Erased."""
        assignment = await self._allowed(caller, "assignment.reopen", id)
        at = now()
        written = await self._write(
            assignment, lambda current: reviewing.reopen(current, caller.person, reason, at), version=version
        )
        return await self.settle(written)

    async def comment(self, caller: Caller, id: str, text: str, key: str | None, thread: str | None) -> Comment:
        """Says something of the assignment or one of its tags. Raises Forbidden, Invalid, NotFound, Erased,
        TooLarge."""
        assignment = await self._assignments.get(id)
        _require(caller, "comment.write", assignment)
        if key is not None and assignment.decided(key) is None:
            raise Invalid("There is no decision with this key.", field="key", remedy="Take one of the decisions' keys.")
        if thread is not None:
            begun = await self._comments.get_many([thread])
            if not begun or begun[0].assignment != id or begun[0].thread is not None:
                raise Invalid(
                    "No thread of this assignment begins there.", field="thread", remedy="Take a first comment's id."
                )
        if await self._comments.count({"assignment": id}) >= MAX_COMMENTS:
            raise TooLarge(f"An assignment has at most {MAX_COMMENTS} comments.", remedy="Talk it over elsewhere.")
        said = await self._comments.insert(
            Comment(
                id=new_id(),
                project=assignment.project,
                assignment=id,
                figure=assignment.figure,
                author=caller.person,
                at=now(),
                text=text,
                key=key,
                thread=thread,
            )
        )
        # A figure erased meanwhile: its erasure may have looked for comments before this one was there.
        if not await self._figures.get_many([assignment.figure]):
            await self._comments.erase(said.id)
            raise Erased(f"The figure {assignment.figure} was erased.")
        return said

    async def comments(self, caller: Caller, id: str, *, after: str | None, limit: int) -> Page[Comment]:
        """What was said of it, oldest first. Raises Forbidden, Invalid, NotFound, Erased."""
        _require(caller, "assignment.read", await self._assignments.get(id))
        return await self._comments.find({"assignment": id}, sort=("at",), after=after, limit=limit)

    async def settle(self, assignment: Assignment) -> Assignment:
        """Has the figure's review record a verdict that it does not have yet. Any number of times is once."""
        judged = assignment.judged
        if not assignment.unrecorded or judged is None:
            return assignment
        await self._reviews.update(
            assignment.figure, lambda review: reviewing.record(review, assignment), initial=_no_review(assignment)
        )
        return await self._assignments.update(
            assignment.id, lambda current: (reviewing.recorded(current, judged.round), [])
        )

    async def settle_all(self) -> int:
        """What a dead process left half done. Returns how many verdicts it recorded."""
        settled = 0
        while (page := await self._assignments.find({"unrecorded": True}, limit=_PAGE)).items:
            for assignment in page.items:
                await self.settle(assignment)
            settled += len(page.items)
        return settled

    # Reading

    async def sheet(self, caller: Caller, id: str) -> Sheet:
        """Raises Forbidden, NotFound, Erased."""
        assignment = await self._assignments.get(id)
        _require(caller, "assignment.read", assignment)
        return await self.sheet_of(assignment)

    async def sheet_of(self, assignment: Assignment) -> Sheet:
        """Raises Erased when the figure went meanwhile."""
        figure, recommendations = await asyncio.gather(
            self._figures.get(assignment.figure), self._recommendations.get_many([assignment.figure])
        )
        return Sheet(assignment, figure, next(iter(recommendations), None))

    async def recommendations(self, caller: Caller, figure: str) -> tuple[Figure, Recommendations | None]:
        """Raises Forbidden, NotFound, Erased."""
        found = await self._figure(figure)
        related: set[Relation] = set()
        if not caller.may("figure.read"):
            for assignment in (await self._assignments.find({"figure": figure}, limit=1000)).items:
                related |= assignment.relations(caller.person)
                if assignment.hidden and assignment.annotator == caller.person:
                    raise Forbidden(
                        "Recommendations are hidden for this figure, to measure what they do.",
                        remedy="Tag it by the concept search.",
                    )
        _allow(caller, "figure.read", frozenset(related), found.project)
        return found, next(iter(await self._recommendations.get_many([figure])), None)

    async def listing(
        self,
        caller: Caller,
        *,
        relation: Relation | None = None,
        state: State | None = None,
        flagged: bool | None = None,
        figure: str | None = None,
        article: str | None = None,
        after: str | None = None,
        limit: int = 50,
    ) -> Listing:
        """The caller's assignments, oldest first: those to annotate (`own`), to review (`review`) or, for an
        administrator, all (`any`). Without `relation`, the widest that the caller has. Raises Forbidden, Invalid."""
        where: dict[str, Any] = {"project": DEFAULT_PROJECT}
        match _relation(caller, relation):
            case "own":
                where["annotator"] = caller.person
            case "review":
                where["reviewer"] = caller.person
            case "any":
                pass
        if figure is not None:
            where["figure"] = figure
        if article is not None:
            where["article"] = article
        if flagged is not None:
            where["flagged"] = flagged
        counts = await self._assignments.count_by("state", where)
        page = await self._assignments.find(
            {**where, "state": state} if state else where, sort=("created_at", "article"), after=after, limit=limit
        )
        figures = await self._figures.get_many(list({assignment.figure for assignment in page.items}))
        return Listing(page, {found.id: found for found in figures}, counts)

    async def history(self, caller: Caller, id: str, *, start: int = 1, limit: int = 50) -> list[Entry]:
        """At most `limit` entries from number `start`, in order. Raises Forbidden, NotFound, Erased."""
        assignment = await self._assignments.get(id)
        _require(caller, "assignment.read", assignment)
        entries = {entry.number: entry for entry in await self._filed(id, start=start, limit=limit)}
        entries.update({entry.number: entry for entry in assignment.recent if entry.number >= start})
        return [entries[number] for number in sorted(entries)][:limit]

    # How

    def _may_assign(self, caller: Caller, annotator: str, reviewer: str) -> None:
        caller.require("assignment.create", frozenset({"any"}), DEFAULT_PROJECT)
        if annotator == reviewer:
            raise Invalid(
                "Nobody reviews their own work.", field="reviewer", remedy="Name another person as the reviewer."
            )

    async def _figure(self, id: str) -> Figure:
        try:
            return await self._figures.get(id)
        except Erased:
            raise
        except NotFound as error:
            raise NotFound(
                f"The figure {id} is not known here.",
                remedy="Check the id; if you have just sent the figure, try again in a moment.",
            ) from error

    async def _assign_all(
        self, caller: Caller, where: dict[str, Any], annotator: str, reviewer: str, *, unassigned_only: bool
    ) -> Assigned:
        created: list[Assignment] = []
        existing, after = 0, None
        while True:
            page = await self._figures.find(where, after=after, limit=_PAGE)
            figures = page.items
            if unassigned_only:
                figures = await self.workable(await self.free(figures))
            done = await self._assign(caller, figures, annotator, reviewer)
            created += done.created
            existing += done.existing
            after = page.next
            if after is None or len(created) >= ASSIGNED_AT_ONCE:
                return Assigned(created, existing, more=after is not None)

    async def free(self, figures: Sequence[Figure]) -> list[Figure]:
        """Those that nobody has."""
        taken = await self.taken([figure.id for figure in figures])
        return [figure for figure in figures if figure.id not in taken]

    async def workable(self, figures: Sequence[Figure]) -> list[Figure]:
        """Without those of which an annotator would see nothing yet: no picture, as it is withheld, no legend, nothing
        recommended from technical tags."""
        blank = [figure.id for figure in figures if figure.shows_nothing]
        recommended = {one.id for one in await self._recommendations.get_many(blank) if one.items}
        return [figure for figure in figures if not figure.shows_nothing or figure.id in recommended]

    async def taken(self, figures: Sequence[str]) -> set[str]:
        taken: set[str] = set()
        after = None
        while figures:
            page = await self._assignments.find({"figure": In(tuple(figures))}, after=after, limit=_PAGE)
            taken |= {assignment.figure for assignment in page.items if assignment.state != "released"}
            after = page.next
            if after is None:
                break
        return taken

    async def _assign(self, caller: Caller, figures: Sequence[Figure], annotator: str, reviewer: str) -> Assigned:
        at = now()
        return await self.insert(
            caller,
            [new_assignment(figure, annotator, reviewer, at).noted("assign", caller.person, at) for figure in figures],
        )

    async def insert(self, caller: Caller, new: Sequence[Assignment]) -> Assigned:
        """Inserts those that are not there; what was released is given to its annotator again."""
        outcomes = await self._assignments.insert_many(new)
        created = [outcome for outcome in outcomes if isinstance(outcome, Assignment)]
        reviewers = {
            outcome.holder: wanted.reviewer
            for outcome, wanted in zip(outcomes, new, strict=True)
            if isinstance(outcome, Duplicate) and outcome.holder
        }
        released = [held for held in await self._assignments.get_many(list(reviewers)) if held.state == "released"]
        created += [await self._assign_again(caller, held, reviewers[held.id]) for held in released]
        # A figure erased meanwhile: its erasure may have looked for assignments before these were there.
        alive = {figure.id for figure in await self._figures.get_many([one.figure for one in created])}
        for assignment in created:
            if assignment.figure not in alive:
                await self._assignments.erase(assignment.id)
        return Assigned(
            [assignment for assignment in created if assignment.figure in alive],
            existing=sum(isinstance(outcome, Duplicate) for outcome in outcomes) - len(released),
            more=False,
        )

    async def _assign_again(self, caller: Caller, released: Assignment, reviewer: str) -> Assignment:
        at = now()
        return await self._write(
            released, lambda current: (exits.assign_again(current, reviewer, caller.person, at), [])
        )

    async def _allowed(self, caller: Caller, action: Action, id: str) -> Assignment:
        """The assignment, if the caller may; a verdict left half done is recorded before anything changes."""
        assignment = await self._assignments.get(id)
        _require(caller, action, assignment)
        return await self.settle(assignment)

    async def _write(self, seen: Assignment, change: Change[Assignment], *, version: int | None = None) -> Assignment:
        filed = await self._file(seen)

        def with_history(current: Assignment) -> tuple[Assignment, Sequence[Any]]:
            changed, events = change(current)
            if changed == current:
                return current, events
            kept = tuple(entry for entry in changed.recent if entry.number not in filed)
            return changed.changed(recent=kept, leased_until=None), events

        try:
            return await self._assignments.update(seen.id, with_history, version=version)
        except Conflict as conflict:
            current = await self._assignments.get(seen.id)
            if version is None or version == current.version:
                raise  # not stale: its state forbids it
            wanted, _events = change(current)
            if wanted == current:
                return current  # what was asked stands already: the answer to an earlier try was lost
            raise await self._stale(current, wanted, version) from conflict
        except Erased:
            for number in filed:
                await self._history.erase(f"{seen.id}.{number}")
            raise

    async def _stale(self, current: Assignment, wanted: Assignment, version: int) -> Conflict:
        """The conflict of a write that saw `version`: what changed since, beside what the write wanted."""
        difference: dict[str, Any] = {}
        entries = [*await self._filed(current.id, start=version + 1, limit=1000), *current.recent]
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

    async def _file(self, assignment: Assignment) -> frozenset[int]:
        """Files the recent entries once enough have gathered. Returns the numbers of those filed."""
        if len(assignment.recent) < RECENT:
            return frozenset()
        await self._history.insert_many(
            [
                HistoryEntry(
                    id=f"{assignment.id}.{entry.number}",
                    assignment=assignment.id,
                    figure=assignment.figure,
                    number=entry.number,
                    entry=entry,
                )
                for entry in assignment.recent
            ]
        )
        return frozenset(entry.number for entry in assignment.recent)

    async def _filed(self, id: str, *, start: int, limit: int) -> list[Entry]:
        page = await self._history.find({"assignment": id, "number": Range(gte=start)}, sort=("number",), limit=limit)
        return [filed.entry for filed in page.items]


def _recommended(seen: Sheet, command: tagging.Accept | tagging.Reject) -> Recommendation:
    """What the caller says was shown; else the recommendation of that id in the current set; else the content that an
    earlier decision kept. Raises NotFound."""
    if seen.assignment.hidden:
        raise Invalid(
            "Recommendations are hidden for this figure.",
            field="recommendation",
            remedy="Add what you see from the concept search: that measures what recommendations do.",
        )
    if command.shown is not None:
        return _shown(command.shown, command.recommendation)
    for item in seen.recommendations.items if seen.recommendations else ():
        if item.id == command.recommendation:
            return item
    for decided in seen.assignment.decisions:
        if decided.recommendation == command.recommendation:
            return _kept(decided, command.recommendation)
    raise NotFound(
        f"There is no recommendation {command.recommendation} for this figure now.",
        remedy="Load the assignment again, or send the recommendation as you saw it, as `shown`.",
    )


def _kept(decided: Decided, id: str) -> Recommendation:
    # A tag does not keep the kind of match, and a decision does not ask for it.
    return Recommendation.model_validate(
        {**decided.tag.model_dump(), "id": id, "match": "label", "score": decided.tag.score or 0.0}
    )


def _shown(shown: Recommendation, id: str) -> Recommendation:
    if shown.id != id:
        raise Invalid("`shown` is another recommendation.", field="shown.id", remedy="Send the one that you decide.")
    if len(shown.model_dump_json()) > MAX_SHOWN_BYTES:
        raise TooLarge(f"`shown` has more than {MAX_SHOWN_BYTES:,} bytes.", field="shown", remedy="Leave out spans.")
    return shown


def new_assignment(figure: Figure, annotator: str, reviewer: str, at: datetime) -> Assignment:
    """An assignment that is not stored yet."""
    return Assignment(
        id=new_id(),
        project=figure.project,
        figure=figure.id,
        article=figure.article.id,
        annotator=annotator,
        reviewer=reviewer,
        created_at=at,
        updated_at=at,
    )


def _under(guidelines: int | None, current: Assignment, done: Changed) -> Changed:
    """The change with the version of the guidelines that were in force."""
    changed, events = done
    if guidelines is None or changed is current:
        return done
    *before, entry = changed.recent
    return changed.changed(recent=(*before, entry.model_copy(update={"guidelines": guidelines}))), events


def _no_review(assignment: Assignment) -> Review:
    return Review(id=assignment.figure, project=assignment.project)


def _relation(caller: Caller, wanted: Relation | None) -> Relation:
    """The relation to list by. Raises Forbidden when the caller has not got it."""
    relation = wanted or _widest(caller.relations("assignment.read", DEFAULT_PROJECT))
    caller.require("assignment.read", frozenset({relation}), DEFAULT_PROJECT)
    return relation


def _widest(granted: frozenset[Relation]) -> Relation:
    if "any" in granted or not granted:
        return "any"
    return "own" if "own" in granted else "review"


def _require(caller: Caller, action: Action, assignment: Assignment) -> None:
    _allow(caller, action, assignment.relations(caller.person), assignment.project)


def _allow(caller: Caller, action: Action, relations: frozenset[Relation], project: str) -> None:
    if not caller.may(action, relations, project):
        raise Forbidden(
            f"You may not do this ({action}) with a figure that is not yours to annotate or review.",
            remedy="Ask an administrator to assign it to you.",
        )
