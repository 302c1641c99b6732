"""What a sender submits over HTTP, checked before anything is stored."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.model import Figure
from services.ingest.submission import Correction, corrected, submitted
from shared.errors import Invalid
from shared.events.image import Article

NOW = datetime(2026, 1, 2, tzinfo=UTC)
FIGURE = Figure(
    id="f1",
    project="default",
    key="k",
    article=Article(id="a1", collection="Atlas"),
    label="Figure 1",
    legend="A femur.",
    language="en",
    actor="root",
    created_at=NOW,
    updated_at=NOW,
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda inner: st.lists(inner, max_size=3)
)


def test_a_row_is_submitted_with_its_upload_and_kind() -> None:
    new = submitted({"collection": "c", "file": "a.png", "upload": "a" * 64, "legend": "x", "legend_kind": "report"}, 3)
    assert (new.row.number, new.row.file, new.upload, new.kind) == (3, "a.png", "a" * 64, "report")


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"collection": "c", "file": "a.png"}, "upload"),
        ({"collection": "c", "file": "a.png", "upload": "A" * 64}, "upload"),
        ({"collection": "c", "file": "a.png", "upload": 7}, "upload"),
        ({"collection": "c", "legend": "x", "legend_kind": "poem"}, "legend_kind"),
        ({"collection": "c", "legend": "x", "legend_kind": ["report"]}, "legend_kind"),
        ({"collection": "c", "legend": "x", "legend_kind": "none"}, "legend_kind"),
        ({"doi": "10.x", "legend": "x"}, "doi"),
        ({"collection": "c", "legend": "x", "year": "soon"}, "year"),
    ],
)
def test_what_is_wrong_with_a_row_is_named_with_a_remedy(values: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        submitted(values, 1)
    assert (refused.value.field, bool(refused.value.remedy)) == (field, True)


@given(st.dictionaries(st.sampled_from(["doi", "collection", "file", "upload", "legend", "legend_kind", "year"]), JSON))
def test_a_hostile_row_is_submitted_or_refused_and_nothing_else(values: dict[str, Any]) -> None:
    with suppress(Invalid):
        new = submitted(values, 1)
        assert new.row.file == "" or new.upload is not None


def test_a_correction_changes_what_it_names() -> None:
    assert corrected(FIGURE, Correction(legend=" A tibia. ")) == {"legend": "A tibia.", "legend_kind": "legend"}
    assert corrected(FIGURE, Correction(language=None))["language"] is None
    assert corrected(FIGURE, Correction(legend_kind="report"))["legend_kind"] == "report"


def test_a_legend_taken_away_is_of_no_kind() -> None:
    with pytest.raises(Invalid):  # it has no image either
        corrected(FIGURE, Correction(legend=""))


@given(st.text())
def test_a_correction_of_anything_is_made_or_refused(legend: str) -> None:
    with suppress(Invalid):
        changes = corrected(FIGURE, Correction(legend=legend))
        assert changes["legend"].strip() == changes["legend"] != ""
