"""What a sender submits over HTTP: rows as in a manifest, with the upload that holds the image."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, get_args

from pydantic import BaseModel, ConfigDict, StringConstraints

from services.ingest.manifest import Problem, Row, check
from services.ingest.model import Figure
from shared.errors import Invalid
from shared.events.legend import LegendKind

SHA256: Final = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class NewFigure:
    """A figure to come in. `upload` is the content hash of its image, null where it has none; `kind` is what its text
    is, if it has one."""

    row: Row
    upload: str | None = None
    kind: LegendKind = "legend"


class Correction(BaseModel):
    """What of a figure can be corrected. Fields that are left out stay as they are; null or "" empties one."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, json_schema_extra={"examples": [{"legend": "(A) MRI of the left hippocampus."}]}
    )

    label: Annotated[str, StringConstraints(max_length=1000)] | None = None
    legend: str | None = None
    legend_kind: LegendKind = "legend"
    language: str | None = None
    external_id: str | None = None
    patient_group: str | None = None
    study_group: str | None = None


def submitted(values: Mapping[str, Any], number: int) -> NewFigure:
    """A row as it was sent. Raises Invalid with the first thing that is wrong with it."""
    row, upload = check(values, number), values.get("upload") or None
    if isinstance(row, list):
        raise refusal(row[0])
    if upload is not None and not (isinstance(upload, str) and SHA256.fullmatch(upload)):
        raise Invalid("That is no upload.", field="upload", remedy="Give what POST /api/v1/uploads answered.")
    if row.file and upload is None:
        raise Invalid(
            "The row names a file, but no upload came with it.",
            field="upload",
            remedy="Upload the file first (POST /api/v1/uploads), or leave the file out.",
        )
    kind: Any = values.get("legend_kind") or "legend"
    if kind not in get_args(LegendKind):
        raise Invalid(
            "That is no kind of legend.", field="legend_kind", remedy=f"One of: {', '.join(get_args(LegendKind))}."
        )
    if kind == "none" and row.legend:
        raise Invalid("There is a legend.", field="legend_kind", remedy="Leave legend_kind out, or the legend.")
    return NewFigure(row, upload, kind)


def corrected(figure: Figure, correction: Correction) -> dict[str, Any]:
    """The figure's fields that the correction changes, checked by the rules for new figures. Raises Invalid."""
    given = correction.model_dump(include=correction.model_fields_set)
    values = {
        "doi": figure.article.doi,
        "collection": figure.article.collection,
        "file": figure.held.file if figure.held else "",
        **{name: getattr(figure, name) for name in Correction.model_fields if name != "legend_kind"},
        **given,
    }
    row = check(values, 1)
    if isinstance(row, list):
        raise refusal(row[0])
    changes = {name: getattr(row, name) for name in given if name != "legend_kind"}
    kind = given.get("legend_kind", figure.legend_kind if figure.legend else "legend")
    return {**changes, "legend_kind": kind if row.legend else "none"}


def refusal(problem: Problem) -> Invalid:
    """The problem of a row as an error."""
    return Invalid(problem.message, field=problem.column, remedy=problem.remedy)
