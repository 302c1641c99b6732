"""Cross-validation over the development articles: what the scorer learns, fitted to some and measured on the others.

Rules and tables were written with all development articles in view, so that this flatters them; it is honest about
weights alone.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from services.recommender.local import LocalAnnotator
from services.recommender.profiles import CORPUS, Profile
from shared.vocabulary.artefact import Vocabularies
from tools.quality.corpus import Corpus, Legend
from tools.quality.fit import Learned, examples, fit
from tools.quality.measures import Counted, Found, by_ontology, concepts, counted, macro, mentions, micro

FOLDS: Final = 5
DRAWS: Final = 3  # of the folds: one draw alone says little

Ways = Mapping[str, tuple[Profile, bool]]  # the profile, and whether names have weights of their own
WAYS: Final[Ways] = {
    "profile `corpus`": (CORPUS, True),
    "without weights of names": (CORPUS, False),
    "without the corpus's conventions": (replace(CORPUS, conventions=False), False),
}


def crossed(data: Corpus, loaded: Vocabularies, ways: Ways = WAYS) -> dict[str, list[float]]:
    """Of each way the mean F1 of all draws: mentions macro, micro, sets macro, micro."""
    by_legend = {legend.id: list(examples(loaded, data, [legend])) for legend in data.development}
    totals = {way: [0.0] * 4 for way in ways}
    for draw in range(DRAWS):
        legends: list[Legend] = []
        found: dict[str, list[Found]] = {way: [] for way in ways}
        for learn, judge in _folds(data.development, draw):
            given = [example for legend in learn for example in by_legend[legend.id]]
            legends += judge
            learned: dict[bool, Learned] = {}
            for way, (profile, of_names) in ways.items():
                if of_names not in learned:
                    learned[of_names] = fit(given, of_names=of_names)
                found[way] += _found(data, loaded, judge, profile, learned[of_names])
        for way, answer in found.items():
            scores = _scores(*(counted(legends, answer, count) for count in (mentions, concepts)))
            totals[way] = [total + score / DRAWS for total, score in zip(totals[way], scores, strict=True)]
    return totals


def _folds(legends: Sequence[Legend], draw: int) -> Iterator[tuple[list[Legend], list[Legend]]]:
    """Those to learn from and those to judge."""
    articles = sorted({legend.article for legend in legends})
    random.Random(draw).shuffle(articles)  # noqa: S311 - fixed draws
    for number in range(FOLDS):
        judged = set(articles[number::FOLDS])
        yield (
            [legend for legend in legends if legend.article not in judged],
            [legend for legend in legends if legend.article in judged],
        )


def _found(
    data: Corpus, loaded: Vocabularies, legends: Sequence[Legend], profile: Profile, learned: Learned
) -> list[Found]:
    annotator = LocalAnnotator(loaded, profile, learned.by, learned.by_name)
    return data.found(legends, annotator.annotate([legend.analysis for legend in legends]))


def _scores(*counts: Counted) -> list[float]:
    return [of(by_ontology(one.values())) for one in counts for of in (macro, micro)]
