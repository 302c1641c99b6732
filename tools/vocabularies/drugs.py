"""FDA's UNII names, cut to the substances that are drugs.

The list names every substance of every product the FDA sees: foods, cosmetics, plant extracts, dyes, plastics. A
name's trailing bracket tells which register lists it ("IBUPROFEN [INN]"), and that decides."""

import re
from collections import defaultdict
from collections.abc import Iterator

from tools.vocabularies.concepts import Concept, Name

NAMES_OF_DRUGS = frozenset({"INN", "USAN", "EMA EPAR", "PURPLE BOOK CDER"})
"""Registers that hold nothing but active substances: the international and the US nonproprietary names, what EMA
has assessed, the FDA's licensed biologicals. One is enough."""
PHARMACOPOEIAS = frozenset(
    {"ORANGE BOOK", "JAN", "WHO-IP", "VANDF", "MART.", "GREEN BOOK", "USP MONOGRAPH", "EP MONOGRAPH"}
)
"""Registers of medicines that list what is around them too (solvents, salts, dressings): the FDA's approved drugs
of people and animals, Japanese names, formularies and pharmacopoeias."""
ENOUGH_PHARMACOPOEIAS = 2
ENOUGH_WITH_OFFICIAL_NAME = 3
"""An official name outside NAMES_OF_DRUGS is mostly a cosmetic ingredient's (INCI), so more evidence is asked."""
FOODS = frozenset({"LANGUAL", "EMA HERBAL SUBSTANCE"})
INGREDIENTS = frozenset({"FCC", "FHFI", "II"})
"""Food chemicals, flavours, inactive ingredients."""

_NOT_A_DRUG = re.compile(
    r"\b(?:EXTRACT|LEAF|ROOT|SEED|FRUIT|FLOWER|BARK|BULB|TOP|WHOLE|POLLEN|OIL|JUICE|WOOD|RHIZOME|TUBER|STEM|SPORE|"
    r"POWDER|WAX|FLOUR|STARCH|DANDER|FEATHER|HAIR|MILK|EGG|MEAT|SHELL|WATER|SOAP|ALLERGENIC|GLASS|PEG-\d+|"
    r"PERFUME|FLAVOR|(?:FD&C|D&C|EXT\.)|(?:ACID|BASIC|DIRECT|DISPERSE|FOOD|MORDANT|NATURAL|PIGMENT|REACTIVE|"
    r"SOLVENT|VAT) (?:BLACK|BLUE|BROWN|GREEN|ORANGE|RED|VIOLET|WHITE|YELLOW))\b"
    r"|(?:FILCON|FOCON)\b"
)
"""Parts and products of plants and animals, cosmetics, dyes by colour index or US colour name, contact lenses."""
_SYSTEMATIC = re.compile(r"[()\[\]{}]|\.[A-Z]+\.|\d,\d|^\W")
_COMPONENT = re.compile(r"\bCOMPONENT\b")


def read_drugs(text: str) -> Iterator[Concept]:
    """The label is UNII's preferred ("display") name; `of` names are exact, brand names (`bn`) synonyms. Common
    names (`cn`), systematic ones and codes are dropped."""
    entries = defaultdict(list)
    display = {}
    for line in text.splitlines()[1:]:
        name, kind, identifier, preferred = line.split("\t")
        entries[identifier].append((kind, name))
        display[identifier] = preferred
    for identifier in sorted(entries):
        names = entries[identifier]
        if _is_drug(display[identifier], names):
            kept = [Name(_cased(name), "EXACT") for kind, name in names if kind == "of" and _plain(name)]
            kept += [Name(_brand(name), "SYNONYM") for kind, name in names if kind == "bn" and _is_brand(name)]
            yield Concept(f"UNII:{identifier}", _cased(display[identifier]), tuple(kept))


def _is_drug(preferred: str, names: list[tuple[str, str]]) -> bool:
    """By its registers; an entry without an official name (`of`) needs the pharmacopoeias (morphine, cocaine)."""
    if any(_NOT_A_DRUG.search(name) for name in (preferred, *(name for kind, name in names if kind == "of"))):
        return False
    registers = {found[1] for _, name in names if (found := re.search(r"\[([^\]]+)\]$", name))}
    official = any(kind == "of" for kind, _ in names)
    if not _plain(preferred):
        return False
    if official and registers & NAMES_OF_DRUGS:
        return True
    listed = len(registers & PHARMACOPOEIAS)
    if official:
        return listed >= ENOUGH_WITH_OFFICIAL_NAME and not registers & (FOODS | INGREDIENTS)
    return listed >= ENOUGH_PHARMACOPOEIAS and not registers & FOODS


def _plain(name: str) -> bool:
    return not _SYSTEMATIC.search(name) and not _COMPONENT.search(name) and len(name) <= 60


def _is_brand(name: str) -> bool:
    """A brand of at least four letters and no digit: shorter ones and numbered ones read like codes (MS 40)."""
    return _plain(name) and len(name) >= 4 and not any(char.isdigit() for char in name)


def _cased(name: str) -> str:
    """UNII writes all in capitals, which would look like acronyms: lower case, but for words with a digit."""
    return " ".join(word if any(char.isdigit() for char in word) else word.lower() for word in name.split())


def _brand(name: str) -> str:
    return name[:1].upper() + name[1:].lower()
