"""Fit the scorer's weights to the development articles: `python -m tools.quality.fit` writes `weights.json`.

`corpus` learns from these alone, `tagging` also from the seen half of our own phrases (`phrases.py`), whose axes the
corpus hardly covers.

Ridge-penalised logistic regression by Newton's method. An example is a name at a place, of one ontology; it is right if
the corpus has exactly this concept there. What stands inside a longer right one is no example: the longer one wins.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

import services.recommender
from services.recommender.scoring import Features, Rivals, besides, features, preferred, rank, weights
from shared.vocabulary.artefact import Entry, Vocabularies, in_own_case
from shared.vocabulary.variants import AS_NAMED
from tools.quality.corpus import ONTOLOGIES, Corpus, Legend, corpus, vocabularies
from tools.quality.phrases import Phrase, in_use, phrases

# Times that an example of a phrase counts. What must not be found was thought of to mislead and is rare in legends;
# what must be found is everyday.
WANTED: Final = 2
UNWANTED: Final = 1
PENALTY: Final = 8.0  # of 1 to 12 the best in five-fold cross-validation by article
STEPS: Final = 25

Example = tuple[Features, bool]


def examples(loaded: Vocabularies, data: Corpus, legends: Sequence[Legend]) -> Iterator[Example]:
    for legend in legends:
        text = legend.analysis.text
        right = {
            ontology: {(c, spans[0]) for _, c, spans in legend.gold[ontology] if len(spans) == 1}
            for ontology in ONTOLOGIES
        }
        hits = loaded.hits([text])[0]
        for start, end, key in hits:
            by_ontology: dict[str, list[Entry]] = {}
            for entry in loaded.entries(key):
                if not entry.said or in_own_case(text[start:end], entry.said):
                    by_ontology.setdefault(loaded.concept(entry.concept).ontology, []).append(entry)
            preferring = preferred(loaded, loaded.entries(key))
            for ontology, entries in by_ontology.items():
                rivals = Rivals(entries)
                if any(a <= start and end <= b and (a, b) != (start, end) for _, (a, b) in right[ontology]):
                    continue
                for entry in entries:
                    curie = loaded.concept(entry.concept).curie
                    if curie not in data.excluded[ontology]:
                        found = features(
                            loaded, entry, rivals, text[start:end], elsewhere=besides(preferring, ontology)
                        )
                        yield found, (curie, (start, end)) in right[ontology]


def of_phrases(loaded: Vocabularies, known: Iterable[Phrase]) -> Iterator[Example]:
    """Of a wanted phrase the best name of its axis at exactly these words, of another all names that touch them."""
    for phrase in known:
        for start, end, key in loaded.hits([phrase.text])[0]:
            touches = start < phrase.end and phrase.start < end
            if not touches or (phrase.wanted and (start, end) != (phrase.start, phrase.end)):
                continue
            by_ontology: dict[str, list[Entry]] = {}
            for entry in loaded.entries(key):
                concept = loaded.concept(entry.concept)
                if not entry.said or in_own_case(phrase.text[start:end], entry.said):
                    by_ontology.setdefault(concept.ontology, []).append(entry)
            preferring = preferred(loaded, loaded.entries(key))
            for ontology, entries in by_ontology.items():
                rivals = Rivals(entries)
                on_axis = [entry for entry in entries if loaded.concept(entry.concept).axis == phrase.axis]
                if phrase.wanted:
                    on_axis = sorted(on_axis, key=lambda entry: (entry.rule != AS_NAMED, rank(entry)))[:1]
                for entry in on_axis:
                    surface = phrase.text[start:end]
                    found = features(loaded, entry, rivals, surface, elsewhere=besides(preferring, ontology))
                    yield found, phrase.wanted


def fit(given: Sequence[Example], penalty: float = PENALTY) -> Mapping[str, float]:
    names = sorted({name for found, _ in given for name in found})
    number = {name: i for i, name in enumerate(names)}
    x = np.zeros((len(given), len(names)))
    y = np.array([right for _, right in given], float)
    for row, (found, _) in enumerate(given):
        for name, value in found.items():
            x[row, number[name]] = value
    w: npt.NDArray[np.float64] = np.zeros(len(names))
    for _ in range(STEPS):
        p = 1 / (1 + np.exp(-(x @ w)))
        gradient = x.T @ (y - p) - penalty * w
        hessian = (x * (p * (1 - p))[:, None]).T @ x + penalty * np.eye(len(names))
        w = w + np.linalg.solve(hessian, gradient)
    return {name: round(float(w[i]), 3) for name, i in number.items()}


def main() -> None:
    data = corpus()
    legends = list(examples(vocabularies(), data, data.development))
    own = of_phrases(in_use(), (phrase for phrase in phrases() if not phrase.unseen))
    weighed = [example for example in own for _ in range(WANTED if example[1] else UNWANTED)]
    learned = {"corpus": fit(legends), "tagging": fit(legends + weighed)}
    path = Path(services.recommender.__file__ or "").parent / "weights.json"
    table = {"stated": dict(weights("stated")), **{name: dict(by) for name, by in learned.items()}}
    path.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
