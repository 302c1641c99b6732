"""An annotator, a reviewer and an administrator on one figure, in any order: what always holds."""

from datetime import UTC, datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from services.annotation import exits, reviewing, tagging
from services.annotation.model import Assignment, Decided, Review
from shared.errors import Conflict, Invalid, NotFound
from shared.events.envelope import Event
from shared.events.recommendation import Recommendation
from shared.events.review import ReviewDone, Verdict
from shared.events.tag import TagAccepted, TagWithdrawn

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
REFUSED = (Conflict, Invalid, NotFound)
CURIES = st.sampled_from(["UBERON:1", "UBERON:2", "UBERON:3"])
ASSERTIONS = st.sampled_from(["present", "absent"])


def recommendation(curie: str) -> Recommendation:
    return Recommendation(
        id=f"{curie}|present",
        iri=None,
        curie=curie,
        label=curie,
        ontology="UBERON",
        vocabulary_version="1",
        axis="anatomy",
        match="label",
        score=0.9,
    )


class Figure(RuleBasedStateMachine):
    """Every rule is a request; one that the state forbids changes nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.at = START
        self.review = Review(id="f1", project="default")
        self.events: list[Event] = []
        self.assignment = Assignment(
            id="as1",
            project="default",
            figure="f1",
            article="a1",
            annotator="ada",
            reviewer="grace",
            created_at=START,
            updated_at=START,
        )
        self.written(self.assignment.noted("assign", "root", START), [])

    def now(self) -> datetime:
        self.at += timedelta(seconds=1)
        return self.at

    def written(self, new: Assignment, events: list[Event]) -> None:
        """What a store does: a changed document has the next version, its events are sent."""
        if new == self.assignment:
            assert events == []
            return
        self.assignment = new.changed(version=self.assignment.version + 1)
        self.events += events
        if self.assignment.unrecorded and self.assignment.judged:
            review, told = reviewing.record(self.review, self.assignment)
            assert told
            self.review = review.changed(version=self.review.version + 1)
            self.events += told
            self.assignment = reviewing.recorded(self.assignment, self.assignment)

    @rule(curie=CURIES, assertion=ASSERTIONS)
    def accept(self, curie: str, assertion: str) -> None:
        command = tagging.Accept.model_validate(
            {"kind": "accept", "recommendation": f"{curie}|present", "assertion": assertion}
        )
        self.decide(command, recommendation(curie))

    @rule(curie=CURIES)
    def reject(self, curie: str) -> None:
        self.decide(tagging.Reject(kind="reject", recommendation=f"{curie}|present"), recommendation(curie))

    @rule(curie=CURIES)
    def add(self, curie: str) -> None:
        self.decide(tagging.Add(kind="add", axis="anatomy", curie=curie, label=curie), None)

    @rule(curie=CURIES, assertion=ASSERTIONS)
    def withdraw(self, curie: str, assertion: str) -> None:
        self.decide(tagging.Withdraw(kind="withdraw", key=f"{curie}|{assertion}"), None)

    def decide(
        self, command: tagging.Accept | tagging.Reject | tagging.Add | tagging.Withdraw, content: Recommendation | None
    ) -> None:
        try:
            new, events = tagging.decide(self.assignment, command, content, self.now())
        except REFUSED:
            return
        assert new is self.assignment or self.assignment.state in ("open", "returned")
        self.written(new, events)

    @precondition(lambda self: self.assignment.undo)
    @rule()
    def undo_then_redo_is_identity(self) -> None:
        before = says(self.assignment)
        self.written(*tagging.undo(self.assignment, self.now()))
        assert says(self.assignment) != before
        self.written(*tagging.redo(self.assignment, self.now()))
        assert says(self.assignment) == before

    @rule(back=st.booleans())
    def step(self, back: bool) -> None:
        try:
            self.written(*(tagging.undo if back else tagging.redo)(self.assignment, self.now()))
        except REFUSED:
            return

    @rule()
    def submit(self) -> None:
        none = not self.assignment.tags
        self.one(lambda: reviewing.submit(self.assignment, none, self.now()))

    @rule()
    def begin(self) -> None:
        self.one(lambda: reviewing.begin(self.assignment, self.now()))

    @rule()
    def recall(self) -> None:
        begun = self.assignment.review_begun and self.assignment.state == "submitted"
        assert not (self.one(lambda: exits.recall(self.assignment, self.now())) and begun)

    @precondition(lambda self: self.assignment.state in ("submitted", "approved"))
    @rule(verdict=st.sampled_from(["approved", "approved", "returned"]))
    def judge(self, verdict: Verdict) -> None:
        self.one(lambda: reviewing.judge(self.assignment, verdict, "Look again.", self.now()))

    @rule(way=st.sampled_from(["skip", "flag", "unflag", "assign again"]))
    def leave(self, way: str) -> None:
        ways = {
            "skip": lambda: exits.skip(self.assignment, "bad_image", "", self.now()),
            "flag": lambda: exits.flag(self.assignment, "wrong_legend", "", self.now()),
            "unflag": lambda: exits.unflag(self.assignment, "root", self.now()),
            "assign again": lambda: exits.assign_again(self.assignment, "grace", "root", self.now()),
        }
        self.one(ways[way])

    @rule()
    def release(self) -> None:
        try:
            self.written(*exits.release(self.assignment, "root", self.now()))
        except REFUSED:
            assert self.assignment.state == "approved"

    @precondition(lambda self: self.assignment.judged)
    @rule()
    def reopen(self) -> None:
        try:
            self.written(*reviewing.reopen(self.assignment, "grace", "Panel C.", self.now()))
        except REFUSED:
            return

    def one(self, change: object) -> bool:
        """Whether it changed anything."""
        assert callable(change)
        before = self.assignment
        try:
            self.written(change(), [])
        except REFUSED:
            return False
        return self.assignment is not before

    @invariant()
    def tags_are_what_the_events_say(self) -> None:
        newest: dict[str, TagAccepted | TagWithdrawn] = {}
        for event in self.events:
            if isinstance(event, TagAccepted | TagWithdrawn):
                assert event.entity not in newest or event.revision == newest[event.entity].revision + 1
                newest[event.entity] = event
        standing = {event.tag.key for event in newest.values() if isinstance(event, TagAccepted)}
        assert standing == {tag.key for tag in self.assignment.tags}

    @invariant()
    def decisions_are_the_fold_of_history(self) -> None:
        folded: dict[str, Decided] = {}
        for entry in self.assignment.recent:
            folded.update({decided.tag.key: decided for decided in entry.decisions})
        assert folded == {decided.tag.key: decided for decided in self.assignment.decisions}
        numbers = [entry.number for entry in self.assignment.recent]
        assert numbers == list(range(1, self.assignment.version + 1))
        assert self.assignment.recent[-1].state == self.assignment.state

    @invariant()
    def final_tags_are_those_of_what_is_approved(self) -> None:
        verdicts = [event for event in self.events if isinstance(event, ReviewDone)]
        final = {tag.key for tag in verdicts[-1].tags} if verdicts else set()
        approved = self.assignment.state == "approved"
        assert final == ({tag.key for tag in self.assignment.tags} if approved else set())
        assert [event.revision for event in verdicts] == list(range(1, len(verdicts) + 1))

    @invariant()
    def a_concern_is_flagged_and_what_is_skipped_has_one(self) -> None:
        assert self.assignment.flagged == (self.assignment.concern is not None)
        assert self.assignment.state != "skipped" or self.assignment.flagged
        assert self.assignment.state in ("open", "returned") or not (self.assignment.undo or self.assignment.redo)


def says(assignment: Assignment) -> dict[str, tuple[str, str | None, tuple[str, ...]]]:
    """What stands on each key, whenever it was said; what was taken back counts as undecided."""
    return {
        decided.tag.key: (decided.kind, decided.recommendation, tuple(decided.tag.panels))
        for decided in assignment.decisions
        if decided.kind != "withdraw"
    }


TestFigure = Figure.TestCase
TestFigure.settings = settings(max_examples=120, stateful_step_count=40)
