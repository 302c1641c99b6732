"""Mappings between concepts of different vocabularies, as they are kept between import and compiling.

A concept is named by a CURIE whose prefix is in capitals and the same whatever a file calls it: "mesh:D006624",
"MSH:D006624" and "http://id.nlm.nih.gov/mesh/D006624" are MESH:D006624.
"""

import json
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, NamedTuple

from shared.errors import Invalid, TooLarge
from shared.vocabulary.formats.content import Mapping as Said
from shared.vocabulary.package import read_rows, write_about, write_rows
from shared.vocabulary.source import LONGEST_ID, LONGEST_NAME

MOST_PAIRS: Final = 2_000_000  # UMLS-sized; Biomappings has 100,000, MONDO's xrefs are as many
MOST_PREFIXES: Final = 5_000  # the Bioregistry has 2,000
LONGEST_IRI: Final = 500

Kind = Literal["exact", "close", "xref", "broad", "narrow"]  # of the object, seen from the subject

# skos:broadMatch: the object is the broader one (SKOS Reference, section 10).
PREDICATES: Final[Mapping[Kind, str]] = {
    "exact": "skos:exactMatch",
    "close": "skos:closeMatch",
    "xref": "oboInOwl:hasDbXref",
    "broad": "skos:broadMatch",
    "narrow": "skos:narrowMatch",
}
KINDS: Final[Mapping[str, Kind]] = {
    **{predicate: kind for kind, predicate in PREDICATES.items()},
    "owl:equivalentClass": "exact",
    "rdfs:subClassOf": "broad",
    "oio:hasDbXref": "xref",
}
INVERSE: Final[Mapping[Kind, Kind]] = {
    "exact": "exact",
    "close": "close",
    "xref": "xref",
    "broad": "narrow",
    "narrow": "broad",
}
CURATED: Final = "semapv:ManualMappingCuration"
NO_TERM: Final = "sssom:NoTermFound"

OBO: Final = "http://purl.obolibrary.org/obo/"
IRIS: Final[Mapping[str, str]] = {
    "SNOMEDCT": "http://snomed.info/id/",
    "RXNORM": "http://purl.bioontology.org/ontology/RXNORM/",
    "MESH": "http://id.nlm.nih.gov/mesh/",
    "UNII": "https://precision.fda.gov/uniisearch/srs/unii/",
    "EFO": "http://www.ebi.ac.uk/efo/EFO_",
    "LOINC": "http://loinc.org/rdf/",
    "ORPHANET": "http://www.orpha.net/ORDO/Orphanet_",
    **{one: f"{OBO}{one}_" for one in ("CHEBI", "CL", "DOID", "GO", "HP", "MONDO", "NCIT", "SO", "UBERON", "BTO")},
}
# What others call them: UMLS' abbreviations of sources, the Bioregistry's prefixes, OBO files.
ALIASES: Final[Mapping[str, str]] = {
    **dict.fromkeys(("SNOMED", "SCTID", "SCT", "SNOMEDCT_US", "SNOMED_CT"), "SNOMEDCT"),
    **dict.fromkeys(("MSH", "MESHD", "MESH_CUI"), "MESH"),
    **dict.fromkeys(("NCI", "NCI_THESAURUS", "NCITHESAURUS"), "NCIT"),
    **dict.fromkeys(("RXCUI", "RXNORM_CUI"), "RXNORM"),
    **dict.fromkeys(("ORPHA", "ORDO", "ORPHANET.ORDO"), "ORPHANET"),
    **dict.fromkeys(("FDA_SRS", "FDASRS"), "UNII"),
    **dict.fromkeys(("UMLS_CUI", "CUI"), "UMLS"),
}
_CURIE: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_.-]{0,63}):([^\s:/][^\s]*)")
_DATED: Final = re.compile(r"_\d{4}_\d{2}_\d{2}$")
_OBO: Final = re.compile(r"https?://purl\.obolibrary\.org/obo/([A-Za-z]+)_(\w+)")


class Unnamed(Exception):
    """An identifier from which no concept can be told; says why."""


def prefix_of(name: str) -> str:
    """The prefix that a vocabulary goes by, whatever its case or abbreviation."""
    upper = _DATED.sub("", name.upper())  # OBO files write SNOMEDCT_US_2023_03_01
    return ALIASES.get(upper, upper)


def canonical(curie: str) -> str:
    """A CURIE with that prefix; what is no CURIE stays as it is."""
    prefix, colon, local = curie.partition(":")
    return f"{prefix_of(prefix)}:{local}" if colon else curie


