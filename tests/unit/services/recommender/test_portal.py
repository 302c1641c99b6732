"""What BioPortal's clients are answered."""

from typing import Any

import pytest

from services.recommender import portal
from services.recommender.literal import LiteralNames
from services.recommender.portal import MOST_TEXT, annotate, search
from shared.errors import Invalid, NotFound, TooLarge
from shared.vocabulary.artefact import Vocabularies
from shared.vocabulary.compile import compile_sources
from tests.support.vocabularies import source, vocabularies

BASE = "http://tags.example"
WORDS = Vocabularies(
    compile_sources(
        [
            source(
                "GO",
                [
                    ("GO:1", "cell part", "LABEL"),
                    ("GO:2", "nucleus", "LABEL"),
                    ("GO:2", "cell nucleus", "EXACT"),
                    ("GO:3", "part", "LABEL"),
                    ("GO:4", "1234", "LABEL"),
                    ("GO:5", "nucleus lumen", "LABEL"),
                ],
                parents=[("GO:2", "GO:1"), ("GO:1", "GO:3"), ("GO:5", "GO:2")],
            ),
            source("MONDO", [("MONDO:1", "nucleus", "LABEL")]),
        ]
    )
)
NAMES = LiteralNames(WORDS)


def asked(text: str, **parameters: str) -> list[dict[str, Any]]:
    return annotate(WORDS, NAMES, {"text": text, **parameters}, BASE)


def mentions(text: str, **parameters: str) -> dict[str, list[tuple[int, int, str, str]]]:
    return {
        one["annotatedClass"]["@id"]: [(m["from"], m["to"], m["matchType"], m["text"]) for m in one["annotations"]]
        for one in asked(text, **parameters)
    }


def test_an_answer_has_bioportals_shape() -> None:
    (one,) = asked("A nucleus", ontologies="GO", include="prefLabel,semanticType,synonym")
    assert one == {
        "annotatedClass": {
            "prefLabel": "nucleus",
            "semanticType": [],
            "synonym": ["cell nucleus"],
            "@id": "http://purl.obolibrary.org/obo/GO_2",
            "@type": "http://www.w3.org/2002/07/owl#Class",
            "links": {
                "self": f"{BASE}/api/v1/concepts/GO%3A2?ontology=GO",
                "ontology": f"{BASE}/ontologies/GO",
            },
        },
        "hierarchy": [],
        "annotations": [{"from": 3, "to": 9, "matchType": "PREF", "text": "NUCLEUS"}],
        "mappings": [],
    }


def test_without_include_a_class_has_no_label() -> None:
    assert "prefLabel" not in asked("nucleus")[0]["annotatedClass"]


def test_longest_only_drops_what_lies_within_and_keeps_equal_places() -> None:
    every = mentions("cell nucleus lumen")
    assert every["http://purl.obolibrary.org/obo/GO_2"] == [
        (1, 12, "SYN", "CELL NUCLEUS"),
        (6, 12, "PREF", "NUCLEUS"),
    ]
    longest = mentions("cell nucleus lumen", longest_only="true")
    assert longest == {
        "http://purl.obolibrary.org/obo/GO_2": [(1, 12, "SYN", "CELL NUCLEUS")],
        "http://purl.obolibrary.org/obo/GO_5": [(6, 18, "PREF", "NUCLEUS LUMEN")],
    }
    assert len(mentions("nucleus", longest_only="true")) == 2


@pytest.mark.parametrize(
    ("parameters", "found"),
    [
        ({}, {"GO_1", "GO_2", "GO_3", "GO_4"}),
        ({"exclude_numbers": "true"}, {"GO_1", "GO_2", "GO_3"}),
        ({"exclude_numbers": "True"}, {"GO_1", "GO_2", "GO_3", "GO_4"}),
        ({"minimum_match_length": "5"}, {"GO_1", "GO_2"}),
        ({"stop_words": "nucleus, Part"}, {"GO_1", "GO_4"}),
        ({"semantic_types": "T044"}, {"GO_1", "GO_2", "GO_3", "GO_4"}),
        ({"semantic_types": "T023"}, set()),
        ({"ontologies": f"{BASE}/ontologies/GO"}, {"GO_1", "GO_2", "GO_3", "GO_4"}),
    ],
)
def test_parameters_narrow(parameters: dict[str, str], found: set[str]) -> None:
    said = mentions("1234 cell part nucleus", **({"ontologies": "GO"} | parameters))
    assert {iri.rpartition("/")[2] for iri in said} == found


