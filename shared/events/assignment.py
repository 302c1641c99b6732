"""assignment.changed: an assignment was made or written. Who follows their work live learns what to read again."""

from datetime import timedelta
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from shared.events.envelope import Event

State = Literal["open", "submitted", "returned", "approved", "skipped", "released"]
About = Literal["recommendations", "adjudication"]


class AssignmentChanged(Event):
    """An assignment was made, or anything of it changed, or shows more (`about`).

    Its revision is the assignment's version, which stays the same where it only shows more.
    """

    topic: ClassVar[str] = "assignment.changed"
    source: ClassVar[str] = "annotation"
    # It says that something happened, not what: nobody needs it later.
    kept: ClassVar[timedelta | None] = timedelta(days=1)

    assignment: str
    annotator: str
    reviewer: str
    state: State
    about: Annotated[
        About | None,
        Field(
            description="What it shows besides, the assignment itself not being written: that newer recommendations "
            "are offered, or how its figure was settled"
        ),
    ] = None

    @property
    def entity(self) -> str:
        return self.assignment
