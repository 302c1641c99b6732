"""The event door: legend.tokenized in, recommendations.ready out."""

from collections.abc import Mapping
from dataclasses import dataclass

from services.recommender.recommend import Outcome
from shared.events.envelope import event_id
from shared.events.legend import LegendTokenized
from shared.events.recommendation import RecommendationsReady


@dataclass(frozen=True, slots=True)
class Maker:
    """What made the recommendations: see `model.Generation`."""

    generation: int
    annotator: str
    vocabularies: Mapping[str, str]


def ready(cause: LegendTokenized, outcome: Outcome, maker: Maker) -> RecommendationsReady:
    """The event that says how it went. The same cause and maker always give the same event, id and time included."""
    return RecommendationsReady(
        id=event_id(
            RecommendationsReady.source,
            RecommendationsReady.type(),
            cause.id,
            cause.figure,
            maker.generation,
            maker.annotator,
        ),
        time=cause.time,
        traceparent=cause.traceparent,
        project=cause.project,
        actor=cause.actor,
        figure=cause.figure,
        revision=cause.revision,
        generation=maker.generation,
        state=outcome.state,
        reason=outcome.reason,
        annotator=maker.annotator,
        vocabularies=dict(maker.vocabularies),
        recommendations=list(outcome.recommendations),
    )
