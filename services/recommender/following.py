"""What follows from the names that reviews taught, for the vocabularies in use. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from services.recommender import learned
from services.recommender.learned import Force, Thresholds, folded
from services.recommender.model import LearnedName
from services.recommender.taught import InForce, SiteName
from shared.vocabulary.artefact import Vocabularies

MOST_ITEMS: Final = 20_000  # in force together


@dataclass(frozen=True, slots=True)
class Following:
    """What is in force for everybody (`site`), and in `projects` that have something of their own, with that."""

    site: InForce = field(default_factory=InForce)
    projects: Mapping[str, InForce] = field(default_factory=dict)

    def of(self, project: str) -> InForce:
        return self.projects.get(project, self.site)


class _Part(NamedTuple):
    """What follows from one name. `said`: the name with its concept."""

    id: str
    kind: Force
    said: tuple[str, str]
    name: SiteName | None


def following(items: Iterable[LearnedName], vocabularies: Vocabularies, least: Thresholds) -> Following:
    """Of names for concepts that the vocabularies have. Equal names in any order give the same.

    An item applies to its project, and to all where it was widened, or `least` says so. What a project's own reviews
    accept is not suppressed there because another project's reject it.
    """
    site: dict[str, _Part] = {}
    own: dict[str, dict[str, _Part]] = {}
    accepted: dict[str, set[tuple[str, str]]] = {}
    for count, item in enumerate({item.id: item for item in items}.values()):
        if count >= MOST_ITEMS:
            break
        if item.meant.curie and learned.enough(item, "accepted", least):
            accepted.setdefault(item.project, set()).add((item.name, item.meant.curie))
        shared = least.everywhere or bool(item.widened_by)
        part = _part(item, vocabularies, least, site=shared)
        if part is not None:
            (site if shared else own.setdefault(item.project, {}))[item.id] = part
    overruling = {
        project
        for project, said in accepted.items()
        if any(part.kind == "suppressed" and part.said in said for part in site.values())
    }
    return Following(
        _in_force(site, frozenset()),
        {
            project: _in_force({**site, **own.get(project, {})}, frozenset(accepted.get(project, ())))
            for project in sorted({*own, *overruling})
        },
    )


def _part(item: LearnedName, vocabularies: Vocabularies, least: Thresholds, *, site: bool) -> _Part | None:
    kind, numbers = consequence(item, vocabularies, least), concepts(item, vocabularies)
    if kind is None or item.meant.curie is None:
        return None
    said = (item.name, item.meant.curie)
    if kind == "suppressed":
        return _Part(item.id, kind, said, None)
    if not numbers:
        return None
    concept = vocabularies.concept(numbers[0])
    if concept.axis is None:
        concept = replace(concept, axis=item.meant.axis)
    name = SiteName(item.name, item.said, concept, learned.likelihood(item), learned.because(item, site=site))
    return _Part(item.id, kind, said, name)


def _in_force(parts: Mapping[str, _Part], accepted: frozenset[tuple[str, str]]) -> InForce:
    used = [part for part in parts.values() if part.kind == "synonym" or part.said not in accepted]
    # Two projects may have taught the same; the likelier one counts.
    names: dict[tuple[str, str], SiteName] = {}
    for part in used:
        if part.name is not None:
            before = names.get(part.said)
            if before is None or (part.name.score, part.name.because) > (before.score, before.because):
                names[part.said] = part.name
    return InForce(
        tuple(names[said] for said in sorted(names)),
        frozenset(part.said for part in used if part.kind == "suppressed"),
        learned.version({part.id: part.kind for part in used}) if used else "",
    )


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