def test_synonyms_and_parts_of_words_by_parameter() -> None:
    preferred = mentions("cell nucleus", ontologies="GO", exclude_synonyms="true")
    assert preferred == {"http://purl.obolibrary.org/obo/GO_2": [(6, 12, "PREF", "NUCLEUS")]}
    assert mentions("micronucleus", ontologies="GO") == {}
    assert mentions("micronucleus", ontologies="GO", whole_word_only="false") != {}


def test_function_words_are_left_out_unless_the_client_names_its_own() -> None:
    words = vocabularies(MONDO=[("MONDO:2", "AND", "LABEL")])
    names = LiteralNames(words)
    assert annotate(words, names, {"text": "this and that"}, BASE) == []
    assert len(annotate(words, names, {"text": "this and that", "stop_words": ""}, BASE)) == 1
    assert len(annotate(words, names, {"text": "this and that", "stop_words": "other"}, BASE)) == 1


def test_an_answer_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portal, "MOST_MENTIONS", 9)
    assert len(mentions("1234 " * 9, ontologies="GO")["http://purl.obolibrary.org/obo/GO_4"]) == 9
    with pytest.raises(TooLarge):
        asked("1234 " * 10, ontologies="GO")
    monkeypatch.setattr(portal, "MOST_CLASSES", 2)
    assert len(asked("1234 part")) == 2
    with pytest.raises(TooLarge):
        asked("1234 part nucleus")
    with pytest.raises(TooLarge):
        asked("nucleus lumen", longest_only="true", expand_class_hierarchy="true")


def test_ancestors_come_with_their_distance() -> None:
    def distances(**parameters: str) -> list[tuple[str, int]]:
        (one,) = asked("nucleus lumen", ontologies="GO", longest_only="true", **parameters)
        return [(each["annotatedClass"]["@id"][-1], each["distance"]) for each in one["hierarchy"]]

    assert distances() == []
    assert distances(expand_class_hierarchy="true") == [("2", 1), ("1", 2), ("3", 3)]
    assert distances(expand_class_hierarchy="true", class_hierarchy_max_level="1") == [("2", 1)]


@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        ({"text": ""}, Invalid),
        ({"text": " \n"}, Invalid),
        ({"text": "a" * (MOST_TEXT + 1)}, TooLarge),
        ({"text": "a", "ontologies": "GO,NOPE"}, NotFound),
        ({"text": "a", "include": "prefLabel,everything"}, Invalid),
        ({"text": "a", "minimum_match_length": "many"}, Invalid),
        ({"text": "a", "class_hierarchy_max_level": "9999"}, Invalid),
    ],
)
def test_bad_parameters_are_refused(parameters: dict[str, str], error: type[Exception]) -> None:
    with pytest.raises(error):
        annotate(WORDS, NAMES, parameters, BASE)


def test_search_pages_through_classes_whose_names_fit() -> None:
    first = search(WORDS, {"q": "nucleus", "pagesize": "2"}, BASE)
    assert (first["totalCount"], first["pageCount"], first["nextPage"], first["prevPage"]) == (3, 2, 2, None)
    assert first["links"]["nextPage"] == f"{BASE}/search?q=nucleus&pagesize=2&page=2"
    assert {one["prefLabel"] for one in first["collection"]} == {"nucleus"}
    second = search(WORDS, {"q": "nucleus", "pagesize": "2", "page": "2"}, BASE)
    assert [(one["prefLabel"], one["matchType"]) for one in second["collection"]] == [("nucleus lumen", "prefLabel")]
    assert (second["nextPage"], second["prevPage"]) == (None, 1)
    exact = search(WORDS, {"q": "Cell Nucleus", "require_exact_match": "true", "ontologies": "GO"}, BASE)
    assert [(one["@id"][-4:], one["matchType"]) for one in exact["collection"]] == [("GO_2", "synonym")]
    with pytest.raises(Invalid):
        search(WORDS, {"q": "x", "pagesize": "0"}, BASE)
    with pytest.raises(Invalid):
        search(WORDS, {}, BASE)
