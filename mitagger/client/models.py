"""What the server answers. Fields that a newer server adds are ignored."""

from datetime import datetime
from typing import Any, Generic, Literal, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict

Axis: TypeAlias = Literal["anatomy", "disease", "genetics", "imaging", "intervention", "pharmaceutical"]
Assertion: TypeAlias = Literal["present", "absent", "uncertain"]
Role: TypeAlias = Literal["administrator", "annotator", "reviewer", "service"]
ExportFormat: TypeAlias = Literal["csv", "xml"]
RecommendationState: TypeAlias = Literal["pending", "ready", "none_found", "no_text", "language_unsupported", "failed"]

AssignmentState: TypeAlias = Literal["open", "submitted", "returned", "approved", "skipped", "released"]
ConcernReason: TypeAlias = Literal["bad_image", "wrong_legend", "out_of_scope", "needs_an_expert"]
QuarantineState: TypeAlias = Literal["waiting", "confirmed", "blacked_out", "refused"]
Refusal: TypeAlias = Literal["names_patient", "shows_patient", "no_figure", "other"]
FigureStatus: TypeAlias = Literal["new", "provisional", "returned", "approved"]

T = TypeVar("T")


class Answer(BaseModel):
    """The root of all answers."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Page(Answer, Generic[T]):
    """A page of a list; `next` is the cursor of the following one."""

    items: list[T]
    next: str | None = None


# --- people and keys


class Session(Answer):
    """Who is signed in. `expires_at` is null for an API key without expiry."""

    person: str
    name: str
    roles: list[Role]
    expires_at: datetime | None = None


class Account(Answer):
    """A person: `person` is the pseudonym that all other answers use."""

    person: str
    name: str
    roles: list[Role]
    created_at: datetime
    state: Literal["active", "invited", "disabled"] = "active"
    subject: str | None = None
    link_expires_at: datetime | None = None


class AccountLink(Account):
    """With the link that sets a password: `path` after the server's address. It stands only in this answer."""

    link: str
    path: str


class ApiKey(Answer):
    """An API key; `key` itself stands only in the answer that creates it. `owner`: the person; null for another
    system's."""

    id: str
    name: str
    roles: list[Role]
    created_at: datetime
    key: str | None = None
    projects: list[str] = []
    owner: str | None = None
    expires_at: datetime | None = None
    last_used_at: datetime | None = None


class AuditEntry(Answer):
    """An act of administration. `outcome` begun: the process died before it was known."""

    id: str
    at: datetime
    actor: str
    actor_name: str
    action: str
    target: str
    target_name: str
    detail: dict[str, str]
    outcome: Literal["begun", "done", "refused", "failed"]


# --- figures


class Upload(Answer):
    """A stored file; `upload` is its content hash (SHA-256, hex)."""

    upload: str
    bytes: int


class Article(Answer):
    """An article with a DOI, or a local collection."""

    id: str
    doi: str | None = None
    collection: str | None = None
    title: str = ""
    journal: str = ""
    year: int | None = None


class Figure(Answer):
    """An image with its legend."""

    id: str
    version: int
    revision: int
    article: Article
    label: str = ""
    legend: str = ""
    legend_kind: str = "legend"
    language: str | None = None
    picture: dict[str, Any] | None = None
    quarantine: QuarantineState | None = None
    technical: dict[str, str] = {}
    external_id: str | None = None
    patient_group: str | None = None
    study_group: str | None = None
    display_url: str | None = None
    thumbnail_url: str | None = None
    created_at: datetime
    updated_at: datetime


class TileSource(Answer):
    """How a deep-zoom viewer reads a picture: tiles at `url`{level}/{column}_{row}.jpg, parts of it at `render`. The
    addresses hold for about an hour."""

    url: str
    render: str
    about: str
    width: int
    height: int
    tile_size: int
    overlap: int
    max_level: int
    pages: int
    frames: int
    windowed: bool


class PageView(Answer):
    """A page or frame of a picture: the ends of its values, and the window and level that its display has, all in the
    file's units."""

    page: int
    frame: int
    low: float
    high: float
    unit: str = ""
    window: float | None = None
    level: float | None = None
    curve: str
    tiles: TileSource


# --- quarantine


class Rectangle(Answer):
    """A part of a picture, in pixels of the whole as sent, upright, from its upper left corner."""

    left: int
    top: int
    width: int
    height: int


