"""Keystrokes and seconds to tag a figure by keyboard, with recommendations and without.

    python -m tools.quality.keystrokes

A scripted person who knows the gold of the development articles uses the workbench's keys. With recommendations: `a` on
what is right, `x` on what is not, and for what is missing the type-ahead (`/`, letters, arrows, Enter). Without: the
type-ahead for everything. Letters are the beginning of the preferred name that brings the concept up with the fewest
keys. Time is the keystroke-level model's (Card, Moran, Newell 1980): 0.2 s a key, 1.35 s to decide; once for a
recommendation, twice for the type-ahead (what to look for, which of those found). Pointing, reading the legend and
looking at the picture are the same in both ways, and left out.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from statistics import mean, median
from typing import Final

from services.recommender.profiles import CORPUS
from shared.errors import NotFound
from shared.vocabulary.artefact import Vocabularies
from shared.vocabulary.lookup import complete, describe
from tools.quality.__main__ import with_
from tools.quality.corpus import Legend, corpus, vocabularies
from tools.quality.fit import fitted

KEY: Final = 0.2  # seconds
DECISION: Final = 1.35
OFFERED: Final = 20  # concepts that the type-ahead shows
MOST_LETTERS: Final = 30


@dataclass(frozen=True, slots=True)
class Effort:
    """Of one figure."""

    keys: int
    decisions: int

    @property
    def seconds(self) -> float:
        return KEY * self.keys + DECISION * self.decisions

    def __add__(self, other: "Effort") -> "Effort":
        return Effort(self.keys + other.keys, self.decisions + other.decisions)


def main() -> None:
    data, loaded = corpus(), vocabularies()

    legends = data.development
    learned = fitted(loaded, data, legends)["corpus"]
    said = {curie: text for legend in legends for (_, curie, _), text in legend.said.items()}

    @cache
    def added(curie: str) -> Effort:
        return Effort(typed(loaded, curie, said[curie]), 2)

    rows: list[tuple[Effort, Effort]] = []
    for legend, found in zip(legends, with_(data, loaded, CORPUS, learned)(legends), strict=True):
        gold, shown = _concepts(legend.gold.values()), _concepts(found.values())
        if gold:
            rows.append((_with(gold, shown, added), sum(map(added, sorted(gold)), Effort(0, 0))))
    concepts = _mean(len(_gold(one)) for one in legends)
    print(f"{len(rows)} legends of development articles, with {concepts:.1f} concepts each.\n")
    print("| | keys, median | keys, mean | seconds, median | seconds, mean |\n|---|---|---|---|---|")
    for name, of in (("with recommendations", 0), ("search and add", 1)):
        keys, seconds = [row[of].keys for row in rows], [row[of].seconds for row in rows]
        print(f"| {name} | {median(keys):.0f} | {mean(keys):.1f} | {median(seconds):.0f} | {mean(seconds):.1f} |")


def typed(vocabularies: Vocabularies, curie: str, said: str) -> int:
    """The fewest keys that add the concept: `/`, letters, arrows down, Enter. One that never comes up, or that the
    vocabulary does not have (any more), is free text as the legend says it, with one key more for its axis."""
    try:
        label = describe(vocabularies, curie).concept.label.lower()
    except NotFound:
        return len(said) + 3
    best = len(said) + 3
    for letters in range(2, min(len(label), MOST_LETTERS) + 1):
        if letters + 2 >= best:
            break
        offered = [one.concept.curie for one in complete(vocabularies, label[:letters], limit=OFFERED)]
        if curie in offered:
            best = min(best, letters + offered.index(curie) + 2)
    return best


def _with(gold: set[str], shown: set[str], added: Callable[[str], Effort]) -> Effort:
    return sum(map(added, sorted(gold - shown)), Effort(len(shown), len(shown)))


def _concepts(mentions: Iterable[Iterable[tuple[str, str, object]]]) -> set[str]:
    return {curie for of_one in mentions for _, curie, _ in of_one}


def _gold(legend: Legend) -> set[str]:
    return _concepts(legend.gold.values())


def _mean(counts: Iterable[int]) -> float:
    return mean(count for count in counts if count)


if __name__ == "__main__":
    main()
