"""The HTTP door: the vocabularies in use and their concepts."""

from collections.abc import Callable
from typing import Annotated, Final, TypeAlias

from fastapi import APIRouter, Query
from pydantic import BaseModel, StringConstraints

from shared.events.recommendation import Axis
from shared.http import CallerDep, PageOf
from shared.vocabulary.artefact import Concept, Vocabularies
from shared.vocabulary.lookup import LONGEST_QUERY, Fit, Suggestion, below, complete, describe, lineage

MAX_DESCENDANTS: Final = 1_000

Curie: TypeAlias = Annotated[str, StringConstraints(max_length=200)]


class VocabularyView(BaseModel):
    """An ontology in use."""

    ontology: str
    version: str


class ConceptView(BaseModel):
    """A concept."""

    iri: str | None
    curie: str
    label: str
    ontology: str
    vocabulary_version: str
    axis: Axis | None


class FoundConcept(ConceptView):
    """A concept with the name that matched, that name's scope, how it fits (it is what was typed, begins with it, has a
    word for each word typed, or does when one letter is put right), and the labels of at most three parents."""

    name: str
    scope: str
    fit: Fit
    parent_labels: list[str]


class ConceptDetail(ConceptView):
    """A concept with all its names (name, scope) and its parents."""

    names: list[tuple[str, str]]
    parents: list[ConceptView]


class LineageView(BaseModel):
    """`descendant` is a kind or a part of `ancestor`."""

    ancestor: str
    descendant: str


class Descendants(BaseModel):
    """CURIEs of concepts below another one, nearest first. `more`: there are more than these."""

    items: list[str]
    more: bool


def router(vocabularies: Callable[[], Vocabularies]) -> APIRouter:
    """`vocabularies` raises Unavailable while they are being loaded."""
    routes = APIRouter()

    @routes.get("/api/v1/vocabularies", summary="The ontologies in use, with their versions")
    async def list_vocabularies(caller: CallerDep) -> PageOf[VocabularyView]:
        caller.require_somewhere("vocabulary.read")
        versions = vocabularies().versions
        return PageOf(items=[VocabularyView(ontology=name, version=version) for name, version in versions.items()])

    @routes.get("/api/v1/concepts", summary="Concepts by the beginnings of the words of their names")
    def find_concepts(
        caller: CallerDep,
        q: Annotated[str, Query(min_length=1, max_length=LONGEST_QUERY, examples=["hippoc"])],
        axis: Axis | None = None,
        limit: Annotated[int, Query(ge=1, le=100)] = 20,
    ) -> PageOf[FoundConcept]:
        caller.require_somewhere("vocabulary.read")
        found = complete(vocabularies(), q, axis=axis, limit=limit)
        return PageOf(items=[FoundConcept.model_validate(_found(one)) for one in found])

    @routes.get("/api/v1/concepts/lineage", summary="Which of some concepts are kinds or parts of others")
    def get_lineage(
        caller: CallerDep,
        curie: Annotated[list[Curie], Query(min_length=1, max_length=100, examples=[["UBERON:0001954"]])],
    ) -> PageOf[LineageView]:
        """Pairs of these concepts where one is an ancestor of the other, at any distance. Unknown ones are in none."""
        caller.require_somewhere("vocabulary.read")
        pairs = lineage(vocabularies(), curie)
        return PageOf(items=[LineageView(ancestor=above, descendant=below) for above, below in pairs])

    @routes.get("/api/v1/concepts/{curie}", summary="A concept by its CURIE, such as UBERON:0001954")
    def get_concept(caller: CallerDep, curie: str, ontology: str | None = None) -> ConceptDetail:
        caller.require_somewhere("vocabulary.read")
        entry = describe(vocabularies(), curie, ontology=ontology)
        parents = [ConceptView(**_fields(parent)) for parent in entry.parents]
        return ConceptDetail(**_fields(entry.concept), names=entry.names, parents=parents)

    @routes.get("/api/v1/concepts/{curie}/descendants", summary="The concepts below a concept, such as to search by")
    def list_descendants(
        caller: CallerDep, curie: str, limit: Annotated[int, Query(ge=1, le=MAX_DESCENDANTS)] = MAX_DESCENDANTS
    ) -> Descendants:
        caller.require_somewhere("vocabulary.read")
        found = below(vocabularies(), curie, limit=limit + 1)
        return Descendants(items=found[:limit], more=len(found) > limit)

    return routes


def _found(one: Suggestion) -> dict[str, object]:
    return {**_fields(one.concept), "name": one.name, "scope": one.scope, "fit": one.fit, "parent_labels": one.parents}


def _fields(concept: Concept) -> dict[str, str | None]:
    return {
        "iri": concept.iri,
        "curie": concept.curie,
        "label": concept.label,
        "ontology": concept.ontology,
        "vocabulary_version": concept.version,
        "axis": concept.axis,
    }
