"""What a project allows and asks of tags: axes in use, required axes, free text, a maximum, preferred ontologies. Pure.

Rules hold for what is decided and submitted from now on; what stands already stays.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeVar, get_args

from services.annotation.model import Assignment, Recommendations, Rules
from shared.errors import Invalid
from shared.events.recommendation import Axis, Equivalent, Recommendation

AXES: Final[tuple[Axis, ...]] = get_args(Axis)
R = TypeVar("R", bound=Recommendation)


def check(rules: Rules) -> None:
    """Raises Invalid where the rules contradict each other."""
    used = in_use(rules)
    if unused := [axis for axis in rules.required if axis not in used]:
        raise Invalid(
            f"The axis {unused[0]} is required and not in use.",
            field="required",
            remedy="Add it to `axes`, or do not require it.",
        )
    if idle := [axis for axis in rules.preferred if axis not in used]:
        raise Invalid(
            f"Ontologies are preferred on the axis {idle[0]}, which is not in use.",
            field="preferred",
            remedy="Add it to `axes`, or leave it out.",
        )
    if rules.max_tags is not None and rules.max_tags < len(rules.required):
        raise Invalid(
            f"At most {rules.max_tags} tags cannot be on {len(rules.required)} required axes.",
            field="max_tags",
            remedy="Raise it, or require fewer axes.",
        )


def in_use(rules: Rules) -> tuple[Axis, ...]:
    """The axes that the project tags on; all where none is named."""
    return rules.axes or AXES


def require_allowed(rules: Rules, before: Assignment, after: Assignment) -> None:
    """Raises Invalid where a decision makes a tag stand that the project does not allow."""
    stood = {tag.key for tag in before.tags}
    for tag in after.tags:
        if tag.key in stood:
            continue
        if tag.axis not in in_use(rules):
            raise Invalid(
                f"This project does not tag on the axis {tag.axis}.",
                field="axis",
                remedy=f"It tags on: {', '.join(in_use(rules))}.",
            )
        if tag.curie is None and not rules.free_text:
            raise Invalid(
                "This project takes no free text.", field="text", remedy="Choose a concept from the concept search."
            )
    if rules.max_tags is not None and len(before.tags) < len(after.tags) > rules.max_tags:
        raise Invalid(
            f"A figure has at most {rules.max_tags} tags in this project.",
            field="max_tags",
            remedy="Withdraw one that matters less first.",
        )


def none_on(rules: Rules, assignment: Assignment, no_tag_applies: bool, said: Iterable[Axis]) -> tuple[Axis, ...]:
    """The axes on which, as its annotator says, no tag applies. Raises Invalid where a required axis has neither a tag
    nor this, a tag stands there all the same, or the project takes no such answer."""
    tagged = {tag.axis for tag in assignment.tags}
    named = set(rules.required if no_tag_applies else said)
    if wrong := sorted(set(said) & tagged):
        raise Invalid(
            f"A tag stands on the axis {wrong[0]}, so one applies.",
            field="no_tag_on",
            remedy="Withdraw it, or leave the axis out.",
        )
    answered = named if rules.no_tag_allowed else set()
    lacking = [axis for axis in rules.required if axis not in tagged and axis not in answered]
    if lacking:
        either = " or say that no tag applies there (`no_tag_on`)" if rules.no_tag_allowed else ""
        raise Invalid(
            f"This project asks for a tag on: {', '.join(lacking)}.",
            field="no_tag_on",
            remedy=f"Accept or add one{either}, or skip the figure.",
        )
    return tuple(sorted(named))


def preferring(rules: Rules, found: Recommendations) -> Recommendations:
    """The recommendations as the project names their concepts: of a concept that several ontologies have, the
    project's preferred one stands in front, the others are its `equivalents`. The recommendation stays the same one
    (its id, score and why), so what was decided of it before stays decided."""
    if not rules.preferred:
        return found
    return found.changed(
        items=tuple(_in_front(item, rules.preferred.get(item.axis, ()), found.vocabularies) for item in found.items)
    )


def _in_front(item: Recommendation, preferred: Sequence[str], versions: Mapping[str, str]) -> Recommendation:
    """A tag names the version of its vocabulary: where that is unknown, the concept stays behind."""
    there = {other.ontology: other for other in item.equivalents if other.ontology in versions}
    first = next((name for name in preferred if name in there or name == item.ontology), item.ontology)
    if first == item.ontology:
        return item
    chosen = there[first]
    before = Equivalent(iri=item.iri, curie=item.curie, label=item.label, ontology=item.ontology)
    return item.model_copy(
        update={
            **dict(chosen),
            "vocabulary_version": versions[first],
            "equivalents": [before, *(other for other in item.equivalents if other != chosen)],
        }
    )


def ordered(rules: Rules, items: Sequence[R]) -> list[R]:
    """The recommendations on axes in use; within an axis those of preferred ontologies first, in the order of
    preference, else as they were."""
    used = in_use(rules)

    def rank(item: R) -> int:
        preferred = rules.preferred.get(item.axis, ())
        return preferred.index(item.ontology) if item.ontology in preferred else len(preferred)

    shown = [item for item in items if item.axis in used]
    places = {axis: [n for n, item in enumerate(shown) if item.axis == axis] for axis in rules.preferred}
    result = list(shown)
    for numbers in places.values():
        best = sorted((shown[n] for n in numbers), key=rank)
        for place, item in zip(numbers, best, strict=True):
            result[place] = item
    return result
