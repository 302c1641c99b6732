"""One concept that several ontologies have: shown once, as the preferred ontology's, with the others listed. Pure.

Two concepts of one axis are one to people who tag when the same words, and no others, mention both by a preferred name
or an exact synonym: "incisor" is Incisor (MeSH) and incisor tooth (UBERON). Within an ontology they stay two: its
makers told them apart. Of 436 figure legends this joins one recommendation in a hundred; it matters where a site's own
vocabulary stands beside the default ones.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeVar

from services.recommender.annotator import Annotation
from shared.events.recommendation import Axis

# As DESIGN.md, section 4, has them: what a site brings in, then the default. Others come after, by name.
PREFERRED: Final[Mapping[Axis, tuple[str, ...]]] = {
    "anatomy": ("SNOMEDCT", "UBERON", "CL"),
    "disease": ("SNOMEDCT", "MONDO"),
    "genetics": ("GO", "SO"),
    "imaging": ("NCIT", "MESH", "EFO"),
    "intervention": ("SNOMEDCT", "NCIT", "MESH"),
    "pharmaceutical": ("RXNORM", "UNII"),
}
SURE: Final = frozenset({"LABEL", "EXACT"})

Key = TypeVar("Key", bound=tuple[str, ...])


def grouped(mentions: Mapping[Key, Sequence[Annotation]], axis: Axis) -> list[list[Key]]:
    """The concepts of one axis and assertion, by key, those that are one together, the preferred one first.

    `mentions`: of each concept, in the order of the text. What is in doubt stays alone.
    """
    alike: dict[frozenset[tuple[int, int]], list[Key]] = {}
    groups: list[list[Key]] = []
    for key, of_one in mentions.items():
        said = [one for one in of_one if one.match != "metadata"]  # technical tags stand nowhere in the text
        if said and all(one.scope in SURE for one in said):
            alike.setdefault(frozenset((one.start, one.end) for one in said), []).append(key)
        else:
            groups.append([key])
    for keys in alike.values():
        groups += _told_apart(keys, mentions, axis)
    return groups


def _told_apart(keys: Sequence[Key], mentions: Mapping[Key, Sequence[Annotation]], axis: Axis) -> Iterable[list[Key]]:
    ontologies = [mentions[key][0].concept.ontology for key in keys]
    if len(set(ontologies)) < len(ontologies):
        return [[key] for key in keys]
    order = PREFERRED[axis]
    ranked = sorted(
        zip(ontologies, keys, strict=True),
        key=lambda one: (order.index(one[0]) if one[0] in order else len(order), one[0]),
    )
    return [[key for _, key in ranked]]
