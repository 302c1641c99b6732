"""The documents of `annotation`: read models of figures and recommendations; assignments, their history, reviews.

Each is its own document, so that an arriving recommendation never conflicts with an annotator. What must be erased
with a figure either has the figure's id or an index by it.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict

from shared.access import Relation
from shared.documents.port import Document, Index
from shared.events.image import Article, Picture
from shared.events.legend import LegendKind
from shared.events.recommendation import Recommendation
from shared.events.recommendation import State as RecommendationState
from shared.events.review import DecisionKind, RejectReason, Verdict
from shared.events.tag import Tag

State: TypeAlias = Literal["open", "submitted", "returned", "approved", "skipped", "released"]
Action: TypeAlias = Literal[
    "assign",
    "accept",
    "reject",
    "add",
    "withdraw",
    "undo",
    "redo",
    "submit",
    "recall",
    "begin_review",
    "approve",
    "return",
    "reopen",
    "skip",
    "flag",
    "unflag",
    "release",
]
ConcernReason: TypeAlias = Literal["bad_image", "wrong_legend", "out_of_scope", "needs_an_expert"]

STANDING: frozenset[DecisionKind] = frozenset({"accept", "add"})


class Part(BaseModel):
    """A part of a document."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Figure(Document):
    """A figure as image.uploaded told of it; the highest `revision` wins. `withheld`: its picture waits for an
    administrator's look, or was refused."""

    collection: ClassVar[str] = "annotation.figures"
    keeps_files: ClassVar[bool] = False
    indexes: ClassVar[tuple[Index, ...]] = (Index("by_article", ("project", "article.id")),)

    project: str
    revision: int
    article: Article
    label: str
    legend: str
    legend_kind: LegendKind
    language: str | None
    picture: Picture | None
    external_id: str | None
    withheld: bool = False

    @property
    def shows_nothing(self) -> bool:
        """Neither picture nor legend, as long as its picture is withheld."""
        return self.withheld and self.picture is None and not self.legend.strip()


class Recommendations(Document):
    """What recommendations.ready last said of a figure (`id`); the highest (`revision`, `generation`) wins."""

    collection: ClassVar[str] = "annotation.recommendations"
    keeps_files: ClassVar[bool] = False

    project: str
    revision: int
    generation: int
    state: RecommendationState
    reason: str
    annotator: str
    vocabularies: dict[str, str]
    items: tuple[Recommendation, ...]


class Decided(Part):
    """The decision that stands on one concept or free text.

    `tag` is what was accepted or rejected, with all its content: a newer set of recommendations takes nothing away.
    `revision` counts the changes of the tag; it is 0 as long as the tag never stood.
    """

    kind: DecisionKind
    tag: Tag
    recommendation: str | None = None
    reason: RejectReason | None = None
    revision: int = 0

    @property
    def stands(self) -> bool:
        return self.kind in STANDING


class Step(Part):
    """What undoes, or does again, one command: the decisions to restore, and the keys that had none before."""

    former: tuple[Decided, ...] = ()
    new: tuple[str, ...] = ()


class Concern(Part):
    """What an annotator wants the project's administrator to look at."""

    reason: ConcernReason
    comment: str
    at: datetime


class Judged(Part):
    """A verdict on an assignment. `round` counts its verdicts, from 1; `by` is null when its reviewer gave it."""

    round: int
    verdict: Verdict
    comment: str
    decided_at: datetime
    by: str | None = None


class Entry(Part):
    """What one write did to an assignment. `number` is the assignment's version that it made."""

    number: int
    at: datetime
    actor: str
    action: Action
    state: State
    no_tag_applies: bool = False
    decisions: tuple[Decided, ...] = ()
    comment: str = ""
    guidelines: int | None = None  # the version in force, where it decided something


