"""What the server answers. Fields that a newer server adds are ignored."""

from datetime import date, datetime
from typing import Any, Generic, Literal, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict

Axis: TypeAlias = Literal["anatomy", "disease", "genetics", "imaging", "intervention", "pharmaceutical"]
Assertion: TypeAlias = Literal["present", "absent", "uncertain"]
Role: TypeAlias = Literal["administrator", "manager", "annotator", "reviewer", "observer", "service"]
ExportFormat: TypeAlias = Literal["csv", "xml"]
RecommendationState: TypeAlias = Literal["pending", "ready", "none_found", "no_text", "language_unsupported", "failed"]

AssignmentState: TypeAlias = Literal["open", "submitted", "returned", "approved", "skipped", "released"]
Look: TypeAlias = Literal["resubmitted", "bulk", "quality", "new", "drawn", "everything"]
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
    project: str
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


class Erasure(Answer):
    """Figures that are to go for good: `figures` when it was proposed, `left` now. A proposal says in `goes` how many
    of each other kind go with them (`complete`: false when only the first 20,000 figures were looked at)."""

    id: str
    selection: dict[str, Any]
    state: Literal["proposed", "running", "done"]
    figures: int
    left: int
    created_at: datetime
    updated_at: datetime
    goes: dict[str, int] = {}
    complete: bool = True


# --- measures (docs/measures.md defines every number)


class Interval(Answer):
    """A value with its 95 % interval; null where it is not defined."""

    value: float | None = None
    low: float | None = None
    high: float | None = None


class Effort(Answer):
    """Concepts of approved figures; `saved` is the effort saved, by keystrokes that a search takes (3, 6, 10)."""

    shown: int
    accepted: int
    added: int
    saved: dict[int, float | None]


class ScoreBand(Answer):
    """Recommendations with a score from `low` to `high`."""

    low: float
    high: float
    shown: int
    accepted: int


class TaggingMeasures(Answer):
    """Approved figures: mean tags a figure and mean seconds of work."""

    figures: int
    tags: Interval
    seconds: Interval


class DayMeasures(Answer):
    """Figures that came into a state on this day and are in it still."""

    day: date
    states: dict[str, int]


class PersonMeasures(Answer):
    """What one annotator did."""

    person: str
    states: dict[str, int]
    effort: Effort
    tagging: TaggingMeasures


class ProjectEstimate(Answer):
    """When what is left ends at the pace of the last two weeks."""

    left: int
    a_day: float
    end: date | None


class AgreementMeasures(Answer):
    """Agreement on figures that several annotators tagged."""

    figures: int
    annotators: int
    f1: Interval
    alpha: Interval
    recommendations: int
    accepted: float | None
    kappa: float | None
    fleiss: float | None


class Measures(Answer):
    """How a project, or one's own work, gets on."""

    since: date
    until: date
    as_of: datetime | None
    states: dict[str, int]
    days: list[DayMeasures]
    effort: Effort
    axes: dict[str, Effort]
    bands: list[ScoreBand]
    assisted: TaggingMeasures
    hidden: TaggingMeasures
    people: list[PersonMeasures]
    estimate: ProjectEstimate | None
    agreement: AgreementMeasures | None
    agreement_hidden: AgreementMeasures | None


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


class MappingVersion(Answer):
    """An imported version of mappings between vocabularies, or one on its way in (`rows` so far)."""

    id: str
    name: str
    version: str
    file: str = ""
    vocabulary: str = ""
    least_confidence: float = 0.0
    format: str | None = None
    state: Literal["waiting", "running", "ready", "failed"]
    problem: str = ""
    active: bool = False
    rows: int = 0
    mappings: int = 0
    left_out: int = 0
    skipped: int = 0
    skipped_rows: list[SkippedRow] = []
    created_at: datetime


class MappingSet(VocabularySet):
    """Mappings used together (name to version's id); with an empty id none. `pairs`: of concepts."""

    pairs: int = 0


