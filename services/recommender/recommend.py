"""From the annotations of a legend to what is suggested for its figure, and the state that says how it went."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from services.recommender.annotator import Annotation
from services.recommender.equivalents import grouped
from shared.events.legend import Analysis, Assertion
from shared.events.recommendation import Axis, Equivalent, Recommendation, Span, State
from shared.vocabulary.artefact import Concept

# The recommender's part of the 900 kB that an event may have; the rest is the envelope.
MOST_BYTES = 800_000
MOST_SPANS = 50
# Certainty is for people: no number of names makes a suggestion more than this.
HIGHEST_SCORE = 0.99

_IDS = uuid.UUID("6d6c7a7e-1f0b-5f0c-9d0e-6b1f3f0c2a51")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What `recommendations.ready` says of a figure."""

    state: State
    reason: str = ""
    recommendations: tuple[Recommendation, ...] = ()


def refusal(analysis: Analysis) -> Outcome | None:
    """Why this text is not annotated; None where it is. Only English is, and what may be English."""
    if analysis.kind == "none" or not analysis.text.strip():
        return Outcome("no_text", "The figure has no legend.")
    language = analysis.language
    if language and language.partition("-")[0].lower() != "en":
        return Outcome("language_unsupported", f"The vocabularies are English, the legend's language is {language!r}.")
    return None


def outcome(figure: str, annotations: Sequence[Annotation]) -> Outcome:
    """What follows from the annotations of a figure's legend."""
    recommendations = recommend(figure, annotations)
    if not recommendations:
        return Outcome("none_found", "No vocabulary knows a word of the legend.")
    return Outcome("ready", recommendations=tuple(recommendations))


def recommend(figure: str, annotations: Sequence[Annotation]) -> list[Recommendation]:
    """One recommendation for each concept and assertion, the best score first, then the first mentioned. What several
    ontologies have is one (`equivalents`).

    Concepts without an axis are left out. Each has its first 50 spans; its panels are those that mention it, none (the
    whole figure) as soon as one mention stands outside the panels. Beyond 800 kB in JSON, the weakest are left out.
    """
    mentions: dict[tuple[Axis, Assertion], dict[tuple[str, str], list[Annotation]]] = {}
    for one in annotations:
        if axis := one.concept.axis:
            concept = (one.concept.ontology, one.concept.curie)
            mentions.setdefault((axis, one.assertion), {}).setdefault(concept, []).append(one)
    made = [
        _recommendation(figure, axis, found[first], [found[other][0].concept for other in others])
        for (axis, _), found in mentions.items()
        for first, *others in grouped(found, axis)
    ]
    made.sort(key=lambda one: (-one.score, one.spans[0].start, one.ontology, one.curie))
    size = 0
    for kept, suggestion in enumerate(made):
        size += len(suggestion.model_dump_json().encode()) + 1
        if size > MOST_BYTES:
            return made[:kept]
    return made


def _recommendation(
    figure: str, axis: Axis, mentions: Sequence[Annotation], equivalents: Sequence[Concept]
) -> Recommendation:
    best = max(mentions, key=lambda one: one.score)
    concept = best.concept
    everywhere = any(not one.panels for one in mentions)
    panels = () if everywhere else dict.fromkeys(panel for one in mentions for panel in one.panels)
    return Recommendation(
        id=str(uuid.uuid5(_IDS, "\n".join((figure, concept.ontology, concept.curie, best.assertion)))),
        iri=concept.iri,
        curie=concept.curie,
        label=concept.label,
        ontology=concept.ontology,
        vocabulary_version=concept.version,
        axis=axis,
        assertion=best.assertion,
        panels=list(panels),
        spans=[Span(start=one.start, end=one.end, text=one.text) for one in mentions[:MOST_SPANS]],
        match=best.match,
        score=_combined(mentions),
        why=_why(best) + _found_by(mentions),
        equivalents=[
            Equivalent(iri=other.iri, curie=other.curie, label=other.label, ontology=other.ontology)
            for other in equivalents
        ],
    )


def _combined(mentions: Sequence[Annotation]) -> float:
    """The chance that at least one of the different names is right (noisy or); repeating a name adds nothing."""
    wrong = 1.0
    for score in {(one.name, one.match): one.score for one in mentions}.values():
        wrong *= 1 - score
    return round(min(HIGHEST_SCORE, 1 - wrong), 4)


_SAID = {
    "derived": "an adjective or verb form of",
    "shortened": "short for",
    "reordered": "another word order of",
    "process": "another way to name the process",
    "abbreviated": "a common abbreviation of",
    "convention": "by convention of the corpus",
}


def _found_by(mentions: Sequence[Annotation]) -> str:
    """Who found it, where there are several annotators."""
    names = dict.fromkeys(name for one in mentions for name in one.found_by)
    return f" Found by {' and '.join(names)}." if names else ""


def _why(mention: Annotation) -> str:
    if mention.match == "abbreviation":
        return f'The legend abbreviates "{mention.name}" as "{mention.text}".'
    if mention.rule != "name":
        return f'"{mention.text}" is {_SAID[mention.rule]} "{mention.name}" ({mention.concept.label}).'
    if mention.match == "label":
        return f'"{mention.text}" is the preferred name "{mention.name}".'
    kind = "a synonym" if mention.scope == "SYNONYM" else f"a synonym ({mention.scope.lower()})"
    return f'"{mention.text}" is {kind} of "{mention.concept.label}": "{mention.name}".'