class Prefixes:
    """What the prefixes of one file stand for."""

    def __init__(self, curie_map: Mapping[str, str]) -> None:
        self.iris = dict(list(curie_map.items())[:MOST_PREFIXES])
        known = {**{iri: one for one, iri in IRIS.items()}, **{iri: one for one, iri in self.iris.items()}}
        self._longest_first = sorted(known.items(), key=lambda one: len(one[0]), reverse=True)

    def curie(self, text: str) -> str:
        """The canonical CURIE of a CURIE or an IRI. Raises Unnamed."""
        if "://" in text:
            for iri, prefix in self._longest_first:
                if iri and text.startswith(iri) and len(text) > len(iri):
                    return self._bounded(f"{prefix_of(prefix)}:{text[len(iri) :]}")
            if found := _OBO.fullmatch(text):
                return self._bounded(f"{prefix_of(found[1])}:{found[2]}")
            raise Unnamed(f"no prefix of the curie_map begins {text[:80]!r}.")
        prefix = text.partition(":")[0]
        if _CURIE.fullmatch(text) and prefix not in self.iris and prefix_of(prefix) not in IRIS:
            raise Unnamed(f"the prefix {prefix[:40]!r} is not in the curie_map.")
        return self.taken(text)

    def taken(self, text: str) -> str:
        """The canonical CURIE of a CURIE, whatever its prefix stands for. Raises Unnamed."""
        if _CURIE.fullmatch(text) is None:
            raise Unnamed(f"{text[:80]!r} is no CURIE.")
        return self._bounded(canonical(text))

    @staticmethod
    def _bounded(curie: str) -> str:
        if len(curie) > LONGEST_ID or len(curie.split()) != 1:
            raise Unnamed(f"{curie[:80]!r} is longer than {LONGEST_ID} or holds spaces.")
        return curie


class Pair(NamedTuple):
    """Subject and object mean the same, or nearly, as `kind` says, or (`negated`) do not. `curated`: by a person."""

    subject: str
    kind: Kind
    object: str
    negated: bool = False
    curated: bool = False
    confidence: float | None = None
    subject_label: str = ""
    object_label: str = ""


@dataclass
class Pairs:
    """What a file of mappings says. `least`: rows of lower confidence are left out; `left_out` counts these and rows of
    predicates that say nothing of meaning the same."""

    least: float = 0.0
    version: str = ""
    pairs: list[Pair] = field(default_factory=list)
    iris: dict[str, str] = field(default_factory=dict)  # by prefix
    left_out: int = 0

    def add(self, pair: Pair) -> None:
        """Raises TooLarge."""
        if pair.subject == pair.object or (pair.confidence is not None and pair.confidence < self.least):
            self.left_out += 1
            return
        self.pairs.append(
            pair._replace(
                subject_label=" ".join(pair.subject_label.split())[:LONGEST_NAME],
                object_label=" ".join(pair.object_label.split())[:LONGEST_NAME],
            )
        )
        if len(self.pairs) > MOST_PAIRS:
            raise TooLarge(
                f"There are more than {MOST_PAIRS:,} mappings.", remedy="Import those of the vocabularies that you use."
            )

    def add_iris(self, iris: Mapping[str, str]) -> None:
        """`iris`: by prefix; the first of a prefix stays."""
        for prefix, iri in iris.items():
            if len(iri) <= LONGEST_IRI and iri.startswith(("http://", "https://", "urn:")):
                self.iris.setdefault(prefix_of(prefix), iri)


def of_vocabulary(mappings: Iterable[Said], iri_prefix: Mapping[str, str], pairs: Pairs) -> None:
    """Adds what a vocabulary says of others: the xrefs of an OBO file. What is no concept (Wikipedia pages, addresses)
    is left out. Raises TooLarge."""
    pairs.add_iris({prefix.removesuffix(":"): iri for prefix, iri in iri_prefix.items()})
    prefixes = Prefixes(pairs.iris)
    for subject, predicate, target in mappings:
        kind = KINDS.get(predicate)
        try:
            if kind is None:
                raise Unnamed(predicate)
            object = prefixes.curie(target) if "://" in target else prefixes.taken(target)
            pair = Pair(prefixes.taken(subject), kind, object)
        except Unnamed:
            pairs.left_out += 1
        else:
            pairs.add(pair)


def write(pairs: Pairs, path: Path) -> None:
    """As a zip of tables, the same bytes for the same mappings (`shared.vocabulary.package`)."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        write_rows(file, "pairs.tsv", (_cells(pair) for pair in sorted(set(pairs.pairs), key=_cells)))
        write_about(file, {"iris": pairs.iris})


def read(path: Path) -> Iterator[Pair]:
    """Raises Invalid where it is none that `write` made."""
    try:
        with zipfile.ZipFile(path) as file:
            for subject, kind, object, negated, curated, confidence, subject_label, object_label in read_rows(
                file, "pairs.tsv"
            ):
                yield Pair(
                    subject,
                    kind,  # type: ignore[arg-type]
                    object,
                    negated == "1",
                    curated == "1",
                    float(confidence) if confidence else None,
                    subject_label,
                    object_label,
                )
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise Invalid(f"{path.name} holds no mappings that were imported.", remedy="Import them again.") from error


def iris(path: Path) -> dict[str, str]:
    """Of the prefixes of a file that `write` made."""
    with zipfile.ZipFile(path) as file:
        found: dict[str, str] = json.loads(file.read("about.json"))["iris"]
        return found


def _cells(pair: Pair) -> tuple[str, ...]:
    flags = "1" if pair.negated else "0", "1" if pair.curated else "0"
    confidence = "" if pair.confidence is None else repr(pair.confidence)
    return (*pair[:3], *flags, confidence, pair.subject_label, pair.object_label)
