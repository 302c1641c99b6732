"""Two annotators, their reviewers and a manager on one figure, in any order and at once: what always holds.

A machine for hypothesis over the real use cases and documents. Each rule is a request, or several at once, of anybody
for anything; who may not, or comes too late, is refused and changes nothing.
"""

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any, Final, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from services.annotation import tagging
from services.annotation.adjudication import Adjudicating
from services.annotation.consumers import Projections
from services.annotation.giving import Giving
from services.annotation.model import Assignment, Comment, Decided, Entry, HistoryEntry, Review
from services.annotation.republishing import TOPICS, republish
from services.annotation.sheets import Sheets
from services.annotation.workbench import Workbench
from services.annotation.writing import Writing
from services.export.merge import merged
from services.export.model import FigureRecord
from shared.access import DEFAULT_PROJECT, Caller, Role
from shared.bus.sqlite import SqliteBus
from shared.documents.port import Documents
from shared.errors import Conflict, Erased, Forbidden, Invalid, NotFound
from shared.events.envelope import Event
from shared.events.image import ImageUploaded
from shared.events.review import ReviewDone
from shared.events.tag import TagAccepted, TagWithdrawn
from tests.support.builders import image_deleted, image_uploaded, recommendation, recommendations_ready

T = TypeVar("T")

CURIES: Final = ("UBERON:1", "UBERON:2", "UBERON:3")
REFUSED: Final = (Conflict, Invalid, NotFound)
TOLD: Final = (TagAccepted, TagWithdrawn, ReviewDone)


def _caller(person: str, *roles: Role) -> Caller:
    return Caller(person, {DEFAULT_PROJECT: frozenset(roles)})


PEOPLE: Final = {
    "ada": _caller("ada", "annotator"),
    "eve": _caller("eve", "annotator", "reviewer"),  # may review, but not what she tags
    "grace": _caller("grace", "reviewer"),
    "joan": _caller("joan", "reviewer", "annotator"),
    "root": _caller("root", "administrator"),
    "lin": _caller("lin", "annotator"),  # has nothing to do with the figure
}
REVIEWERS: Final = {"ada": "grace", "eve": "joan"}

ADJUDICATORS: Final = frozenset({"root", "grace", "joan"})  # reviewers and the manager, but who tagged it

OWN: Final = frozenset({
    "accept", "reject", "add", "withdraw", "undo", "redo", "revert", "submit", "recall", "skip", "flag",
    "open", "refresh",
})  # fmt: skip
REVIEWERS_ONLY: Final = frozenset({"begin", "approve", "return", "correct"})
ADMINISTRATORS: Final = frozenset({"release", "unflag", "assign"})


