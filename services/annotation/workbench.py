"""What annotators and reviewers do with an assignment: decide, take newer recommendations, submit, review."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Literal

from services.annotation import exits, holding, reviewing, rules, sampling, scoring, tagging
from services.annotation.counting import shown_in
from services.annotation.guidelines import InForce
from services.annotation.holding import Holding
from services.annotation.model import Assignment, ConcernReason, Consulted, Decided, Reason
from services.annotation.quality import Quality
from services.annotation.sheets import Sheet, Sheets
from services.annotation.writing import Changed, Writing
from shared.access import Caller
from shared.clock import now
from shared.documents.port import Collection, Documents
from shared.errors import Invalid, NotFound, TooLarge
from shared.events.recommendation import Axis, Recommendation
from shared.events.review import RecommendationSet, Verdict

MAX_SHOWN_BYTES: Final = 64_000


class Workbench:
    """The use cases over the service's documents."""

    def __init__(self, documents: Documents) -> None:
        self._assignments: Collection[Assignment] = documents.collection(Assignment)
        self._in_force = InForce(documents)
        self._quality = Quality(documents)
        self._holding = Holding(documents)
        self._sheets = Sheets(documents)
        self._writing = Writing(documents)

    # Deciding

    async def decide(
        self,
        caller: Caller,
        id: str,
        command: tagging.DecisionCommand,
        *,
        version: int | None = None,
    ) -> Sheet:
        """Saves a decision. Raises Conflict (stale, or closed), Forbidden, Invalid, NotFound, Erased."""
        return await self._decide(await self._writing.allowed(caller, "decision.write", id), command, None, version)

    async def correct(
        self,
        caller: Caller,
        id: str,
        command: tagging.DecisionCommand,
        *,
        version: int | None = None,
    ) -> Sheet:
        """Saves a reviewer's decision on what was submitted. Raises as `decide`."""
        assignment = await self._writing.allowed(caller, "review.write", id)
        return await self._decide(assignment, command, caller.person, version)

    async def _decide(
        self,
        assignment: Assignment,
        command: tagging.DecisionCommand,
        by: str | None,
        version: int | None,
    ) -> Sheet:
        seen = await self._sheets.of(assignment)
        number = await self._in_force.number(assignment.project)
        recommended, origin, consulted = None, None, None
        if isinstance(command, tagging.Accept | tagging.Reject):
            recommended, origin = _recommended(seen, command)
            consulted = _consulted(seen)
        opened_with = await self._hold(seen)
        at = now()

        def change(current: Assignment) -> Changed:
            done = tagging.decide(current, command, recommended, at, origin, by=by)
            rules.require_allowed(seen.rules, current, done[0])
            return _under(number, consulted, current, _opened(current, done, opened_with))

        written = await self._writing.write(seen.assignment, change, version=version)
        return replace(seen, assignment=written)

    async def revert(self, caller: Caller, id: str, number: int, *, version: int | None = None) -> Assignment:
        """Goes back to the decisions of an earlier version, as one step. Raises Conflict, Forbidden, NotFound,
        Erased."""
        assignment = await self._writing.allowed(caller, "decision.write", id)
        past = await self._sheets.stood_of(assignment, until=number)
        at = now()
        return await self._writing.write(
            assignment,
            lambda current: tagging.revert(current, past.decisions, past.entry.number, at),
            version=version,
        )

    async def step(
        self, caller: Caller, id: str, way: Literal["undo", "redo"], *, version: int | None = None
    ) -> Assignment:
        """Takes the last decision back, or does it again. Raises Conflict, Forbidden, NotFound, Erased."""
        assignment = await self._writing.allowed(caller, "decision.write", id)
        at, stepped = now(), tagging.undo if way == "undo" else tagging.redo
        return await self._writing.write(assignment, lambda current: stepped(current, at), version=version)

    # Recommendations

    async def open(self, caller: Caller, id: str) -> Sheet:
        """Its annotator has it before them: from now on its recommendations stay those. Nothing where they are held
        already, are not there yet, or the assignment is closed. It is not a beginning: what was pulled still goes back
        in time. Raises Forbidden, NotFound, Erased."""
        seen = await self._sheets.of(await self._writing.allowed(caller, "decision.write", id))
        opened_with = await self._hold(seen)
        if opened_with is None:
            return seen
        written = await self._assignments.update(id, lambda current: (holding.opened(current, opened_with), []))
        return await self._sheets.of(written)

    async def refresh(self, caller: Caller, id: str, *, version: int | None = None) -> Sheet:
        """Takes the newer recommendations, if there are any. Raises Conflict, Forbidden, NotFound, Erased."""
        seen = await self._sheets.of(await self._writing.allowed(caller, "decision.write", id))
        if seen.newer is None:
            return seen
        taken = await self._holding.hold(seen.newer)
        at = now()
        written = await self._writing.write(
            seen.assignment, lambda current: (holding.refreshed(current, taken, at), []), version=version
        )
        await self._holding.let_go(written.figure)
        return await self._sheets.of(written)

    async def _hold(self, seen: Sheet) -> RecommendationSet | None:
        """Holds what opening the assignment now shows; null where nothing is to be held."""
        wanted = holding.to_hold(seen.assignment, seen.figure, seen.recommendations)
        return await self._holding.hold(wanted) if wanted is not None else None

    # Leaving daily work

    async def skip(
        self, caller: Caller, id: str, reason: ConcernReason, comment: str, *, version: int | None = None
    ) -> Assignment:
        """Puts it aside for an administrator. Raises Conflict, Forbidden, NotFound, Erased."""
        assignment = await self._writing.allowed(caller, "decision.write", id)
        at = now()
        return await self._writing.move(
            assignment, lambda current: (exits.skip(current, reason, comment, at), []), version=version
        )

    async def flag(
        self, caller: Caller, id: str, reason: ConcernReason, comment: str, *, version: int | None = None
    ) -> Assignment:
        """Tells an administrator of a concern. Raises Conflict, Forbidden, NotFound, Erased."""
        assignment = await self._writing.allowed(caller, "decision.write", id)
        at = now()
        return await self._writing.write(
            assignment, lambda current: (exits.flag(current, reason, comment, at), []), version=version
        )

    async def unflag(self, caller: Caller, id: str, *, version: int | None = None) -> Assignment:
        """The concern was dealt with. Raises Conflict, Forbidden, NotFound, Erased."""
        assignment = await self._writing.allowed(caller, "concern.settle", id)
        at = now()
        return await self._writing.move(
            assignment, lambda current: (exits.unflag(current, caller.person, at), []), version=version
        )

    async def recall(self, caller: Caller, id: str, *, version: int | None = None) -> Assignment:
        """Takes back what was submitted or skipped. Raises Conflict, Forbidden, NotFound, Erased."""
        assignment = await self._writing.allowed(caller, "decision.write", id)
        at = now()
        return await self._writing.move(assignment, lambda current: (exits.recall(current, at), []), version=version)

    # Reviewing

    async def submit(
        self,
        caller: Caller,
        id: str,
        *,
        no_tag_applies: bool = False,
        no_tag_on: Sequence[Axis] = (),
        version: int | None = None,
    ) -> Assignment:
        """Hands it to its reviewer. `no_tag_on`: axes on which no tag applies. Raises Conflict, Forbidden, Invalid,
        NotFound, Erased."""
        seen = await self._sheets.of(await self._writing.allowed(caller, "decision.write", id))
        assignment, at = seen.assignment, now()
        shown = shown_in(assignment, seen.recommendations)
        standards = await self._quality.standards(assignment.project)
        gold = await self._quality.gold_of(assignment) if assignment.trial else (None, {})
        record = await self._quality.record(assignment, standards.sampling)

        def handed_over(current: Assignment) -> Assignment:
            none_on: tuple[Axis, ...] = ()
            if current.state in ("open", "returned", "submitted"):
                none_on = rules.none_on(seen.rules, current, no_tag_applies, no_tag_on)
            nothing = no_tag_applies or bool(none_on and not current.tags)
            submitted = reviewing.submit(current, nothing, at, no_tag_on=none_on)
            if submitted is current:
                return current
            submitted = scoring.scored(submitted.changed(shown=shown), *gold, at)
            if submitted.trial and submitted.trial.purpose == "qualify":
                return reviewing.by_rule(submitted, "qualification", at)
            why = sampling.look(submitted, standards.sampling, record, standards.seed)
            return sampling.in_queue(submitted, why) if why else reviewing.by_rule(submitted, "sampling", at)

        return await self._writing.judge(assignment, handed_over, version=version)

    async def begin_review(self, caller: Caller, id: str, *, version: int | None = None) -> Assignment:
        """From now on the annotator cannot recall it. Raises Conflict, Forbidden, NotFound, Erased."""
        assignment = await self._writing.allowed(caller, "review.write", id)
        at = now()
        return await self._writing.write(
            assignment, lambda current: (reviewing.begin(current, at), []), version=version
        )

    async def review(
        self,
        caller: Caller,
        id: str,
        verdict: Verdict,
        comment: str,
        *,
        reasons: Sequence[Reason] = (),
        version: int | None = None,
    ) -> Assignment:
        """Approves or returns it, and has the figure's review record that; `reasons` become comments on their tags.
        Raises Conflict, Forbidden, Invalid, NotFound, Erased, TooLarge."""
        assignment = await self._writing.allowed(caller, "review.write", id)
        at = now()
        return await self._writing.judge(
            assignment,
            lambda current: reviewing.judge(current, verdict, comment, at, reasons=reasons),
            version=version,
        )

    async def approve_for(self, adjudicator: str, assignment: Assignment) -> Assignment:
        """Approves what is submitted as a part of an adjudication, by somebody who may. Raises Conflict when it was
        changed since, Erased, TooLarge."""
        at, by = now(), None if adjudicator == assignment.reviewer else adjudicator
        return await self._writing.judge(
            assignment,
            lambda current: reviewing.judge(current, "approved", "", at, by=by),
            version=assignment.version,
        )

    async def reopen(self, caller: Caller, id: str, reason: str, *, version: int | None = None) -> Assignment:
        """Gives an approved one back to its annotator. Raises Conflict, Forbidden, Invalid, NotFound, Erased."""
        assignment = await self._writing.allowed(caller, "assignment.reopen", id)
        at = now()
        return await self._writing.write(
            assignment, lambda current: reviewing.reopen(current, caller.person, reason, at), version=version
        )