class Quarantined(Answer):
    """A figure whose picture waits for an administrator's look, or what was decided of it. `id` is the figure's."""

    id: str
    version: int
    article: Article
    label: str = ""
    state: QuarantineState
    reasons: list[str] = []
    technical: dict[str, str] = {}
    width: int | None = None
    height: int | None = None
    pages: int | None = None
    frames: int | None = None
    blacked: list[Rectangle] = []
    refusal: Refusal | None = None
    display_url: str | None = None
    thumbnail_url: str | None = None
    decided_by: str = ""
    decided_at: datetime | None = None
    created_at: datetime


# --- taking figures in


class RowProblem(Answer):
    """Why a row stayed out."""

    field: str = ""
    detail: str
    remedy: str = ""


class RowResult(Answer):
    """What became of a row. `problem` says why it was rejected, or in what the figure that was there differs."""

    row: int
    figure: str | None = None
    status: Literal["created", "existing", "rejected"]
    problem: RowProblem | None = None


class RowResults(Answer):
    """What became of the rows of one call, in their order."""

    items: list[RowResult]


class Import(Answer):
    """A run that takes rows in; rows below `next_row` are done."""

    id: str
    name: str
    state: Literal["running", "done", "failed"]
    total: int | None = None
    created: int = 0
    existing: int = 0
    rejected: int = 0
    next_row: int = 0
    problem: str = ""


class Collected(Answer):
    """Of the files older than two days: how many are kept, and how many, with how many bytes, nothing named."""

    kept: int
    unnamed: int
    bytes: int


class Reject(Answer):
    """A row that stayed out, with file, field and remedy; as a warning, what to know of one that went in."""

    row: int
    file: str = ""
    field: str = ""
    problem: str
    remedy: str = ""
    severity: Literal["error", "warning"] = "error"


# --- concepts and recommendations


class Vocabulary(Answer):
    """An ontology in use."""

    ontology: str
    version: str


class SkippedRow(Answer):
    """A row of a vocabulary file that was not read, and why."""

    file: str
    line: int
    problem: str


class VocabularyVersion(Answer):
    """An imported version of a vocabulary, or one on its way in (`rows` so far)."""

    id: str
    name: str
    version: str
    axis: Axis | None = None
    file: str = ""
    format: str | None = None
    state: Literal["waiting", "running", "ready", "failed"]
    problem: str = ""
    active: bool = False
    rows: int = 0
    concepts: int = 0
    names: int = 0
    skipped: int = 0
    skipped_rows: list[SkippedRow] = []
    created_at: datetime


class VocabularySet(Answer):
    """Imported vocabularies used together (name to version's id); with an empty id none, the defaults alone."""

    id: str
    state: Literal["waiting", "running", "ready", "failed"]
    problem: str = ""
    active: bool = False
    reason: str = ""
    members: dict[str, str] = {}
    created_at: datetime | None = None


class Renamed(Answer):
    curie: str
    before: str
    after: str


class VocabularyDifference(Answer):
    """How many concepts one version adds to, removes from and renames in another, and the first of each."""

    added: int
    removed: int
    renamed: int
    added_concepts: dict[str, str] = {}
    removed_concepts: dict[str, str] = {}
    renamed_concepts: list[Renamed] = []


class AxisRule(Answer):
    """Concepts of a vocabulary that belong to an axis: those with one of the types, at or below one of `under`, and
    neither at nor below one of `outside`; an empty list asks nothing."""

    axis: Axis
    vocabulary: str
    types: list[str] = []
    under: list[str] = []
    outside: list[str] = []


class AxisTable(Answer):
    """Rules in the order in which they are tried."""

    rules: list[AxisRule]


class AxisMove(Answer):
    """Concepts that another table would bring from one axis to another."""

    vocabulary: str
    before: Axis | None = None
    after: Axis | None = None
    concepts: int
    examples: dict[str, str] = {}


class AxisPreview(Answer):
    """What another table would change; `axes`: concepts on each axis now, and then."""

    moves: list[AxisMove]
    axes: dict[Axis, tuple[int, int]]