@dataclass(frozen=True, slots=True)
class World:
    """Engines, and how events that documents hold are handed over."""

    documents: Documents
    bus: SqliteBus
    relayed: Callable[[], Awaitable[None]]
    run: Callable[[Coroutine[Any, Any, Any]], Any]


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody asks for, of whose work, having seen its newest version, an older one, or none."""

    who: str
    whose: str
    what: str
    of: int = 0
    seen: str = "none"


requests = st.builds(
    Request,
    who=st.sampled_from(sorted(PEOPLE)),
    whose=st.sampled_from(sorted(REVIEWERS)),
    what=st.sampled_from(sorted(OWN | REVIEWERS_ONLY | ADMINISTRATORS | {"reopen", "adjudicate"})),
    of=st.integers(0, 5),
    seen=st.sampled_from(["none", "newest", "newest", "older"]),
)
# Most of what people ask for is theirs to ask.
of_annotators = st.builds(
    lambda one, whose: Request(whose, whose, one.what if one.what in OWN else "accept", one.of, one.seen),
    requests,
    st.sampled_from(sorted(REVIEWERS)),
)
of_reviewers = st.builds(
    lambda one, whose, what: Request(REVIEWERS[whose], whose, what, one.of, one.seen),
    requests,
    st.sampled_from(sorted(REVIEWERS)),
    st.sampled_from(["approve", "return", "correct", "correct", "begin", "reopen"]),
)
of_adjudicators = st.builds(
    Request, st.sampled_from(["root", "joan", "eve"]), st.just("ada"), st.just("adjudicate"), st.integers(0, 5)
)
asked = st.one_of(requests, of_annotators, of_annotators, of_reviewers, of_adjudicators)


@dataclass
class Known:
    """What was answered, to be found again."""

    ids: dict[str, str] = field(default_factory=dict)
    versions: dict[str, list[int]] = field(default_factory=dict)
    entries: dict[tuple[str, int], Entry] = field(default_factory=dict)


class Together(RuleBasedStateMachine):
    """See above. `world` is shared by all examples of a run: each has a figure of its own, and erases it."""

    figures = 0

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.giving, self.sheets = Giving(world.documents), Sheets(world.documents)
        self.bench = Workbench(world.documents)
        self.projections = Projections(world.documents)
        Together.figures += 1
        self.figure = f"figure-{Together.figures}"
        self.generation = 0
        self.erased = False
        self.known = Known()
        self.record = FigureRecord(id=self.figure)
        self.events: list[Event] = []
        self.cursor = self.do(world.bus.read(TOLD, limit=100_000)).cursor

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.world.run(work)  # type: ignore[no-any-return]

    @initialize()
    def begin(self) -> None:
        self.do(self._begin())

    async def _begin(self) -> None:
        await self.projections.uploaded([self._uploaded()])
        await self.projections.recommended([self._recommended()])
        for annotator, reviewer in REVIEWERS.items():
            made = await self.giving.assign_figures(PEOPLE["root"], "default", [self.figure], annotator, reviewer)
            self.known.ids[annotator] = made.created[0].id
            self.known.versions[annotator] = [made.created[0].version]

    def _uploaded(self) -> ImageUploaded:
        return image_uploaded(figure=self.figure)

    def _recommended(self) -> Event:
        items = [recommendation(id=f"{curie}|present", curie=curie, label=curie) for curie in CURIES]
        return recommendations_ready(figure=self.figure, generation=self.generation, recommendations=items)

    # What people do

    @rule(one=asked)
    def somebody_asks(self, one: Request) -> None:
        self.do(self._asked_alone(one))

    @rule(several=st.lists(asked, min_size=2, max_size=4))
    def several_ask_at_once(self, several: Sequence[Request]) -> None:
        self.do(self._asked_at_once(several))

    @precondition(lambda self: not self.erased)
    @rule(whose=st.sampled_from(sorted(REVIEWERS)), of=st.integers(0, 5))
    def the_work_goes_on(self, whose: str, of: int) -> None:
        """What usually comes next: without it, few figures would get far."""
        self.do(self._gone_on(whose, of))

    @precondition(lambda self: not self.erased)
    @rule(older=st.booleans())
    def recommendations_arrive(self, older: bool) -> None:
        if not older:
            self.generation += 1
        self.do(self.projections.recommended([self._recommended()]))

    @rule()
    def a_process_starts_again(self) -> None:
        self.bench = Workbench(self.world.documents)
        self.do(Writing(self.world.documents).settle_all())

    @precondition(lambda self: not self.erased)
    @rule(whose=st.sampled_from(sorted(REVIEWERS)))
    def undo_then_redo_is_identity(self, whose: str) -> None:
        self.do(self._undone_and_redone(whose))

    @precondition(lambda self: not self.erased)
    @rule(chance=st.integers(0, 19), one=asked)
    def the_figure_is_erased(self, chance: int, one: Request) -> None:
        if chance == 0:
            self.do(self._erased_while(one))

    async def _asked_alone(self, one: Request) -> None:
        if self.erased:
            await self._refused_as_erased(one)
            return
        before = await self._assignment(one.whose)
        version = self._seen(one, before)
        try:
            after = await self._perform(one, version)
        except Forbidden:
            assert not may(one), one
            assert await self._assignment(one.whose) == before
        except REFUSED:
            after = await self._assignment(one.whose)
            assert says(after) == says(before)
            assert after.state == before.state
        else:
            assert may(one), one
            if version not in (None, before.version):
                # Only what stands already may be asked for again by somebody who saw an older version.
                assert (says(after), after.state) == (says(before), before.state)
            self._note(one.whose, after)

    async def _gone_on(self, whose: str, of: int) -> None:
        one = await self._assignment(whose)
        reviewer, late = REVIEWERS[whose], of > 3
        who, what = {
            "open": (whose, "submit" if one.tags else "accept"),
            "returned": (whose, "submit" if late else "add"),
            "submitted": (reviewer, "return" if late else "approve"),
            "approved": (reviewer, "reopen"),
            "skipped": (whose, "recall"),
            "released": ("root", "assign"),
        }[one.state]
        await self._asked_alone(Request(who, whose, what, of))

    async def _refused_as_erased(self, one: Request) -> None:
        try:
            await self._perform(one, None)
        except (Forbidden, Erased, NotFound):
            return
        raise AssertionError(f"{one} was done on an erased figure")

    async def _asked_at_once(self, several: Sequence[Request]) -> None:
        if self.erased:
            return
        seen = [self._seen(one, await self._assignment(one.whose)) for one in several]
        outcomes = await asyncio.gather(
            *(self._perform(one, version) for one, version in zip(several, seen, strict=True)), return_exceptions=True
        )
        for one, outcome in zip(several, outcomes, strict=True):
            if isinstance(outcome, Forbidden):
                assert not may(one), one
            elif isinstance(outcome, BaseException):
                assert isinstance(outcome, REFUSED), outcome
            else:
                assert may(one), one
                self._note(one.whose, outcome)

    async def _undone_and_redone(self, whose: str) -> None:
        before = await self._assignment(whose)
        if before.state not in ("open", "returned") or not before.undo:
            return
        id, caller = before.id, PEOPLE[whose]
        undone = await self.bench.step(caller, id, "undo")
        assert says(undone) != says(before)
        again = await self.bench.step(caller, id, "redo")
        assert says(again) == says(before)
        assert len(again.undo) == len(before.undo)
        self._note(whose, again)

    async def _erased_while(self, one: Request) -> None:
        deletion = self.projections.deleted([image_deleted(figure=self.figure)])
        await asyncio.gather(deletion, self._perform(one, None), return_exceptions=True)
        self.erased = True

    async def _perform(self, one: Request, version: int | None) -> Assignment:
        bench, caller, id = self.bench, PEOPLE[one.who], self.known.ids[one.whose]
        if one.what in ("accept", "reject", "add", "withdraw"):
            return (await bench.decide(caller, id, command(one.what, one.of), version=version)).assignment
        if one.what == "correct":
            kind = ("accept", "reject", "add", "withdraw", "add", "reject")[one.of]
            return (await bench.correct(caller, id, command(kind, one.of), version=version)).assignment
        if one.what in ("open", "refresh"):
            opened = bench.open(caller, id) if one.what == "open" else bench.refresh(caller, id, version=version)
            return (await opened).assignment
        ways: dict[str, Callable[[], Awaitable[Assignment]]] = {
            "undo": lambda: bench.step(caller, id, "undo", version=version),
            "redo": lambda: bench.step(caller, id, "redo", version=version),
            "revert": lambda: bench.revert(caller, id, 1 + 2 * one.of, version=version),
            "submit": lambda: self._submitted(one, version),
            "begin": lambda: bench.begin_review(caller, id, version=version),
            "approve": lambda: bench.review(caller, id, "approved", "", version=version),
            "return": lambda: bench.review(caller, id, "returned", "Look again.", version=version),
            "reopen": lambda: bench.reopen(caller, id, "Panel C.", version=version),
            "recall": lambda: bench.recall(caller, id, version=version),
            "skip": lambda: bench.skip(caller, id, "bad_image", "", version=version),
            "flag": lambda: bench.flag(caller, id, "wrong_legend", "", version=version),
            "unflag": lambda: bench.unflag(caller, id, version=version),
            "release": lambda: self.giving.release(caller, id, version=version),
            "assign": lambda: self._assigned(one),
            "adjudicate": lambda: self._adjudicated(one),
        }
        return await ways[one.what]()

    async def _submitted(self, one: Request, version: int | None) -> Assignment:
        seen = await self._assignment(one.whose)
        return await self.bench.submit(PEOPLE[one.who], seen.id, no_tag_applies=not seen.tags, version=version)

    async def _assigned(self, one: Request) -> Assignment:
        await self.giving.assign_figures(PEOPLE[one.who], "default", [self.figure], one.whose, REVIEWERS[one.whose])
        return await self._assignment(one.whose)

    async def _adjudicated(self, one: Request) -> Assignment:
        """Every second tag of those that differ is kept, then the figure is settled."""
        caller, adjudicating = PEOPLE[one.who], Adjudicating(self.world.documents)
        case = await adjudicating.case(caller, self.figure)
        differ = sorted(tag.tag.key for tag in case.tags if not tag.agreed)
        if case.adjudication.waiting and differ:
            wanted = {key: bool((place + one.of) % 2) for place, key in enumerate(differ)}
            await adjudicating.choose(caller, self.figure, dict(wanted))
        settled = await adjudicating.settle(caller, self.figure)
        assert not settled.adjudication.waiting
        assert all(assignment.state == "approved" for assignment in settled.assignments)
        return await self._assignment(one.whose)

    # What always holds

    @invariant()
    def what_is_there_agrees(self) -> None:
        if self.known.ids:
            self.do(self._follow())
            if not self.erased:
                self.do(self._agree())

    async def _follow(self) -> None:
        """The projection hears of what is new; the last event of the batch before comes again."""
        await self.world.relayed()
        while (part := await self.world.bus.read(TOLD, after=self.cursor, limit=500)).events:
            mine = [event for event in part.events if event.figure == self.figure]
            self.record = reduce(merged, [*self.events[-1:], *mine], self.record)
            self.events += mine
            self.cursor = part.cursor

    async def _agree(self) -> None:
        assignments = [await self._assignment(whose) for whose in REVIEWERS]
        histories = [await self.sheets.history(PEOPLE["root"], one.id, limit=10_000) for one in assignments]
        folded: dict[str, dict[str, Decided]] = {}
        for one, entries in zip(assignments, histories, strict=True):
            folded[one.id] = fold(entries)
            self._history_holds(one, entries, folded[one.id])
        await self._final_tags_hold(assignments, folded)
        self._events_hold(assignments)
        await self._queue_holds(assignments)
        await self._counts_hold(assignments)

    def _history_holds(self, one: Assignment, entries: Sequence[Entry], folded: dict[str, Decided]) -> None:
        assert folded == {decided.tag.key: decided for decided in one.decisions}
        numbers = [entry.number for entry in entries]
        assert numbers == sorted(set(numbers))
        assert numbers[-1] <= one.version
        assert (entries[-1].state, entries[-1].no_tag_applies) == (one.state, one.no_tag_applies)
        by_number = {entry.number: entry for entry in entries}
        for (id, number), entry in self.known.entries.items():
            assert id != one.id or by_number[number] == entry, "history was rewritten"
        for before, entry in itertools.pairwise(entries):
            assert entry.actor in actors(entry, one), entry
            if entry.actor == one.reviewer and entry.decisions and entry.action != "reopen":
                assert (before.state, entry.state) == ("submitted", "submitted")
        assert one.annotator != one.reviewer
        assert one.flagged == (one.concern is not None)
        assert one.state != "skipped" or one.flagged
        assert one.state in ("open", "returned") or not (one.undo or one.redo)

    async def _final_tags_hold(self, assignments: Sequence[Assignment], folded: dict[str, dict[str, Decided]]) -> None:
        reviews = await self.world.documents.collection(Review).get_many([self.figure])
        approved = [one for one in assignments if one.state == "approved"]
        standing = {one.id: {key for key, decided in folded[one.id].items() if decided.stands} for one in approved}
        settled = next((review.settled for review in reviews), None)
        rounds = settled.rounds if settled else {}
        covered = {one.id for one in approved if one.judged and rounds.get(one.id) == one.judged.round}
        kept = {outcome.tag.key for outcome in (settled.outcomes if settled else ()) if outcome.kept}
        final = {key for id, keys in standing.items() for key in keys if id not in covered or key in kept}
        assert final == {tag.key for review in reviews for tag in review.tags}
        verdicts = [event for event in self.events if isinstance(event, ReviewDone)]
        assert final == ({tag.key for tag in verdicts[-1].tags} if verdicts else set())
        assert [event.revision for event in verdicts] == list(range(1, len(verdicts) + 1))
        assert not any(one.unrecorded for one in assignments)
        open_ = any(one.state in ("open", "returned", "skipped") for one in assignments)
        assert all(review.blind == open_ for review in reviews), "found by whom it must not be, or by nobody"

    async def _queue_holds(self, assignments: Sequence[Assignment]) -> None:
        queue = await Adjudicating(self.world.documents).queue(PEOPLE["root"], "default", after=None, limit=1000)
        live = [one for one in assignments if one.state != "released"]
        review = next(iter(await self.world.documents.collection(Review).get_many([self.figure])), None)
        rounds = review.settled.rounds if review and review.settled else {}
        waits = len(live) > 1 and all(one.state in ("submitted", "approved") for one in live)
        new = any(one.state == "submitted" or (one.judged and one.judged.round != rounds.get(one.id)) for one in live)
        assert (self.figure in {one.id for one in queue.items}) == (waits and new)

    def _events_hold(self, assignments: Sequence[Assignment]) -> None:
        newest: dict[str, TagAccepted | TagWithdrawn] = {}
        for event in self.events:
            if isinstance(event, TagAccepted | TagWithdrawn):
                assert event.entity not in newest or event.revision == newest[event.entity].revision + 1
                newest[event.entity] = event
        told = {(one.assignment, one.tag.key, one.tag.annotator) for one in newest.values() if _accepted(one)}
        assert told == {(one.id, tag.key, tag.annotator) for one in assignments for tag in one.tags}

    async def _counts_hold(self, assignments: Sequence[Assignment]) -> None:
        listing = await self.sheets.listing(PEOPLE["root"], DEFAULT_PROJECT, figures=[self.figure])
        assert listing.counts == Counter(one.state for one in assignments)
        for state, count in listing.counts.items():
            of_state = await self.sheets.listing(PEOPLE["root"], DEFAULT_PROJECT, figures=[self.figure], state=state)  # type: ignore[arg-type]
            assert [one.state for one in of_state.page.items] == [state] * count

    def teardown(self) -> None:
        if self.known.ids:
            self.do(self._ends())

    async def _ends(self) -> None:
        await self._follow()
        if not self.erased:
            again = list(self.events)
            random.Random(len(again)).shuffle(again)
            assert reduce(merged, again, FigureRecord(id=self.figure)) == self.record, "a rebuild differs"
            sent = await self._sent_again()
            assert reduce(merged, sent, FigureRecord(id=self.figure)) == self.record, "the archive differs"
            await self.projections.deleted([image_deleted(figure=self.figure)])
        for model in (HistoryEntry, Comment, Assignment):
            assert await self.world.documents.collection(model).count({"figure": self.figure}) == 0

    async def _sent_again(self) -> list[Event]:
        await republish(self.world.documents, self.world.bus, TOPICS)
        again: list[Event] = []
        while (part := await self.world.bus.read(TOLD, after=self.cursor, limit=500)).events:
            again += [event for event in part.events if event.figure == self.figure]
            self.cursor = part.cursor
        return again

    async def _assignment(self, whose: str) -> Assignment:
        return await self.world.documents.collection(Assignment).get(self.known.ids[whose])

    def _seen(self, one: Request, newest: Assignment) -> int | None:
        if one.seen == "none" or one.what in ("adjudicate", "open"):
            return None
        return newest.version if one.seen == "newest" else self.known.versions[one.whose][-1 - one.of :][0]

    def _note(self, whose: str, answered: Assignment) -> None:
        self.known.versions[whose].append(answered.version)
        for entry in answered.recent:
            self.known.entries[answered.id, entry.number] = entry


def command(kind: str, of: int) -> tagging.Accept | tagging.Reject | tagging.Add | tagging.Withdraw:
    curie = CURIES[of % len(CURIES)]
    match kind:
        case "accept":
            panels = ["B"] if of > 2 else None
            return tagging.Accept(kind="accept", recommendation=f"{curie}|present", panels=panels)
        case "reject":
            return tagging.Reject(kind="reject", recommendation=f"{curie}|present")
        case "add":
            return tagging.Add(kind="add", axis="anatomy", text=f"lobe {of}")
        case _:
            key = f"{curie}|present" if of < len(CURIES) else f"text/anatomy/lobe {of}|present"
            return tagging.Withdraw(kind="withdraw", key=key)


def may(one: Request) -> bool:
    """Whether this is theirs to ask for at all, whatever the state: said once more, not by the rule table."""
    if one.what in OWN:
        return one.who == one.whose
    if one.what in REVIEWERS_ONLY:
        return one.who == REVIEWERS[one.whose]
    if one.what in ADMINISTRATORS:
        return one.who == "root"
    if one.what == "adjudicate":
        return one.who in ADJUDICATORS
    return one.who in ("root", REVIEWERS[one.whose])


def actors(entry: Entry, one: Assignment) -> set[str]:
    """Who may have done what an entry says."""
    match entry.action:
        case "accept" | "reject" | "add" | "withdraw":
            return {one.annotator, one.reviewer}
        case "approve":
            return {one.reviewer, *ADJUDICATORS}
        case "begin_review" | "return":
            return {one.reviewer}
        case "reopen":
            return {one.reviewer, "root"}
        case "assign" | "release" | "unflag":
            return {"root"}
        case _:
            return {one.annotator}


def fold(entries: Sequence[Entry]) -> dict[str, Decided]:
    folded: dict[str, Decided] = {}
    for entry in entries:
        folded.update({decided.tag.key: decided for decided in entry.decisions})
    return folded


def says(assignment: Assignment) -> dict[str, tuple[Any, ...]]:
    """What stands on each key and whose it is, whenever it was said; what was taken back counts as undecided."""
    return {
        decided.tag.key: (decided.kind, decided.recommendation, tuple(decided.tag.panels), decided.tag.annotator)
        for decided in assignment.decisions
        if decided.kind != "withdraw"
    }


def _accepted(event: TagAccepted | TagWithdrawn) -> bool:
    return isinstance(event, TagAccepted)