class Assignment(Document):
    """A figure that an annotator tags and a reviewer audits: its current decisions.

    `recent` holds the newest history entries until a later write has filed them (see `workbench`), so that saving a
    decision is one write. `unrecorded` says that the figure's review does not have the verdict yet; `review_begun`
    that the reviewer looks at what was submitted; `flagged` that there is a `concern`; `hidden` that its annotator sees
    no recommendations. One that was pulled goes back at `leased_until` (seconds since 1970) unless it was begun.
    """

    collection: ClassVar[str] = "annotation.assignments"
    indexes: ClassVar[tuple[Index, ...]] = (
        Index("unique_annotator", ("project", "figure", "annotator"), unique=True),
        Index("by_figure", ("figure",)),
        Index("by_project", ("project", "state", "created_at", "article")),
        Index("by_annotator", ("project", "annotator", "state", "created_at", "article")),
        Index("by_reviewer", ("project", "reviewer", "state", "created_at", "article")),
        Index("by_unrecorded", ("unrecorded",)),
        Index("by_article", ("project", "article")),
        Index("by_lease", ("project", "leased_until")),
        Index("by_flagged", ("project", "flagged", "created_at", "article")),
    )

    project: str
    figure: str
    article: str
    annotator: str
    reviewer: str
    state: State = "open"
    decisions: tuple[Decided, ...] = ()
    no_tag_applies: bool = False
    judged: Judged | None = None
    unrecorded: bool = False
    review_begun: bool = False
    concern: Concern | None = None
    flagged: bool = False
    hidden: bool = False
    leased_until: float | None = None
    undo: tuple[Step, ...] = ()
    redo: tuple[Step, ...] = ()
    recent: tuple[Entry, ...] = ()
    created_at: datetime
    updated_at: datetime

    def decided(self, key: str) -> Decided | None:
        """The decision on a key (see `tagging.key_of`)."""
        return next((decided for decided in self.decisions if decided.tag.key == key), None)

    @property
    def tags(self) -> tuple[Tag, ...]:
        """The tags that stand."""
        return tuple(decided.tag for decided in self.decisions if decided.stands)

    def relations(self, person: str) -> frozenset[Relation]:
        """What the assignment is to a person (see `shared.access`)."""
        related: set[Relation] = set()
        if person == self.annotator:
            related.add("own")
        if person == self.reviewer:
            related.add("review")
        return frozenset(related)

    def noted(
        self, action: Action, actor: str, at: datetime, decisions: Sequence[Decided] = (), comment: str = ""
    ) -> "Assignment":
        """The assignment with an entry of what is about to be written."""
        entry = Entry(
            number=self.version + 1,
            at=at,
            actor=actor,
            action=action,
            state=self.state,
            no_tag_applies=self.no_tag_applies,
            decisions=tuple(decisions),
            comment=comment,
        )
        return self.changed(recent=(*self.recent, entry), updated_at=at)


class Waiting(Document):
    """A figure (`id`) that annotators may pull: the highest priority first, then what the recommender is least sure of.

    `claiming` is who is about to get it: broken off there, whoever asks next, or the next start, goes on.
    """

    collection: ClassVar[str] = "annotation.waiting"
    indexes: ClassVar[tuple[Index, ...]] = (
        Index("by_next", ("project", "open", "priority", "uncertainty")),
        Index("by_claiming", ("project", "claiming")),
    )

    project: str
    article: str
    priority: int
    uncertainty: float
    wanted: int
    hidden: bool
    taken: tuple[str, ...] = ()
    open: bool = True
    claiming: str | None = None


class Member(Part):
    """An annotator of a project who may pull figures, and who reviews their work."""

    annotator: str
    reviewer: str


class Project(Document):
    """What is set of a project; none is stored until something is."""

    collection: ClassVar[str] = "annotation.projects"

    members: tuple[Member, ...] = ()


class Guidelines(Document):
    """One version of a project's guidelines, in Markdown. Its id is computed, so that a number is given once."""

    collection: ClassVar[str] = "annotation.guidelines"
    indexes: ClassVar[tuple[Index, ...]] = (Index("by_project", ("project", "number")),)

    project: str
    number: int
    text: str
    author: str
    at: datetime


class HistoryEntry(Document):
    """A filed entry; its id is computed from the assignment and the entry's number, so filing twice is filing once."""

    collection: ClassVar[str] = "annotation.history"
    indexes: ClassVar[tuple[Index, ...]] = (
        Index("by_assignment", ("assignment", "number")),
        Index("by_figure", ("figure",)),
    )

    assignment: str
    figure: str
    number: int
    entry: Entry


class Comment(Document):
    """What somebody says of an assignment, or of the tag with `key`; `thread` is the comment that it answers."""

    collection: ClassVar[str] = "annotation.comments"
    indexes: ClassVar[tuple[Index, ...]] = (
        Index("by_assignment", ("assignment", "at")),
        Index("by_figure", ("figure",)),
    )

    project: str
    assignment: str
    figure: str
    author: str
    at: datetime
    text: str
    key: str | None = None
    thread: str | None = None


class Approved(Part):
    """The tags that an assignment gave to its figure."""

    assignment: str
    tags: tuple[Tag, ...]


class Recorded(Part):
    """The last verdict on a figure, and whose work it judged."""

    assignment: str
    article: str = ""
    annotator: str
    reviewer: str
    judged: Judged
    no_tag_applies: bool
    decisions: tuple[Decided, ...]


class Review(Document):
    """A figure's review (`id`: the figure). It follows the verdicts on the figure's assignments; its version is the
    revision of review.done. `rounds` says which verdict of each assignment it has."""

    collection: ClassVar[str] = "annotation.reviews"

    project: str
    rounds: dict[str, int] = {}
    approved: tuple[Approved, ...] = ()
    last: Recorded | None = None

    @property
    def tags(self) -> tuple[Tag, ...]:
        """The figure's final tags: those of every approved assignment, each key once, the first approved wins."""
        final: dict[str, Tag] = {}
        for approved in self.approved:
            for tag in approved.tags:
                final.setdefault(tag.key, tag)
        return tuple(final.values())


# What is written later stands first: mitagger/backup.py copies them in this order.
MODELS: tuple[type[Document], ...] = (
    Figure,
    Recommendations,
    Waiting,
    Assignment,
    HistoryEntry,
    Comment,
    Review,
    Project,
    Guidelines,
)
