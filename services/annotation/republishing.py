"""Sends the current state again, so that others can rebuild what they derive after their topics' retention.

The documents are the archive (DESIGN.md, section 3). The events have the ids and revisions they had: whoever has them
already drops them.
"""

from collections.abc import Sequence
from typing import Final

from services.annotation.model import Assignment, Review
from services.annotation.reviewing import review_event
from services.annotation.tagging import tag_event
from shared.bus.port import Bus
from shared.documents.pages import pages
from shared.documents.port import Documents
from shared.errors import Invalid
from shared.events.review import ReviewDone
from shared.events.tag import TagAccepted, TagWithdrawn

TOPICS: Final = (TagAccepted.topic, TagWithdrawn.topic, ReviewDone.topic)
_PAGE: Final = 200


async def republish(documents: Documents, bus: Bus, topics: Sequence[str]) -> int:
    """Publishes the current state of these topics, a page of documents at a time. Returns how many events that were.

    Topics of other services are not ours to send. Raises Invalid when none is ours.
    """
    wanted = set(topics) & set(TOPICS)
    if not wanted:
        raise Invalid(
            "None of these topics comes from annotation.", field="topics", remedy=f"Ours: {', '.join(TOPICS)}."
        )
    sent = 0
    if wanted & {TagAccepted.topic, TagWithdrawn.topic}:
        sent += await _tags(documents, bus, wanted)
    if ReviewDone.topic in wanted:
        sent += await _reviews(documents, bus)
    return sent


async def _tags(documents: Documents, bus: Bus, wanted: set[str]) -> int:
    sent = 0
    async for page in pages(documents.collection(Assignment), limit=_PAGE):
        events = [
            event
            for assignment in page
            for decided in assignment.decisions
            if decided.revision and (event := tag_event(assignment, decided)).topic in wanted
        ]
        await bus.publish(events)
        sent += len(events)
    return sent


async def _reviews(documents: Documents, bus: Bus) -> int:
    sent = 0
    async for page in pages(documents.collection(Review), limit=_PAGE):
        events = [event for review in page if (event := review_event(review, revision=review.version))]
        await bus.publish(events)
        sent += len(events)
    return sent