def _recommended(
    seen: Sheet, command: tagging.Accept | tagging.Reject
) -> tuple[Recommendation, RecommendationSet | None]:
    """What the caller says was shown; else the recommendation of that id in the set that the assignment shows; else the
    content that an earlier decision kept. With the set it stands in, where that is known. Raises NotFound."""
    if seen.assignment.hidden:
        raise Invalid(
            "Recommendations are hidden for this figure.",
            field="recommendation",
            remedy="Add what you see from the concept search: that measures what recommendations do.",
        )
    known = next(
        (
            (item, holding.name_of(one))
            for one in (seen.recommendations, seen.newer)
            if one is not None
            for item in rules.preferring(seen.rules, one).items
            if item.id == command.recommendation and command.shown in (None, item)
        ),
        None,
    )
    if known is not None:
        return known
    if command.shown is not None:
        return _shown(command.shown, command.recommendation), None
    for decided in seen.assignment.decisions:
        if decided.recommendation == command.recommendation:
            return _kept(decided, command.recommendation), decided.recommended_in
    raise NotFound(
        f"There is no recommendation {command.recommendation} for this figure now.",
        remedy="Load the assignment again, or send the recommendation as you saw it, as `shown`.",
    )


def _kept(decided: Decided, id: str) -> Recommendation:
    # A tag does not keep the kind of match, and a decision does not ask for it.
    return Recommendation.model_validate(
        {
            **decided.tag.model_dump(),
            "id": id,
            "match": "label",
            "score": decided.tag.score or 0.0,
            "model_score": decided.model_score,
        }
    )


