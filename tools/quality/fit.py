"""Fit the scorer to annotated legends: `python -m tools.quality.fit` writes `weights.json` and `names.tsv`, which ship.

What ships is fitted to all articles. What `tools.quality` measures on kept-out articles is fitted in the same way to
those of development alone, and what it measures by cross-validation to the other folds.

`corpus` learns from legends alone, `tagging` also from the seen half of our own phrases (`phrases.py`), whose axes the
corpus hardly covers.

Ridge-penalised logistic regression by Newton's method. An example is a name at a place, of one ontology; it is right if
the corpus has exactly this concept there. What stands inside a longer right one is no example: the longer one wins.
What an article says again and again counts little more than what it says once (`MOST`).

For `corpus`, a name (a concept, said so) that is met in two articles or more has a weight of its own beside those of
its features: how the corpus uses it. These are random intercepts: a normal prior draws them to 0, so that what
features explain stays with features, which then hold for names never met as well.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

import services.recommender
from services.recommender.profiles import ProfileName
from services.recommender.scoring import Features, Names, Rivals, besides, features, preferred, rank, weights
from shared.vocabulary.artefact import Entry, Vocabularies, in_own_case
from shared.vocabulary.variants import AS_NAMED
from shared.vocabulary.words import key
from tools.quality.corpus import ONTOLOGIES, Corpus, Legend, corpus, vocabularies
from tools.quality.phrases import Phrase, in_use, phrases

OF_PHRASE: Final = 2  # times that an example of a phrase counts; of 1 to 3 the best on the seen half
# The best in five-fold cross-validation by article, of those in brackets.
PENALTY: Final = 8.0  # (1 to 16)
MOST: Final = 3  # examples that one name in one article counts for at most (1, 2, 3, no bound)
VARIANCE: Final = 4.0  # of the weights of names (0.5 to 16)
ARTICLES: Final = 2  # that must have a name before it has a weight; one alone would say how that article uses it
LEAST: Final = 1.0  # a weight of a name that ships; smaller ones change nothing
ROUNDS: Final = 3  # of features, then names
STEPS: Final = 25
ENOUGH: Final = 1e-4  # a step smaller than this is the last

Array = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]
T = TypeVar("T")


class Example(NamedTuple):
    """A name at a place. `name`: its CURIE and how it is said, folded and as it stands."""

    found: Features
    right: bool
    article: str
    name: tuple[str, str]
    surface: str


class Learned(NamedTuple):
    """Weights of features, and of names."""

    by: Mapping[str, float]
    by_name: Names


def examples(loaded: Vocabularies, data: Corpus, legends: Sequence[Legend]) -> Iterator[Example]:
    for legend in legends:
        text = legend.analysis.text
        right = {
            ontology: {(c, spans[0]) for _, c, spans in legend.gold[ontology] if len(spans) == 1}
            for ontology in ONTOLOGIES
        }
        hits = loaded.hits([text])[0]
        for start, end, number in hits:
            surface = text[start:end]
            by_ontology: dict[str, list[Entry]] = {}
            for entry in loaded.entries(number):
                if not entry.said or in_own_case(surface, entry.said):
                    by_ontology.setdefault(loaded.concept(entry.concept).ontology, []).append(entry)
            preferring = preferred(loaded, loaded.entries(number))
            for ontology, entries in by_ontology.items():
                rivals = Rivals(entries)
                if any(a <= start and end <= b and (a, b) != (start, end) for _, (a, b) in right[ontology]):
                    continue
                for entry in entries:
                    curie = loaded.concept(entry.concept).curie
                    if curie not in data.excluded[ontology]:
                        found = features(loaded, entry, rivals, surface, elsewhere=besides(preferring, ontology))
                        is_right = (curie, (start, end)) in right[ontology]
                        yield Example(found, is_right, legend.article, (curie, key(surface)), surface)


def of_phrases(loaded: Vocabularies, known: Iterable[Phrase]) -> Iterator[Example]:
    """Of a wanted phrase the best name of its axis at exactly these words, of another all names that touch them."""
    for phrase in known:
        for start, end, number in loaded.hits([phrase.text])[0]:
            touches = start < phrase.end and phrase.start < end
            if not touches or (phrase.wanted and (start, end) != (phrase.start, phrase.end)):
                continue
            surface = phrase.text[start:end]
            by_ontology: dict[str, list[Entry]] = {}
            for entry in loaded.entries(number):
                concept = loaded.concept(entry.concept)
                if not entry.said or in_own_case(surface, entry.said):
                    by_ontology.setdefault(concept.ontology, []).append(entry)
            preferring = preferred(loaded, loaded.entries(number))
            for ontology, entries in by_ontology.items():
                rivals = Rivals(entries)
                on_axis = [entry for entry in entries if loaded.concept(entry.concept).axis == phrase.axis]
                if phrase.wanted:
                    on_axis = sorted(on_axis, key=lambda entry: (entry.rule != AS_NAMED, rank(entry)))[:1]
                for entry in on_axis:
                    found = features(loaded, entry, rivals, surface, elsewhere=besides(preferring, ontology))
                    name = (loaded.concept(entry.concept).curie, key(surface))
                    yield Example(found, phrase.wanted, phrase.text, name, surface)


def fit(given: Sequence[Example], *, of_names: bool) -> Learned:
    """`of_names`: whether names have weights of their own."""
    features_of = sorted({name for one in given for name in one.found})
    column = {name: i for i, name in enumerate(features_of)}
    x = np.zeros((len(given), len(features_of)))
    for row, one in enumerate(given):
        for name, value in one.found.items():
            x[row, column[name]] = value
    right = np.array([one.right for one in given], float)
    names, name_of = _numbered([one.name for one in given])
    pairs, pair_of = _numbered([(one.name, one.article) for one in given])
    counts = np.minimum(1.0, MOST / np.bincount(pair_of)[pair_of])
    articles = Counter(name for name, _ in pairs)
    several = np.array([articles[name] >= ARTICLES for name in names])
    w, own = np.zeros(len(features_of)), np.zeros(len(names))
    for _ in range(ROUNDS if of_names else 1):
        w = _of_features(x, right, counts, own[name_of], w)
        if of_names:
            own = np.where(several, _of_names(x @ w, right, counts, name_of, own), 0.0)
    return Learned(
        {name: round(float(w[i]), 3) for name, i in column.items()},
        {name: round(float(weight), 2) for name, weight in zip(names, own, strict=True) if abs(weight) >= LEAST},
    )


def _numbered(values: Sequence[T]) -> tuple[list[T], Numbers]:
    """The different ones, and the number of each."""
    numbers = {value: number for number, value in enumerate(dict.fromkeys(values))}
    return list(numbers), np.array([numbers[value] for value in values], np.int64)


def _of_features(x: Array, right: Array, counts: Array, offset: Array, w: Array) -> Array:
    # Most examples are alike: those with the same features and offset are one row.
    rows, first, of_row = np.unique(np.c_[x, offset], axis=0, return_index=True, return_inverse=True)
    of_row = of_row.ravel()
    times, hits = np.bincount(of_row, counts), np.bincount(of_row, counts * right)
    x, offset = x[first], rows[:, -1]
    for _ in range(STEPS):
        p = 1 / (1 + np.exp(-(x @ w + offset)))
        gradient = x.T @ (hits - times * p) - PENALTY * w
        hessian = (x * (times * p * (1 - p))[:, None]).T @ x + PENALTY * np.eye(len(w))
        step = np.linalg.solve(hessian, gradient)
        w = w + step
        if np.abs(step).max() < ENOUGH:
            break
    return w


def _of_names(base: Array, right: Array, counts: Array, name_of: Numbers, own: Array) -> Array:
    for _ in range(STEPS):
        p = 1 / (1 + np.exp(-(base + own[name_of])))
        gradient = np.bincount(name_of, counts * (right - p)) - own / VARIANCE
        step = gradient / (np.bincount(name_of, counts * p * (1 - p)) + 1 / VARIANCE)
        own = own + np.clip(step, -1.5, 1.5)  # where p is near 0 or 1, a whole step leads far beyond
        if np.abs(step).max() < ENOUGH:
            break
    return own


def _table(given: Sequence[Example], learned: Names) -> str:
    """`names.tsv`: names as they are most often said."""
    surfaces: dict[tuple[str, str], Counter[str]] = {}
    articles: dict[tuple[str, str], set[str]] = {}
    for one in given:
        surfaces.setdefault(one.name, Counter())[one.surface.casefold()] += 1
        articles.setdefault(one.name, set()).add(one.article)
    rows = []
    for name, weight in sorted(learned.items()):
        said = min(surfaces[name], key=lambda one: (-surfaces[name][one], one))
        rows.append(f"{name[0]}\t{said}\t{weight}\t{len(articles[name])}")
    head = "# id\tname\tweight\tarticles that have it: how the CRAFT corpus uses a name, made by tools.quality.fit"
    return "\n".join([head, *rows]) + "\n"


def fitted(loaded: Vocabularies, data: Corpus, legends: Sequence[Legend]) -> dict[ProfileName, Learned]:
    """What both profiles learn from these legends, `tagging` from our own phrases as well."""
    given = list(examples(loaded, data, legends))
    own = list(of_phrases(in_use(), (phrase for phrase in phrases() if not phrase.unseen)))
    return {"corpus": fit(given, of_names=True), "tagging": fit(given + OF_PHRASE * own, of_names=False)}


def main() -> None:
    data, loaded = corpus(), vocabularies()
    legends = data.development + data.kept_out
    learned = fitted(loaded, data, legends)
    table = {"stated": weights("stated"), **{str(name): one.by for name, one in learned.items()}}
    rows = _table(list(examples(loaded, data, legends)), learned["corpus"].by_name)
    folder = Path(services.recommender.__file__ or "").parent
    (folder / "weights.json").write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
    (folder / "names.tsv").write_text(rows, encoding="utf-8")


if __name__ == "__main__":
    main()
