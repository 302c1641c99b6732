"""How likely a name that was found means the concept: a logistic function of what is known of name and concept.

Every feature is general: scope, rule, frequency, ambiguity, case; none names a concept. Their weights are data
(`weights.json`, written by `python -m tools.quality.fit`); docs/decisions/0017 says where they come from.
"""

import json
import math
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from importlib.resources import files
from typing import Final

from shared.vocabulary.artefact import Entry, Vocabularies
from shared.vocabulary.source import SCOPES
from shared.vocabulary.variants import ABBREVIATED, AS_NAMED, CONVENTION, DERIVED, RULES
from shared.vocabulary.words import fold, key, words

FAMILIES: Final = ("GO", "CL", "UBERON", "SO", "CHEBI", "MONDO")
# UBERON took these identifiers over from ontologies of fish and amphibia (TAO, AAO, ZFA; its own documentation).
_OF_FISH: Final = ("UBERON:2", "UBERON:3", "UBERON:4")
_LABEL: Final = SCOPES.index("LABEL")
_SHORT: Final = 3  # letters
_BEGINNING: Final = 4  # letters by which two words may be one: "apoptosis", "apoptotic"

Features = Mapping[str, float]
Names = Mapping[tuple[str, str], float]  # by CURIE and `words.key` of what is said


class Rivals:
    """The entries of one key and ontology."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = entries
        self._best: dict[int, int] = {}  # rank of a concept's best entry
        for entry in entries:
            self._best[entry.concept] = min(rank(entry), self._best.get(entry.concept, 2 * len(SCOPES)))
        self._first = sorted(self._best, key=lambda concept: self._best[concept])[:2]

    def others(self) -> int:
        """How many concepts there are besides that of one entry."""
        return len(self._best) - 1

    def better(self, entry: Entry) -> bool:
        """Whether another concept has a better entry."""
        return any(self._best[concept] < rank(entry) for concept in self._first if concept != entry.concept)


def features(
    vocabularies: Vocabularies, entry: Entry, rivals: Rivals, surface: str, *, elsewhere: float | None
) -> Features:
    """What speaks for `entry`, one of `rivals`, where `surface` was found.

    `elsewhere` is the usage of the concept for which
    another ontology prefers the name, or its noun, if one does.
    """
    concept = vocabularies.concept(entry.concept)
    name, scope = vocabularies.name(entry.name)
    family = concept.curie.partition(":")[0]
    family = family if family in FAMILIES else "other"
    kind = scope if entry.rule == AS_NAMED else RULES[entry.rule]
    used, frequent = usage(vocabularies, entry), max(0.0, entry.zipf - 3.0)
    said = _stems(surface)
    label = _stems(concept.label)
    found = {
        "bias": 1.0,
        f"kind {kind}": 1.0,
        f"words {kind}": min(3, len(said)) - 1.0,
        "rivals": math.log1p(rivals.others()),
        "used": used,
        f"used {kind}": used,
        "frequent": frequent,
        f"frequent {kind}": frequent,
        "used though frequent": used * frequent,
        "words": min(3, len(said)) - 1.0,
    }
    # A common abbreviation is as good in every family; a convention belongs to one concept.
    if entry.rule not in (ABBREVIATED, CONVENTION):
        found |= {
            f"family {family}": 1.0,
            f"{family} {kind}": 1.0,
            f"used {family}": used,
            f"frequent {family}": frequent,
        }
        if elsewhere is not None:
            found[f"elsewhere {family}"] = 1.0
    if concept.curie.startswith(_OF_FISH):
        found["of fish"] = 1.0
    if surface.casefold() == name.casefold():
        found["exactly"] = 1.0
    if elsewhere is not None:
        found["elsewhere"] = 1.0
        found["more used elsewhere"] = elsewhere - used
    if kind != "LABEL":
        found |= _of_other_names(entry, rivals, len(said & label) / max(1, len(said)))
        found["of label"] = len(said & label) / max(1, len(label))
        found["words of other name"] = min(3, len(said)) - 1.0
        found["frequent other name"] = frequent
    if len(concept.label) < len(name):
        found["shorter label"] = 1.0
    return found | _of_spelling(entry, name, scope, family, surface)


def _of_other_names(entry: Entry, rivals: Rivals, in_label: float) -> dict[str, float]:
    found = {"in label": in_label}
    if entry.rule != AS_NAMED:
        found[f"varied {SCOPES[entry.scope]}"] = 1.0
    if rivals.better(entry):
        found["better rival"] = 1.0
    return found


def _of_spelling(entry: Entry, name: str, scope: str, family: str, surface: str) -> dict[str, float]:
    found: dict[str, float] = {}
    if entry.said and entry.rule != ABBREVIATED:
        found |= {"acronym": 1.0, f"acronym {family}": 1.0}
        if scope == "LABEL":
            found["acronym preferred"] = 1.0
    letters = sum(map(str.isalpha, surface))
    if letters <= _SHORT:
        found["short"] = 1.0
    if letters > 1 and surface.isupper() and not entry.said and not name.isupper():
        found["shouted"] = 1.0
    if any(map(str.isdigit, surface)):
        found["digits"] = 1.0
    return found


def usage(vocabularies: Vocabularies, entry: Entry) -> float:
    """How general the concept is: 0 where no other preferred name has its own as a part, 1.5 for the most used."""
    return min(1.5, math.log1p(int(vocabularies.concept_used[entry.concept])) / 4)


def preferred(vocabularies: Vocabularies, entries: Sequence[Entry]) -> dict[str, float]:
    """The ontologies that have the name, or the noun of it, as a preferred name, with the concept's usage."""
    found: dict[str, float] = {}
    for entry in entries:
        if entry.rule in (AS_NAMED, DERIVED) and entry.scope == _LABEL:
            ontology = vocabularies.concept(entry.concept).ontology
            found[ontology] = max(found.get(ontology, 0.0), usage(vocabularies, entry))
    return found


def besides(found: Mapping[str, float], ontology: str) -> float | None:
    """The highest usage in other ontologies."""
    return max((used for other, used in found.items() if other != ontology), default=None)


def rank(entry: Entry) -> int:
    """The best first: names by scope, then variants by the scope of theirs."""
    return entry.scope if entry.rule in (AS_NAMED, CONVENTION) else len(SCOPES) + entry.scope


@lru_cache(maxsize=50_000)
def _stems(text: str) -> frozenset[str]:
    return frozenset({fold(word.group())[:_BEGINNING] for word in words(text)} - {"", "of"})


@cache
def weights(name: str) -> Mapping[str, float]:
    """Those learned for a profile, `corpus` or `tagging`, or those `stated` by hand from what scopes promise."""
    table: dict[str, dict[str, float]] = json.loads(
        (files("services.recommender") / "weights.json").read_text(encoding="utf-8")
    )
    return table[name]


@cache
def names() -> Names:
    """What the corpus takes a name for beyond what its features say, on the scale of the weights: `names.tsv`
    (docs/decisions/0045)."""
    lines = (files("services.recommender") / "names.tsv").read_text(encoding="utf-8").splitlines()
    rows = (line.split("\t") for line in lines if not line.startswith("#"))
    return {(curie, key(said)): float(weight) for curie, said, weight, _ in rows}


def probability(found: Features, by: Mapping[str, float], of_name: float = 0.0) -> float:
    """Between 0 and 1. A feature without a weight says nothing; `of_name` is the weight of this one name."""
    return 1 / (1 + math.exp(-sum((by.get(name, 0.0) * value for name, value in found.items()), of_name)))
