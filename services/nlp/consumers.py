"""The event door: image.uploaded in, legend.tokenized out."""

from collections.abc import Sequence

from services.nlp.analysis import Text, analyses
from shared.events.envelope import event_id
from shared.events.image import ImageUploaded
from shared.events.legend import LegendTokenized

# Raise it when the rules change: what they find is then a new event, not a repetition of the old.
ARTEFACT_VERSION = "1"


def tokenize(events: Sequence[ImageUploaded]) -> list[LegendTokenized]:
    """One event for each, in order. The same cause always gives the same event, id and time included."""
    found = analyses([Text(cause.legend, cause.legend_kind, cause.language) for cause in events])
    return [
        LegendTokenized(
            id=event_id(LegendTokenized.source, LegendTokenized.type(), cause.id, cause.figure, ARTEFACT_VERSION),
            time=cause.time,
            traceparent=cause.traceparent,
            project=cause.project,
            actor=cause.actor,
            figure=cause.figure,
            revision=cause.revision,
            analysis=analysis,
            technical=cause.technical,
        )
        for cause, analysis in zip(events, found, strict=True)
    ]
