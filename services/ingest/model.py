"""The documents of `ingest`: articles and collections, figures, imports and their rejected rows."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal, Self, TypeAlias

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from services.ingest.quarantine import Reason
from shared.documents.port import Document, Index
from shared.events.image import Article, Picture
from shared.events.legend import LegendKind

ImportState = Literal["running", "done", "failed"]
ErasureState: TypeAlias = Literal["proposed", "running", "done"]
Severity = Literal["error", "warning"]
QuarantineState: TypeAlias = Literal["waiting", "confirmed", "blacked_out", "refused"]
# Of a refusal. No free text: one would write the name there that is to be kept out.
Refusal: TypeAlias = Literal["names_patient", "shows_patient", "no_figure", "other"]


class Rectangle(BaseModel):
    """A part of a picture, in pixels of the whole as sent, upright, from its upper left corner."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    left: Annotated[int, Field(ge=0)]
    top: Annotated[int, Field(ge=0)]
    width: Annotated[int, Field(ge=1)]
    height: Annotated[int, Field(ge=1)]


class Quarantine(BaseModel):
    """That a picture waits for an administrator's look and why (`reasons`), or what came of it.

    `picture` is there while it waits: until then the figure has none. `blacked`: what was blacked out.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    state: QuarantineState
    reasons: tuple[Reason, ...] = ()
    picture: Picture | None = None
    blacked: tuple[Rectangle, ...] = ()
    refusal: Refusal | None = None
    decided_by: str = ""
    decided_at: datetime | None = None


class StoredArticle(Document):
    """An article by its DOI, or a local collection by its name; one of the two, unique in the project."""

    collection: ClassVar[str] = "ingest.articles"
    indexes: ClassVar[tuple[Index, ...]] = (
        Index("doi", ("project", "doi"), unique=True),
        Index("name", ("project", "name"), unique=True),
    )

    project: str
    doi: str | None
    name: str | None
    title: str = ""
    journal: str = ""
    year: int | None = None
    created_at: datetime

    def reference(self) -> Article:
        """As events carry it."""
        return Article(
            id=self.id, doi=self.doi, collection=self.name, title=self.title, journal=self.journal, year=self.year
        )


class Figure(Document):
    """An image with its legend, in an article. Its version is the revision that events carry.

    `pixels`: the blob that is kept of a DICOM in place of its original (`services.ingest.stored`); `gone`: content
    hashes of files that were its own and must not be there any more (see `figures.Figures.tidy`).
    """

    collection: ClassVar[str] = "ingest.figures"
    indexes: ClassVar[tuple[Index, ...]] = (
        Index("key", ("key",), unique=True),
        Index("by_time", ("project", "created_at")),
        Index("by_article", ("article.id", "created_at")),
        Index("by_file", ("picture.sha256",)),
        Index("by_display", ("picture.display.blob",)),
        Index("by_thumbnail", ("picture.thumbnail.blob",)),
        Index("by_pixels", ("pixels",)),
        Index("by_quarantine", ("project", "quarantine.state", "created_at")),
        Index("by_waiting_file", ("quarantine.picture.sha256",)),
        Index("by_waiting_display", ("quarantine.picture.display.blob",)),
        Index("by_waiting_thumbnail", ("quarantine.picture.thumbnail.blob",)),
    )

    project: str
    key: str
    article: Article
    label: str = ""
    legend: str = ""
    legend_kind: LegendKind = "legend"
    language: str | None = None
    picture: Picture | None = None
    quarantine: Quarantine | None = None
    gone: tuple[str, ...] = ()
    pixels: str | None = None
    technical: dict[str, str] = {}
    external_id: str | None = None
    patient_group: str | None = None
    study_group: str | None = None
    actor: str
    created_at: datetime
    updated_at: datetime

    @property
    def held(self) -> Picture | None:
        """Its picture, whether people may see it or it waits in quarantine."""
        return self.picture or (self.quarantine.picture if self.quarantine else None)

    def files(self) -> frozenset[str]:
        """Without what is gone, and the original of a DICOM, whose hashes still tell one picture from another."""
        held = self.held
        named = {held.display.blob, held.thumbnail.blob, self.pixels} if held else {self.pixels}
        originals = {held.sha256} if held and held.format == "dicom" else set()
        return super().files() - ({*self.gone, *originals} - named)


class Import(Document):
    """A job that brings figures. Rows below `next_row` are done: a job that was cut off goes on from there."""

    collection: ClassVar[str] = "ingest.imports"
    indexes: ClassVar[tuple[Index, ...]] = (
        Index("by_time", ("project", "created_at")),
        Index("by_state", ("state",)),
    )

    project: str
    name: str
    state: ImportState = "running"
    total: int | None = None
    next_row: int = 1
    created: int = 0
    existing: int = 0
    rejected: int = 0
    archive: str | None = None
    problem: str = ""
    actor: str
    created_at: datetime
    updated_at: datetime


class Reject(Document):
    """A row or file that did not go in, and why; as a warning, what to know of one that did (`figure`, with which it is
    erased), or of the manifest. Its id is computed from what it says."""

    collection: ClassVar[str] = "ingest.rejects"
    indexes: ClassVar[tuple[Index, ...]] = (Index("by_import", ("job", "row")), Index("by_figure", ("figure",)))

    job: str
    row: int
    file: str
    field: str
    problem: str
    remedy: str
    severity: Severity = "error"
    figure: str | None = None


class Selection(BaseModel):
    """Figures to erase: these, an article's, those that came before a time, or all of the project. One of the four."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"figures": ["5f0c6a9be1d24c0c8a3f7be0d2c4e611"]},
                {"article": "0d9c0b6d1f8e4a1bb1c2a3f4e5d6c7b8"},
                {"before": "2021-01-01T00:00:00Z"},
                {"everything": True},
            ]
        },
    )

    figures: Annotated[tuple[str, ...], Field(min_length=1, max_length=1000)] | None = None
    article: Annotated[str, Field(max_length=100)] | None = None
    before: AwareDatetime | None = None
    everything: bool = False

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum((self.figures is not None, self.article is not None, self.before is not None, self.everything)) != 1:
            raise ValueError("say which: one of `figures`, `article`, `before`, `everything`")
        return self


class Erasure(Document):
    """Many figures that are to go. `figures`: how many there were when it was proposed."""

    collection: ClassVar[str] = "ingest.erasures"
    keeps_files: ClassVar[bool] = False
    indexes: ClassVar[tuple[Index, ...]] = (
        Index("by_time", ("project", "created_at")),
        Index("by_state", ("state",)),
    )

    project: str
    selection: Selection
    state: ErasureState = "proposed"
    figures: int
    actor: str
    created_at: datetime
    updated_at: datetime


# What is written later stands first: mitagger/backup.py copies them in this order.
MODELS: tuple[type[Document], ...] = (Erasure, Import, Reject, Figure, StoredArticle)
