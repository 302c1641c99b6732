"""Where several tagged one figure: what they agree on, what only some have, and what an adjudicator makes of it. Pure.

A figure waits for its adjudicator once everybody who has it handed it over: submitted or approved. Settling approves
what is only submitted, so overlapping work needs no review besides (docs/decisions/0036-adjudication.md).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, TypeAlias

from services.annotation.model import Adjudication, Assignment, Choice, Outcome, Review, Told
from shared.errors import Conflict, Invalid
from shared.events.tag import Tag

Became: TypeAlias = Literal["kept", "dropped", "from_others"]

HANDED_OVER: Final = ("submitted", "approved")


@dataclass(frozen=True, slots=True)
class Compared:
    """A tag of the figure: the assignments that have it, in order, and whether all do. `choice` is the adjudicator's;
    what all have is kept unless they say otherwise."""

    tag: Tag
    assignments: tuple[Assignment, ...]
    agreed: bool
    choice: Choice | None

    @property
    def kept(self) -> bool | None:
        """Null while nobody has chosen."""
        if self.choice is not None:
            return self.choice.keep
        return True if self.agreed else None


@dataclass(frozen=True, slots=True)
class Settled:
    """What settling their figure made of one annotator's work. Whose a tag `from_others` is, is not said, nor what of
    the others' was dropped."""

    at: datetime
    tags: tuple[tuple[Tag, Became], ...]


def unheard(assignment: Assignment) -> Adjudication:
    """The adjudication of a figure before any of its assignments was heard of."""
    return Adjudication(
        id=assignment.figure, project=assignment.project, article=assignment.article, since=assignment.created_at
    )


def told(current: Adjudication, assignments: Sequence[Assignment], settled: Mapping[str, int]) -> Adjudication:
    """The adjudication once it has heard of these assignments, and of the rounds that the figure's review has settled.
    What it heard of a later version stays, so that the order in which it hears does not matter."""
    known = dict(current.told)
    for one in assignments:
        if one.id not in known or known[one.id].version < one.version:
            known[one.id] = Told(
                annotator=one.annotator,
                version=one.version,
                state=one.state,
                round=one.judged.round if one.judged else 0,
            )
    rounds = {id: max(settled.get(id, 0), current.settled.get(id, 0)) for id in {*settled, *current.settled}}
    live = {id: one for id, one in known.items() if one.state != "released"}
    waiting = (
        len(live) > 1
        and all(one.state in HANDED_OVER for one in live.values())
        and any(one.state == "submitted" or one.round != rounds.get(id) for id, one in live.items())
    )
    since = (
        max([current.since, *(one.updated_at for one in assignments)]) if waiting > current.waiting else current.since
    )
    return current.changed(told=known, settled=rounds, waiting=waiting, since=since)


def live(assignments: Sequence[Assignment]) -> list[Assignment]:
    """Those that count, in the order in which they were made: a trial says nothing of its figure."""
    counting = (one for one in assignments if one.state != "released" and one.trial is None)
    return sorted(counting, key=lambda one: (one.created_at, one.id))


def compared(assignments: Sequence[Assignment], choices: Sequence[Choice]) -> list[Compared]:
    """Every tag that one of these assignments has. Of what several have, the first one's tag."""
    chosen = {choice.key: choice for choice in choices}
    holders: dict[str, list[Assignment]] = {}
    tags: dict[str, Tag] = {}
    for one in assignments:
        for tag in one.tags:
            holders.setdefault(tag.key, []).append(one)
            tags.setdefault(tag.key, tag)
    return [
        Compared(tags[key], tuple(who), len(who) == len(assignments), chosen.get(key)) for key, who in holders.items()
    ]


def choose(
    current: Adjudication,
    there: Sequence[Compared],
    wanted: Mapping[str, bool | None],
    by: str,
    at: datetime,
) -> Adjudication:
    """The adjudication with these choices by key: kept, dropped, or (null) open again. Raises Invalid where a key is
    none of the figure's tags."""
    known = {one.tag.key for one in there}
    if unknown := next((key for key in wanted if key not in known), None):
        raise Invalid(
            f"No annotator of this figure has {unknown[:80]!r}.", field="keep", remedy="Take the keys of its tags."
        )
    before = {choice.key: choice for choice in current.choices if choice.key in known}
    for key, keep in wanted.items():
        if keep is None:
            before.pop(key, None)
        elif key not in before or before[key].keep != keep:
            before[key] = Choice(key=key, keep=keep, by=by, at=at)
    return current.changed(choices=tuple(before.values()))


def outcomes(there: Sequence[Compared]) -> list[Outcome]:
    """What becomes of every tag. Raises Conflict while one is open."""
    open_ = [one.tag.label for one in there if one.kept is None]
    if open_:
        named = ", ".join(open_[:5]) + (" …" if len(open_) > 5 else "")
        raise Conflict(
            f"{len(open_)} of the differences are not settled: {named}.",
            difference={"open": {"yours": 0, "theirs": len(open_)}},
            remedy="Keep or drop each, then settle the figure.",
        )
    return [
        Outcome(
            tag=one.tag,
            assignments=tuple(holder.id for holder in one.assignments),
            annotators=tuple(holder.annotator for holder in one.assignments),
            kept=bool(one.kept),
            by=one.choice.by if one.choice else None,
        )
        for one in there
    ]


def settled_of(assignment: Assignment, review: Review | None) -> Settled | None:
    """What became of the assignment's work; null unless it stands as it was settled. What only others had is told as
    long as it is final: their work may be reopened."""
    settled, judged = review.settled if review else None, assignment.judged
    if review is None or settled is None or judged is None or assignment.state != "approved":
        return None
    if settled.rounds.get(assignment.id) != judged.round:
        return None
    final = {tag.key for tag in review.tags}
    became = ((one.tag, _became(one, assignment.id, final)) for one in settled.outcomes)
    return Settled(settled.at, tuple((tag, what) for tag, what in became if what is not None))


def _became(outcome: Outcome, assignment: str, final: Collection[str]) -> Became | None:
    if assignment in outcome.assignments:
        return "kept" if outcome.kept else "dropped"
    return "from_others" if outcome.kept and outcome.tag.key in final else None