class MappingsUsed(Answer):
    """The mappings in use: the set, the content hash of what it compiles to, its versions by name."""

    set: str
    artefact: str
    versions: dict[str, str] = {}


class MappingTarget(Answer):
    """A vocabulary that mappings lead to, and how many of its concepts."""

    vocabulary: str
    concepts: int


class MappingTargets(Answer):
    """Where the mappings in use lead; `mappings` null: none are."""

    mappings: MappingsUsed | None = None
    targets: list[MappingTarget] = []


Outcome: TypeAlias = Literal["exact", "close", "broad", "narrow", "ambiguous", "unmapped"]


class MappedConcept(Answer):
    """What a concept is in another vocabulary. `via`: the concept between, where there are two steps."""

    curie: str
    iri: str | None = None
    label: str = ""
    predicate: str
    confidence: float | None = None
    source: str = ""
    via: str = ""


class RemapChange(Answer):
    """A tagged concept, and what it would become; several targets: nobody decides between them."""

    curie: str
    label: str
    tags: int
    figures: int
    outcome: Outcome
    targets: list[MappedConcept] = []


class RemapCount(Answer):
    concepts: int
    tags: int
    figures: int


class Remap(Answer):
    """What the final tags of one vocabulary would be in another; the concepts with the most tags first."""

    mappings: MappingsUsed | None = None
    concepts: int
    tags: int
    figures: int
    outcomes: dict[Outcome, RemapCount]
    changes: list[RemapChange] = []


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
    """A name that a project's reviews spoke of: a synonym, a suppressed meaning, a candidate, or waiting for more.
    `scope`: it applies in the project, or on the whole site."""

    id: str
    project: str = ""
    scope: Literal["project", "site"] = "site"
    name: str
    axis: Axis
    curie: str | None = None
    label: str = ""
    state: str
    accepted: int
    rejected: int
    articles: int
    people: int


class Scores(Answer):
    """What decided recommendations of a project say of scores. Log odds are multiplied by `slope`, raised by `offset`
    and that of the axis. Errors are mean squared ones on these decisions, without and with that."""

    project: str
    state: Literal["used", "waiting", "disabled"]
    version: str | None = None
    accepted: int
    rejected: int
    figures: int
    articles: int
    people: int
    slope: float | None = None
    offset: float | None = None
    axes: dict[str, float] = {}
    error_without: float
    error_with: float | None = None


class BioPortalConsent(Answer):
    """What of a project may be sent to BioPortal at `server` (null: nobody is asked), who said so and when."""

    project: str
    server: str | None = None
    legends: bool
    legends_by: str | None = None
    legends_at: datetime | None = None
    reports: bool
    reports_by: str | None = None
    reports_at: datetime | None = None


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
    model_score: float | None = None
    why: str = ""
    equivalents: list[Equivalent] = []
    decision: Mark | None = None


class RecommendationSet(Answer):
    """Which recommendations of a figure: of its revision, by the generation of what made them."""

    revision: int
    generation: int


class NewerRecommendations(RecommendationSet):
    """Newer ones than those shown, with how many are added and gone."""

    added: int
    gone: int


class Recommendations(Answer):
    """`state` tells an empty answer from one that is on its way or failed. Those that an assignment was opened with are
    `held`, while `newer` ones are offered."""

    state: RecommendationState
    reason: str = ""
    revision: int | None = None
    generation: int | None = None
    annotator: str | None = None
    vocabularies: dict[str, str] = {}
    held: bool = False
    newer: NewerRecommendations | None = None
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
    bulk: bool = False
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
    """The decision that stands on a key; `tag` is what was accepted, rejected, added or withdrawn.
    `by` is who decided it so, where that was not the annotator."""

    key: str
    kind: Literal["accept", "reject", "add", "withdraw"]
    recommendation: str | None = None
    recommended_in: RecommendationSet | None = None
    reason: str | None = None
    decided_at: datetime
    tag: Tag
    by: str | None = None


class Reason(Answer):
    """What has to change of the tag with `key`."""

    key: str
    text: str


