"""Technical tags propose concepts: alone, beside a legend, and of terms that ingest keeps."""

import pytest

from services.ingest.dicom_terms import BODY_PARTS, MODALITIES
from services.nlp.analysis import analyse
from services.recommender.answering import outcomes
from services.recommender.local import LocalAnnotator
from services.recommender.metadata import SCORES, TechnicalTags, terms
from services.recommender.recommend import Outcome
from shared.clock import now
from shared.events.legend import LegendKind, LegendTokenized
from tests.support.vocabularies import vocabularies

VOCABULARIES = vocabularies(
    MESH=[("MESH:D014463", "Ultrasonography", "LABEL", "imaging")],
    UBERON=[("UBERON:0002107", "liver", "LABEL", "anatomy"), ("UBERON:0000955", "brain", "LABEL", "anatomy")],
)
TAGS = {"Modality": "US", "BodyPartExamined": "LIVER", "Rows": "480"}


def said(legend: str, technical: dict[str, str], kind: LegendKind = "legend") -> Outcome:
    cause = LegendTokenized(
        time=now(),
        project="p",
        actor="a",
        figure="f",
        revision=1,
        analysis=analyse(legend, kind=kind),
        technical=technical,
    )
    [outcome] = outcomes(LocalAnnotator(VOCABULARIES), TechnicalTags(VOCABULARIES), [cause])
    return outcome


def test_a_figure_without_a_legend_has_a_start() -> None:
    outcome = said("", TAGS, kind="none")
    assert (outcome.state, outcome.reason) == ("ready", "")
    found = {one.label: one for one in outcome.recommendations}
    assert {name: (one.axis, one.match, one.score, one.spans) for name, one in found.items()} == {
        "Ultrasonography": ("imaging", "metadata", SCORES["Modality"], []),
        "liver": ("anatomy", "metadata", SCORES["BodyPartExamined"], []),
    }
    assert found["liver"].why == "The file's technical tags say so (BodyPartExamined: LIVER)."


@pytest.mark.parametrize("technical", [{}, {"Modality": "QQ"}, {"Rows": "480"}, {"Modality": "CT"}])
def test_tags_that_say_nothing_here_leave_the_figure_without(technical: dict[str, str]) -> None:
    assert said("", technical, kind="none").state == "no_text"


def test_what_legend_and_tags_both_say_is_one_recommendation_with_both_reasons() -> None:
    [liver] = [one for one in said("(A) The liver. (B) A scan.", TAGS).recommendations if one.label == "liver"]
    [alone] = [one for one in said("(A) The liver. (B) A scan.", {}).recommendations if one.label == "liver"]
    assert (liver.id, liver.match, liver.spans, liver.panels) == (alone.id, "label", alone.spans, ["A"])
    assert liver.score > alone.score
    assert liver.why == f"{alone.why} The file's technical tags say so (BodyPartExamined: LIVER)."


def test_tags_add_to_a_legend_in_which_nothing_was_found() -> None:
    assert said("Nothing of note.", TAGS).state == "ready"
    assert said("Nothing of note.", {}).state == "none_found"


def test_a_legend_that_is_not_read_is_told_of_beside_what_the_tags_propose() -> None:
    outcome = said(
        "Die Leber wird in dieser Abbildung mit Ultraschall gezeigt, und das Gehirn ist nicht zu sehen.", TAGS
    )
    assert outcome.state == "language_unsupported"
    assert outcome.reason
    assert len(outcome.recommendations) == 2


def test_every_term_of_the_table_is_one_that_ingest_keeps() -> None:
    kept = {"Modality": MODALITIES, "BodyPartExamined": BODY_PARTS}
    assert [term for term in terms() if term.value not in kept[term.tag]] == []
    assert len(set(terms())) == len(terms())
