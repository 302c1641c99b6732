"""The documents of `recommender`."""

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from shared.documents.port import Document, Index
from shared.events.recommendation import Axis
from shared.vocabulary.axes import AxisTable
from shared.vocabulary.formats.mapped import MappingFormat
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


class ImportedVersion(Work):
    """What was imported of a file (its name), or is being: `upload` is where it lies until it is read, `package` what
    was made of it, a blob each. `activate`: to be used as soon as it is there."""

    indexes: ClassVar[tuple[Index, ...]] = (
        Index("by_time", ("created_at",)),
        Index("by_name", ("name", "created_at")),
        Index("by_state", ("state",)),
        Index("by_upload", ("upload",)),
        Index("by_package", ("package",)),
    )

    name: str
    release: str
    file: str
    upload: str | None
    package: str | None = None
    activate: bool = False
    rows: int = 0
    skipped: int = 0
    skipped_rows: tuple[SkippedRow, ...] = ()


class UsedTogether(Work):
    """Imported versions that are used together (name to id of the version), and the blob that they compile to. `base`
    is the set that it was made of and whose place it takes ("": none of the site's own)."""

    indexes: ClassVar[tuple[Index, ...]] = (Index("by_time", ("created_at",)), Index("by_state", ("state",)))

    members: Mapping[str, str] = {}
    reason: str = ""
    base: str = ""
    artefact: str | None = None


class CurrentlyUsed(Document):
    """Which set is in use ("": none of the site's own). There is one such document."""

    keeps_files: ClassVar[bool] = False
    ID: ClassVar[str] = "current"

    set: str = ""


class VocabularyVersion(ImportedVersion):
    """A version of a vocabulary. `package`: see `shared.vocabulary.package`. `places_itself`: its file names the axes
    of its concepts."""

    collection: ClassVar[str] = "recommender.vocabularies"

    axis: Axis | None
    format: Format | None = None
    places_itself: bool = False
    concepts: int = 0
    names: int = 0


class VocabularySet(UsedTogether):
    """Vocabularies, with the axis table in place of the default one; compiled for the compiler and the defaults that
    `identity` stands for. No `base`: the defaults."""

    collection: ClassVar[str] = "recommender.sets"

    table: AxisTable | None = None
    identity: str = ""


class CurrentSet(CurrentlyUsed):
    """Of vocabularies; "": the defaults."""

    collection: ClassVar[str] = "recommender.current"


class MappingVersion(ImportedVersion):
    """A version of mappings between vocabularies. They come from a file or from what an imported vocabulary
    (`vocabulary`, the id of its version) says of others; rows of less confidence than `least` are left out. `package`:
    see `shared.vocabulary.pairs`."""

    collection: ClassVar[str] = "recommender.mappings"

    vocabulary: str
    least: float
    format: MappingFormat | None = None
    mappings: int = 0
    left_out: int = 0


class MappingSet(UsedTogether):
    """Mappings; `pairs` of concepts between which there is something."""

    collection: ClassVar[str] = "recommender.mapping_sets"

    pairs: int = 0


class CurrentMappings(CurrentlyUsed):
    """Of mappings; what it says goes out as an event. `person`: who put them into use, `since` when; null in documents
    from before that was kept."""

    collection: ClassVar[str] = "recommender.current_mappings"

    person: str = ""
    since: datetime | None = None


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
    no name either: it may have been an erased figure's alone. It applies to its project, or to all where an
    administrator widened it."""

    collection: ClassVar[str] = "recommender.names"
    indexes: ClassVar[tuple[Index, ...]] = (
        Index("by_figures", ("figures",)),
        Index("by_accepted", ("accepted",)),
        Index("by_rejected", ("rejected",)),
        Index("by_project", ("project", "figures")),
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
    widened_by: str = ""


class FigureLessons(Document):
    """Of which names a figure (`id`) says something: the ids of those, at the review's `revision`. Erasing the figure
    takes it out of them."""

    collection: ClassVar[str] = "recommender.lessons"

    revision: int = 0
    names: tuple[str, ...] = ()


class Judged(BaseModel):
    """How many recommendations of a score, before recalibration, were accepted and rejected on an axis."""

    model_config = ConfigDict(frozen=True)

    axis: Axis
    score: float
    accepted: int
    rejected: int


class Judgement(Document):
    """What a figure's (`id`) approved review says of scores; the highest `revision` wins. `person` is the annotator's
    pseudonym."""

    collection: ClassVar[str] = "recommender.judgements"
    indexes: ClassVar[tuple[Index, ...]] = (Index("by_project", ("project", "at")), Index("by_time", ("at",)))

    project: str
    revision: int
    at: datetime
    article: str
    person: str
    cells: tuple[Judged, ...] = ()


class ScoreSwitch(Document):
    """That an administrator switched the recalibration of a project (`id`) off."""

    collection: ClassVar[str] = "recommender.scores"

    disabled_by: str = ""


class Consent(Document):
    """That texts of a project (`id`) may be sent to BioPortal: legends, and, by a consent of their own, reports. Who
    said so and when; "": nobody."""

    collection: ClassVar[str] = "recommender.consents"

    legends_by: str = ""
    legends_at: datetime | None = None
    reports_by: str = ""
    reports_at: datetime | None = None


# What is written later stands first: mitagger/backup.py copies them in this order.
MODELS: tuple[type[Document], ...] = (
    LearnedName,
    FigureLessons,
    Judgement,
    ScoreSwitch,
    Consent,
    CurrentSet,
    VocabularySet,
    VocabularyVersion,
    CurrentMappings,
    MappingSet,
    MappingVersion,
    Generation,
)
