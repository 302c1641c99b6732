"""Finding concepts by CURIE and by what one types of a name."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from shared.errors import NotFound
from shared.events.recommendation import Axis
from shared.vocabulary.artefact import Concept, Vocabularies
from shared.vocabulary.axes import AXES
from shared.vocabulary.beginnings import LENGTH
from shared.vocabulary.compile import NO_AXIS
from shared.vocabulary.words import cased_key, spoken

LONGEST_QUERY: Final = 200  # code points; what is longer is cut
READ_WHOLE: Final = 20_000  # names whose long words are compared whole
RANKED: Final = 500  # names that are read and ranked; no one reads further down a list

Fit = Literal["name", "beginning", "words", "mistyped"]
_FITS: Final[tuple[Fit, ...]] = ("name", "beginning", "words", "mistyped")


@dataclass(frozen=True, slots=True)
class Entry:
    """A concept with all that the vocabulary says of it: names with their scopes, and parents."""

    concept: Concept
    names: list[tuple[str, str]]
    parents: list[Concept]


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A concept whose `name` (of this `scope`) fits a query: it is the query, begins with it, has a word for each of
    its words, or does when one letter is put right."""

    concept: Concept
    name: str
    scope: str
    fit: Fit = "words"
    parents: tuple[str, ...] = ()


def describe(vocabularies: Vocabularies, curie: str, *, ontology: str | None = None) -> Entry:
    """The concept with this CURIE, of `ontology` where several have it. Raises NotFound."""
    for number in vocabularies.find(curie):
        concept = vocabularies.concept(number)
        if ontology in (None, concept.ontology):
            parents = [vocabularies.concept(parent) for parent in vocabularies.parents(number)]
            return Entry(concept, vocabularies.names(number), parents)
    raise NotFound(
        f"No concept {curie[:80]!r} in {ontology or ', '.join(vocabularies.versions)}.",
        remedy="Write it as in GO:0005634, or look it up by name.",
    )


def lineage(vocabularies: Vocabularies, curies: Sequence[str]) -> list[tuple[str, str]]:
    """Which of these CURIEs is an ancestor of which, as (ancestor, descendant): what it is a kind or a part of, at any
    distance. CURIEs that no vocabulary has are nobody's ancestor."""
    numbers = {number: curie for curie in curies for number in vocabularies.find(curie)}
    found: dict[tuple[str, str], None] = {}
    for start, descendant in numbers.items():
        above, left = {start}, [start]
        while left:
            parents = {parent for one in left for parent in vocabularies.parents(one)} - above
            above |= parents
            left = sorted(parents)
        names = {numbers[one] for one in above if one in numbers} - {descendant}
        found.update(dict.fromkeys((ancestor, descendant) for ancestor in sorted(names)))
    return list(found)


def below(vocabularies: Vocabularies, curie: str, *, limit: int) -> list[str]:
    """The CURIEs of the concepts below those with this one (several vocabularies may have it), nearest first, each
    once; at most `limit`. Raises NotFound."""
    describe(vocabularies, curie)
    concepts = [one for number in vocabularies.find(curie) for one in vocabularies.descendants(number, limit=limit)]
    return list(dict.fromkeys(vocabularies.concept(one).curie for one in concepts))[:limit]


def complete(vocabularies: Vocabularies, query: str, *, axis: Axis | None = None, limit: int = 20) -> list[Suggestion]:
    """The concepts with a name that has, for every word of `query`, a word beginning with it; each concept once. Where
    there is none, those with a name that does when one letter of the query is put right.

    Best first: names equal to the query, then those that begin with it; of these, concepts on an axis before others,
    and then the shorter names, of concepts that others are made of before special ones (`beginnings.packed`).
    """
    query = query[:LONGEST_QUERY]
    beginnings = list(spoken(query))
    if not beginnings:
        return []
    on = None if axis is None else AXES.index(axis)
    names = _whole(vocabularies, vocabularies.beginnings.names(beginnings, on, enough=RANKED), beginnings)
    mistyped = not len(names)
    if mistyped:
        names = vocabularies.beginnings.mistyped(beginnings, on, enough=RANKED)
    typed = cased_key(query).casefold()
    ranked: list[tuple[int, bool, int, int, str, str]] = []
    for place, number in enumerate(names[:RANKED].tolist()):
        name, scope = vocabularies.name(number)
        fit = 3 if mistyped else _fit(typed, cased_key(name).casefold())
        off = bool(vocabularies.concept_axis[vocabularies.name_concept[number]] == NO_AXIS)
        ranked.append((fit, off, place, number, name, scope))
    best: dict[int, tuple[int, str, str]] = {}
    for fit, _, _, number, name, scope in sorted(ranked):
        concept = int(vocabularies.name_concept[number])
        if concept not in best:
            best[concept] = fit, name, scope
            if len(best) == limit:
                break
    return [
        Suggestion(vocabularies.concept(concept), name, scope, _FITS[fit], _parents(vocabularies, concept))
        for concept, (fit, name, scope) in best.items()
    ]


def _whole(
    vocabularies: Vocabularies, names: npt.NDArray[np.uint32], beginnings: Sequence[str]
) -> npt.NDArray[np.uint32]:
    """Without those that have only as much of a long word as the index keeps."""
    long = [word for word in beginnings if len(word.encode(errors="replace")) > LENGTH]
    if not long:
        return names
    kept = [
        number
        for number in names[:READ_WHOLE].tolist()
        if (said := spoken(vocabularies.name(number)[0]))
        and all(any(word.startswith(beginning) for word in said) for beginning in long)
    ]
    return np.array(kept, np.uint32)


def _fit(typed: str, said: str) -> int:
    if said == typed:
        return 0
    return 1 if said.startswith(typed) else 2


def _parents(vocabularies: Vocabularies, concept: int) -> tuple[str, ...]:
    return tuple(vocabularies.concept(parent).label for parent in vocabularies.parents(concept)[:3])
