"""SNOMED CT, Release Format 2: the snapshot of a release.

Layout by the SNOMED CT Release File Specifications (SNOMED International, docs.snomed.org), the specifications of the
concept, description, relationship and language reference set files: tab-separated UTF-8 with the headers below. Read
are active rows; names in English, preferred and acceptable as a language reference set says, US English before British
before others; parents by "is a"; the semantic tag that ends the fully specified name as type.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from shared.archive import Bundle
from shared.errors import Invalid
from shared.vocabulary.formats.content import Content, Reader

CONCEPT: Final = ("id", "effectiveTime", "active", "moduleId", "definitionStatusId")
DESCRIPTION: Final = (
    *("id", "effectiveTime", "active", "moduleId", "conceptId", "languageCode", "typeId", "term"),
    "caseSignificanceId",
)
RELATIONSHIP: Final = (
    *("id", "effectiveTime", "active", "moduleId", "sourceId", "destinationId", "relationshipGroup", "typeId"),
    *("characteristicTypeId", "modifierId"),
)
LANGUAGE: Final = ("id", "effectiveTime", "active", "moduleId", "refsetId", "referencedComponentId", "acceptabilityId")

FULLY_SPECIFIED: Final = "900000000000003001"
SYNONYM: Final = "900000000000013009"
IS_A: Final = "116680003"
PREFERRED: Final = "900000000000548007"
ACCEPTABLE: Final = "900000000000549004"
DIALECTS: Final = ("900000000000509007", "900000000000508004")  # US, GB English

PREFIX: Final = "SNOMEDCT:"
IRI: Final = "http://snomed.info/id/"  # SNOMED CT URI Standard, section 2.1

_TAG: Final = re.compile(r"\s*\(([^()]+)\)$")
_DATE: Final = re.compile(r"_(\d{8})\.txt$")
_BODY: Final = "body structure"
# The three that SNOMED CT has for one part of the body ("SEP triples": Structure, Entire, Part), the best first.
_TRIPLE: Final = (
    re.compile(r"Structure of (.+)|(.+) structure", re.IGNORECASE),
    re.compile(r"Entire (.+)", re.IGNORECASE),
    re.compile(r"Part of (.+)", re.IGNORECASE),
)


def files(bundle: Bundle, kind: str) -> list[str]:
    """The snapshot's files of a kind ("Concept", "Language" …), also of beta releases (x…)."""
    pattern = re.compile(rf"(?:^|/)x?(?:sct2|der2)_(?:cRefset_)?{kind}_?Snapshot[^/]*\.txt$")
    return [name for name in bundle.names() if pattern.search(name)]


def read(bundle: Bundle, reader: Reader) -> Content:
    """Raises Invalid where a file of the snapshot is missing or not laid out as published."""
    concepts, descriptions = files(bundle, "Concept"), files(bundle, "Description")
    if not concepts or not descriptions:
        raise Invalid(
            "There is no snapshot of a SNOMED CT release: sct2_Concept_Snapshot_….txt and"
            " sct2_Description_Snapshot-….txt are needed.",
            remedy="Give the release as it is published, or its folder Snapshot.",
        )
    dates = [found[1] for name in concepts if (found := _DATE.search(name))]
    content = Content(version=max(dates, default=""), iri_prefix={PREFIX: IRI})
    active = {row[0] for _, _, row in _rows(bundle, reader, concepts, CONCEPT) if row[2] == "1"}
    preferred, acceptable = _language(bundle, reader)
    terms: dict[str, list[tuple[str, str, str]]] = defaultdict(list)  # by concept: type, term, acceptability
    for file, line, row in _rows(bundle, reader, descriptions, DESCRIPTION):
        if row[2] == "1" and row[4] in active and row[5].startswith("en"):
            identifier = PREFIX + row[4]
            term = reader.name(file, line, identifier, row[7])
            if term and row[6] in (FULLY_SPECIFIED, SYNONYM):
                said = "preferred" if row[0] in preferred else "acceptable" if row[0] in acceptable else ""
                terms[identifier].append((row[6], term, said))
    for identifier, its_terms in terms.items():
        name_concept(content, identifier, its_terms)
    for _, _, row in _rows(bundle, reader, files(bundle, "Relationship"), RELATIONSHIP):
        if row[2] == "1" and row[7] == IS_A and row[4] in active and row[5] in active:
            content.parents.append((PREFIX + row[4], PREFIX + row[5]))
    return joined(content)


def name_concept(content: Content, identifier: str, terms: Iterable[tuple[str, str, str]]) -> None:
    """Adds a concept's names and its semantic tag. `terms`: (description type, term, "preferred", "acceptable" or
    "")."""
    label, rest = "", list[tuple[str, str]]()
    for kind, term, said in terms:
        if kind == FULLY_SPECIFIED:
            if tag := _TAG.search(term):
                content.types.append((identifier, tag[1]))
            rest.append((_TAG.sub("", term) or term, "EXACT"))
        elif said == "preferred" and not label:
            label = term
        else:
            rest.append((term, "EXACT" if said else "SYNONYM"))
    label = label or rest[0][0]
    content.names.append((identifier, label, "LABEL"))
    content.names += [(identifier, term, scope) for term, scope in dict.fromkeys(rest) if term != label]


def joined(content: Content) -> Content:
    """With "Structure of X", "Entire X" and "Part of X" as one concept, that of the structure, also named "X"."""
    body = {identifier for identifier, kind in content.types if kind == _BODY}
    parts: dict[str, list[tuple[int, str, str]]] = defaultdict(list)  # by X: which of the three, its id, X as written
    for identifier, name, scope in content.names:
        if scope == "LABEL" and identifier in body:
            for place, pattern in enumerate(_TRIPLE):
                if found := pattern.fullmatch(name):
                    said = next(filter(None, found.groups()))
                    parts[said.casefold()].append((place, identifier, said))
                    break
    becomes: dict[str, str] = {}
    for triple in parts.values():
        triple.sort()
        _, kept, said = triple[0]
        becomes.update((identifier, kept) for _, identifier, _ in triple[1:])
        content.names.append((kept, said, "EXACT"))
    if becomes:
        content.names = [
            (becomes.get(identifier, identifier), name, "SYNONYM" if identifier in becomes else scope)
            for identifier, name, scope in content.names
        ]
        content.types = [one for one in content.types if one[0] not in becomes]
        moved = ((becomes.get(child, child), becomes.get(parent, parent)) for child, parent in content.parents)
        content.parents = list(dict.fromkeys((child, parent) for child, parent in moved if child != parent))
    content.names = list(dict.fromkeys(content.names))
    return content


def _language(bundle: Bundle, reader: Reader) -> tuple[set[str], set[str]]:
    """Descriptions that are preferred in the dialect that comes first, and those acceptable in any."""
    preferred: dict[str, set[str]] = defaultdict(set)
    acceptable: set[str] = set()
    for _, _, row in _rows(bundle, reader, files(bundle, "Language"), LANGUAGE):
        if row[2] == "1" and row[6] in (PREFERRED, ACCEPTABLE):
            acceptable.add(row[5])
            if row[6] == PREFERRED:
                preferred[row[4]].add(row[5])
    first = next((dialect for dialect in (*DIALECTS, *sorted(preferred)) if dialect in preferred), "")
    return preferred[first], acceptable


def _rows(
    bundle: Bundle, reader: Reader, names: Iterable[str], header: tuple[str, ...]
) -> Iterable[tuple[str, int, list[str]]]:
    for name in names:
        with bundle.open(name) as file:
            for line, row in reader.rows_of(file, name, len(header), header=header):
                yield name, line, row
