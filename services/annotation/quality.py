"""How good people's work is: gold figures, what a project asks, who has qualified. Nothing here writes assignments.

Which figures are gold is told to nobody but those who may read of it (`quality.read`). Somebody who has had a figure,
or has reviewed work on it, is not measured by it.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from services.annotation import qualifying, rights, scoring
from services.annotation.assigning import Pair, drawn
from services.annotation.model import (
    Assignment,
    Figure,
    GoldVersion,
    Qualification,
    Recommendations,
    Review,
    Sampling,
    Score,
    Standards,
    Standing,
    Trial,
)
from services.annotation.qualifying import Progress
from services.annotation.sampling import Record
from shared.access import Caller
from shared.clock import new_id, now
from shared.documents.pages import every
from shared.documents.port import Collection, Documents, In, Page, Range, Where
from shared.errors import Conflict, Forbidden, Invalid, NotFound

MAX_GOLD: Final = 1_000  # of one project
_PAGE: Final = 500
_QUALIFYING: Final = "qualify"


@dataclass(frozen=True, slots=True)
class Newcomer:
    """Somebody's way into a project; `standing` is null until it is decided."""

    person: str
    progress: Progress
    standing: Standing | None = None


@dataclass(frozen=True, slots=True)
class Feedback:
    """A scored trial, with how far its annotator is."""

    assignment: Assignment
    score: Score
    attempt: int
    needed: Qualification | None
    progress: Progress | None