class Review(Answer):
    """The last verdict; `round` counts them. `reasons` are those of single tags."""

    round: int
    verdict: Literal["approved", "returned"]
    comment: str = ""
    reviewer: str
    decided_at: datetime
    reasons: list[Reason] = []
    rule: Literal["sampling", "qualification"] | None = None


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


class Rules(Answer):
    """What a project allows and asks of tags. `preferred`: ontologies by axis, the first one first; `pace`: whether
    managers see measures person by person."""

    axes: list[str] = []
    required: list[str] = []
    no_tag_allowed: bool = True
    free_text: bool = True
    max_tags: int | None = None
    preferred: dict[str, list[str]] = {}
    pace: bool = True
    version: int = 0


class SettledTag(Answer):
    """A tag of a figure that several tagged, and what became of it: of the annotator's own, `kept` or `dropped`;
    `from_others` is kept, and only others had it."""

    key: str
    axis: Axis
    curie: str | None = None
    label: str
    assertion: str
    outcome: Literal["kept", "dropped", "from_others"]


class Settled(Answer):
    """How a figure that several tagged was settled, as far as it touches one assignment."""

    at: datetime
    tags: list[SettledTag] = []


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
    no_tag_on: list[str] = []
    rules: Rules | None = None
    comment: str = ""
    review: Review | None = None
    review_begun: bool = False
    concern: Concern | None = None
    undoable: int = 0
    redoable: int = 0
    qualification: bool = False
    look: Look | None = None
    settled: Settled | None = None


class Pair(Answer):
    """An annotator, and who reviews their work."""

    annotator: str
    reviewer: str


class Share(Pair):
    """What a plan gives an annotator; `hidden` of the figures without recommendations, and `gold` ones more."""

    figures: int
    hidden: int
    gold: int = 0


class Plan(Answer):
    """What a plan comes to. `next`: send the same again with it as `cursor`, until it is null."""

    figures: int
    people: list[Share]
    applied: bool
    next: str | None = None


class Handout(Answer):
    """How far a plan is that is carried out in the background: of `total` figures `looked` at, `figures` were free."""

    project: str
    state: Literal["running", "done", "failed", "stopped"]
    total: int
    looked: int
    figures: int
    people: list[Share]
    started_by: str
    started_at: datetime
    error: str = ""


class Move(Answer):
    """What goes from somebody to others; `shared` and `measures` count what stays. `next` as with plans."""

    figures: int
    people: list[Share]
    shared: int
    measures: int
    applied: bool
    next: str | None = None


class Pooled(Answer):
    """How many figures went into the pool; `next` as with plans."""

    figures: int
    next: str | None = None


class Project(Answer):
    """A project. `roles` are yours there; one that is `archived` is closed for work."""

    id: str
    name: str
    archived: bool = False
    roles: list[Role] = []
    created_at: datetime | None = None


class Projects(Answer):
    """Those in which you have a role."""

    items: list[Project]


class Member(Answer):
    """A member of a project: `reviewer` is who reviews their work there."""

    person: str
    name: str
    roles: list[Role]
    reviewer: str | None = None
    state: str = "active"


class Members(Answer):
    """By name."""

    items: list[Member]


class Left(Answer):
    """What became of the open work of somebody who left a project."""

    released: int = 0
    reassigned: int = 0
    reviews: int = 0


class GoldTag(Answer):
    """A tag that is right, or that somebody gave."""

    key: str
    axis: Axis
    label: str
    curie: str | None = None
    ontology: str | None = None
    assertion: str = "present"


class Gold(Answer):
    """A gold figure; `number` is the version of its tags. `current`: its final tags are still these."""

    figure: str
    label: str
    article: str
    active: bool
    number: int
    tags: list[GoldTag]
    marked_by: str
    marked_at: datetime
    current: bool


class Qualification(Answer):
    """What newcomers must pass."""

    figures: int
    threshold: float
    attempts: int