class Concept(Answer):
    """A concept found. `name` is the name that matched, of this `scope`; `fit`: whether it is what was typed (name),
    begins with it (beginning), has a word for each word typed (words), or does with one letter put right (mistyped)."""

    curie: str
    iri: str | None = None
    label: str
    ontology: str
    axis: Axis | None = None
    vocabulary_version: str
    name: str = ""
    scope: str = ""
    fit: str = ""
    parent_labels: list[str] = []


class ConceptDetail(Concept):
    """A concept with all its names (each with its scope) and its parents."""

    names: list[tuple[str, str]] = []
    parents: list[Concept] = []


class Span(Answer):
    """A mention: 0-based, half open, in Unicode code points."""

    start: int
    end: int
    text: str


class Mark(Answer):
    """What was decided of a recommendation."""

    kind: Literal["accept", "reject", "add", "withdraw"]
    key: str
    reason: str | None = None


class Learned(Answer):
    """A name that reviews spoke of: a synonym of the site, a suppressed meaning, a candidate, or waiting for more."""

    id: str
    name: str
    axis: Axis
    curie: str | None = None
    label: str = ""
    state: str
    accepted: int
    rejected: int
    articles: int
    people: int


class Equivalent(Answer):
    """The same concept in another ontology."""

    iri: str | None = None
    curie: str
    label: str
    ontology: str


class Recommendation(Answer):
    """A concept suggested for a figure. `decision` is the annotator's answer to it, if there is one."""

    id: str
    iri: str | None = None
    curie: str
    label: str
    ontology: str
    vocabulary_version: str
    axis: Axis
    assertion: Assertion = "present"
    panels: list[str] = []
    spans: list[Span] = []
    match: str = ""
    score: float
    why: str = ""
    equivalents: list[Equivalent] = []
    decision: Mark | None = None


class Recommendations(Answer):
    """`state` tells an empty answer from one that is on its way or failed."""

    state: RecommendationState
    reason: str = ""
    revision: int | None = None
    generation: int | None = None
    annotator: str | None = None
    vocabularies: dict[str, str] = {}
    items: list[Recommendation] = []


# --- assignments


class Tag(Answer):
    """What stands accepted. Free text has neither IRI nor CURIE."""

    key: str
    axis: Axis
    iri: str | None = None
    curie: str | None = None
    label: str
    ontology: str | None = None
    vocabulary_version: str | None = None
    assertion: Assertion = "present"
    panels: list[str] = []
    spans: list[Span] = []
    source: str
    score: float | None = None
    annotator: str = ""
    decided_at: datetime | None = None


class AssignedFigure(Answer):
    """The figure, as its annotator and reviewer see it."""

    id: str
    article: Article
    label: str = ""
    legend: str = ""
    language: str | None = None
    external_id: str | None = None
    display_url: str | None = None
    thumbnail_url: str | None = None
    zoom: TileSource | None = None
    width: int | None = None
    height: int | None = None
    panels: list[str] = []
    withheld: bool = False


class Decided(Answer):
    """The decision that stands on a key; `tag` is what was accepted, rejected, added or withdrawn."""

    key: str
    kind: Literal["accept", "reject", "add", "withdraw"]
    recommendation: str | None = None
    reason: str | None = None
    decided_at: datetime
    tag: Tag


class Review(Answer):
    """The last verdict; `round` counts them."""

    round: int
    verdict: Literal["approved", "returned"]
    comment: str = ""
    reviewer: str
    decided_at: datetime


class Concern(Answer):
    """What an annotator wants an administrator to look at."""

    reason: ConcernReason
    comment: str = ""
    at: datetime


class Comment(Answer):
    """What somebody said of an assignment, or of the decision with `key`; `thread` is the comment that it answers."""

    id: str
    author: str
    at: datetime
    text: str
    key: str | None = None
    thread: str | None = None


class Assignment(Answer):
    """A figure given to an annotator, with its reviewer; `version` is what a careful write sends back."""

    id: str
    version: int
    figure: AssignedFigure
    annotator: str
    reviewer: str
    state: AssignmentState
    recommendations: Recommendations
    tags: list[Tag] = []
    decisions: list[Decided] = []
    no_tag_applies: bool = False
    comment: str = ""
    review: Review | None = None
    review_begun: bool = False
    concern: Concern | None = None
    undoable: int = 0
    redoable: int = 0


class Pair(Answer):
    """An annotator, and who reviews their work."""

    annotator: str
    reviewer: str


class Share(Pair):
    """What a plan gives an annotator; `hidden` of the figures without recommendations."""

    figures: int
    hidden: int


