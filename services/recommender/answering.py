"""What is said of a batch of legends: refusals, recommendations, failures that stay with the text that caused them."""

from collections.abc import Sequence
from typing import Final

import structlog

from services.recommender.annotator import Annotation, Annotator
from services.recommender.metadata import TechnicalTags
from services.recommender.recalibration import Recalibration
from services.recommender.recommend import Outcome, outcome, refusal, without_legend
from shared.errors import TransientError
from shared.events.legend import LegendTokenized

FAILED: Final = Outcome("failed", "The annotator failed on this legend; the server's log says where.")

log = structlog.get_logger()


def outcomes(
    annotator: Annotator, tags: TechnicalTags, causes: Sequence[LegendTokenized], scores: Recalibration | None = None
) -> list[Outcome]:
    """One for each, in order. `scores`: what reviews taught of them. Raises TransientError where the annotator may
    succeed later."""
    said = [refusal(cause.analysis) for cause in causes]
    asked = [cause for cause, refused in zip(causes, said, strict=True) if refused is None]
    annotated = iter(zip(asked, _annotated(annotator, asked), strict=True))
    return [
        _outcome(cause, None, tags, refused, scores) if refused else _outcome(*next(annotated), tags, FAILED, scores)
        for cause, refused in zip(causes, said, strict=True)
    ]


def _outcome(
    cause: LegendTokenized,
    annotations: list[Annotation] | None,
    tags: TechnicalTags,
    otherwise: Outcome,
    scores: Recalibration | None,
) -> Outcome:
    proposals = tags.proposals(cause.technical)
    if annotations is None:
        return without_legend(cause.figure, otherwise, proposals, scores)
    return outcome(cause.figure, annotations, proposals, scores)


def _annotated(annotator: Annotator, causes: Sequence[LegendTokenized]) -> list[list[Annotation] | None]:
    """The annotations of each text; null for one that the annotator cannot take. The others do not suffer from it."""
    try:
        return list(annotator.annotate([cause.analysis for cause in causes]))
    except TransientError:
        raise
    except Exception:
        if len(causes) == 1:
            log.exception("annotator failed", figure=causes[0].figure, annotator=annotator.version)
            return [None]
    return [found for cause in causes for found in _annotated(annotator, [cause])]
