"""Tells that an assignment is about to be written, or that it shows more than before. Pure."""

from datetime import datetime
from typing import Any

from services.annotation.model import Assignment
from shared.events.assignment import About, AssignmentChanged
from shared.events.envelope import event_id
from shared.events.review import RecommendationSet


def changed(assignment: Assignment) -> AssignmentChanged:
    """Of the assignment as it is about to be written: it still carries the version before. Its newest entry says who
    wrote it."""
    actor = assignment.recent[-1].actor if assignment.recent else assignment.annotator
    return _told(assignment, time=assignment.updated_at, actor=actor, revision=assignment.version + 1)


def offered(assignment: Assignment, recommendations: RecommendationSet, actor: str, at: datetime) -> AssignmentChanged:
    """That it is offered newer recommendations."""
    return _shows(assignment, "recommendations", actor, at, recommendations.revision, recommendations.generation)


def settled(assignment: Assignment, review: int, actor: str, at: datetime) -> AssignmentChanged:
    """That its figure was settled, or what came of that is another now, in this version of the figure's review."""
    return _shows(assignment, "adjudication", actor, at, review)


def _shows(assignment: Assignment, about: About, actor: str, at: datetime, *what: int) -> AssignmentChanged:
    """The assignment is not written, so that this conflicts with nobody's decision."""
    return _told(
        assignment,
        id=event_id("annotation", AssignmentChanged.type(), assignment.id, about, *what),
        time=at,
        actor=actor,
        revision=assignment.version,
        about=about,
    )


def _told(assignment: Assignment, *, time: datetime, actor: str, revision: int, **more: Any) -> AssignmentChanged:
    """`more`: what an event has besides, or not as it is made by default."""
    return AssignmentChanged(
        time=time,
        actor=actor,
        revision=revision,
        project=assignment.project,
        figure=assignment.figure,
        assignment=assignment.id,
        annotator=assignment.annotator,
        reviewer=assignment.reviewer,
        state=assignment.state,
        **more,
    )
