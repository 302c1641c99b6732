"""What the technical tags of a DICOM propose: its modality an imaging technique, its body part an anatomy. So a figure
without a legend has a start.

`metadata.tsv` says which defined term (PS3.3 C.7.3.1.1.1 and CID 29 and 33 for modalities, PS3.16 Annex L for body
parts) stands for which concepts of the vocabularies that ship with MITagger. At sites that use others in their place,
terms whose concepts are not there propose nothing.
"""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Final, NamedTuple

from services.recommender.annotator import Annotation
from shared.vocabulary.artefact import Concept, Vocabularies

VERSION: Final = "tags-1"  # raise it when the same tags and vocabularies give other proposals

# How often a tag is right. A machine sets its modality itself; the body part comes with the protocol that somebody
# chose, and was wrong in 15 % of the images of a radiological department (Güld et al., Proc. SPIE 4685, 2002).
SCORES: Final[Mapping[str, float]] = {"Modality": 0.95, "BodyPartExamined": 0.85}


class Term(NamedTuple):
    """A value of a tag that stands for a concept; `label` is for readers of the table."""

    tag: str
    value: str
    curie: str
    label: str


@cache
def terms() -> tuple[Term, ...]:
    """The table."""
    lines = (files("services.recommender") / "metadata.tsv").read_text(encoding="utf-8").splitlines()
    return tuple(Term(*line.split("\t")) for line in lines[1:])


class TechnicalTags:
    """The table over the vocabularies in use."""

    def __init__(self, vocabularies: Vocabularies) -> None:
        self._concepts: dict[tuple[str, str], list[Concept]] = {}
        for term in terms():
            for number in vocabularies.find(term.curie)[:1]:
                self._concepts.setdefault((term.tag, term.value), []).append(vocabularies.concept(number))

    def proposals(self, technical: Mapping[str, str]) -> list[Annotation]:
        """Without a place in the text. `name` is the tag with its value."""
        return [
            Annotation(
                start=0,
                end=0,
                text="",
                concept=concept,
                match="metadata",
                name=f"{tag}: {technical[tag]}",
                scope="",
                score=score,
                assertion="present",
                panels=(),
            )
            for tag, score in SCORES.items()
            if tag in technical
            for concept in self._concepts.get((tag, technical[tag]), ())
        ]
