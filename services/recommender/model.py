"""The documents of `recommender`."""

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from shared.documents.port import Document, Index
from shared.events.recommendation import Axis
from shared.vocabulary.axes import AxisTable
from shared.vocabulary.formats.reading import Format

VersionState = Literal["waiting", "running", "ready", "failed"]


class Generation(Document):
    """Which annotator makes recommendations now. `number` rises whenever its version changes, so that consumers can
    tell newer recommendations of an unchanged legend from older ones; `refreshed` is the last one in which all legends
    were annotated again. There is one such document."""

    collection: ClassVar[str] = "recommender.generations"

    number: int = 0
    annotator: str = ""
    vocabularies: Mapping[str, str] = {}
    refreshed: int = 0
    run: str = ""
    alive_at: datetime | None = None


class Work(Document):
    """What takes a process seconds to minutes. `run` names who does it, `alive_at` is when it last said so: whoever
    finds one in silence takes it over."""

    state: VersionState = "waiting"
    problem: str = ""
    person: str
    created_at: datetime
    run: str = ""
    alive_at: datetime | None = None


class SkippedRow(BaseModel):
    """A row of a file that was not read; see `shared.vocabulary.formats.content.Skipped`."""

    model_config = ConfigDict(frozen=True)

    file: str
    line: int
    problem: str


class VocabularyVersion(Work):
    """A version of a vocabulary that was imported, or is being. `file` is the name of the file that was sent, `upload`
    where it lies until it is read, `package` what was made of it (`shared.vocabulary.package`), a blob each.
    `places_itself`: its file names the axes of its concepts."""

    collection: ClassVar[str] = "recommender.vocabularies"
    indexes: ClassVar[tuple[Index, ...]] = (
        Index("by_time", ("created_at",)),
        Index("by_name", ("name", "created_at")),
        Index("by_state", ("state",)),
        Index("by_upload", ("upload",)),
        Index("by_package", ("package",)),
    )

    name: str
    release: str
    axis: Axis | None
    file: str
    upload: str | None
    package: str | None = None
    format: Format | None = None
    places_itself: bool = False
    activate: bool = False
    rows: int = 0
    concepts: int = 0
    names: int = 0
    skipped: int = 0
    skipped_rows: tuple[SkippedRow, ...] = ()


class VocabularySet(Work):
    """The imported vocabularies that are used together (name to id of the version), the axis table in place of the
    default one, and what they were compiled to: the blob `artefact`, for the compiler and the defaults that `identity`
    stands for. `base` is the set that it was made of and whose place it takes ("": the defaults)."""

    collection: ClassVar[str] = "recommender.sets"
    indexes: ClassVar[tuple[Index, ...]] = (Index("by_time", ("created_at",)), Index("by_state", ("state",)))

    members: Mapping[str, str] = {}
    table: AxisTable | None = None
    reason: str = ""
    base: str = ""
    identity: str = ""
    artefact: str | None = None


class CurrentSet(Document):
    """Which set is in use ("": the defaults). There is one such document."""

    collection: ClassVar[str] = "recommender.current"
    keeps_files: ClassVar[bool] = False
    ID: ClassVar[str] = "current"

    set: str = ""


class Meant(BaseModel):
    """A concept on an axis; `curie` null: free text on it."""

    model_config = ConfigDict(frozen=True)

    axis: Axis
    curie: str | None


class Evidence(BaseModel):
    """What an approved figure says of a name, and how its legend has it. `person` is the annotator's pseudonym."""

    model_config = ConfigDict(frozen=True)

    said: str
    article: str
    person: str
    verdict: Literal["accepted", "rejected"]


class LearnedName(Document):
    """A name that people gave to a concept or took from it (see `learned`). `name` is what is compared, `said` how most
    legends have it; `evidence` is by figure, `figures`, `accepted` and `rejected` count it. Without evidence there is
    no name either: it may have been an erased figure's alone."""

    collection: ClassVar[str] = "recommender.names"
    indexes: ClassVar[tuple[Index, ...]] = (
        Index("by_figures", ("figures",)),
        Index("by_accepted", ("accepted",)),
        Index("by_rejected", ("rejected",)),
    )

    project: str
    name: str
    said: str
    meant: Meant
    evidence: Mapping[str, Evidence] = {}
    figures: int = 0
    accepted: int = 0
    rejected: int = 0
    disabled_by: str = ""


class FigureLessons(Document):
    """Of which names a figure (`id`) says something: the ids of those, at the review's `revision`. Erasing the figure
    takes it out of them."""

    collection: ClassVar[str] = "recommender.lessons"

    revision: int = 0
    names: tuple[str, ...] = ()


# What is written later stands first: mitagger/backup.py copies them in this order.
MODELS: tuple[type[Document], ...] = (
    LearnedName,
    FigureLessons,
    CurrentSet,
    VocabularySet,
    VocabularyVersion,
    Generation,
)
