"""What several ontologies have is one recommendation; what one ontology tells apart stays two."""

from services.recommender.annotator import Annotation
from services.recommender.recommend import recommend
from shared.vocabulary.artefact import Concept

MESH = Concept("http://x/D007180", "MESH:D007180", "Incisor", "MESH", "2026", "anatomy")
UBERON = Concept("http://x/U_1", "UBERON:1", "incisor tooth", "UBERON", "2026", "anatomy")
SNOMED = Concept("http://x/S", "SNOMEDCT:1", "Incisor tooth structure", "SNOMEDCT", "2026", "anatomy")
OTHER = Concept("http://x/U_2", "UBERON:2", "upper incisor", "UBERON", "2026", "anatomy")
IMAGED = Concept("http://x/N", "NCIT:1", "Incisor View", "NCIT", "2026", "imaging")


def mention(concept: Concept, start: int = 3, scope: str = "EXACT", score: float = 0.8) -> Annotation:
    return Annotation(start, start + 7, "incisor", concept, "synonym", "incisor", scope, score, "present", ())


def test_the_preferred_ontology_stands_for_the_others() -> None:
    [one] = recommend("f", [mention(MESH, scope="LABEL", score=0.9), mention(SNOMED), mention(UBERON)])
    assert one.curie == "SNOMEDCT:1"
    assert [other.curie for other in one.equivalents] == ["UBERON:1", "MESH:D007180"]
    assert one.equivalents[1].label == "Incisor"


def test_concepts_that_one_ontology_tells_apart_stay_apart() -> None:
    made = recommend("f", [mention(MESH), mention(UBERON), mention(OTHER)])
    assert sorted(one.curie for one in made) == ["MESH:D007180", "UBERON:1", "UBERON:2"]


def test_what_is_mentioned_elsewhere_too_or_only_loosely_or_on_another_axis_stays_apart() -> None:
    assert len(recommend("f", [mention(MESH), mention(UBERON), mention(UBERON, start=40)])) == 2
    assert len(recommend("f", [mention(MESH), mention(UBERON, scope="RELATED")])) == 2
    assert len(recommend("f", [mention(MESH), mention(IMAGED)])) == 2


def test_present_and_absent_are_two() -> None:
    absent = mention(UBERON, start=40)._replace(assertion="absent")
    assert len(recommend("f", [mention(MESH), absent])) == 2
