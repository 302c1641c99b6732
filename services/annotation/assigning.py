"""Who gets which figure: evenly, papers together, some to several annotators, some without recommendations. Pure.

A plan depends on nothing but its arguments: shares are drawn by a hash of the figure's id, so that an order that was
broken off and is given again plans the same.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from shared.errors import Invalid

Together: TypeAlias = Literal["figure", "article"]


@dataclass(frozen=True, slots=True)
class Pair:
    """An annotator and who reviews their work."""

    annotator: str
    reviewer: str


@dataclass(frozen=True, slots=True)
class Order:
    """How to assign. `overlap_share` of the figures (0 to 1) go to `overlap` annotators each, who do not see each
    other's work; on `hidden_share` recommendations are hidden, to measure what they do."""

    team: tuple[Pair, ...]
    together: Together = "figure"
    overlap: int = 2
    overlap_share: float = 0.0
    hidden_share: float = 0.05


@dataclass(frozen=True, slots=True)
class Choice:
    """Which figures: these, those of an article, or (neither given) all. Only those that nobody has."""

    figures: tuple[str, ...] | None = None
    article: str | None = None


@dataclass(frozen=True, slots=True)
class Share:
    """What a plan gives one annotator."""

    pair: Pair
    figures: int
    hidden: int
    gold: int


@dataclass(frozen=True, slots=True)
class Planned:
    """One assignment to be."""

    figure: str
    pair: Pair
    hidden: bool
    trial: bool = False


def check(order: Order) -> None:
    """Raises Invalid when the order cannot be carried out."""
    annotators = [pair.annotator for pair in order.team]
    if len(set(annotators)) < len(annotators):
        raise Invalid("An annotator is named twice.", field="team", remedy="Name everybody once.")
    if any(pair.annotator == pair.reviewer for pair in order.team):
        raise Invalid("Nobody reviews their own work.", field="team", remedy="Name another person as the reviewer.")
    if order.overlap_share and order.overlap > len(annotators):
        raise Invalid(
            f"{order.overlap} annotators shall see a figure, and the team has {len(annotators)}.",
            field="overlap",
            remedy="Name more annotators, or lower `overlap`.",
        )


def plan(
    figures: Iterable[tuple[str, str]],
    order: Order,
    loads: Mapping[str, int],
    held: Mapping[str, Sequence[str]],
) -> list[Planned]:
    """Assignments for figures (id, article) that nobody has.

    Each goes to whoever has least (`loads`: assignments by annotator), in the team's order where equal. With
    `together="article"` all figures of a paper go to the same annotators, `held` where some of it is assigned already.
    """
    pairs = {pair.annotator: pair for pair in order.team}
    places = {annotator: place for place, annotator in enumerate(pairs)}
    load = Counter({annotator: loads.get(annotator, 0) for annotator in pairs})
    teams = {article: [who for who in people if who in pairs] for article, people in held.items()}
    planned: list[Planned] = []
    for figure, article in figures:
        paper = order.together == "article"
        wanted = order.overlap if drawn("overlap", article if paper else figure) < order.overlap_share else 1
        team = teams.get(article, [])[:wanted] if paper else []
        others = sorted((who for who in pairs if who not in team), key=lambda who: (load[who], places[who]))
        team = [*team, *others[: wanted - len(team)]]
        if paper:
            teams[article] = team
        load.update(team)
        hidden = drawn("hidden", figure) < order.hidden_share
        planned += [Planned(figure, pairs[annotator], hidden) for annotator in team]
    return planned


def with_gold(
    planned: Sequence[Planned], share: float, seed: str, spare: dict[str, list[str]]
) -> tuple[list[Planned], dict[str, list[str]]]:
    """The plan with gold figures for whom they measure, and what is then left of `spare` (figures by annotator).

    Whether one comes with an assignment is drawn by annotator and figure; to the annotator it looks like any other.
    """
    left = {annotator: list(figures) for annotator, figures in spare.items()}
    gold = [
        Planned(left[one.pair.annotator].pop(0), one.pair, hidden=False, trial=True)
        for one in planned
        if left.get(one.pair.annotator) and drawn(f"{seed}/mixed", f"{one.pair.annotator}/{one.figure}") < share
    ]
    return [*planned, *gold], left


def drawn(what: str, id: str) -> float:
    """A number from 0 to 1 that stays the same for this id, evenly distributed over ids."""
    return int.from_bytes(hashlib.blake2b(f"{what}/{id}".encode(), digest_size=7).digest()) / 2**56


def uncertainty(scores: Sequence[float]) -> float:
    """How unsure the recommender is of a figure, from 0 to 1: that of its least certain recommendation (margin
    sampling for two outcomes; Settles 2009, "Active Learning Literature Survey", section 3.1). 0 without any."""
    return max((1 - abs(2 * score - 1) for score in scores), default=0.0)