class Plan(Answer):
    """What a plan comes to. `next`: send the same again with it as `cursor`, until it is null."""

    figures: int
    people: list[Share]
    applied: bool
    next: str | None = None


class Pooled(Answer):
    """How many figures went into the pool; `next` as with plans."""

    figures: int
    next: str | None = None


class Project(Answer):
    """A project; `guidelines` is the number of their newest version, 0 without any."""

    id: str
    version: int
    members: list[Pair] = []
    guidelines: int = 0


class Guidelines(Answer):
    """A version of a project's guidelines, in Markdown."""

    number: int
    text: str
    author: str | None = None
    at: datetime | None = None


class FigureReference(Answer):
    """A figure in a list."""

    id: str
    article: Article
    label: str = ""
    language: str | None = None
    external_id: str | None = None
    thumbnail_url: str | None = None


class AssignmentSummary(Answer):
    """An assignment in a list; `tags` and `decisions` are numbers. `figure` is null when it was just erased."""

    id: str
    version: int
    figure: FigureReference | None
    annotator: str
    reviewer: str
    state: AssignmentState
    tags: int = 0
    decisions: int = 0
    no_tag_applies: bool = False
    comment: str = ""


class NewAssignment(Answer):
    """An assignment that was made."""

    id: str
    figure: str


class Assigned(Answer):
    """What was assigned. `existing` figures had this annotator already. `more`: send the same again for the rest."""

    created: int
    existing: int
    more: bool
    items: list[NewAssignment]


class HistoryEntry(Answer):
    """A step in the life of an assignment; `number` is the version that it made."""

    number: int
    at: datetime
    actor: str
    action: str
    state: AssignmentState
    comment: str = ""
    decisions: list[Decided] = []


# --- results


class Export(Answer):
    """A job that writes figures and tags to a file; `url` is there when it is done. `problem` says why it failed."""

    id: str
    format: ExportFormat
    statuses: list[FigureStatus]
    state: Literal["running", "done", "failed", "withdrawn"]
    rows: int
    bytes: int
    file_name: str
    url: str | None = None
    problem: str = ""
    created_at: datetime


class Rebuild(Answer):
    """The last rebuild of the search index; `figures` were indexed so far."""

    state: Literal["running", "interrupted", "done", "failed"]
    figures: int
    started_at: datetime
    problem: str = ""


class FoundTag(Answer):
    """A tag of a figure that was found; a provisional one is not reviewed yet."""

    axis: Axis
    label: str
    curie: str | None = None
    provisional: bool = False


class FoundFigure(Answer):
    """A figure that was found; `snippet` is plain text around the match."""

    figure: str
    article: str
    doi: str | None = None
    collection: str | None = None
    title: str = ""
    label: str = ""
    status: FigureStatus
    language: str | None = None
    snippet: str = ""
    tags: list[FoundTag] = []


class Found(Answer):
    """Best match first. `facets`: axis, tag label, number of figures found that carry it."""

    total: int
    offset: int
    items: list[FoundFigure]
    facets: dict[Axis, dict[str, int]] = {}


# --- the system


class EventRecord(Answer):
    """An event in CloudEvents' JSON format."""

    id: str
    source: str
    type: str
    time: datetime
    subject: str
    dataschema: str = ""
    data: dict[str, Any]


class Events(Answer):
    """Events in order; `next` is the cursor to go on from, also when there are none yet."""

    items: list[EventRecord]
    next: str


class Republished(Answer):
    """How many events were sent again."""

    republished: int


class DeadLetter(Answer):
    """An event that a group could not handle. `traceback` and `data` stand only in the answer for a single one."""

    id: str
    group: str
    topic: str
    event: str
    figure: str
    error: str
    attempts: int
    died_at: datetime
    traceback: str | None = None
    data: dict[str, Any] | None = None


class Progress(Answer):
    """How far a group is on a topic."""

    group: str
    topic: str
    behind: int
    moved_at: datetime | None = None
    waiting_for: str = ""


class Status(Answer):
    """What runs and how it does. `problems` says why it is not ready."""

    version: str
    ready: bool
    problems: list[str] = []
    services: list[str] = []
    figures: dict[str, int] = {}
    quarantine: int | None = None
    progress: list[Progress] = []
    dead_letters: int = 0
