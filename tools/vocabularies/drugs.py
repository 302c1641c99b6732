"""FDA's UNII names, cut to the substances that are drugs.

The list names every substance of every product the FDA sees: foods, cosmetics, plant extracts, dyes, plastics. A
name's trailing bracket tells which register lists it ("IBUPROFEN [INN]"), and that decides."""

import re
from collections import defaultdict
from collections.abc import Iterator

from concepts import Concept, Name

DRUG_REGISTERS = frozenset({"INN", "USAN", "JAN", "EMA EPAR", "PURPLE BOOK CDER", "ORANGE BOOK", "WHO-IP", "VANDF", "MART."})
"""Names given to drugs: international, US and Japanese nonproprietary names; products approved by EMA and FDA;
the WHO pharmacopoeia; the formulary of the US Veterans Affairs; Martindale."""
NAMES_OF_DRUGS = frozenset({"INN", "USAN", "EMA EPAR", "PURPLE BOOK CDER"})
"""Registers that hold nothing but active substances: they outweigh OTHER_REGISTERS."""
OTHER_REGISTERS = frozenset({"LANGUAL", "FHFI", "FCC", "II", "HPUS", "EMA HERBAL SUBSTANCE"})
"""Foods, flavours, food chemicals, inactive ingredients, homeopathy, herbs."""

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
    """The label is UNII's preferred ("display") name; `of` names are exact, brand names (`bn`) synonyms."""
    entries = defaultdict(list)
    display = {}
    for line in text.splitlines()[1:]:
        name, kind, identifier, preferred = line.split("\t")
        entries[identifier].append((kind, name))
        display[identifier] = preferred
    for identifier in sorted(entries):
        names = entries[identifier]
        if not any(kind == "of" for kind, _ in names) or not _is_drug(display[identifier], names):
            continue
        kept = [Name(_cased(name), "EXACT") for kind, name in names if kind == "of" and _plain(name)]
        kept += [Name(_cased(name, brand=True), "SYNONYM") for kind, name in names if kind == "bn" and _plain(name)]
        yield Concept(f"UNII:{identifier}", _cased(display[identifier]), tuple(kept))


def _is_drug(preferred: str, names: list[tuple[str, str]]) -> bool:
    registers = {found[1] for _, name in names if (found := re.search(r"\[([^\]]+)\]$", name))}
    if _NOT_A_DRUG.search(preferred) or not _plain(preferred):
        return False
    if any(kind == "of" and _NOT_A_DRUG.search(name) for kind, name in names):
        return False
    if registers & NAMES_OF_DRUGS:
        return True
    return bool(registers & DRUG_REGISTERS) and not registers & OTHER_REGISTERS


def _plain(name: str) -> bool:
    return not _SYSTEMATIC.search(name) and not _COMPONENT.search(name) and len(name) <= 60


def _cased(name: str, brand: bool = False) -> str:
    """UNII writes all in capitals, which would look like acronyms: substances in lower case, brands capitalised.
    Words with a digit keep their capitals."""
    lower = " ".join(word if any(char.isdigit() for char in word) else word.lower() for word in name.split())
    return lower[:1].upper() + lower[1:] if brand else lower
