"""Sends the current figures again, so that others can rebuild what they derive after the topic's retention."""

from collections.abc import Sequence
from typing import Final

from services.ingest.events import uploaded
from services.ingest.model import Figure
from shared.bus.port import Bus
from shared.documents.pages import pages
from shared.documents.port import Documents
from shared.errors import Invalid
from shared.events.image import ImageUploaded

_PAGE: Final = 200


async def republish(documents: Documents, bus: Bus, topics: Sequence[str]) -> int:
    """Publishes the current state of every figure, a page at a time. Returns how many events that were. The events have
    the ids and revisions they had. Raises Invalid when none of the topics is ours."""
    if ImageUploaded.topic not in topics:
        raise Invalid("None of these topics comes from ingest.", field="topics", remedy=f"Ours: {ImageUploaded.topic}.")
    sent = 0
    async for page in pages(documents.collection(Figure), limit=_PAGE):
        await bus.publish([uploaded(figure, revision=figure.version) for figure in page])
        sent += len(page)
    return sent
