"""From the annotations of a legend to what is suggested for its figure, and the state that says how it went."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.recommender.annotator import Annotation
from services.recommender.equivalents import grouped
from services.recommender.recalibration import Recalibration
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


def outcome(
    figure: str,
    annotations: Sequence[Annotation],
    proposals: Sequence[Annotation] = (),
    scores: Recalibration | None = None,
) -> Outcome:
    """What follows from the annotations of a figure's legend, and what its technical tags propose, with its project's
    `scores`."""
    recommendations = recommend(figure, [*annotations, *proposals], scores)
    if not recommendations:
        return Outcome("none_found", "No vocabulary knows a word of the legend.")
    return Outcome("ready", recommendations=tuple(recommendations))


def without_legend(
    figure: str, outcome: Outcome, proposals: Sequence[Annotation], scores: Recalibration | None = None
) -> Outcome:
    """What is said of a figure whose legend was not annotated, with what its technical tags propose. With proposals, a
    missing legend is nothing to be told of; what could not be read is."""
    recommendations = tuple(recommend(figure, proposals, scores))
    if recommendations and outcome.state == "no_text":
        return Outcome("ready", recommendations=recommendations)
    return Outcome(outcome.state, outcome.reason, recommendations)


def recommend(
    figure: str, annotations: Sequence[Annotation], scores: Recalibration | None = None
) -> list[Recommendation]:
    """One recommendation for each concept and assertion, the best score first, then the first mentioned. What several
    ontologies have is one (`equivalents`).

    Concepts without an axis are left out. Each has its first 50 spans; its panels are those that mention it, none (the
    whole figure) as soon as one mention stands outside the panels. A technical tag adds to what the legend mentions, or
    stands alone, without spans. Beyond 800 kB in JSON, the weakest are left out.
    """
    mentions: dict[tuple[Axis, Assertion], dict[tuple[str, str], list[Annotation]]] = {}
    for one in annotations:
        if axis := one.concept.axis:
            concept = (one.concept.ontology, one.concept.curie)
            mentions.setdefault((axis, one.assertion), {}).setdefault(concept, []).append(one)
    made = [
        _recommendation(figure, axis, _with_tags(found, first, others), [found[other][0].concept for other in others])
        for (axis, _), found in mentions.items()
        for first, *others in grouped(found, axis)
    ]
    if scores is not None:
        made = [
            one.model_copy(update={"score": scores.of(one.axis, one.score), "model_score": one.score}) for one in made
        ]
    made.sort(key=lambda one: (-one.score, one.spans[0].start if one.spans else 0, one.ontology, one.curie))
    size = 0
    for kept, suggestion in enumerate(made):
        size += len(suggestion.model_dump_json().encode()) + 1
        if size > MOST_BYTES:
            return made[:kept]
    return made


def _with_tags(
    found: Mapping[tuple[str, str], Sequence[Annotation]], first: tuple[str, str], others: Sequence[tuple[str, str]]
) -> list[Annotation]:
    """The annotations of one concept, and what technical tags say of its equivalents."""
    return [*found[first], *(one for other in others for one in found[other] if one.match == "metadata")]


def _recommendation(
    figure: str, axis: Axis, mentions: Sequence[Annotation], equivalents: Sequence[Concept]
) -> Recommendation:
    said = [one for one in mentions if one.match != "metadata"]
    best = max(said or mentions, key=lambda one: one.score)
    concept = best.concept
    everywhere = any(not one.panels for one in said)
    panels = () if everywhere else dict.fromkeys(panel for one in said for panel in one.panels)
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
        spans=[Span(start=one.start, end=one.end, text=one.text) for one in said[:MOST_SPANS]],
        match=best.match,
        score=_combined(mentions),
        why=" ".join(filter(None, (_why(best) if said else "", _tagged(mentions), _found_by(mentions)))),
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
    "part": "part of a longer word and stands for",
}


def _found_by(mentions: Sequence[Annotation]) -> str:
    """Who found it, where there are several annotators."""
    names = dict.fromkeys(name for one in mentions for name in one.found_by)
    return f"Found by {' and '.join(names)}." if names else ""


def _tagged(mentions: Sequence[Annotation]) -> str:
    """The technical tags that say so."""
    names = dict.fromkeys(one.name for one in mentions if one.match == "metadata")
    return f"The file's technical tags say so ({', '.join(names)})." if names else ""


def _why(mention: Annotation) -> str:
    if mention.because:
        return mention.because
    if mention.match == "abbreviation":
        return f'The legend abbreviates "{mention.name}" as "{mention.text}".'
    if mention.rule == "coordinated":
        return f'"{mention.text}" shares its end with the next name: "{mention.name}" ({mention.concept.label}).'
    if mention.rule != "name":
        return f'"{mention.text}" is {_SAID[mention.rule]} "{mention.name}" ({mention.concept.label}).'
    if mention.match == "label":
        return f'"{mention.text}" is the preferred name "{mention.name}".'
    kind = "a synonym" if mention.scope == "SYNONYM" else f"a synonym ({mention.scope.lower()})"
    return f'"{mention.text}" is {kind} of "{mention.concept.label}": "{mention.name}".'
