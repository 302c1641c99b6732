"""The documents of `annotation`: read models of figures and recommendations; assignments, their history, reviews.

Each is its own document, so that an arriving recommendation never conflicts with an annotator. What must be erased
with a figure either has the figure's id or an index by it.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, Literal, TypeAlias

from services.annotation import measured
from services.annotation.assigning import Order, Share
from services.annotation.measured import Part
from services.annotation.migrations import handout_without_lease
from shared.access import Relation
from shared.documents.port import Document, Index
from shared.events.image import Article, Picture
from shared.events.legend import LegendKind
from shared.events.recommendation import Axis, Recommendation
from shared.events.recommendation import State as RecommendationState
from shared.events.review import DecisionKind, RecommendationSet, RejectReason, Verdict
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
    "revert",
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
    "refresh",
]
Rule: TypeAlias = Literal["sampling", "qualification"]
# Why a reviewer has to look at what was submitted (see `sampling`).
Look: TypeAlias = Literal["resubmitted", "bulk", "quality", "new", "drawn", "everything"]
ConcernReason: TypeAlias = Literal["bad_image", "wrong_legend", "out_of_scope", "needs_an_expert"]

STANDING: frozenset[DecisionKind] = frozenset({"accept", "add"})


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


class Held(Document):
    """The sets of a figure's (`id`) recommendations that opened assignments name (see `holding`); `offered` is the
    newer one that their people were told of last."""

    collection: ClassVar[str] = "annotation.held"
    keeps_files: ClassVar[bool] = False

    project: str
    sets: tuple[Recommendations, ...] = ()
    offered: RecommendationSet | None = None


class Decided(Part):
    """The decision that stands on one concept or free text.

    `tag` is what was accepted or rejected, with all its content: a newer set of recommendations takes nothing away.
    `revision` counts the changes of the tag; it is 0 as long as the tag never stood. `recommended_in` is the set that
    `recommendation` was shown in, where that is known, `model_score` its score before what reviews taught of scores.
    `by` is who decided it so, where that was not the annotator but the reviewer; `tag.annotator` is whose tag it is.
    `equivalents`: CURIEs of the same concept in other ontologies, which stood behind it.
    """

    kind: DecisionKind
    tag: Tag
    equivalents: tuple[str, ...] = ()
    recommendation: str | None = None
    recommended_in: RecommendationSet | None = None
    model_score: float | None = None
    reason: RejectReason | None = None
    revision: int = 0
    by: str | None = None

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


class Reason(Part):
    """What has to change of the tag with `key`."""

    key: str
    text: str


class Judged(Part):
    """A verdict on an assignment. `round` counts its verdicts, from 1; `by` is null when its reviewer gave it. By a
    `rule` (see `reviewing.by_rule`) nobody looked."""

    round: int
    verdict: Verdict
    comment: str
    decided_at: datetime
    by: str | None = None
    rule: Rule | None = None
    reasons: tuple[Reason, ...] = ()


class Consulted(Part):
    """The recommendations that stood before whoever accepted or rejected one: of which revision of the figure, of which
    generation of vocabularies and rules, and by which annotator (its name and version)."""

    revision: int
    generation: int
    annotator: str


class Entry(Part):
    """What one write did to an assignment. `number` is the assignment's version that it made; `to` the version that it
    went back to."""

    number: int
    at: datetime
    actor: str
    action: Action
    state: State
    no_tag_applies: bool = False
    decisions: tuple[Decided, ...] = ()
    comment: str = ""
    guidelines: int | None = None  # the version in force, where it decided something
    consulted: Consulted | None = None
    to: int | None = None


class Score(Part):
    """How the tags that were first submitted compare with version `gold` of a gold figure (see `scoring`)."""

    gold: int
    right: tuple[Tag, ...]
    missed: tuple[Tag, ...]
    extra: tuple[Tag, ...]

    @property
    def precision(self) -> float:
        """1 where nothing was tagged: nothing of it was wrong."""
        return _ratio(len(self.right), len(self.right) + len(self.extra))

    @property
    def recall(self) -> float:
        """1 where there was nothing to find."""
        return _ratio(len(self.right), len(self.right) + len(self.missed))

    @property
    def f1(self) -> float:
        """2 TP / (2 TP + FP + FN) (van Rijsbergen 1979, "Information Retrieval", chapter 7: 1 - E with alpha 1/2);
        1 where nothing was to be tagged and nothing was."""
        return _ratio(2 * len(self.right), 2 * len(self.right) + len(self.missed) + len(self.extra))


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 1.0


class Trial(Part):
    """Why a gold figure was given to its annotator: to `measure` their work, which they are not told, or to `qualify`
    for the project, in which `attempt`. `score` stands from the first submission on."""

    purpose: Literal["measure", "qualify"]
    attempt: int = 0
    score: Score | None = None


class Assignment(Document):
    """A figure that an annotator tags and a reviewer audits: its current decisions.

    `recent` holds the newest history entries until a later write has filed them (see `filing`), so that saving a
    decision is one write. `unrecorded` says that the figure's review does not have the verdict yet; `review_begun`
    that the reviewer looks at what was submitted; `flagged` that there is a `concern`; `hidden` that its annotator sees
    no recommendations; `shown` how many of them were, by axis and band of score, when it was submitted (see
    `counting`); `opened_with` which ones it was opened with (see `holding`). One that was pulled goes back at
    `leased_until` (seconds since 1970) unless it was begun.

    A `trial` is of a gold figure: its tags never become the figure's. `scored_at` (seconds since 1970) is when it was
    scored, 0 before. `look` says why a reviewer has to look, `place` when: the lowest first; `inspected_at` when one
    last did, 0 before. `handout` names the step of a plan in the background that gave it last.
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
        Index("by_updated", ("updated_at",)),
        Index("by_lease", ("project", "leased_until")),
        Index("by_flagged", ("project", "flagged", "created_at", "article")),
        Index("by_queue", ("project", "reviewer", "state", "place", "created_at", "article")),
        Index("by_inspected", ("project", "annotator", "inspected_at")),
        Index("by_scored", ("project", "annotator", "scored_at")),
        Index("by_trial", ("project", "trial.purpose")),
    )

    project: str
    figure: str
    article: str
    annotator: str
    reviewer: str
    state: State = "open"
    decisions: tuple[Decided, ...] = ()
    no_tag_applies: bool = False
    no_tag_on: tuple[Axis, ...] = ()
    judged: Judged | None = None
    unrecorded: bool = False
    review_begun: bool = False
    concern: Concern | None = None
    flagged: bool = False
    hidden: bool = False
    shown: dict[Axis, tuple[int, ...]] = {}
    opened_with: RecommendationSet | None = None
    leased_until: float | None = None
    trial: Trial | None = None
    scored_at: float = 0.0
    look: Look | None = None
    place: int = 0
    inspected_at: float = 0.0
    undo: tuple[Step, ...] = ()
    redo: tuple[Step, ...] = ()
    recent: tuple[Entry, ...] = ()
    handout: str | None = None
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
        self,
        action: Action,
        actor: str,
        at: datetime,
        decisions: Sequence[Decided] = (),
        *,
        comment: str = "",
        to: int | None = None,
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
            to=to,
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


