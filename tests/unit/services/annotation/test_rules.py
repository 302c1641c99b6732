from services.annotation.model import Rules
from services.annotation.rules import ordered
from shared.events.recommendation import Axis, Recommendation


def item(curie: str, axis: Axis) -> Recommendation:
    return Recommendation(
        id=curie,
        iri=None,
        curie=curie,
        label=curie,
        ontology=curie.partition(":")[0],
        axis=axis,
        vocabulary_version="1",
        match="label",
        score=0.5,
    )


def test_preferred_ontologies_come_first_within_their_axis_and_axes_not_in_use_go() -> None:
    items = [item("MESH:1", "disease"), item("GO:1", "genetics"), item("NCIT:1", "disease"), item("MONDO:1", "disease")]
    rules = Rules(id="p", axes=("disease", "genetics"), preferred={"disease": ("MONDO", "NCIT")})
    assert [one.curie for one in ordered(rules, items)] == ["MONDO:1", "GO:1", "NCIT:1", "MESH:1"]
    assert [one.curie for one in ordered(Rules(id="p", axes=("genetics",)), items)] == ["GO:1"]
    assert ordered(Rules(id="p"), items) == items