def _shown(shown: Recommendation, id: str) -> Recommendation:
    if shown.id != id:
        raise Invalid("`shown` is another recommendation.", field="shown.id", remedy="Send the one that you decide.")
    if len(shown.model_dump_json()) > MAX_SHOWN_BYTES:
        raise TooLarge(f"`shown` has more than {MAX_SHOWN_BYTES:,} bytes.", field="shown", remedy="Leave out spans.")
    return shown


def _consulted(seen: Sheet) -> Consulted | None:
    found = seen.recommendations
    if found is None:
        return None
    return Consulted(revision=found.revision, generation=found.generation, annotator=found.annotator)


def _under(guidelines: int | None, consulted: Consulted | None, current: Assignment, done: Changed) -> Changed:
    """The change with the version of the guidelines that were in force, and of the recommendations that were there."""
    changed, events = done
    if changed is current:
        return done
    *before, entry = changed.recent
    known = {"guidelines": guidelines, "consulted": consulted}
    return changed.changed(recent=(*before, entry.model_copy(update=known))), events


def _opened(current: Assignment, done: Changed, recommendations: RecommendationSet | None) -> Changed:
    """The change, of an assignment that it opened."""
    changed, events = done
    return (changed, events) if changed is current else (holding.opened(changed, recommendations), events)