class Quality:
    """The use cases over the service's documents."""

    def __init__(self, documents: Documents) -> None:
        self._figures: Collection[Figure] = documents.collection(Figure)
        self._recommendations: Collection[Recommendations] = documents.collection(Recommendations)
        self._assignments: Collection[Assignment] = documents.collection(Assignment)
        self._reviews: Collection[Review] = documents.collection(Review)
        self._standards: Collection[Standards] = documents.collection(Standards)
        self._standings: Collection[Standing] = documents.collection(Standing)

    # Gold

    async def mark(self, caller: Caller, figure: str) -> Review:
        """Makes a figure's final tags gold, or renews it. Raises Conflict (not approved), Forbidden, NotFound, Erased,
        TooLarge."""
        found = await self._figure_for(caller, figure, write=True)
        if await self._count(found.project) >= MAX_GOLD:
            raise Conflict(f"A project has at most {MAX_GOLD:,} gold figures.", remedy="Withdraw some.")
        at = now()
        return await self._reviews.update(
            figure,
            lambda review: scoring.mark(review, caller.person, at),
            initial=Review(id=figure, project=found.project),
        )

    async def withdraw(self, caller: Caller, figure: str) -> Review:
        """It measures nobody any more; scores stay. Raises Forbidden, NotFound, Erased."""
        await self._figure_for(caller, figure, write=True)
        await self.gold(caller, figure)
        return await self._reviews.update(figure, scoring.withdraw)

    async def gold(self, caller: Caller, figure: str) -> Review:
        """Raises Forbidden, NotFound (it never was gold), Erased."""
        await self._figure_for(caller, figure, write=False)
        review = next(iter(await self._reviews.get_many([figure])), None)
        if review is None or review.gold is None:
            raise NotFound(f"The figure {figure} is not gold.", remedy="Mark it, once it is approved.")
        return review

    async def all_gold(self, caller: Caller, project: str, *, after: str | None, limit: int) -> Page[Review]:
        """Raises Forbidden, Invalid."""
        caller.require("quality.read", frozenset({"any"}), project)
        return await self._reviews.find({"project": project, "gold.active": True}, after=after, limit=limit)

    async def figures_of(self, reviews: Sequence[Review]) -> dict[str, Figure]:
        return {figure.id: figure for figure in await self._figures.get_many([review.id for review in reviews])}

    async def scores(
        self, caller: Caller, project: str, person: str, *, after: str | None, limit: int
    ) -> Page[Assignment]:
        """Somebody's scored trials, the newest first. Raises Forbidden, Invalid."""
        caller.require("quality.read", frozenset({"any"}), project)
        return await self._scored(project, person, after=after, limit=limit)

    # What a project asks

    async def standards(self, project: str) -> Standards:
        """At version 0 while nothing is set."""
        return next(iter(await self._standards.get_many([project])), Standards(id=project, seed=""))

    async def read_standards(self, caller: Caller, project: str) -> tuple[Standards, int]:
        """With the number of gold figures. Raises Forbidden."""
        caller.require("quality.read", frozenset({"any"}), project)
        return await self.standards(project), await self._count(project)

    async def set_standards(self, caller: Caller, wanted: Standards, *, version: int | None) -> tuple[Standards, int]:
        """Raises Conflict, Forbidden, Invalid (more gold figures are asked for than there are)."""
        caller.require("quality.write", frozenset({"any"}), wanted.id)
        needed, there = wanted.qualification, await self._count(wanted.id)
        if needed is not None and there < needed.figures:
            raise Invalid(
                f"A newcomer shall tag {needed.figures} gold figures, and the project has {there}.",
                field="qualification.figures",
                remedy="Mark more figures as gold, or ask for fewer.",
            )
        seed = new_id()
        stored = await self._standards.update(
            wanted.id,
            lambda current: (wanted.changed(version=current.version, seed=current.seed or seed), []),
            version=version,
            initial=Standards(id=wanted.id, seed=""),
        )
        return stored, there

    # Who has qualified

    async def require_qualified(self, project: str, people: Sequence[str]) -> None:
        """Raises Invalid where some of these may not be given production figures yet; it names them by pseudonym, for
        which the gateway says their names."""
        found = [await self.newcomer(project, person) for person in dict.fromkeys(people)]
        lacking = [one.person for one in found if one is not None and one.progress.state != "passed"]
        if lacking:
            raise Invalid(
                f"{', '.join(lacking)} {'has' if len(lacking) == 1 else 'have'} not passed the qualification of this "
                "project.",
                field="annotator",
                remedy="They pass it with the figures that `next` gives them; or let them in, with a reason.",
            )

    async def newcomer(self, project: str, person: str) -> Newcomer | None:
        """How far somebody is; null where nothing is asked of them: the project asks nobody, or they have worked in it
        since before it did. That they passed is remembered, whatever is asked later."""
        needed = (await self.standards(project)).qualification
        if needed is None:
            return None
        standing = next(iter(await self._standings.get_many([_standing_id(project, person)])), None)
        trials = [one async for one in self._qualifying(project, person)]
        found = qualifying.progress(trials, needed)
        if standing is None and not trials:
            where = {"project": project, "annotator": person, "trial": None}
            if await self._assignments.count(where):
                return None
        if standing is None and found.state == "passed":
            standing = await self._pass(project, person, found)
        if standing is not None:
            found = replace(found, state="passed")
        return Newcomer(person, found, standing)

    async def newcomers(self, caller: Caller, project: str) -> list[Newcomer]:
        """Everybody who has begun to qualify, or was let in. Raises Forbidden."""
        caller.require("quality.read", frozenset({"any"}), project)
        begun = await self._assignments.count_by("annotator", {"project": project, "trial.purpose": _QUALIFYING})
        let_in = (await self._standings.find({"project": project}, sort=("person",), limit=1000)).items
        people = sorted({*begun, *(one.person for one in let_in)})
        return [found for person in people if (found := await self.newcomer(project, person))]

    async def let_in(self, caller: Caller, project: str, person: str, reason: str) -> Newcomer:
        """Lets somebody in without, or in spite of, their scores. Raises Forbidden, Invalid (without a reason)."""
        caller.require("quality.write", frozenset({"any"}), project)
        if not reason.strip():
            raise Invalid("Letting somebody in needs a reason.", field="reason", remedy="Say why they need not pass.")
        at, id = now(), _standing_id(project, person)
        wanted = Standing(id=id, project=project, person=person, at=at, by=caller.person, reason=reason.strip())
        # Whoever has passed has; the first reason stays.
        standing = await self._standings.update(id, lambda current: (current, []), initial=wanted)
        found = await self.newcomer(project, person)
        return found or Newcomer(person, Progress("passed", 0, 0, 0, None, None), standing)

    async def feedback(self, caller: Caller, id: str) -> tuple[Feedback, Figure]:
        """What a scored trial missed and what was too much: its annotator sees that of a trial to qualify, those who
        read of quality any. Raises Forbidden, Erased; NotFound, the same whether it is a trial or not."""
        assignment = await self._assignments.get(id)
        rights.require(caller, "assignment.read", assignment)
        trial = assignment.trial
        shown = trial is not None and (
            trial.purpose == _QUALIFYING or caller.may("quality.read", project=assignment.project)
        )
        if not shown or trial is None or trial.score is None:
            raise NotFound(
                "There is no feedback on this assignment.", remedy="There is on qualification figures, once submitted."
            )
        needed = (await self.standards(assignment.project)).qualification
        newcomer = await self.newcomer(assignment.project, assignment.annotator)
        progress = newcomer.progress if newcomer else None
        feedback = Feedback(assignment, trial.score, trial.attempt, needed, progress)
        return feedback, await self._figures.get(assignment.figure)

    # For those who write assignments

    async def gold_of(self, trial: Assignment) -> tuple[GoldVersion | None, Mapping[str, str]]:
        """What a trial is scored by: the newest version, null once withdrawn, and what is the same concept."""
        review = next(iter(await self._reviews.get_many([trial.figure])), None)
        if review is None or review.gold is None or not review.gold.active:
            return None, {}
        recommended = next(iter(await self._recommendations.get_many([trial.figure])), None)
        return review.gold.newest, scoring.same_concepts(recommended)

    async def record(self, assignment: Assignment, rules: Sampling) -> Record:
        """Its annotator's last work, of which sampling asks."""
        if rules.share >= 1:
            return Record(0, 0, ())
        whose = {"project": assignment.project, "annotator": assignment.annotator}
        inspected = await self._assignments.find(
            {**whose, "inspected_at": Range(gte=1.0)}, sort=("-inspected_at",), limit=rules.window
        )
        scored = await self._scored(assignment.project, assignment.annotator, after=None, limit=rules.window)
        return Record(
            inspected=len(inspected.items),
            returned=sum(
                (one.judged is not None and (one.judged.round > 1 or one.judged.verdict == "returned"))
                or any(decided.by for decided in one.decisions)
                for one in inspected.items
            ),
            f1=[trial.score.f1 for one in scored.items if (trial := one.trial) and trial.score and not trial.attempt],
        )

    async def spare(self, standards: Standards, people: Sequence[Pair]) -> dict[str, list[str]]:
        """Gold figures that each annotator can be measured by, in the order in which they get them."""
        gold = [review async for review in self._active(standards.id)]
        known = await self._known_to([pair.annotator for pair in people], gold)
        return {
            pair.annotator: sorted(
                {review.id for review in gold} - known[pair.annotator],
                key=lambda figure: drawn(f"{standards.seed}/gold", f"{pair.annotator}/{figure}"),
            )
            for pair in people
        }

    async def due(self, standards: Standards, person: str) -> bool:
        """Whether the next figure that somebody pulls is gold: drawn by how many they have had, so that asking again
        draws the same."""
        if not standards.gold_share:
            return False
        had = await self._assignments.count({"project": standards.id, "annotator": person})
        return drawn(f"{standards.seed}/due", f"{person}/{had}") < standards.gold_share / (1 + standards.gold_share)

    async def to_qualify(self, project: str, person: str, found: Progress) -> tuple[Trial, str]:
        """The next figure of somebody's attempt: the same ones, in the same order, for everybody. Raises Forbidden when
        all attempts are spent, or too few gold figures are left."""
        standards = await self.standards(project)
        if found.state == "failed":
            raise Forbidden(
                "You have not passed the qualification of this project, and have no attempt left.",
                remedy="Ask the manager of the project, who can let you in.",
            )
        gold = [review async for review in self._active(project)]
        known = (await self._known_to([person], gold))[person]
        # Looked at last: one that another request has just given them is the one that they get here, too.
        begun = {one.figure async for one in self._qualifying(project, person) if one.state in ("open", "returned")}
        able = {review.id for review in gold} - (known - begun)
        left = sorted(able, key=lambda figure: drawn(f"{standards.seed}/set", figure))
        if not left:
            raise Forbidden(
                "No figure is left to qualify with.",
                remedy="Ask the manager of the project to mark more figures as gold, or to let you in.",
            )
        return Trial(purpose="qualify", attempt=found.attempt), left[0]

    # How

    async def _figure_for(self, caller: Caller, id: str, *, write: bool) -> Figure:
        # Whoever may not, is not told either whether the figure is there.
        action: Final = "quality.write" if write else "quality.read"
        caller.require_somewhere(action, frozenset({"any"}))
        found = await self._figures.get(id)
        caller.require(action, frozenset({"any"}), found.project)
        return found

    async def _count(self, project: str) -> int:
        return await self._reviews.count({"project": project, "gold.active": True})

    def _active(self, project: str) -> AsyncIterator[Review]:
        return every(self._reviews, {"project": project, "gold.active": True}, limit=_PAGE)

    async def _known_to(self, people: Iterable[str], gold: Sequence[Review]) -> dict[str, set[str]]:
        """Which of the figures each has had, has reviewed work on, or has adjudicated."""
        known: dict[str, set[str]] = {person: set() for person in people}
        for review in gold:
            if review.settled is not None:
                known.get(review.settled.by, set()).add(review.id)
        figures = tuple(review.id for review in gold)
        if figures:
            async for one in every(self._assignments, {"figure": In(figures)}, limit=_PAGE):
                for person in (one.annotator, one.reviewer):
                    known.get(person, set()).add(one.figure)
        return known

    async def _qualifying(self, project: str, person: str) -> AsyncIterator[Assignment]:
        where = {"project": project, "annotator": person, "trial.purpose": _QUALIFYING}
        for one in (await self._assignments.find(where, limit=1000)).items:
            yield one

    async def _scored(self, project: str, person: str, *, after: str | None, limit: int) -> Page[Assignment]:
        where: Where = {"project": project, "annotator": person, "scored_at": Range(gte=1.0)}
        return await self._assignments.find(where, sort=("-scored_at",), after=after, limit=limit)

    async def _pass(self, project: str, person: str, found: Progress) -> Standing:
        id, at = _standing_id(project, person), now()
        new = Standing(id=id, project=project, person=person, at=at, attempt=found.attempt, f1=found.f1)
        return await self._standings.update(id, lambda current: (current, []), initial=new)


def _standing_id(project: str, person: str) -> str:
    return f"{project}.{person}"
