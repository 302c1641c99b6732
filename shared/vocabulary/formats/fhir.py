"""FHIR R4 and R5, JSON: a CodeSystem, or a ValueSet that lists its codes (hl7.org/fhir/codesystem.html, valueset.html).

Of a ValueSet: compose.include.concept and expansion.contains, with designations. Of a CodeSystem: concept, with what is
nested in it below it, its designations, and the properties parent (hl7.org/fhir/concept-properties) and inactive.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO, Final

from shared.errors import Invalid, TooLarge
from shared.vocabulary.formats import rf2, rrf
from shared.vocabulary.formats.content import Content, Reader

LARGEST: Final = 256 * 1024**2  # bytes; ten times the Global Patient Set of SNOMED CT
SNOMED: Final = "http://snomed.info/sct"
# Prefixes of CURIEs and of IRIs by system (terminology.hl7.org); of any other the vocabulary's name is the prefix.
SYSTEMS: Final[Mapping[str, tuple[str, str]]] = {
    SNOMED: (rf2.PREFIX, rf2.IRI),
    "http://www.nlm.nih.gov/research/umls/rxnorm": (rrf.PREFIX, rrf.IRI),
    "http://loinc.org": ("LOINC:", "http://loinc.org/rdf/"),
    "http://ncicb.nci.nih.gov/xml/owl/EVS/Thesaurus.owl": ("NCIT:", "http://purl.obolibrary.org/obo/NCIT_"),
    "http://www.human-phenotype-ontology.org": ("HP:", "http://purl.obolibrary.org/obo/HP_"),
}
_REMEDY: Final = "Give a CodeSystem, or a ValueSet that lists its codes, as FHIR R4 or R5 JSON."


def read(file: BinaryIO, name: str, vocabulary: str, reader: Reader) -> Content:
    """Raises Invalid, TooLarge."""
    raw = file.read(LARGEST + 1)
    if len(raw) > LARGEST:
        raise TooLarge(f"{name} has more than {LARGEST:,} bytes.", remedy="Split it.")
    try:
        resource = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise Invalid(f"{name} is no JSON: {str(error)[:200]}.", remedy=_REMEDY) from error
    kind = resource.get("resourceType") if isinstance(resource, dict) else None
    if kind not in ("CodeSystem", "ValueSet"):
        raise Invalid(f"{name} is no CodeSystem and no ValueSet.", remedy=_REMEDY)
    content = Content(version=_text(resource.get("version")))
    concepts = _Concepts(content, name, vocabulary, reader)
    try:
        if kind == "CodeSystem":
            concepts.add_all(_text(resource.get("url")), _list(resource, "concept"))
        else:
            for include in _list(_dict(resource, "compose"), "include"):
                concepts.add_all(_text(include.get("system")), _list(include, "concept"))
            for one in _flat(_list(_dict(resource, "expansion"), "contains")):
                concepts.add(_text(one.get("system")), one)
    except (AttributeError, TypeError) as error:
        raise Invalid(f"{name} is not built as FHIR says.", remedy=_REMEDY) from error
    if not content.names:
        raise Invalid(f"{name} lists no codes.", remedy=_REMEDY)
    return rf2.joined(content) if rf2.PREFIX in content.iri_prefix else content


class _Concepts:
    def __init__(self, content: Content, file: str, vocabulary: str, reader: Reader) -> None:
        self._content = content
        self._file = file
        self._vocabulary = vocabulary
        self._reader = reader
        self._number = 0
        self._seen: set[str] = set()

    def add_all(self, system: str, concepts: Sequence[Any]) -> None:
        """With what is nested in them, whose parents they are; without recursion, however deep."""
        waiting = [(one, "") for one in reversed(concepts)]
        while waiting:
            concept, parent = waiting.pop()
            identifier = self.add(system, concept)
            if identifier and parent:
                self._content.parents.append((identifier, parent))
            if isinstance(concept, dict):
                waiting += [(one, identifier) for one in reversed(_list(concept, "concept"))]

    def add(self, system: str, concept: Any) -> str:
        """The concept's identifier, "" where it is left out."""
        self._number += 1
        self._reader.count()
        if not isinstance(concept, dict) or not isinstance(concept.get("code"), str):
            self._reader.skip(self._file, self._number, "the concept has no code.")
            return ""
        prefix, iri = SYSTEMS.get(system, (f"{self._vocabulary}:", ""))
        if iri:
            self._content.iri_prefix[prefix] = iri
        properties = [one for one in _list(concept, "property") if isinstance(one, dict)]
        if concept.get("inactive") is True or any(
            one.get("code") == "inactive" and one.get("valueBoolean") is True for one in properties
        ):
            return ""
        identifier = f"{prefix}{concept['code']}"
        said = [_text(concept.get("display"))]
        said += [
            _text(one.get("value"))
            for one in _list(concept, "designation")
            if _text(one.get("language")).lower()[:2] in ("", "en")
        ]
        names = [kept for text in said if text and (kept := self._name(identifier, text))]
        if not names:
            self._reader.skip(self._file, self._number, f"the concept {concept['code'][:40]} has no display.")
            return ""
        if identifier not in self._seen:
            self._seen.add(identifier)
            self._names(identifier, names)
        for one in properties:
            if one.get("code") == "parent" and isinstance(value := one.get("valueCode", one.get("valueString")), str):
                self._content.parents.append((identifier, prefix + value))
        return identifier

    def _name(self, identifier: str, text: str) -> str | None:
        return self._reader.name(self._file, self._number, identifier, text)

    def _names(self, identifier: str, names: list[str]) -> None:
        if identifier.startswith(rf2.PREFIX):
            # A display may be the fully specified name, with its tag.
            kinds = [rf2.FULLY_SPECIFIED if text.endswith(")") else rf2.SYNONYM for text in names]
            terms = [(kind, text, "acceptable") for kind, text in zip(kinds, names, strict=True)]
            rf2.name_concept(self._content, identifier, terms)
            return
        self._content.names.append((identifier, names[0], "LABEL"))
        self._content.names += [(identifier, text, "EXACT") for text in dict.fromkeys(names[1:]) if text != names[0]]


def _flat(contains: Sequence[Any]) -> Iterator[dict[str, Any]]:
    waiting = list(reversed(contains))
    while waiting:
        one = waiting.pop()
        if not one.get("abstract"):
            yield one
        waiting += reversed(_list(one, "contains"))


def _list(where: Mapping[str, Any], field: str) -> list[Any]:
    found = where.get(field)
    return found if isinstance(found, list) else []


def _dict(where: Mapping[str, Any], field: str) -> dict[str, Any]:
    found = where.get(field)
    return found if isinstance(found, dict) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
