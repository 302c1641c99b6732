"""The documents of `ingest`: articles and collections, figures, imports and their rejected rows."""

from datetime import datetime
from typing import ClassVar, Literal

from shared.documents.port import Document, Index
from shared.events.image import Article, Picture
from shared.events.legend import LegendKind

ImportState = Literal["running", "done", "failed"]
Severity = Literal["error", "warning"]


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
    """An image with its legend, in an article. Its version is the revision that events carry. `pixels`: the blob that
    is kept of a DICOM in place of its original (`services.ingest.stored`)."""

    collection: ClassVar[str] = "ingest.figures"
    indexes: ClassVar[tuple[Index, ...]] = (
        Index("key", ("key",), unique=True),
        Index("by_time", ("project", "created_at")),
        Index("by_article", ("article.id", "created_at")),
        Index("by_file", ("picture.sha256",)),
        Index("by_display", ("picture.display.blob",)),
        Index("by_thumbnail", ("picture.thumbnail.blob",)),
        Index("by_pixels", ("pixels",)),
    )

    project: str
    key: str
    article: Article
    label: str = ""
    legend: str = ""
    legend_kind: LegendKind = "legend"
    language: str | None = None
    picture: Picture | None = None
    pixels: str | None = None
    technical: dict[str, str] = {}
    external_id: str | None = None
    patient_group: str | None = None
    study_group: str | None = None
    actor: str
    created_at: datetime
    updated_at: datetime


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


# What is written later stands first: mitagger/backup.py copies them in this order.
MODELS: tuple[type[Document], ...] = (Import, Reject, Figure, StoredArticle)
