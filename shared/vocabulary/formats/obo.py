"""OBO, format version 1.2 and 1.4 (owlcollab.github.io/oboformat/doc/GO.format.obo-1_4.html): the terms of an ontology.

Read are id, name, synonym with its scope, is_a and part_of, namespace and subset as types, xref and the
properties skos:…Match as mappings; a clause that is malformed is skipped, not its file, which is why no library reads
it (docs/decisions/0024).
"""

import re
from typing import BinaryIO, Final

from shared.errors import Invalid
from shared.vocabulary.formats.content import Content, Mapping, Reader

XREF: Final = "oboInOwl:hasDbXref"
OBO: Final = "http://purl.obolibrary.org/obo/"

_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_SYNONYM: Final = re.compile(r'"((?:[^"\\]|\\.)*)"\s*([A-Z]+)?')
_MATCH: Final = re.compile(r'(skos:\w+Match)\s+"?([^\s"]+)')
_ESCAPE: Final = re.compile(r"\\(.)")
_SCOPES: Final = {"EXACT": "EXACT", "NARROW": "NARROW", "BROAD": "BROAD", "RELATED": "RELATED", None: "RELATED"}
_MODIFIERS: Final = re.compile(r"\s*(?:\{[^{}]*\}\s*)?(?:!.*)?$")


class _Term:
    def __init__(self, line: int) -> None:
        self.line = line
        self.id = ""
        self.obsolete = False
        self.clauses: list[tuple[int, str, str]] = []


def read(file: BinaryIO, name: str, reader: Reader) -> Content:
    """Raises Invalid where nothing in it is OBO."""
    content = Content()
    term: _Term | None = None
    stanzas = 0
    for line, text in reader.lines(file, name):
        clause = text.strip()
        if not clause or clause.startswith("!"):
            continue
        if clause.startswith("["):
            _finish(content, term, name, reader)
            stanzas += 1
            term = _Term(line) if clause == "[Term]" else None
            continue
        tag, colon, value = clause.partition(":")
        value = value.strip()
        if not colon:
            reader.skip(name, line, "it is no clause (tag: value).")
        elif term is not None:
            if tag == "id":
                term.id = _bare(value)
            elif tag == "is_obsolete":
                term.obsolete = value.startswith("true")
            else:
                term.clauses.append((line, tag, value))
        elif stanzas == 0 and tag == "data-version":
            dated = _DATE.search(value)
            content.version = dated[0] if dated else value[:100]
    _finish(content, term, name, reader)
    if not stanzas:
        raise Invalid(f"{name} holds no terms.", remedy="An OBO file has stanzas that begin with [Term].")
    for identifier, _, _ in content.names:
        prefix, colon, _ = identifier.partition(":")
        if colon:
            content.iri_prefix.setdefault(f"{prefix}:", f"{OBO}{prefix}_")
    return content


def _finish(content: Content, term: _Term | None, file: str, reader: Reader) -> None:
    """Adds a term to the content. One without a name is of another ontology, named in passing."""
    if term is None or term.obsolete or not _named(content, term, file, reader):
        return
    for _, tag, value in term.clauses:
        if tag == "is_a":
            content.parents.append((term.id, _bare(value)))
        elif tag == "relationship" and value.startswith("part_of "):
            content.parents.append((term.id, _bare(value.removeprefix("part_of "))))
        elif tag in ("namespace", "subset"):
            content.types.append((term.id, _bare(value)))
        elif tag == "xref" and ":" in _bare(value):
            content.mappings.append(Mapping(term.id, XREF, _bare(value)))
        elif tag == "property_value" and (found := _MATCH.match(value)):
            content.mappings.append(Mapping(term.id, found[1], found[2]))


def _named(content: Content, term: _Term, file: str, reader: Reader) -> bool:
    label = next(((line, value) for line, tag, value in term.clauses if tag == "name"), None)
    if label is None:
        return False
    kept = reader.name(file, label[0], term.id, _ESCAPE.sub(_escaped, label[1]))
    if kept is None:
        return False
    content.names.append((term.id, kept, "LABEL"))
    for line, tag, value in term.clauses:
        if tag == "synonym":
            found = _SYNONYM.match(value)
            if found is None or found[2] not in _SCOPES:
                reader.skip(file, line, 'the synonym is not as in: synonym: "text" EXACT [].')
            elif synonym := reader.name(file, line, term.id, _ESCAPE.sub(_escaped, found[1])):
                content.names.append((term.id, synonym, _SCOPES[found[2]]))
    return True


def _bare(value: str) -> str:
    """The identifier that a value begins with, without modifiers, comment and description."""
    return _ESCAPE.sub(_escaped, _MODIFIERS.sub("", value).split(" ", 1)[0])


def _escaped(found: re.Match[str]) -> str:
    return {"n": " ", "W": " ", "t": " "}.get(found[1], found[1])