class Rules(Document):
    """What a project (`id`) allows and asks of tags (see `rules`); none is stored until something is set. No `axes`:
    all are in use. `preferred`: ontologies by axis, the first one first; `pace`: whether managers see measures by
    person."""

    collection: ClassVar[str] = "annotation.rules"

    axes: tuple[Axis, ...] = ()
    required: tuple[Axis, ...] = ()
    no_tag_allowed: bool = True
    free_text: bool = True
    max_tags: int | None = None
    preferred: dict[Axis, tuple[str, ...]] = {}
    pace: bool = True


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


class Told(Part):
    """What an assignment of a figure that several tag said of itself last: at which version, its state, and the round
    of its last verdict (0: none)."""

    annotator: str
    version: int
    state: State
    round: int


class Choice(Part):
    """Whether an adjudicator keeps the tag with `key`."""

    key: str
    keep: bool
    by: str
    at: datetime


class Adjudication(Document):
    """A figure (`id`) that several tag. It is `waiting` once all of them have handed it over (`since` then) and until
    somebody has settled where they differ; `choices` are those made so far, `settled` the round of each assignment that
    was settled last."""

    collection: ClassVar[str] = "annotation.adjudications"
    indexes: ClassVar[tuple[Index, ...]] = (Index("by_waiting", ("project", "waiting", "since", "article")),)

    project: str
    article: str
    told: dict[str, Told] = {}
    waiting: bool = False
    since: datetime
    choices: tuple[Choice, ...] = ()
    settled: dict[str, int] = {}


class Outcome(Part):
    """What became of a tag of a figure that several tagged: `assignments` had it, of `annotators`. `by` is who chose,
    null where all had it."""

    tag: Tag
    assignments: tuple[str, ...]
    annotators: tuple[str, ...]
    kept: bool
    by: str | None


class Settlement(Part):
    """How an adjudicator settled a figure, by the round of each assignment."""

    by: str
    at: datetime
    rounds: dict[str, int]
    outcomes: tuple[Outcome, ...]


class Recorded(Part):
    """The last verdict on a figure, and whose work it judged."""

    assignment: str
    article: str = ""
    annotator: str
    reviewer: str
    judged: Judged
    no_tag_applies: bool
    decisions: tuple[Decided, ...]


class GoldVersion(Part):
    """A figure's final tags as they were when somebody said that they are right."""

    number: int
    tags: tuple[Tag, ...]
    by: str
    at: datetime


