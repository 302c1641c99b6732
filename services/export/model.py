"""What export keeps: one versioned record a figure, merged from the events of others, its export jobs,
and the last rebuild of the search index."""

from datetime import datetime
from typing import ClassVar, Literal

from shared.documents.port import Document, Index
from shared.events.envelope import Body
from shared.events.image import Article
from shared.events.mapping import MappingsUsed
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
    """A tag of an assignment, as of `revision`; `tag` is null once it was withdrawn. `trial`: it only measures who gave
    it."""

    revision: int
    tag: Tag | None
    trial: bool = False


class Review(Body):
    """How a figure's review stands, as of `revision`: the last verdict, who gave it, and all tags that are final."""

    revision: int
    verdict: Verdict
    reviewer: str
    tags: list[Tag]
    blind: bool = False  # kept from annotators


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


class MappingsInUse(Body):
    """Mappings between vocabularies, by the set that they are and the blob that they compile to."""

    set: str
    artefact: str
    members: list[MappingsUsed]


class MappingsRecord(Document):
    """What recommender says of the mappings in use, as of `revision`; `mappings` is null while none are. There is one
    such document."""

    collection: ClassVar[str] = "export.mappings"
    keeps_files: ClassVar[bool] = False
    ID: ClassVar[str] = "current"

    revision: int = 0
    mappings: MappingsInUse | None = None


class ExportJob(Document):
    """An export asked for. `attempt` counts the times that it was begun again because a figure was erased meanwhile.
    `figures`: those alone. `map_to`: the vocabulary whose concepts stand beside the tags' ("": none), by `mapping`."""

    collection: ClassVar[str] = "export.jobs"
    indexes: ClassVar[tuple[Index, ...]] = (Index("state", ("state",)), Index("newest", ("project", "created_at")))

    project: str
    person: str
    format: Format
    statuses: tuple[Status, ...]
    figures: tuple[str, ...] | None = None
    map_to: str = ""
    mapping: MappingsInUse | None = None
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


MODELS: tuple[type[Document], ...] = (FigureRecord, MappingsRecord, ExportJob, Rebuild)
