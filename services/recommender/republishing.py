"""Sends again which mappings are in use, so that others can rebuild what they derive after the topic's retention."""

from collections.abc import Sequence

from services.recommender.site_mappings import SiteMappings
from shared.bus.port import Bus
from shared.errors import Invalid
from shared.events.mapping import MappingsActivated


async def republish(mappings: SiteMappings, bus: Bus, topics: Sequence[str]) -> int:
    """Publishes what was said of the mappings last. Returns how many events that were: none where none ever were in
    use. Raises Invalid when none of the topics is ours."""
    if MappingsActivated.topic not in topics:
        raise Invalid(
            "None of these topics comes from recommender.", field="topics", remedy=f"Ours: {MappingsActivated.topic}."
        )
    said = await mappings.said()
    events = [] if said is None else [said]
    await bus.publish(events)
    return len(events)