class Gold(Part):
    """That a figure's tags are known to be right. Once withdrawn it is `active` no longer; its versions stay, for
    scores name them."""

    active: bool
    versions: tuple[GoldVersion, ...]

    @property
    def newest(self) -> GoldVersion:
        return self.versions[-1]


class Review(Document):
    """A figure's review (`id`: the figure). It follows the verdicts on the figure's assignments; its version is the
    revision of review.done. `rounds` says which verdict of each assignment it has; `gold` where the figure measures
    annotators, which they must not find out; `awaited` as long as others tag it who must not see what it says."""

    collection: ClassVar[str] = "annotation.reviews"
    indexes: ClassVar[tuple[Index, ...]] = (Index("by_gold", ("project", "gold.active")),)

    project: str
    rounds: dict[str, int] = {}
    approved: tuple[Approved, ...] = ()
    last: Recorded | None = None
    settled: Settlement | None = None
    gold: Gold | None = None
    awaited: bool = False

    @property
    def blind(self) -> bool:
        """Whether the tags are kept from annotators: some tag the figure, or may still be given it."""
        return self.awaited or (self.gold is not None and self.gold.active)

    @property
    def tags(self) -> tuple[Tag, ...]:
        """The figure's final tags: what an adjudicator kept, as long as one of the assignments that had it stands
        approved as it was; and those of every approved assignment that was not settled. Each key once, the first
        approved wins; what was dropped stays dropped for those whose work was settled."""
        final: dict[str, Tag] = {}
        rounds = self.settled.rounds if self.settled else {}
        covered = {one.assignment for one in self.approved if rounds.get(one.assignment) == self.rounds[one.assignment]}
        for outcome in self.settled.outcomes if self.settled else ():
            if outcome.kept and covered.intersection(outcome.assignments):
                final[outcome.tag.key] = outcome.tag
        for approved in self.approved:
            for tag in approved.tags if approved.assignment not in covered else ():
                final.setdefault(tag.key, tag)
        return tuple(final.values())


class Qualification(Part):
    """What newcomers must pass: the mean F1 of `figures` gold figures reaches `threshold`, in one of `attempts`."""

    figures: int
    threshold: float
    attempts: int


class Sampling(Part):
    """How much of what is submitted a reviewer looks at (see `sampling`): a `share` of it, all as long as more than
    `returned` of an annotator's last `window` were sent back or corrected, or their mean F1 on gold is below `f1`."""

    share: float = 1.0
    window: int = 20
    returned: float = 0.1
    f1: float = 0.8


class Standards(Document):
    """What a project (`id`) asks of the work that is done in it. `gold_share`: gold figures a production figure.
    `seed` makes what is drawn unpredictable to whoever knows how it is drawn; it never leaves the service."""

    collection: ClassVar[str] = "annotation.standards"

    seed: str
    gold_share: float = 0.0
    qualification: Qualification | None = None
    sampling: Sampling = Sampling()


class Standing(Document):
    """That somebody passed a project's qualification, or was let in without (`by` whom, for which `reason`). Its id is
    computed from project and person."""

    collection: ClassVar[str] = "annotation.standings"
    indexes: ClassVar[tuple[Index, ...]] = (Index("by_project", ("project", "person")),)

    project: str
    person: str
    at: datetime
    attempt: int = 0
    f1: float | None = None
    by: str | None = None
    reason: str = ""


class Handout(Document):
    """A plan that is carried out in the background, the newest of its project, whose id it has. `next` is where the
    next step begins; `worker` is who does it, and last said so at `alive_at` (see `shared.leases`). `step_begun_at` is
    when somebody first began the step that is under way, null between steps.
    """

    collection: ClassVar[str] = "annotation.handouts"
    schema_version: ClassVar[int] = 2
    upcasters: ClassVar[Mapping[int, Callable[[dict[str, Any]], dict[str, Any]]]] = {1: handout_without_lease}
    indexes: ClassVar[tuple[Index, ...]] = (Index("by_state", ("state",)),)

    number: int  # tells a later one of the same project from an earlier one
    article: str | None = None  # null: all figures of the project
    order: Order
    state: Literal["running", "done", "failed", "stopped"] = "running"
    total: int  # figures to look at
    looked: int = 0
    figures: int = 0
    people: tuple[Share, ...] = ()
    next: str | None = None
    started_by: str
    started_at: datetime
    steps: int = 0  # those that are done
    step_begun_at: datetime | None = None
    worker: str = ""
    alive_at: datetime | None = None
    error: str = ""

    @property
    def step(self) -> str:
        """The name of the step that is under way, or next."""
        return f"{self.number}.{self.steps}"


# What is written later stands first: mitagger/backup.py copies them in this order.
MODELS: tuple[type[Document], ...] = (
    Handout,
    Figure,
    Recommendations,
    Waiting,
    Assignment,
    Held,
    HistoryEntry,
    Comment,
    Adjudication,
    Review,
    Standing,
    Standards,
    Rules,
    Guidelines,
    *measured.MODELS,
)
