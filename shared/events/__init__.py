"""The event catalogue: one class a topic and version."""

from typing import Final

from shared.events.assignment import AssignmentChanged
from shared.events.envelope import Event
from shared.events.image import ImageDeleted, ImageUploaded
from shared.events.legend import LegendTokenized
from shared.events.mapping import MappingsActivated
from shared.events.recommendation import RecommendationsReady
from shared.events.review import ReviewDone
from shared.events.tag import TagAccepted, TagWithdrawn

EVENTS: Final[tuple[type[Event], ...]] = (
    ImageUploaded,
    LegendTokenized,
    RecommendationsReady,
    TagAccepted,
    TagWithdrawn,
    AssignmentChanged,
    ReviewDone,
    ImageDeleted,
    MappingsActivated,
)
