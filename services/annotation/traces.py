"""What annotation has of figures, counted."""

from collections.abc import Sequence

from services.annotation.model import Assignment, Comment, Review
from shared.documents.port import Documents, In
from shared.traces import Traces


class Counting:
    """Over the service's documents."""

    def __init__(self, documents: Documents) -> None:
        self._assignments = documents.collection(Assignment)
        self._comments = documents.collection(Comment)
        self._reviews = documents.collection(Review)

    async def traces(self, figures: Sequence[str]) -> Traces:
        """Assignments with their history, comments, final tags."""
        of = {"figure": In(tuple(figures))}
        reviews = await self._reviews.get_many(figures)
        return Traces(
            counts={
                "assignments": await self._assignments.count(of),
                "comments": await self._comments.count(of),
                "final tags": sum(len(review.tags) for review in reviews),
            }
        )
