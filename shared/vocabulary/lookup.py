"""Finding concepts by CURIE and by what one types of a name."""

from dataclasses import dataclass

import numpy as np

from shared.errors import NotFound
from shared.events.recommendation import Axis
from shared.vocabulary.artefact import Concept, Vocabularies
from shared.vocabulary.axes import AXES
from shared.vocabulary.source import SCOPES
from shared.vocabulary.words import cased_key, spoken

LONGEST_QUERY = 200  # code points; what is longer is cut
# So many of the shortest names are read and ranked; no one reads further down a list.
RANKED = 500


@dataclass(frozen=True, slots=True)
class Entry:
    """A concept with all that the vocabulary says of it: names with their scopes, and parents."""

    concept: Concept
    names: list[tuple[str, str]]
    parents: list[Concept]


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A concept whose `name` (of this `scope`) fits a query."""

    concept: Concept
    name: str
    scope: str


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


def complete(vocabularies: Vocabularies, query: str, *, axis: Axis | None = None, limit: int = 20) -> list[Suggestion]:
    """The concepts with a name that has, for every word of `query`, a word beginning with it; each concept once.

    Best first: names equal to the query, those that begin with it, shorter ones, better scopes.
    """
    query = query[:LONGEST_QUERY]
    beginnings = sorted(spoken(query), key=len, reverse=True)
    if not beginnings:
        return []
    names = vocabularies.names_with(beginnings[0])
    for beginning in beginnings[1:]:
        names = np.intersect1d(names, vocabularies.names_with(beginning), assume_unique=True)
    if axis:
        names = names[vocabularies.concept_axis[vocabularies.name_concept[names]] == AXES.index(axis)]
    if len(names) > RANKED:
        names = names[np.argsort(vocabularies.name_lengths(names), kind="stable")[:RANKED]]
    typed = cased_key(query).casefold()
    ranked = []
    for number in names.tolist():
        name, scope = vocabularies.name(number)
        said = cased_key(name).casefold()
        ranked.append((said != typed, not said.startswith(typed), len(name), SCOPES.index(scope), number, name, scope))
    best: dict[int, Suggestion] = {}
    for *_, number, name, scope in sorted(ranked):
        concept = int(vocabularies.name_concept[number])
        best.setdefault(concept, Suggestion(vocabularies.concept(concept), name, scope))
    return list(best.values())[:limit]
