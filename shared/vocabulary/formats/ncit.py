"""NCI Thesaurus, flat file (Thesaurus.txt of Thesaurus_….FLAT.zip).

Columns by its ReadMe (NCI EVS, evs.nci.nih.gov/ftp1/NCI_Thesaurus): code, concept IRI or name, parents, synonyms (the
first is the preferred name), definition, display name, concept status, semantic types, concept in subset; divided by
tabs, lists by "|". Retired and obsolete concepts are left out.
"""

import re
from typing import BinaryIO, Final

from shared.vocabulary.formats.content import Content, Reader

CODE, PARENTS, SYNONYMS, DISPLAY, STATUS, TYPES = 0, 2, 3, 5, 6, 7
COLUMNS: Final = 8

PREFIX: Final = "NCIT:"
IRI: Final = "http://purl.obolibrary.org/obo/NCIT_"

_LOOKS_LIKE: Final = re.compile(r"C\d+\t[^\t]*\t(?:C\d+(?:\|C\d+)*|root_node)?\t")
_GONE: Final = ("Retired_Concept", "Obsolete_Concept")


def looks_like(beginning: str) -> bool:
    """Whether a text that begins like this is of the format."""
    return _LOOKS_LIKE.match(beginning) is not None


def read(file: BinaryIO, name: str, reader: Reader) -> Content:
    content = Content(iri_prefix={PREFIX: IRI})
    for line, row in reader.rows_of(file, name, COLUMNS):
        if any(gone in row[STATUS] for gone in _GONE):
            continue
        identifier = PREFIX + row[CODE]
        names = dict.fromkeys([*row[SYNONYMS].split("|"), row[DISPLAY]])
        for text in filter(None, (one.strip() for one in names)):
            if kept := reader.name(name, line, identifier, text):
                labelled = bool(content.names) and content.names[-1][0] == identifier
                content.names.append((identifier, kept, "EXACT" if labelled else "LABEL"))
        content.parents += [(identifier, PREFIX + one) for one in row[PARENTS].split("|") if one.startswith("C")]
        content.types += [(identifier, one.strip()) for one in row[TYPES].split("|") if one.strip()]
    return content