class Sampling(Answer):
    """How much of what is submitted a reviewer looks at."""

    share: float
    window: int
    returned: float
    f1: float


class Standards(Answer):
    """What a project asks of the work in it; `gold` counts its gold figures."""

    version: int
    gold: int
    gold_share: float
    qualification: Qualification | None = None
    sampling: Sampling


class Newcomer(Answer):
    """Somebody's way into a project: of the figures of `attempt` so many were `given` and `scored`."""

    person: str
    state: Literal["newcomer", "passed", "failed"]
    attempt: int
    given: int
    scored: int
    f1: float | None = None
    best: float | None = None
    let_in_by: str | None = None
    reason: str = ""
    since: datetime | None = None


class GoldScore(Answer):
    """How one gold figure was tagged; `attempt` counts those to qualify, 0: the annotator was not told."""

    assignment: str
    figure: str
    gold: int
    attempt: int
    at: datetime
    precision: float
    recall: float
    f1: float


class Feedback(Answer):
    """What was right, missed and too much on a figure to qualify with; `mean` F1 so far must reach `threshold`."""

    assignment: str
    label: str
    right: list[GoldTag]
    missed: list[GoldTag]
    extra: list[GoldTag]
    precision: float
    recall: float
    f1: float
    attempt: int
    attempts: int
    scored: int
    figures: int
    mean: float | None = None
    threshold: float
    state: Literal["newcomer", "passed", "failed"]


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
    look: Look | None = None


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


class Consulted(Answer):
    """The recommendations that were shown: of which revision of the figure, of which generation of vocabularies and
    rules, and by which annotator."""

    revision: int
    generation: int
    annotator: str


class HistoryEntry(Answer):
    """A step in the life of an assignment; `number` is the version that it made, `to` the one it went back to."""

    number: int
    at: datetime
    actor: str
    action: str
    state: AssignmentState
    comment: str = ""
    guidelines: int | None = None
    consulted: Consulted | None = None
    to: int | None = None
    decisions: list[Decided] = []


class Stood(Answer):
    """An assignment as it stood after the entry `number` of its history."""

    number: int
    at: datetime
    actor: str
    action: str
    state: AssignmentState
    no_tag_applies: bool = False
    decisions: list[Decided] = []
    tags: list[Tag] = []


class Lineage(Answer):
    """`descendant` is a kind or a part of `ancestor`."""

    ancestor: str
    descendant: str


class WaitingFigure(Answer):
    """A figure that waits for an adjudicator; `choices` are made so far."""

    figure: FigureReference
    annotators: list[str]
    since: datetime
    choices: int


class Overlap(Answer):
    """One of the assignments that are compared."""

    assignment: str
    annotator: str
    reviewer: str
    state: AssignmentState
    no_tag_applies: bool = False


class Compared(Answer):
    """A tag, and who has it. `agreed`: all have. `kept` is null while nobody has chosen."""

    key: str
    tag: Tag
    annotators: list[str]
    agreed: bool
    kept: bool | None = None
    by: str | None = None


class Adjudication(Answer):
    """A figure that several tagged; `open` differences are left, `final` are its tags now."""

    figure: AssignedFigure
    assignments: list[Overlap]
    tags: list[Compared]
    waiting: bool
    open: int
    adjudicator: str | None = None
    settled_at: datetime | None = None
    final: list[Tag] = []


# --- results


class Export(Answer):
    """A job that writes figures and tags to a file; `url` is there when it is done. `problem` says why it failed."""

    id: str
    format: ExportFormat
    statuses: list[FigureStatus]
    figures: int | None = None
    map_to: str = ""
    mappings: MappingsUsed | None = None
    state: Literal["running", "done", "failed", "withdrawn"]
    rows: int
    bytes: int
    file_name: str
    url: str | None = None
    problem: str = ""
    created_at: datetime


class MeasuresRebuild(Answer):
    """Measuring everything again: `running` since it was asked for, and when the last one that is done began."""

    running: bool
    asked_at: datetime | None = None
    rebuilt_at: datetime | None = None


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
