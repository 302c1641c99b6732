"""What follows from the names that reviews taught, for the vocabularies in use. Pure."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from services.recommender import learned
from services.recommender.learned import Force, Thresholds, folded
from services.recommender.model import LearnedName
from services.recommender.taught import InForce, SiteName
from shared.vocabulary.artefact import Vocabularies

MOST_ITEMS: Final = 20_000  # in force together


def following(items: Iterable[LearnedName], vocabularies: Vocabularies, least: Thresholds) -> InForce:
    """Of names for concepts that the vocabularies have. Equal names in any order give the same."""
    kinds: dict[str, Force] = {}
    site: list[SiteName] = []
    unwanted: set[tuple[str, str]] = set()
    for item in items:
        if item.id in kinds or len(kinds) >= MOST_ITEMS:
            continue
        kind, numbers = consequence(item, vocabularies, least), concepts(item, vocabularies)
        if kind == "suppressed" and item.meant.curie:
            unwanted.add((item.name, item.meant.curie))
        elif kind == "synonym" and numbers:
            concept = vocabularies.concept(numbers[0])
            if concept.axis is None:
                concept = replace(concept, axis=item.meant.axis)
            site.append(SiteName(item.name, item.said, concept, learned.likelihood(item), learned.because(item)))
        else:
            continue
        kinds[item.id] = kind
    names = tuple(sorted(site, key=lambda one: (one.name, one.concept.curie)))
    return InForce(names, frozenset(unwanted), learned.version(kinds) if kinds else "")


def consequence(item: LearnedName, vocabularies: Vocabularies, least: Thresholds) -> Force | None:
    """What follows from one name."""
    return learned.force(item, least, known=known(item, vocabularies))


def known(item: LearnedName, vocabularies: Vocabularies) -> bool:
    """Whether the vocabularies have the name for the concept."""
    return any(
        folded(name) == item.name for number in concepts(item, vocabularies) for name, _ in vocabularies.names(number)
    )


def concepts(item: LearnedName, vocabularies: Vocabularies) -> list[int]:
    """Its concept's numbers; none for free text, or what is in no vocabulary."""
    return vocabularies.find(item.meant.curie) if item.meant.curie else []
