"""mappings.activated: which mappings between vocabularies are in use."""

from typing import Annotated, ClassVar

from pydantic import Field

from shared.events.envelope import Body, Event


class MappingsUsed(Body):
    """A version of mappings."""

    id: str
    name: str
    version: str


class MappingsActivated(Event):
    """Other mappings between vocabularies came into use, of the whole site. They are of no figure: `figure` is empty,
    and the key too, so that all stand in one order."""

    topic: ClassVar[str] = "mappings.activated"
    source: ClassVar[str] = "recommender"

    figure: Annotated[str, Field(description="Empty: mappings are of no figure")] = ""
    set: Annotated[str, Field(description='Id of the set in use; "": none is')]
    artefact: Annotated[str | None, Field(description="Content hash of what they compile to; null: none is in use")]
    members: list[MappingsUsed] = []

    @property
    def entity(self) -> str:
        return "mappings"
