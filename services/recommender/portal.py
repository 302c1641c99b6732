"""What BioPortal's API answers, over our own vocabularies: parameters as its clients send them in, its JSON out.

Read from its code (ncbo/ontologies_api, ncbo/ncbo_annotator): parameters and their defaults, what longest_only keeps,
error messages. docs/bioportal.md says where we differ.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final
from urllib.parse import quote

from services.recommender.literal import Hit, LiteralNames, upper
from services.recommender.semantic_types import axes_of_types
from services.recommender.stop_words import STOP_WORDS
from shared.errors import Invalid, NotFound, TooLarge
from shared.events.recommendation import Axis
from shared.vocabulary.artefact import Vocabularies
from shared.vocabulary.lookup import LONGEST_QUERY, RANKED, Suggestion, complete

MOST_TEXT: Final = 100_000  # code points of a text
MOST_MENTIONS: Final = 200_000  # in an answer; one has about 60 bytes
MOST_CLASSES: Final = 20_000  # in an answer, ancestors too; a class has about half a kB
LEVELS: Final = 3  # of ancestors, where the client asks for them and does not say how many
MOST_LEVELS: Final = 20
PAGE: Final = 50
LARGEST_PAGE: Final = 5_000
INCLUDABLE: Final = ("prefLabel", "synonym", "definition", "notation", "cui", "semanticType", "properties")
RECOGNIZERS: Final = ("mgrep",)

_STOPS: Final = frozenset(map(upper, STOP_WORDS))

Parameters = Mapping[str, str]
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Shown:
    """How classes are written: `base` is the address that the client asked, without a slash at its end."""

    vocabularies: Vocabularies
    base: str
    include: tuple[str, ...]

    def of(self, number: int) -> Json:
        concept = self.vocabularies.concept(number)
        known: Json = {"prefLabel": concept.label, "notation": concept.curie, "cui": [], "semanticType": []}
        known |= {"definition": [], "properties": {}}
        if "synonym" in self.include:
            known["synonym"] = [name for name, scope in self.vocabularies.names(number) if scope != "LABEL"]
        return {
            **{field: known[field] for field in self.include},
            "@id": concept.iri or concept.curie,
            "@type": "http://www.w3.org/2002/07/owl#Class",
            "links": {
                "self": f"{self.base}/api/v1/concepts/{quote(concept.curie)}?ontology={quote(concept.ontology)}",
                "ontology": f"{self.base}/ontologies/{quote(concept.ontology)}",
            },
        }


def annotate(vocabularies: Vocabularies, names: LiteralNames, parameters: Parameters, base: str) -> list[Json]:
    """The answer of /annotator: classes in the order in which they are first mentioned, with their mentions.

    Raises Invalid, TooLarge, and NotFound for an ontology that is not there.
    """
    text = parameters.get("text", "")
    if not text.strip():
        raise Invalid(
            "A text to be annotated must be supplied using the argument text=<text to be annotated>", field="text"
        )
    if len(text) > MOST_TEXT:
        raise TooLarge(f"The text has {len(text):,} characters; at most {MOST_TEXT:,} are annotated at once.")
    shown = _Shown(vocabularies, base, _included(parameters))
    hits = names.hits(text, whole_words=parameters.get("whole_word_only") != "false")
    kept = list(islice(_kept(hits, upper(text), vocabularies, parameters), MOST_MENTIONS + 1))
    if len(kept) > MOST_MENTIONS:
        raise TooLarge(
            f"The answer would have more than {MOST_MENTIONS:,} mentions.",
            remedy="Send less text, or ask for fewer ontologies.",
        )
    if _true(parameters, "longest_only"):
        kept = _longest(kept)
    mentions: dict[int, list[Hit]] = {}
    for hit in kept:
        mentions.setdefault(hit.concept, []).append(hit)
    _bounded(len(mentions))
    levels = _levels(parameters)
    answer, size = [], len(mentions)
    for concept, found in mentions.items():
        ancestors = _ancestors(vocabularies, concept, levels)
        size += len(ancestors)
        _bounded(size)
        answer.append(
            {
                "annotatedClass": shown.of(concept),
                "hierarchy": [{"annotatedClass": shown.of(one), "distance": distance} for one, distance in ancestors],
                "annotations": [_mention(hit, text) for hit in found],
                "mappings": [],
            }
        )
    return answer


def search(vocabularies: Vocabularies, parameters: Parameters, base: str) -> Json:
    """The answer of /search: a page of the classes whose names have words that begin with those of `q`, the best first
    (`shared.vocabulary.lookup.complete`). Raises Invalid, and NotFound for an ontology that is not there."""
    query = (parameters.get("q") or parameters.get("query") or "").strip().rstrip("*")
    if not query:
        raise Invalid(
            "The search query must be provided via /search?q=<query>[&page=<pagenum>&pagesize=<pagesize>]", field="q"
        )
    if len(query) > LONGEST_QUERY:
        raise TooLarge(f"The query has {len(query):,} characters; at most {LONGEST_QUERY} are looked for.", field="q")
    ontologies, axes = _ontologies(vocabularies, parameters), _axes(parameters)
    exact = _true(parameters, "require_exact_match")
    found = [
        one
        for one in complete(vocabularies, query, limit=RANKED)
        if (not ontologies or one.concept.ontology in ontologies)
        and (axes is None or one.concept.axis in axes)
        and (not exact or one.name.casefold() == query.casefold())
    ]
    page, size = _number(parameters, "page", 1, least=1), _number(parameters, "pagesize", PAGE, least=1)
    if size > LARGEST_PAGE:
        raise Invalid(f"Page size limit is {LARGEST_PAGE}. Page size in request is {size}", field="pagesize")
    pages = -(-len(found) // size)
    before, after = (page - 1 if page > 1 else None), (page + 1 if page < pages else None)
    shown = _Shown(vocabularies, base, _included(parameters) or ("prefLabel", "synonym"))
    return {
        "page": page,
        "pageCount": pages,
        "totalCount": len(found),
        "prevPage": before,
        "nextPage": after,
        "links": {name: _page(base, parameters, to) for name, to in (("nextPage", after), ("prevPage", before))},
        "collection": [_found(shown, one) for one in found[(page - 1) * size : page * size]],
    }


def _kept(hits: Iterable[Hit], line: str, vocabularies: Vocabularies, parameters: Parameters) -> Iterable[Hit]:
    ontologies, axes = _ontologies(vocabularies, parameters), _axes(parameters)
    shortest = _number(parameters, "minimum_match_length", 0, least=0)
    stops = {upper(word) for word in _listed(parameters, "stop_words")} if "stop_words" in parameters else _STOPS
    no_numbers, no_synonyms = _true(parameters, "exclude_numbers"), _true(parameters, "exclude_synonyms")
    for hit in hits:
        concept, said = vocabularies.concept(hit.concept), line[hit.start : hit.end]
        if (
            (not ontologies or concept.ontology in ontologies)
            and (axes is None or concept.axis in axes)
            and len(said) >= shortest
            and said not in stops
            and not (no_numbers and said.isdecimal())
            and not (no_synonyms and not hit.preferred)
        ):
            yield hit


def _longest(hits: Sequence[Hit]) -> list[Hit]:
    """Without those within another one; those that only overlap stay."""
    kept, start, end = [], 0, 0
    for hit in sorted(hits, key=lambda hit: (hit.start, -hit.end)):
        if hit.end > end or (hit.start, hit.end) == (start, end):
            kept.append(hit)
            start, end = hit.start, hit.end
    return kept


def _ancestors(vocabularies: Vocabularies, concept: int, levels: int) -> list[tuple[int, int]]:
    """Ancestors with their distance, the nearest first, each once."""
    found, here = dict[int, int](), [concept]
    for distance in range(1, levels + 1):
        above = {parent for one in here for parent in vocabularies.parents(one)} - found.keys() - {concept}
        found |= dict.fromkeys(sorted(above), distance)
        here = sorted(above)
    return list(found.items())


def _mention(hit: Hit, text: str) -> Json:
    return {
        "from": hit.start + 1,
        "to": hit.end,
        "matchType": "PREF" if hit.preferred else "SYN",
        "text": upper(text[hit.start : hit.end]),
    }


def _found(shown: _Shown, one: Suggestion) -> Json:
    number = next(
        number
        for number in shown.vocabularies.find(one.concept.curie)
        if shown.vocabularies.concept(number).ontology == one.concept.ontology
    )
    return {
        **shown.of(number),
        "matchType": "prefLabel" if one.scope == "LABEL" else "synonym",
        "ontologyType": "ONTOLOGY",
        "provisional": False,
        "obsolete": False,
    }


def _page(base: str, parameters: Parameters, page: int | None) -> str | None:
    if page is None:
        return None
    asked = {**parameters, "page": str(page)}
    return f"{base}/search?" + "&".join(f"{quote(name)}={quote(value)}" for name, value in asked.items())


# --- parameters


def _true(parameters: Parameters, name: str) -> bool:
    return parameters.get(name) == "true"


def _number(parameters: Parameters, name: str, default: int, *, least: int) -> int:
    text = parameters.get(name, "").strip()
    if not text:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) <= 9 and int(text) >= least):
        raise Invalid(f"{name} must be a whole number of at least {least}; it is {text[:40]!r}.", field=name)
    return int(text)


def _listed(parameters: Parameters, name: str) -> list[str]:
    return [part for one in parameters.get(name, "").split(",") if (part := one.strip())]


def _ontologies(vocabularies: Vocabularies, parameters: Parameters) -> frozenset[str]:
    """Acronyms, also where they are asked for by address; empty: all."""
    wanted = frozenset(one.rstrip("/").rsplit("/", 1)[-1] for one in _listed(parameters, "ontologies"))
    if wanted - vocabularies.versions.keys():
        raise NotFound(
            f"The ontologies parameter `[{parameters['ontologies'][:200]}]` includes non-existent acronyms."
            " Notice that acronyms are case sensitive.",
            remedy=f"There are {', '.join(vocabularies.versions)}.",
        )
    return wanted


def _axes(parameters: Parameters) -> frozenset[Axis] | None:
    """Our vocabularies have no semantic types, so that those asked for stand for their axes; None: any."""
    types = _listed(parameters, "semantic_types")
    return axes_of_types(types) if types else None


def _included(parameters: Parameters) -> tuple[str, ...]:
    wanted = _listed(parameters, "include") or _listed(parameters, "display")
    if foreign := [one for one in wanted if one not in INCLUDABLE]:
        raise Invalid(
            f"The `include` query string parameter cannot accept {', '.join(foreign)[:200]}, please use only"
            f" {', '.join(INCLUDABLE)}",
            field="include",
        )
    return tuple(dict.fromkeys(wanted))


def _levels(parameters: Parameters) -> int:
    asked = _number(parameters, "class_hierarchy_max_level", 0, least=0)
    if asked > MOST_LEVELS:
        raise Invalid(f"class_hierarchy_max_level is at most {MOST_LEVELS}.", field="class_hierarchy_max_level")
    return asked or (LEVELS if _true(parameters, "expand_class_hierarchy") else 0)


def _bounded(classes: int) -> None:
    if classes > MOST_CLASSES:
        raise TooLarge(
            f"The answer would have more than {MOST_CLASSES:,} classes.",
            remedy="Send less text, or ask for fewer ontologies or levels.",
        )
