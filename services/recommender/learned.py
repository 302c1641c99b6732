"""What approved reviews teach about names. Pure.

A figure whose tags are approved says of a name, as its legend has it, which concept it meant (a tag with that mention)
or did not mean (a recommendation that was rejected for its wrong meaning). Of several ontologies' equivalents one is
shown: what is decided of it is decided of all. Enough figures, articles and people together make it an item: a site
synonym, where no vocabulary has the name, or a suppressed meaning. Why so many, and what one person or one article
cannot do: docs/decisions/0025-learning.md.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from services.recommender.model import Evidence, LearnedName, Meant
from services.recommender.stop_words import OF_LEGENDS, STOP_WORDS
from shared.events.review import ReviewDone
from shared.events.tag import Tag
from shared.settings import Settings
from shared.vocabulary.words import fold, words

Verdict = Literal["accepted", "rejected"]
Force = Literal["synonym", "suppressed"]

SHORTEST: Final = 3  # letters and digits of a name that teaches
LONGEST: Final = 100  # characters
MOST_NAMES: Final = 500  # that one figure teaches
MOST_FIGURES: Final = 500  # whose evidence a name keeps: more would make it no surer
_SAYS_NOTHING: Final = frozenset({*STOP_WORDS, *OF_LEGENDS})


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What an item needs at least (settings `learning_figures`, `learning_articles`, `learning_people`), and where it
    applies: in its project, or `everywhere` (`learning_scope`)."""

    figures: int = 3
    articles: int = 2
    people: int = 2
    everywhere: bool = False

    @classmethod
    def of(cls, settings: Settings) -> "Thresholds":
        return cls(
            settings.learning_figures,
            settings.learning_articles,
            settings.learning_people,
            everywhere=settings.learning_scope == "site",
        )


@dataclass(frozen=True, slots=True)
class Lesson:
    """What one figure says of one name."""

    name: str
    said: str
    meant: Meant
    verdict: Verdict
    person: str


def comparable(said: str) -> str:
    """The words of a name as they are compared, with a space between; "" for what teaches nothing: too short or long,
    or a word that says nothing."""
    if len(said) > LONGEST or sum(map(str.isalnum, said)) < SHORTEST or said.casefold() in _SAYS_NOTHING:
        return ""
    return folded(said)


def folded(said: str) -> str:
    """The words of a name as they are compared, with a space between."""
    return " ".join(filter(None, (fold(word.group()) for word in words(said))))


def lessons(event: ReviewDone) -> dict[str, Lesson]:
    """What a figure's review teaches, by the id of the name. What is both accepted and rejected is accepted."""
    said: list[Lesson] = []
    behind: dict[str, list[str]] = {}  # by the key of what was accepted
    for decision in event.decisions:
        if decision.kind == "accept":
            behind[decision.key] = decision.equivalents
        elif (
            event.verdict == "approved"
            and (decision.kind, decision.reason) == ("reject", "wrong_meaning")
            and decision.curie
        ):
            for curie in (decision.curie, *decision.equivalents):
                meant = Meant(axis=decision.axis, curie=curie)
                said += [
                    Lesson(comparable(name), name, meant, "rejected", decision.annotator) for name in decision.names
                ]
    for tag in event.tags:
        for curie in (tag.curie, *behind.get(tag.key, ())):
            meant = Meant(axis=tag.axis, curie=curie)
            said += [Lesson(comparable(name), name, meant, "accepted", tag.annotator) for name in _names(tag)]
    found = {name_id(event.project, one.name, one.meant): one for one in said if one.name}
    return dict(list(found.items())[:MOST_NAMES])


def _names(tag: Tag) -> Iterator[str]:
    if tag.curie is None:
        yield tag.label
    else:
        yield from dict.fromkeys(span.text for span in tag.spans)


def name_id(project: str, name: str, meant: Meant) -> str:
    """The id of a name for a concept (or for free text on an axis) in a project."""
    return hashlib.sha256("\n".join((project, name, meant.axis, meant.curie or "")).encode()).hexdigest()[:32]


def blank(project: str, id: str, lesson: Lesson) -> LearnedName:
    """The name before any figure says something of it."""
    return LearnedName(id=id, project=project, name="", said="", meant=lesson.meant)


def taught(item: LearnedName, figure: str, lesson: Lesson, article: str) -> LearnedName:
    """The name with what a figure says of it now. The order of figures does not matter, and twice is once."""
    said = Evidence(said=lesson.said, article=article, person=lesson.person, verdict=lesson.verdict)
    if figure not in item.evidence and len(item.evidence) >= MOST_FIGURES:
        return item
    return _counted(item, lesson.name, {**item.evidence, figure: said})


def untaught(item: LearnedName, figure: str) -> LearnedName:
    """The name without what a figure says of it."""
    left = {other: known for other, known in item.evidence.items() if other != figure}
    return _counted(item, item.name if left else "", left)


def _counted(item: LearnedName, name: str, evidence: Mapping[str, Evidence]) -> LearnedName:
    ways = Counter(one.said for one in evidence.values())
    verdicts = Counter(one.verdict for one in evidence.values())
    return item.changed(
        name=name,
        said=min(ways, key=lambda way: (-ways[way], way), default=""),
        evidence=dict(sorted(evidence.items())),
        figures=len(evidence),
        accepted=verdicts["accepted"],
        rejected=verdicts["rejected"],
    )


def enough(item: LearnedName, verdict: Verdict, least: Thresholds) -> bool:
    """Whether enough figures, articles and people say so."""
    said = [one for one in item.evidence.values() if one.verdict == verdict]
    return (
        len(said) >= least.figures
        and len({one.article for one in said}) >= least.articles
        and len({one.person for one in said}) >= least.people
    )


def force(item: LearnedName, least: Thresholds, *, known: bool) -> Force | None:
    """What follows from a name; `known`: a vocabulary has it for this concept. Contradicted, or switched off by an
    administrator: nothing."""
    if item.disabled_by or item.meant.curie is None:
        return None
    if enough(item, "rejected", least) and item.rejected > 2 * item.accepted:
        return "suppressed"
    if not known and enough(item, "accepted", least) and item.accepted > 2 * item.rejected:
        return "synonym"
    return None


def likelihood(item: LearnedName) -> float:
    """That the name means the concept: Laplace's rule of succession over the figures that said something."""
    return (item.accepted + 1) / (item.accepted + item.rejected + 2)


def because(item: LearnedName, *, site: bool) -> str:
    """For people, as a part of a recommendation's "why". `site`: it applies to all projects."""
    people = len({one.person for one in item.evidence.values() if one.verdict == "accepted"})
    return f"A name of this {'site' if site else 'project'}: accepted in {item.accepted} figures by {people} people."


def version(items: Mapping[str, Force]) -> str:
    """Names what is in force: equal for equal items."""
    return hashlib.sha256("\n".join(f"{id} {kind}" for id, kind in sorted(items.items())).encode()).hexdigest()[:8]
