"""British spellings of the sources' American names, so that "oesophageal haemorrhage" is found too.

Rules of spelling, applied to word parts that are Greek or Latin in every word they stand in; where one is a
matter of taste (-ise) it is left out. After the usual lists of differences, e.g. Oxford's "New Hart's Rules"."""

import re

from tools.vocabularies.concepts import Concept, Name

_BRITISH = [
    (re.compile(pattern), british)
    for pattern, british in (
        (r"\b([Ee])dema", r"o\1dema"),
        (r"\b([Ee])sophag", r"o\1sophag"),
        (r"gastroesophag", "gastro-oesophag"),
        (r"\bHem(?=a|o(?:r|t|l|g|d|p|s|c))", "Haem"),
        (r"\bhem(?=a|o(?:r|t|l|g|d|p|s|c))", "haem"),
        (r"(?<=[a-z])emi(?=a\b|as\b|c\b)", "aemi"),
        (r"\b([Ii])schemi", r"\1schaemi"),
        (r"([Tt])umor(?=s?\b)", r"\1umour"),
        (r"pnea(?=s?\b|\b)", "pnoea"),
        (r"rrhea(?=l?\b)", "rrhoea"),
        (r"\b([Pp])ediatric", r"\1aediatric"),
        (r"\b([Oo])rthoped", r"\1rthopaed"),
        (r"\b([Aa])nesthe", r"\1naesthe"),
        (r"\b([Ff])etal\b", r"\1oetal"),
        (r"\b([Ff])etus\b", r"\1oetus"),
        (r"\b([Cc])esarean", r"\1aesarean"),
        (r"\b([Cc])eliac", r"\1oeliac"),
        (r"\b([Cc])ecum\b", r"\1aecum"),
        (r"\b([Ff])iber(?=s?\b)", r"\1ibre"),
        (r"\b([Gg])ynecolog", r"\1ynaecolog"),
        (r"\b([Cc])olor(?=s?\b)", r"\1olour"),
    )
]


def british(text: str) -> str:
    """`text` in British spelling, the same where nothing differs."""
    for pattern, replacement in _BRITISH:
        text = pattern.sub(replacement, text)
    return re.sub(r"\bo([Ee])(?=dema|sophag)", lambda found: "Oe" if found[1] == "E" else "oe", text)


def with_british_names(concept: Concept) -> Concept:
    """Adds the British spelling of the label and the exact names, as exact names."""
    exact = [concept.label, *(name.text for name in concept.names if name.scope == "EXACT")]
    return concept.with_names(Name(spelt, "EXACT") for text in exact if (spelt := british(text)) != text)
