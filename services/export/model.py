"""What export keeps: one versioned record a figure, merged from the events of others, its export jobs,
and the last rebuild of the search index."""

from datetime import datetime
from typing import ClassVar, Literal

from shared.documents.port import Document, Index
from shared.events.envelope import Body
from shared.events.image import Article
from shared.events.review import Verdict
from shared.events.tag import Tag

Status = Literal["new", "provisional", "returned", "approved"]
Format = Literal["csv", "xml"]
JobState = Literal["running", "done", "failed", "withdrawn"]
RebuildState = Literal["none", "running", "done", "failed"]


class Facts(Body):
    """What ingest says of a figure, as of `revision`."""

    revision: int
    article: Article
    label: str
    legend: str
    language: str | None
    external_id: str | None
    image_file: str | None
    image_sha256: str | None


class ProvisionalTag(Body):
    """A tag of an assignment, as of `revision`; `tag` is null once it was withdrawn."""

    revision: int
    tag: Tag | None


class Review(Body):
    """How a figure's review stands, as of `revision`: the last verdict, who gave it, and all tags that are final."""

    revision: int
    verdict: Verdict
    reviewer: str
    tags: list[Tag]


class FigureRecord(Document):
    """A figure (its id is the figure's) with its tags. `facts` is null while only events of its tags have arrived."""

    collection: ClassVar[str] = "export.figures"
    keeps_files: ClassVar[bool] = False
    indexes: ClassVar[tuple[Index, ...]] = (Index("place", ("project", "place")),)

    project: str = ""
    facts: Facts | None = None
    provisional: dict[str, ProvisionalTag] = {}
    review: Review | None = None
    # Computed from the above by `merge`, to find by: the second orders figures as a reader would.
    status: Status = "new"
    place: str = ""


class ExportJob(Document):
    """An export asked for. `attempt` counts the times that it was begun again because a figure was erased meanwhile."""

    collection: ClassVar[str] = "export.jobs"
    indexes: ClassVar[tuple[Index, ...]] = (Index("state", ("state",)),)

    project: str
    person: str
    format: Format
    statuses: tuple[Status, ...]
    created_at: datetime
    state: JobState = "running"
    attempt: int = 0
    rows: int = 0
    blob: str | None = None
    bytes: int = 0
    problem: str = ""


class Rebuild(Document):
    """The last rebuild of the search index. `run` names who does it, `alive_at` is when it last said so."""

    collection: ClassVar[str] = "export.rebuilds"
    ID: ClassVar[str] = "search"

    run: str = ""
    state: RebuildState = "none"
    figures: int = 0
    started_at: datetime | None = None
    alive_at: datetime | None = None
    problem: str = ""


MODELS: tuple[type[Document], ...] = (FigureRecord, ExportJob, Rebuild)
