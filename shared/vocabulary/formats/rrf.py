"""RxNorm, Rich Release Format: RXNCONSO, and RXNREL and RXNSTY where they are there.

Columns by the RxNorm Technical Documentation (U.S. National Library of Medicine, sections 12.4, 12.6, 12.8), divided by
"|", which also ends a row. Read are names of RxNorm itself (SAB) that are not suppressed, of ingredients (IN), precise
ingredients (PIN), multiple ingredients (MIN) and brands (BN): no dose forms and no packs.
"""

from collections.abc import Iterator
from typing import Final

from shared.archive import Bundle
from shared.errors import Invalid
from shared.vocabulary.formats.content import Content, Reader

# Numbers of columns: in RXNCONSO
RXCUI, SAB, TTY, STR, SUPPRESS = 0, 11, 12, 14, 16
CONSO_COLUMNS: Final = 18
# … in RXNREL. RXCUI2 is RELA of RXCUI1.
RXCUI1, RXCUI2, RELA, REL_SUPPRESS = 0, 4, 7, 14
REL_COLUMNS: Final = 16
# … in RXNSTY.
TUI: Final = 1
STY_COLUMNS: Final = 6

KINDS: Final = ("IN", "PIN", "MIN", "BN")
SYNONYMS: Final = ("SY", "TMSY", "ET")
_KIND_OF: Final = ("tradename_of", "form_of")

PREFIX: Final = "RXNORM:"
IRI: Final = "http://purl.bioontology.org/ontology/RXNORM/"


def member(bundle: Bundle, name: str) -> str | None:
    return next((one for one in bundle.names() if one.rpartition("/")[2].upper() == name), None)


def read(bundle: Bundle, reader: Reader) -> Content:
    """Raises Invalid where RXNCONSO.RRF is missing or no row of it is RxNorm's."""
    file = member(bundle, "RXNCONSO.RRF")
    if file is None:
        raise Invalid("There is no RXNCONSO.RRF.", remedy="Give the release as it is published, or its folder rrf.")
    content = Content(iri_prefix={PREFIX: IRI})
    kinds = _names(bundle, reader, file, content)
    if not kinds:
        raise Invalid("No row of RXNCONSO.RRF is an ingredient or a brand of RxNorm.")
    content.types += kinds.items()
    if types := member(bundle, "RXNSTY.RRF"):
        rows = _rows(bundle, reader, types, STY_COLUMNS)
        content.types += [(PREFIX + row[RXCUI], row[TUI]) for _, row in rows if PREFIX + row[RXCUI] in kinds]
    if relations := member(bundle, "RXNREL.RRF"):
        for _, row in _rows(bundle, reader, relations, REL_COLUMNS):
            child, parent = PREFIX + row[RXCUI2], PREFIX + row[RXCUI1]
            if row[RELA] in _KIND_OF and row[REL_SUPPRESS] in ("N", "") and child in kinds and parent in kinds:
                content.parents.append((child, parent))
    return content


def _names(bundle: Bundle, reader: Reader, file: str, content: Content) -> dict[str, str]:
    """Adds the names; returns the term type of each concept."""
    kinds: dict[str, str] = {}
    synonyms: list[tuple[str, str]] = []
    for line, row in _rows(bundle, reader, file, CONSO_COLUMNS):
        if row[SAB] != "RXNORM" or row[SUPPRESS] not in ("N", "") or row[TTY] not in (*KINDS, *SYNONYMS):
            continue
        identifier = PREFIX + row[RXCUI]
        name = reader.name(file, line, identifier, row[STR])
        if name and row[TTY] in SYNONYMS:
            synonyms.append((identifier, name))
        elif name:
            content.names.append((identifier, name, "EXACT" if identifier in kinds else "LABEL"))
            kinds.setdefault(identifier, row[TTY])
    content.names += [(identifier, name, "EXACT") for identifier, name in synonyms if identifier in kinds]
    return kinds


def _rows(bundle: Bundle, reader: Reader, name: str, columns: int) -> Iterator[tuple[int, list[str]]]:
    with bundle.open(name) as file:
        yield from reader.rows_of(file, name, columns, separator="|")
