"""How far annotators agree on what a figure shows. Pure.

The unit is a figure with the set of concepts that each annotator gave it.

- F1 between two annotators (Hripcsak and Rothschild 2005, "Agreement, the F-measure, and reliability in information
  retrieval", J Am Med Inform Assoc 12:296): twice the concepts that both gave, over all that each gave; pooled over
  figures and pairs. It needs no number of concepts that nobody gave, which is unknown here.
- Krippendorff's alpha (Krippendorff 2004, "Content Analysis", 2nd edition, chapter 11) with the MASI distance between
  sets (Passonneau 2006, "Measuring Agreement on Set-valued Items (MASI) for Semantic and Pragmatic Annotation", LREC):
  agreement beyond chance, with partial overlap credited, for any number of annotators a figure.
- Cohen's kappa (Cohen 1960, "A Coefficient of Agreement for Nominal Scales", Educ Psychol Meas 20:37) of accept or
  reject, over recommendations that both decided; with the share accepted beside it, since kappa falls where nearly all
  are (Feinstein and Cicchetti 1990, "High agreement but low kappa", J Clin Epidemiol 43:543).
- Fleiss' kappa (Fleiss 1971, "Measuring nominal scale agreement among many raters", Psychol Bull 76:378) of the same,
  where every recommendation has the same number of raters, of three or more.
- Intervals are percentile bootstraps over figures (Efron and Tibshirani 1993, "An Introduction to the Bootstrap",
  chapter 13), for the concepts of one figure are not independent.
"""

import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final, TypeAlias

import numpy as np

from services.annotation.measured import Interval

RESAMPLES: Final = 500
SEED: Final = 20_060_522

Concepts: TypeAlias = frozenset[str]
Ratings: TypeAlias = Mapping[str, Concepts]  # of one figure, by annotator
Verdicts: TypeAlias = Mapping[str, bool]  # on one recommendation, by annotator: accepted or rejected


@dataclass(frozen=True, slots=True)
class Agreement:
    """On `figures` that at least two annotators tagged."""

    figures: int
    annotators: int
    f1: Interval
    alpha: Interval


@dataclass(frozen=True, slots=True)
class Deciding:
    """On `recommendations` that all their figure's annotators decided; `accepted` is the share of acceptances. Of
    `kappa` and `fleiss` one is there: the first for two raters each, the second for the same greater number."""

    recommendations: int
    accepted: float | None
    kappa: float | None
    fleiss: float | None


def agreement(figures: Iterable[Ratings]) -> Agreement:
    """Of figures with their annotators' concepts; those that one annotator tagged do not count. A thousand figures take
    about a second."""
    several = [ratings for ratings in figures if len(ratings) > 1]
    people = {annotator for ratings in several for annotator in ratings}
    return Agreement(len(several), len(people), _f1(several), _alpha(several))


def deciding(figures: Iterable[Mapping[str, Mapping[str, bool]]]) -> Deciding:
    """Of figures with what each annotator (the outer key) decided of each recommendation (the inner one)."""
    verdicts = [
        {annotator: decided[one] for annotator, decided in by_annotator.items()}
        for by_annotator in figures
        if len(by_annotator) > 1
        for one in sorted(set.intersection(*(set(decided) for decided in by_annotator.values())))
    ]
    given = [accepted for one in verdicts for accepted in one.values()]
    raters = {len(one) for one in verdicts}
    return Deciding(
        len(verdicts),
        sum(given) / len(given) if given else None,
        kappa([tuple(accepted for _, accepted in sorted(one.items())) for one in verdicts]) if raters == {2} else None,
        fleiss([sum(one.values()) for one in verdicts], raters.pop()) if len(raters) == 1 and max(raters) > 2 else None,
    )


def f1(figures: Sequence[Ratings]) -> float | None:
    """Pairwise F1 from 0 to 1, pooled over pairs of annotators and figures; null when nobody tagged anything."""
    return _ratio([_overlap(ratings) for ratings in figures])


def alpha(figures: Sequence[Ratings]) -> float | None:
    """Krippendorff's alpha, at most 1; 0 is chance. Null when there are not two different sets, so that no
    disagreement could be expected."""
    several = [ratings for ratings in figures if len(ratings) > 1]
    return _Sets(several).alpha(range(len(several)))


