"""How an annotator's tags compare with gold, and gold itself: marked, renewed, withdrawn. Pure.

The unit is a concept (or free text) with its assertion. Concepts that the figure's recommendations name as the same in
several ontologies are one. Score is of what was submitted first: independent work, before anybody's comment.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from services.annotation.model import Assignment, Gold, GoldVersion, Recommendations, Review, Score
from services.annotation.reviewing import review_event
from shared.errors import Conflict, TooLarge
from shared.events.envelope import Event
from shared.events.tag import Tag

MAX_VERSIONS: Final = 20  # of one figure's gold


def same_concepts(recommendations: Recommendations | None) -> dict[str, str]:
    """CURIE → CURIE that stands for all that are the same concept, as the figure's recommendations say."""
    same: dict[str, str] = {}
    for item in recommendations.items if recommendations else ():
        same.update({other.curie: item.curie for other in item.equivalents})
    return same


def score(tags: Sequence[Tag], gold: GoldVersion, same: Mapping[str, str]) -> Score:
    """`tags` against gold. Of tags that are one concept the first counts."""
    found = _by_concept(tags, same)
    wanted = _by_concept(gold.tags, same)
    return Score(
        gold=gold.number,
        right=tuple(tag for concept, tag in wanted.items() if concept in found),
        missed=tuple(tag for concept, tag in wanted.items() if concept not in found),
        extra=tuple(tag for concept, tag in found.items() if concept not in wanted),
    )


def scored(assignment: Assignment, gold: GoldVersion | None, same: Mapping[str, str], at: datetime) -> Assignment:
    """A submitted trial with its score; unchanged where it has one, is no trial, or its gold was withdrawn."""
    trial = assignment.trial
    if trial is None or trial.score is not None or gold is None:
        return assignment
    done = trial.model_copy(update={"score": score(assignment.tags, gold, same)})
    return assignment.changed(trial=done, scored_at=at.timestamp())


def mark(review: Review, by: str, at: datetime) -> tuple[Review, list[Event]]:
    """The review whose final tags, as they are, are gold. Unchanged where the newest version says the same.

    From then on they are kept from annotators: review.done tells so. Raises Conflict unless it is approved, TooLarge
    after `MAX_VERSIONS`.
    """
    if not review.approved:
        raise Conflict(
            "Only an approved figure can be gold.",
            difference={"state": {"yours": "approved", "theirs": "not approved"}},
            remedy="Approve it first: gold is its final tags.",
        )
    before = review.gold
    versions = before.versions if before else ()
    if before is None or before.newest.tags != review.tags:
        if len(versions) == MAX_VERSIONS:
            raise TooLarge(f"Gold has at most {MAX_VERSIONS} versions.", remedy="Mark another figure.")
        versions = (*versions, GoldVersion(number=len(versions) + 1, tags=review.tags, by=by, at=at))
    return _told(review, Gold(active=True, versions=versions))


def withdraw(review: Review) -> tuple[Review, list[Event]]:
    """The review that is gold no longer; its versions stay. Unchanged where it was not."""
    if review.gold is None:
        return review, []
    return _told(review, review.gold.model_copy(update={"active": False}))


def _told(review: Review, gold: Gold) -> tuple[Review, list[Event]]:
    new = review.changed(gold=gold)
    event = review_event(new, revision=review.version + 1) if new.blind != review.blind else None
    return new, [event] if event else []


def _by_concept(tags: Sequence[Tag], same: Mapping[str, str]) -> dict[tuple[str, str], Tag]:
    by_concept: dict[tuple[str, str], Tag] = {}
    for tag in tags:
        concept = (same.get(tag.curie, tag.curie), tag.assertion) if tag.curie else (tag.key, "")
        by_concept.setdefault(concept, tag)
    return by_concept
