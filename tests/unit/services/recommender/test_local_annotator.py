"""What the local annotator makes of a text: the longest names, abbreviations, assertions, panels, exact offsets."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.recommender.annotator import Annotation
from services.recommender.local import LocalAnnotator
from services.recommender.profiles import PROFILES
from services.recommender.scoring import weights
from shared.events.legend import Abbreviation, Analysis, Offsets, Panel, Scope
from tests.support.vocabularies import vocabularies

CELLS = [
    ("CL:1", "stem cell", "LABEL"),
    ("CL:2", "embryonic stem cell", "LABEL"),
    ("CL:2", "ESC", "RELATED"),
    ("CL:3", "cell", "LABEL"),
    ("CL:4", "polyp", "EXACT"),
    ("CL:5", "polyp", "BROAD"),
    ("CL:6", "cell culture", "LABEL"),
    ("CL:7", "α-globule", "LABEL"),
    ("CL:7", "globulite", "RELATED"),
]
PARTS = [("GO:1", "cell", "LABEL"), ("GO:2", "escape", "LABEL"), ("GO:3", "ESC complex", "LABEL")]


@pytest.fixture(scope="module")
def annotator() -> LocalAnnotator:
    return LocalAnnotator(vocabularies(CL=CELLS, GO=PARTS), by=weights("stated"))


def analysis(text: str, **found: list[object]) -> Analysis:
    nothing = Offsets.pack([])
    return Analysis(text=text, sentences=nothing, tokens=nothing, **found)  # type: ignore[arg-type]


def annotate(annotator: LocalAnnotator, text: str, **found: list[object]) -> list[Annotation]:
    [annotations] = annotator.annotate([analysis(text, **found)])
    return annotations


def brief(annotations: list[Annotation]) -> list[tuple[str, str, str]]:
    return [(one.text, one.concept.curie, one.match) for one in annotations]


def test_the_longest_name_wins_within_an_ontology_and_others_stay(annotator: LocalAnnotator) -> None:
    assert brief(annotate(annotator, "Embryonic stem cells")) == [
        ("Embryonic stem cells", "CL:2", "label"),
        ("cells", "GO:1", "label"),
    ]


def test_of_overlapping_names_the_longer_wins_even_if_it_comes_later(annotator: LocalAnnotator) -> None:
    found = [one for one in annotate(annotator, "stem cell culture") if one.concept.ontology == "CL"]
    assert brief(found) == [("cell culture", "CL:6", "label")]


def test_of_one_name_the_concept_with_the_better_scope_is_meant(annotator: LocalAnnotator) -> None:
    [found] = annotate(annotator, "a polyp")
    assert (found.concept.curie, found.scope, found.match, found.name) == ("CL:4", "EXACT", "synonym", "polyp")


def test_better_scopes_score_higher(annotator: LocalAnnotator) -> None:
    label, exact, related = annotate(annotator, "α-globule. Polyp. Globulite")
    assert label.score > exact.score > related.score


def test_concepts_that_share_a_name_share_its_score() -> None:
    rows = [("X:1", "islet", "EXACT"), ("X:2", "islet", "EXACT"), ("X:3", "isthmus", "EXACT")]
    one, other, alone = annotate(LocalAnnotator(vocabularies(X=rows), by=weights("stated")), "islet isthmus")
    assert one.score == other.score <= alone.score / 2


def test_an_abbreviation_means_its_long_form_wherever_it_stands(annotator: LocalAnnotator) -> None:
    text = "ESC. Embryonic stem cells (ESC) and two ESCs escape. Wild escape, esc."
    long = Abbreviation(short="ESC", long="Embryonic stem cells", start=5, end=25)
    found = [one for one in annotate(annotator, text, abbreviations=[long]) if one.match == "abbreviation"]
    assert [(one.start, one.text, one.concept.curie) for one in found] == [
        (0, "ESC", "CL:2"),
        (27, "ESC", "CL:2"),
        (40, "ESCs", "CL:2"),
    ]
    assert {one.name for one in found} == {"embryonic stem cell"}


def test_an_abbreviation_loses_its_other_meanings(annotator: LocalAnnotator) -> None:
    text = "escape (ESC), then ESC"
    long = Abbreviation(short="ESC", long="escape", start=0, end=6)
    assert brief(annotate(annotator, text, abbreviations=[long])) == [
        ("escape", "GO:2", "label"),
        ("ESC", "GO:2", "abbreviation"),
        ("ESC", "GO:2", "abbreviation"),
    ]


def test_an_abbreviation_within_a_longer_name_of_its_ontology_yields(annotator: LocalAnnotator) -> None:
    text = "escape (ESC) of the ESC complex"
    long = Abbreviation(short="ESC", long="escape", start=0, end=6)
    found = annotate(annotator, text, abbreviations=[long])
    assert brief(found)[-1] == ("ESC complex", "GO:3", "label")
    assert [one.start for one in found if one.match == "abbreviation"] == [8]


def test_abbreviations_of_unknown_long_forms_change_nothing(annotator: LocalAnnotator) -> None:
    text = "electron spin coupling (ESC)"
    long = Abbreviation(short="ESC", long="electron spin coupling", start=0, end=22)
    assert annotate(annotator, text, abbreviations=[long]) == annotate(annotator, text)


def test_scopes_give_the_assertion_and_absence_prevails(annotator: LocalAnnotator) -> None:
    text = "no polyp, maybe polyp, no possible polyp, polyp"
    scopes = [
        Scope(assertion="absent", start=3, end=8, cue="no"),
        Scope(assertion="uncertain", start=16, end=21, cue="maybe"),
        Scope(assertion="absent", start=26, end=40, cue="no"),
        Scope(assertion="uncertain", start=35, end=40, cue="possible"),
    ]
    found = annotate(annotator, text, scopes=scopes)
    assert [one.assertion for one in found] == ["absent", "uncertain", "absent", "present"]


def test_panels_are_those_whose_description_holds_the_mention(annotator: LocalAnnotator) -> None:
    text = "A polyp. (A, B) A polyp. (B) polyp"
    panels = [Panel(label="A", start=9, end=25), Panel(label="B", start=9, end=25), Panel(label="B", start=25, end=34)]
    assert [one.panels for one in annotate(annotator, text, panels=panels)] == [(), ("A", "B"), ("B",)]


@pytest.mark.parametrize(
    ("text", "name", "found"),
    [
        ("the nuclear rim", "nucleus", "derived"),
        ("embryonic hearts", "embryo heart", "derived"),
        ("photoreceptors", "photoreceptor cell", "shortened"),
        ("horn of the spinal cord", "spinal cord horn", "reordered"),
        ("ES cells", "embryonic stem cell", "abbreviated"),
        ("haematopoiesis", "hematopoiesis", "name"),
    ],
)
def test_a_name_is_found_as_it_is_said_otherwise(text: str, name: str, found: str) -> None:
    annotator = LocalAnnotator(vocabularies(CL=[("CL:1", name, "LABEL")]), by={"bias": 3.0})
    assert [(one.rule, one.name) for one in annotate(annotator, text)] == [(found, name)]


@pytest.mark.parametrize("text", ["Scale bar, 50 um", "scale-bars", "PGC-1 and PGC-1alpha", "original magnification"])
def test_what_belongs_to_the_figure_is_no_name(text: str) -> None:
    names = [("X:1", "scale", "LABEL"), ("X:2", "PGC", "LABEL"), ("X:3", "magnification", "LABEL")]
    assert annotate(LocalAnnotator(vocabularies(X=names), by={"bias": 3.0}), text) == []


def test_a_common_abbreviation_matches_in_its_own_case() -> None:
    annotator = LocalAnnotator(vocabularies(GO=[("GO:1", "endoplasmic reticulum", "LABEL")]), by={"bias": 3.0})
    assert [one.text for one in annotate(annotator, "ER, er, the ER")] == ["ER", "ER"]


def test_profiles_hide_what_is_too_general_and_take_conventions_of_the_corpus() -> None:
    loaded = vocabularies(GO=[("GO:0010467", "gene expression", "LABEL"), ("GO:1", "endosome", "LABEL")])
    text = "gene expression is expressed in the endosome"
    tagging, corpus = (LocalAnnotator(loaded, PROFILES[name], {"bias": 3.0}) for name in ("tagging", "corpus"))
    assert [one.text for one in annotate(tagging, text)] == ["endosome"]
    assert [one.text for one in annotate(corpus, text)] == ["gene expression", "expressed", "endosome"]
    assert tagging.version != corpus.version


def test_the_corpus_may_use_a_name_otherwise_and_only_its_profile_minds() -> None:
    loaded = vocabularies(SO=[("SO:1", "homologous", "LABEL"), ("SO:2", "exon", "LABEL")])
    used = {("SO:1", "homologous "): -6.0}
    tagging, corpus = (LocalAnnotator(loaded, PROFILES[name], {"bias": 3.0}, used) for name in ("tagging", "corpus"))
    assert [one.text for one in annotate(tagging, "Homologous exons")] == ["Homologous", "exons"]
    assert [one.text for one in annotate(corpus, "Homologous exons")] == ["exons"]


def test_the_corpus_has_names_within_words_at_their_places() -> None:
    loaded = vocabularies(GO=[("GO:1", "synaptic", "LABEL"), ("GO:2", "postsynaptic", "LABEL")])
    tagging, corpus = (LocalAnnotator(loaded, PROFILES[name], {"bias": 3.0}) for name in ("tagging", "corpus"))
    text = "monosynaptic and postsynaptic"
    assert [(one.text, one.rule) for one in annotate(tagging, text)] == [("postsynaptic", "name")]
    found = annotate(corpus, text)
    assert [(one.start, one.text, one.rule) for one in found] == [(4, "synaptic", "part"), (17, "postsynaptic", "name")]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("O-acylcarnitine", "acylcarnitine"),
        ("phosphatidyl-L-serine", "phosphatidylserine"),
        ("silver(1+) nitrate", "silver nitrate"),
        ("cadmium dichloride", "cadmium chloride"),
        ("17beta-estradiol", "β-estradiol"),
        ("fluorescein (lactone form)", "fluorescein"),
        ("hexadecanoate", "palmitate"),
    ],
)
def test_prose_leaves_details_of_chemical_names_out(name: str, said: str) -> None:
    annotator = LocalAnnotator(vocabularies(CHEBI=[("CHEBI:1", name, "LABEL")]), by={"bias": 3.0})
    assert [one.text for one in annotate(annotator, f"with {said} and")] == [said]


def test_a_complex_is_called_by_its_parts() -> None:
    annotator = LocalAnnotator(vocabularies(GO=[("GO:1", "SWI/SNF complex", "LABEL")]), by={"bias": 3.0})
    assert [one.text for one in annotate(annotator, "SWI/SNF binds")] == ["SWI/SNF"]


def test_a_batch_gives_each_text_its_own_annotations_in_order(annotator: LocalAnnotator) -> None:
    texts = ["polyp", "", "nothing here", "stem cell"]
    assert [len(found) for found in annotator.annotate([analysis(text) for text in texts])] == [1, 0, 0, 2]


def test_the_version_names_rules_and_vocabularies(annotator: LocalAnnotator) -> None:
    other = LocalAnnotator(vocabularies(CL=CELLS[:1]))
    assert annotator.version.split("+")[0] == other.version.split("+")[0]
    assert annotator.version != other.version


WORDS = st.one_of(
    st.text(max_size=6),
    st.sampled_from(
        ["stem", "cells", "Embryonic", "ESC", "ESCs", "α-globules", "polyp", "cell\u200b", "ce\u00adll", "ＣＥＬＬ"]
    ),
)


@given(st.lists(WORDS, max_size=20).map(" ".join), st.integers(0, 100), st.integers(1, 30))
def test_offsets_are_exact_on_any_text(annotator: LocalAnnotator, text: str, start: int, length: int) -> None:
    start = min(start, len(text))
    end = min(start + length, len(text))
    long = Abbreviation(short="ESC", long=text[start:end], start=start, end=end)
    found = annotate(annotator, text, abbreviations=[long])
    for one in found:
        assert one.text == text[one.start : one.end] != ""
    assert found == sorted(found, key=lambda one: one.start)


@given(st.lists(WORDS, max_size=20).map(" ".join))
def test_of_one_ontology_no_two_mentions_overlap(annotator: LocalAnnotator, text: str) -> None:
    reached: dict[str, int] = {}
    for one in annotate(annotator, text):
        assert one.start >= reached.get(one.concept.ontology, 0)
        reached[one.concept.ontology] = one.end


@pytest.mark.parametrize(
    "unit", ["cell ", "stem cell ", "embryonic stem ", "x" * 50 + " ", "-", "\u0301", "(", "α", "ESC", "a b "]
)
def test_time_is_linear_in_the_text(annotator: LocalAnnotator, unit: str) -> None:
    def seconds(length: int) -> float:
        text = unit * (length // len(unit))
        best = float("inf")
        for _ in range(3):
            start = time.process_time()
            annotate(annotator, text)
            best = min(best, time.process_time() - start)
        return best

    # Eight times the text may take some 8 times as long; quadratic time would be 64 times.
    assert seconds(80_000) < 25 * seconds(10_000) + 0.05


LOBES = [
    ("L:1", "frontal lobe", "LABEL"),
    ("L:2", "temporal lobe", "LABEL"),
    ("L:3", "parietal lobe", "LABEL"),
    ("L:4", "T cell", "LABEL"),
    ("L:5", "B cell", "LABEL"),
    ("L:6", "α-catenin", "LABEL"),
    ("L:7", "β-catenin", "LABEL"),
    ("L:8", "frontal bone", "LABEL"),
]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("The frontal and temporal lobe", {"frontal": "L:1", "temporal lobe": "L:2"}),
        ("frontal, parietal and temporal lobes", {"frontal": "L:1", "parietal": "L:3", "temporal lobes": "L:2"}),
        ("frontal, parietal, or temporal lobe", {"frontal": "L:1", "parietal": "L:3", "temporal lobe": "L:2"}),
        ("T and B cells", {"T": "L:4", "B cells": "L:5"}),
        ("α- and β-catenin", {"α-": "L:6", "β-catenin": "L:7"}),
        ("frontal bone and temporal lobe", {"frontal bone": "L:8", "temporal lobe": "L:2"}),
        ("mice and temporal lobe", {"temporal lobe": "L:2"}),
        ("frontal. And temporal lobe", {"temporal lobe": "L:2"}),
    ],
)
def test_names_that_share_their_end_are_found_where_their_own_word_stands(text: str, found: dict[str, str]) -> None:
    annotations = annotate(LocalAnnotator(vocabularies(L=LOBES), by=weights("stated")), text)
    assert {one.text: one.concept.curie for one in annotations} == found
    assert all(text[one.start : one.end] == one.text for one in annotations)


def test_coordination_takes_time_in_proportion_to_the_text() -> None:
    annotator = LocalAnnotator(vocabularies(L=LOBES), by=weights("stated"))
    hostile = "frontal, " * 2000 + "and temporal lobe " + "and " * 2000 + "a-" * 2000 + " and B cell"
    begun = time.process_time()
    annotate(annotator, hostile)
    once = time.process_time() - begun
    begun = time.process_time()
    annotate(annotator, hostile * 8)
    assert time.process_time() - begun < 8 * 6 * max(once, 0.005)
