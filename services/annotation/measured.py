"""The documents of measures: what each assignment counts, and the sums that dashboards read."""

from datetime import datetime
from typing import ClassVar, Final

from pydantic import BaseModel, ConfigDict

from shared.documents.port import Document, Index
from shared.events.recommendation import Axis

BANDS: Final = 5  # of scores: 0 to 0.2, ... 0.8 to 1


class Part(BaseModel):
    """A part of a document."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Count(Part):
    """Concepts: `shown` as recommendations, of these `accepted`; `added` are tags that were not shown."""

    shown: int = 0
    accepted: int = 0
    added: int = 0

    def __add__(self, other: "Count") -> "Count":
        return Count(
            shown=self.shown + other.shown, accepted=self.accepted + other.accepted, added=self.added + other.added
        )


class Measured(Document):
    """An assignment (`id`) that was submitted or put aside at least once, as of its version `seen`.

    `day`: when it came into its state, in UTC; `former_day`: where it was counted before. `shared`: somebody else has
    the figure too; then `concepts` are what it was tagged with and `decided` what was said of recommendations
    (accepted?). `seconds`: of work (see `counting`). An `erased` one counts nothing and is about to go.
    """

    collection: ClassVar[str] = "annotation.measured"
    indexes: ClassVar[tuple[Index, ...]] = (
        Index("by_day", ("project", "day")),
        Index("by_figure", ("figure",)),
        Index("by_shared", ("project", "shared", "day")),
    )

    project: str
    figure: str
    annotator: str
    state: str
    hidden: bool
    seen: int
    day: str
    former_day: str | None = None
    shared: bool = False
    concepts: tuple[str, ...] = ()
    decided: dict[str, bool] = {}
    axes: dict[Axis, Count] = {}
    bands: tuple[Count, ...] = ()
    tags: int = 0
    seconds: float | None = None
    erased: bool = False


class Spread(Part):
    """Values with what their mean and its interval need."""

    n: int = 0
    total: float = 0.0
    squares: float = 0.0

    def with_(self, value: float) -> "Spread":
        return Spread(n=self.n + 1, total=self.total + value, squares=self.squares + value * value)

    def __add__(self, other: "Spread") -> "Spread":
        return Spread(n=self.n + other.n, total=self.total + other.total, squares=self.squares + other.squares)


class Cell(Part):
    """What one person did that counts on one day; figures with and without recommendations apart (`hidden`)."""

    person: str
    hidden: bool
    states: dict[str, int] = {}
    axes: dict[Axis, Count] = {}
    bands: tuple[Count, ...] = ()
    tags: Spread = Spread()
    seconds: Spread = Spread()


class DayTotals(Document):
    """The sums of a day. Its id is computed from the project and the day."""

    collection: ClassVar[str] = "annotation.days"
    indexes: ClassVar[tuple[Index, ...]] = (Index("by_day", ("project", "day")),)

    project: str
    day: str
    cells: tuple[Cell, ...] = ()


class MonthTotals(Document):
    """The sums of a month (`month`: "2026-11"), from its days' sums, so that a year is twelve documents. `states`: by
    day and person. Its id is computed from the project and the month."""

    collection: ClassVar[str] = "annotation.months"
    indexes: ClassVar[tuple[Index, ...]] = (Index("by_month", ("project", "month")),)

    project: str
    month: str
    cells: tuple[Cell, ...] = ()
    states: dict[str, dict[str, dict[str, int]]] = {}


class Interval(Part):
    """A value with its 95 % interval; null where it is not defined."""

    value: float | None = None
    low: float | None = None
    high: float | None = None


class Agreed(Part):
    """How far annotators agree on figures that several have; `recommendations` that all of them decided."""

    figures: int = 0
    annotators: int = 0
    f1: Interval = Interval()
    alpha: Interval = Interval()
    recommendations: int = 0
    accepted: float | None = None
    kappa: float | None = None
    fleiss: float | None = None


class ProjectTotals(Document):
    """Of a project (`id`): its assignments by state, and agreement on figures with and without recommendations."""

    collection: ClassVar[str] = "annotation.totals"

    states: dict[str, int] = {}
    shown: Agreed = Agreed()
    hidden: Agreed = Agreed()
    at: datetime | None = None


class Followed(Document):
    """Up to when changes of assignments are measured. There is one such document. A rebuild was `asked_at`, until it is
    done: `rebuilt_at`, the last time."""

    collection: ClassVar[str] = "annotation.followed"
    ID: ClassVar[str] = "assignments"

    until: datetime | None = None
    asked_at: datetime | None = None
    rebuilt_at: datetime | None = None


MODELS: tuple[type[Document], ...] = (Measured, DayTotals, MonthTotals, ProjectTotals, Followed)
