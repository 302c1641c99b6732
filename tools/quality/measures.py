"""Precision, recall, F1 with intervals over articles, and the effort that recommendations save."""

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from tools.quality.corpus import ONTOLOGIES, Legend, Mention

DRAWS: Final = 1000
Found = dict[str, set[Mention]]  # of one legend, by ontology


@dataclass(frozen=True)
class Score:
    """Counts of right ones, found ones and those that should be."""

    right: int
    found: int
    gold: int

    @property
    def precision(self) -> float:
        return self.right / self.found if self.found else 0.0

    @property
    def recall(self) -> float:
        return self.right / self.gold if self.gold else 0.0

    @property
    def f1(self) -> float:
        return 2 * self.right / (self.found + self.gold) if self.found + self.gold else 0.0

    def __add__(self, other: "Score") -> "Score":
        return Score(self.right + other.right, self.found + other.found, self.gold + other.gold)


NONE: Final = Score(0, 0, 0)


def mentions(legend: Legend, found: Found, ontology: str) -> Score:
    """Exact spans with the exact concept."""
    gold = legend.gold[ontology]
    return Score(len(gold & found[ontology]), len(found[ontology]), len(gold))


def concepts(legend: Legend, found: Found, ontology: str) -> Score:
    """The distinct concepts of the legend, wherever they stand."""
    gold = {curie for _, curie, _ in legend.gold[ontology]}
    shown = {curie for _, curie, _ in found[ontology]}
    return Score(len(gold & shown), len(shown), len(gold))


Counted = dict[str, dict[str, Score]]  # by article, by ontology


def counted(legends: Sequence[Legend], found: Sequence[Found], by: Callable[[Legend, Found, str], Score]) -> Counted:
    total: Counted = {}
    for legend, of_one in zip(legends, found, strict=True):
        article = total.setdefault(legend.article, dict.fromkeys(ONTOLOGIES, NONE))
        for ontology in ONTOLOGIES:
            article[ontology] += by(legend, of_one, ontology)
    return total


def by_ontology(articles: Iterable[dict[str, Score]]) -> dict[str, Score]:
    total = dict.fromkeys(ONTOLOGIES, NONE)
    for article in articles:
        for ontology in ONTOLOGIES:
            total[ontology] += article[ontology]
    return total


def macro(scores: dict[str, Score]) -> float:
    return sum(scores[ontology].f1 for ontology in ONTOLOGIES) / len(ONTOLOGIES)


def micro(scores: dict[str, Score]) -> float:
    return sum(scores.values(), NONE).f1


def interval(counts: Counted, of: Callable[[dict[str, Score]], float]) -> tuple[float, float]:
    """95 % of what `of` gives when as many articles are drawn with replacement (percentile bootstrap)."""
    draw, articles = random.Random(1), list(counts.values())  # noqa: S311 - a fixed draw
    values = sorted(of(by_ontology(draw.choices(articles, k=len(articles)))) for _ in range(DRAWS))
    return values[DRAWS * 25 // 1000], values[DRAWS * 975 // 1000 - 1]


def saved(scores: dict[str, Score], keystrokes: int) -> float:
    """Effort saved: 1 - (A + R + K M) / (K (A + M)); A gold concepts shown, R others shown, M gold ones not shown."""
    total = sum(scores.values(), NONE)
    missing, wrong = total.gold - total.right, total.found - total.right
    return 1 - (total.right + wrong + keystrokes * missing) / (keystrokes * total.gold)
