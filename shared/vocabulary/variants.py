"""Other ways to say a name, made by general rules: what `compile` matches beside the names as the vocabulary has them.

The rules use the name alone and two small tables of the language (`derivations.tsv`, `abbreviations.tsv`). Each variant
names its rule, so that a recommendation can say how it came about and the scorer can weigh it.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Final, NamedTuple

from shared.vocabulary.words import cased_key, fold

RULES: Final = ("name", "derived", "shortened", "reordered", "process", "abbreviated", "convention")
AS_NAMED, DERIVED, SHORTENED, REORDERED, PROCESS, ABBREVIATED, CONVENTION = range(len(RULES))

LONGEST_VARIED: Final = 6  # words; what is longer is not said in other ways
# A form that a suffix gives must be a word that is in use, and not one so frequent that it has its own meaning
# ("fin" gives "final", "sole" "solar").
MOST_FREQUENT_DERIVED: Final = 4.6  # Zipf

# Endings of nouns and of what is derived from them, the classical ones as grammars of scientific Latin list them
# (Stearn, "Botanical Latin"; Dorland's "Combining forms in medical terminology").
_ADJECTIVES: Final = (
    ("ium", ("ial",)),
    ("ion", ("ial",)),
    ("um", ("al", "ar", "ic")),
    ("us", ("al", "ar", "ic")),
    ("a", ("al", "ar", "ic", "eal")),
    ("on", ("onal", "onic", "otic")),
    ("is", ("al", "ic", "ar")),
    ("sis", ("tic",)),
    ("oma", ("omatous",)),
    ("ma", ("matic",)),
    ("ex", ("ical",)),
    ("ix", ("ical",)),
    ("nx", ("ngeal",)),
    ("men", ("minal",)),
    ("cle", ("cular",)),
    ("ule", ("ular",)),
    ("cyte", ("cytic",)),
    ("blast", ("blastic",)),
    ("derm", ("dermal",)),
    ("some", ("somal",)),
    ("dome", ("domal",)),
    ("ite", ("itic",)),
    ("ome", ("omal", "omic")),
    ("phyte", ("phytic",)),
    ("plasm", ("plasmic",)),
    ("ory", ("orial",)),
    ("", ("al", "ic", "oid")),
)
_VERBS: Final = (
    ("ization", ("ize", "ized", "izing", "izes", "ised", "ising")),
    ("ation", ("ate", "ated", "ating", "ates", "ative", "ational")),
    ("ption", ("ptional", "ptive", "bed", "bing")),
    ("sion", ("ssed", "ssing", "sive", "sional")),
    ("tion", ("t", "ted", "ting", "ts", "tional", "tive")),
    ("esis", ("etic", "esize", "esized")),
    ("ysis", ("ytic", "yzed")),
    ("osis", ("otic", "osed")),
    ("axis", ("actic",)),
    ("opoiesis", ("opoietic",)),
    ("poiesis", ("poietic",)),
    ("genesis", ("genic", "genetic")),
    ("ing", ("", "e", "ed", "s", "es")),
    ("ment", ("", "ed", "ing", "mental")),
    ("ance", ("ant",)),
    ("tosis", ("tic", "tosed", "totic")),
    ("cytosis", ("cytic", "cytosed", "cytotic")),
    ("", ("ed", "ing")),
)
# What a kind of thing is called at the end of its name, and left unsaid in prose: "photoreceptor (cell)".
_UNSAID_LAST: Final = {
    "CL": ("cell", "neuron", "lineage cell", "fated cell"),
    "UBERON": ("tissue", "element", "bone", "gland", "cartilage", "organ", "structure", "muscle", "artery", "region"),
    "GO": ("process", "pathway", "signaling pathway", "part of cell", "at meiosis"),
    "SO": ("site", "element", "region", "sequence", "variant"),
    "CHEBI": ("atom", "dye", "molecular entity"),
    "MONDO": ("disease", "disorder", "syndrome", "mellitus"),
}
_UNSAID_FIRST: Final = {
    "CL": ("retinal", "animal"),
    "UBERON": ("anatomical", "skeletal", "renal", "strand of", "crypt of", "layer of"),
    "GO": ("cell", "cell population", "cellular", "gene", "anatomical structure", "female", "dna-templated", "RNA"),
    "SO": ("polypeptide", "gene", "sequence"),
    "CHEBI": ("biological",),
}


# How words for processes end: "cell migration" is called migration, "cell surface" is not called surface.
_OF_PROCESSES: Final = ("ion", "sis", "ment", "ing", "th", "ance", "ism", "cycle", "lysis")
_SUBSTANCES: Final = ("CHEBI", "UNII", "RXNORM")

# What prose leaves out of chemical names (IUPAC, "Nomenclature of Organic Chemistry", 2013): stereodescriptors and
# locants before a name ("L-", "O-", "(S)-", "17"), or within it ("phosphatidyl-L-serine"); the charge of a salt's metal
# ("silver(1+) nitrate"); how many halogens there are where the metal says it ("cadmium dichloride"); a remark at the
# end ("(lactone form)").
_UNSAID_OF_SUBSTANCES: Final = (
    re.compile(r"^(?:(?:DL|[DLONSC]|\([RSEZ+-]+\)|\d+(?:alpha|beta)?|all-trans)-)+"),
    re.compile(r"^\d+(?=(?:alpha|beta)-)"),
    re.compile(r"-(?:DL|[DL])-"),
    re.compile(r"\(\d*[+-]\)(?= )"),
    re.compile(r"\b(?:di|tri|tetra)(?=(?:chlor|brom|iod|fluor)ide$)"),
    re.compile(r" \([^()]*(?:form|salt|anhydrous)\)$"),
)


class Variant(NamedTuple):
    text: str
    rule: int


class Language:
    """The tables, and how frequent words are (`zipf`, 0 for unknown ones)."""

    def __init__(self, zipf: Callable[[str], float]) -> None:
        self._zipf = zipf
        self.derived: Mapping[str, tuple[str, ...]] = {row[0]: tuple(row[1:]) for row in _table("derivations.tsv")}
        self._short: dict[str, list[tuple[list[str], str]]] = {}
        for short, long in _table("abbreviations.tsv"):
            said = _words(long)
            self._short.setdefault(said[0], []).append((said, short))
        self.forms = cache(self._forms)
        self.acts = cache(self._acts)

    def variants(self, name: str, prefix: str) -> Iterator[Variant]:
        """How else a name of an ontology whose identifiers begin with `prefix` may be said; may repeat itself."""
        said = cased_key(name).split()
        lower = [word.casefold() if not word.isupper() else word for word in said]
        folded = [fold(word) or word for word in said]
        yield from self._abbreviated(said, folded)
        if not 0 < len(said) <= LONGEST_VARIED:
            return
        whole = " ".join(lower)
        for form in self.derived.get(whole, ()):
            yield Variant(form, DERIVED)
        if prefix in _SUBSTANCES:
            yield from self._shortened(said, lower, prefix)
            if prefix == "CHEBI":
                yield from _without_details(name)
            return
        for i, word in enumerate(lower):
            for form in self.forms(word):
                yield Variant(" ".join((*lower[:i], form, *lower[i + 1 :])), DERIVED)
        if prefix == "GO":
            if "/" in name and lower[-1] == "complex":
                yield Variant(" ".join(said[:-1]), SHORTENED)  # "Arp2/3"
            if len(lower) == 1:
                for form in self.acts(lower[0]):
                    yield Variant(form, PROCESS)
            yield from _process(lower)
        yield from self._shortened(said, lower, prefix)
        yield from _reordered(lower)

    def _abbreviated(self, said: list[str], folded: list[str]) -> Iterator[Variant]:
        for i, word in enumerate(folded):
            for long, short in self._short.get(word, ()):
                if folded[i : i + len(long)] == long:
                    yield Variant(" ".join((*said[:i], short, *said[i + len(long) :])), ABBREVIATED)

    def _shortened(self, said: list[str], lower: list[str], prefix: str) -> Iterator[Variant]:
        for end in _UNSAID_LAST.get(prefix, ()):
            tail = end.split()
            if len(lower) > len(tail) and lower[-len(tail) :] == tail:
                rest = lower[: -len(tail)]
                yield Variant(" ".join(said[: -len(tail)]), SHORTENED)
                yield from self._further(rest, prefix)
        yield from self._further(lower, prefix)

    def _further(self, lower: list[str], prefix: str) -> Iterator[Variant]:
        for begin in _UNSAID_FIRST.get(prefix, ()):
            head = begin.split()
            if len(lower) > len(head) and lower[: len(head)] == head:
                rest = lower[len(head) :]
                if prefix == "GO" and not rest[-1].endswith(_OF_PROCESSES):
                    continue
                yield Variant(" ".join(rest), SHORTENED)
                if prefix == "GO" and len(rest) == 1:
                    for form in self.acts(rest[0]):
                        yield Variant(form, PROCESS)
        if len(lower) > 2 and lower[-2] == "of":
            yield Variant(" ".join(lower[:-2]), SHORTENED)

    def _forms(self, noun: str) -> tuple[str, ...]:
        """Adjectives of a noun."""
        known = self.derived.get(noun, ())
        if not noun.isalpha() or len(noun) < 5:
            return known
        return (*known, *self._in_use(noun, _ADJECTIVES))

    def _acts(self, noun: str) -> tuple[str, ...]:
        """Verb forms of the noun of a process."""
        if not noun.isalpha() or len(noun) < 6:
            return self.derived.get(noun, ())
        return (*self.derived.get(noun, ()), *self._in_use(noun, _VERBS), *self._in_use(noun, _ADJECTIVES))

    def _in_use(self, noun: str, rules: Iterable[tuple[str, tuple[str, ...]]]) -> Iterator[str]:
        for ending, forms in rules:
            if noun.endswith(ending):
                stem = noun.removesuffix(ending) if ending else noun
                if len(stem) >= 3:
                    for form in forms:
                        if 0 < self._zipf(stem + form) < MOST_FREQUENT_DERIVED:
                            yield stem + form


def _without_details(name: str) -> Iterator[Variant]:
    for detail in _UNSAID_OF_SUBSTANCES:
        rest = detail.sub("", name)
        if rest != name:
            yield Variant(rest, SHORTENED)


def _process(lower: list[str]) -> Iterator[Variant]:
    """How the names of GO's processes are built, taken apart again (GO's own design patterns)."""
    head, last = lower[:-1], lower[-1]
    name = " ".join(head)
    if head:
        for one, others in _SAME_LAST.items():
            if last == one:
                for other in others:
                    yield Variant(f"{name} {other}", PROCESS)
                    yield Variant(f"{other} of {name}", PROCESS)
        if last not in _SAME_LAST and last in ("cycle", "division", "migration", "adhesion", "transport", "repair"):
            yield Variant(f"{last} of {name}", PROCESS)
    for begin, others in _SAME_FIRST.items():
        if " ".join(lower[: begin.count(" ") + 1]) == begin and len(lower) > begin.count(" ") + 1:
            rest = " ".join(lower[begin.count(" ") + 1 :])
            for other in others:
                yield Variant(f"{other} {rest}", PROCESS)
            if begin == "regulation of":
                yield Variant(f"{rest} regulation", PROCESS)


_SAME_LAST: Final = {
    "development": ("development", "formation"),
    "formation": ("formation", "development"),
    "assembly": ("assembly", "formation"),
    "differentiation": ("differentiation",),
    "commitment": ("specification",),
    "specification": ("specification",),
    "process": ("",),
    "clearance": ("removal", "clearance"),
    "localization": ("localization", "localisation"),
    "morphogenesis": ("morphogenesis",),
}
_SAME_FIRST: Final = {
    "positive regulation of": ("upregulation of", "up-regulation of", "activation of", "induction of"),
    "negative regulation of": ("downregulation of", "down-regulation of", "inhibition of", "repression of"),
    "regulation of": ("control of",),
    "sensory perception of": ("perception of",),
    "response to": ("responsiveness to",),
}


def _reordered(lower: list[str]) -> Iterator[Variant]:
    """ "horn of spinal cord" and "spinal cord horn"."""
    if lower.count("of") == 1:
        at = lower.index("of")
        if 0 < at < len(lower) - 1:
            yield Variant(" ".join((*lower[at + 1 :], *lower[:at])), REORDERED)
    elif len(lower) in (2, 3):
        yield Variant(" ".join((lower[-1], "of", *lower[:-1])), REORDERED)


def conventions() -> Iterator[tuple[str, str]]:
    """(CURIE, what the corpus profile takes for it): `conventions.tsv`."""
    for row in _table("conventions.tsv"):
        for said in row[1:]:
            yield row[0], said


def _words(text: str) -> list[str]:
    return [fold(word) or word for word in cased_key(text).split()]


def _table(name: str) -> Iterator[list[str]]:
    for line in (files("shared.vocabulary") / name).read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            yield line.split("\t")