def masi(one: Concepts, other: Concepts) -> float:
    """The distance of two sets from 0 to 1: 1 - Jaccard x monotonicity, where monotonicity is 1 for equal sets, 2/3
    when one holds the other, 1/3 when they overlap otherwise, 0 when they do not. Two empty sets ("no tag applies")
    agree."""
    if one == other:
        return 0.0
    common = len(one & other)
    if not common:
        return 1.0
    monotonicity = 2 / 3 if one <= other or other <= one else 1 / 3
    return 1 - common / len(one | other) * monotonicity


def kappa(pairs: Sequence[Sequence[bool]]) -> float | None:
    """Cohen's kappa of two raters, at most 1; null when both always say the same one thing."""
    if not pairs:
        return None
    total = len(pairs)
    observed = sum(one == other for one, other in pairs) / total
    first, second = (sum(pair[rater] for pair in pairs) / total for rater in (0, 1))
    expected = first * second + (1 - first) * (1 - second)
    return (observed - expected) / (1 - expected) if expected < 1 else None


def fleiss(accepted: Sequence[int], raters: int) -> float | None:
    """Fleiss' kappa of items with the same number of raters, of whom so many accepted each; null when all always say
    the same one thing."""
    if not accepted or raters < 2:
        return None
    pairs = raters * (raters - 1)
    observed = sum(yes * (yes - 1) + (raters - yes) * (raters - yes - 1) for yes in accepted) / (pairs * len(accepted))
    share = sum(accepted) / (raters * len(accepted))
    expected = share**2 + (1 - share) ** 2
    return (observed - expected) / (1 - expected) if expected < 1 else None


def _overlap(ratings: Ratings) -> tuple[int, int]:
    """Concepts that both of a pair gave, and that each gave, over all pairs."""
    pairs = list(combinations(ratings.values(), 2))
    return sum(len(one & other) for one, other in pairs), sum(len(one) + len(other) for one, other in pairs)


def _ratio(overlaps: Sequence[tuple[int, int]]) -> float | None:
    both, given = (sum(overlap[place] for overlap in overlaps) for place in (0, 1))
    return 2 * both / given if given else None


class _Sets:
    """What alpha needs of the sets that were given: how far any two that overlap are from what nothing in common is."""

    def __init__(self, figures: Sequence[Ratings]) -> None:
        names: dict[Concepts, int] = {}
        self._given = [[names.setdefault(one, len(names)) for one in ratings.values()] for ratings in figures]
        self._size = len(names)
        holders: dict[str, list[int]] = defaultdict(list)
        for one, number in names.items():
            for concept in one:
                holders[concept].append(number)
        sets = list(names)
        overlapping = {pair for numbers in holders.values() for pair in combinations(numbers, 2)}
        pairs = np.array(sorted(overlapping), dtype=np.int64).reshape(-1, 2)
        self._one, self._other = pairs[:, 0], pairs[:, 1]
        self._near = np.array([1 - masi(sets[one], sets[other]) for one, other in pairs])
        self._within = np.array(
            [
                2 * sum(masi(sets[one], sets[other]) for one, other in combinations(given, 2)) / (len(given) - 1)
                for given in self._given
            ]
        )

    def alpha(self, figures: Sequence[int]) -> float | None:
        """Over figures by their place; one may come several times."""
        counts = np.bincount([number for place in figures for number in self._given[place]], minlength=self._size)
        values = float(counts.sum())
        if values < 2:
            return None
        # Over ordered pairs of values: all different sets are 1 apart but for those that overlap.
        apart = values**2 - float((counts.astype(float) ** 2).sum())
        apart -= 2 * float((counts[self._one] * counts[self._other] * self._near).sum())
        expected = apart / (values - 1)
        return 1 - float(self._within[list(figures)].sum()) / expected if expected > 0 else None


def _f1(figures: Sequence[Ratings]) -> Interval:
    overlaps = [_overlap(ratings) for ratings in figures]
    return _measured(lambda places: _ratio([overlaps[place] for place in places]), len(figures))


def _alpha(figures: Sequence[Ratings]) -> Interval:
    return _measured(_Sets(figures).alpha, len(figures))


def _measured(measure: Callable[[Sequence[int]], float | None], figures: int) -> Interval:
    """`measure` takes figures by their place."""
    every = range(figures)
    draw = random.Random(SEED)  # noqa: S311 - a resample: the same figures always give the same interval
    found = (measure(draw.choices(every, k=figures)) for _ in range(RESAMPLES if figures else 0))
    values = sorted(value for value in found if value is not None)
    if not values:
        return Interval(value=measure(every))
    low, high = (values[int(share * (len(values) - 1))] for share in (0.025, 0.975))
    return Interval(value=measure(every), low=low, high=high)
