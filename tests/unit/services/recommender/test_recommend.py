"""From annotations to recommendations: grouped, bounded, with the state that says how it went."""

from dataclasses import replace

import pytest

from services.recommender.annotator import Annotation
from services.recommender.recommend import MOST_BYTES, MOST_SPANS, outcome, recommend, refusal
from shared.events.legend import Analysis, LegendKind, Offsets
from shared.vocabulary.artefact import Concept

NEURON = Concept("http://x/CL_1", "CL:1", "neuron", "CL", "2026", "anatomy")
MENTION = Annotation(3, 10, "neurons", NEURON, "label", "neuron", "LABEL", 0.95, "present", ())


def analysis(text: str, kind: LegendKind = "legend", language: str | None = "en") -> Analysis:
    nothing = Offsets.pack([])
    return Analysis(text=text, kind=kind, language=language, sentences=nothing, tokens=nothing)


def test_mentions_of_one_concept_are_one_recommendation_with_their_spans() -> None:
    [made] = recommend("f", [MENTION, MENTION._replace(start=20, end=26, text="neuron")])
    assert [(span.start, span.end, span.text) for span in made.spans] == [(3, 10, "neurons"), (20, 26, "neuron")]
    assert (made.iri, made.curie, made.label, made.ontology) == ("http://x/CL_1", "CL:1", "neuron", "CL")
    assert (made.axis, made.match, made.vocabulary_version) == ("anatomy", "label", "2026")
    assert made.why == '"neurons" is the preferred name "neuron".'


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ("derived", '"neuronal" is an adjective or verb form of "neuron" (neuron).'),
        ("abbreviated", '"neuronal" is a common abbreviation of "neuron" (neuron).'),
    ],
)
def test_why_says_by_which_rule_a_name_was_found(rule: str, why: str) -> None:
    [made] = recommend("f", [MENTION._replace(text="neuronal", match="synonym", rule=rule)])
    assert made.why == why


def test_one_concept_present_and_absent_is_two_recommendations() -> None:
    made = recommend("f", [MENTION, MENTION._replace(assertion="absent")])
    assert sorted(one.assertion for one in made) == ["absent", "present"]
    assert len({one.id for one in made}) == 2


def test_ids_depend_on_figure_concept_and_assertion_alone() -> None:
    [one] = recommend("f", [MENTION])
    [moved] = recommend("f", [MENTION._replace(start=90, end=97, score=0.5)])
    [elsewhere] = recommend("g", [MENTION])
    assert one.id == moved.id != elsewhere.id


def test_different_names_add_up_and_repetition_does_not() -> None:
    [once] = recommend("f", [MENTION._replace(score=0.8)])
    [twice] = recommend("f", [MENTION._replace(score=0.8)] * 2)
    [both] = recommend("f", [MENTION._replace(score=0.8), MENTION._replace(name="nerve cell", score=0.5)])
    assert once.score == twice.score == 0.8
    assert both.score == pytest.approx(0.9)


def test_the_best_come_first_then_the_first_mentioned() -> None:
    weak = MENTION._replace(start=0, end=2, concept=replace(NEURON, curie="CL:2"), score=0.5)
    late = MENTION._replace(start=50, end=57, concept=replace(NEURON, curie="CL:3"))
    assert [one.curie for one in recommend("f", [weak, late, MENTION])] == ["CL:1", "CL:3", "CL:2"]


def test_panels_are_collected_until_a_mention_concerns_the_whole_figure() -> None:
    in_panels = [MENTION._replace(panels=("B",)), MENTION._replace(panels=("A", "B"))]
    [made] = recommend("f", in_panels)
    assert made.panels == ["B", "A"]
    [whole] = recommend("f", [*in_panels, MENTION])
    assert whole.panels == []


def test_concepts_without_an_axis_are_left_out() -> None:
    assert recommend("f", [MENTION._replace(concept=replace(NEURON, axis=None))]) == []


def test_spans_and_size_are_bounded_and_the_weakest_go() -> None:
    [made] = recommend("f", [MENTION._replace(start=i, end=i + 1, text="x") for i in range(MOST_SPANS + 1)])
    assert len(made.spans) == MOST_SPANS
    many = [
        MENTION._replace(concept=replace(NEURON, curie=f"CL:{i}", label="x" * 3_000), score=i / 2_000)
        for i in range(1_000)
    ]
    kept = recommend("f", many)
    assert sum(len(one.model_dump_json().encode()) for one in kept) <= MOST_BYTES
    assert 100 < len(kept) < 1_000
    assert kept[0].curie == "CL:999"


@pytest.mark.parametrize(
    ("given", "state"),
    [
        (analysis(""), "no_text"),
        (analysis(" \n"), "no_text"),
        (analysis("Neurons", kind="none"), "no_text"),
        (analysis("Nervenzellen", language="de"), "language_unsupported"),
    ],
)
def test_refuses_what_it_cannot_annotate(given: Analysis, state: str) -> None:
    refused = refusal(given)
    assert refused is not None
    assert (refused.state, refused.recommendations) == (state, ())
    assert refused.reason


@pytest.mark.parametrize("language", ["en", "EN-gb", None])
def test_english_and_what_may_be_is_annotated(language: str | None) -> None:
    assert refusal(analysis("Neurons", language=language)) is None


def test_the_state_tells_whether_there_is_something_to_recommend() -> None:
    assert outcome("f", []).state == "none_found"
    ready = outcome("f", [MENTION])
    assert (ready.state, len(ready.recommendations)) == ("ready", 1)
