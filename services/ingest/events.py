"""The events that a figure's changes cause."""

from services.ingest.model import Figure
from shared.clock import now
from shared.events.image import ImageDeleted, ImageUploaded


def uploaded(figure: Figure, *, revision: int) -> ImageUploaded:
    """The figure's whole state as of `revision`."""
    return ImageUploaded(
        time=figure.updated_at,
        project=figure.project,
        actor=figure.actor,
        figure=figure.id,
        revision=revision,
        article=figure.article,
        label=figure.label,
        legend=figure.legend,
        legend_kind=figure.legend_kind,
        language=figure.language,
        picture=figure.picture,
        withheld=figure.quarantine is not None and figure.picture is None,
        technical=figure.technical,
        external_id=figure.external_id,
        patient_group=figure.patient_group,
        study_group=figure.study_group,
    )


def deleted(figure: str, *, project: str, actor: str, revision: int) -> ImageDeleted:
    return ImageDeleted(time=now(), project=project, actor=actor, figure=figure, revision=revision)
