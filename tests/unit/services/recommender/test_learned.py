"""What reviews teach: enough figures, articles and people make an item; order, repetition and erasure do not matter."""

import random
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.recommender import learned
from services.recommender.learned import Thresholds
from services.recommender.model import LearnedName
from shared.events.recommendation import Span
from shared.events.review import Decision, ReviewDone
from tests.support.builders import review_done, tag

LEAST = Thresholds()


def accepted(figure: str, article: str, person: str, said: str = "grey stuff", **fields: Any) -> ReviewDone:
    spans = [Span(start=0, end=len(said), text=said)]
    given_tag = tag(spans=spans, annotator=person, **fields)
    return review_done(figure=figure, review=figure, article=article, tags=[given_tag], decisions=[])


def rejected(figure: str, article: str, person: str, said: str = "grey stuff", **fields: Any) -> ReviewDone:
    one = tag()
    decision = Decision(
        kind="reject",
        key=one.key,
        axis=one.axis,
        curie=one.curie,
        label=one.label,
        names=[said],
        annotator=person,
        decided_at=one.decided_at,
        **{"reason": "wrong_meaning", **fields},
    )
    return review_done(figure=figure, review=figure, article=article, tags=[], decisions=[decision])


def item(events: Sequence[ReviewDone]) -> LearnedName | None:
    """The one name that they speak of."""
    made: LearnedName | None = None
    for event in events:
        for id, lesson in learned.lessons(event).items():
            made = learned.taught(made or learned.blank(event.project, id, lesson), event.figure, lesson, event.article)
    return made


ENOUGH = [accepted("f1", "a1", "ada"), accepted("f2", "a1", "bob"), accepted("f3", "a2", "ada")]


def in_force(events: Sequence[ReviewDone], *, known: bool = False) -> str | None:
    made = item(events)
    return made and learned.force(made, LEAST, known=known)


def test_a_name_that_enough_people_gave_is_a_synonym_unless_a_vocabulary_has_it() -> None:
    assert in_force(ENOUGH) == "synonym"
    assert in_force(ENOUGH, known=True) is None


@pytest.mark.parametrize(
    "events",
    [
        ENOUGH[:2],
        [accepted(f"f{n}", "a1", person) for n, person in enumerate(("ada", "bob", "ada"))],
        [accepted(f"f{n}", f"a{n}", "ada") for n in range(9)],
        [accepted("f1", "a1", "ada")] * 9,
    ],
    ids=["two figures", "one article", "one person", "one figure again and again"],
)
def test_one_person_or_article_or_few_figures_teach_nothing(events: list[ReviewDone]) -> None:
    assert in_force(events) is None


def test_a_meaning_that_enough_people_rejected_is_suppressed_unless_others_accept_it() -> None:
    no = [rejected(f"f{n}", f"a{n % 2}", person) for n, person in enumerate(("ada", "bob", "ada"))]
    assert in_force(no, known=True) == "suppressed"
    assert in_force([*no, accepted("g1", "a3", "eve")], known=True) == "suppressed"
    assert in_force([*no, accepted("g1", "a3", "eve"), accepted("g2", "a3", "eve")], known=True) is None


def test_only_a_wrong_meaning_says_something_of_the_name() -> None:
    for reason in ("not_about_this_figure", "too_general", "duplicate", None):
        assert item([rejected("f1", "a1", "ada", reason=reason)]) is None


def test_what_is_decided_of_a_concept_is_decided_of_its_equivalents() -> None:
    no = rejected("f1", "a1", "ada", equivalents=["MESH:D001"])
    assert {(one.meant.curie, one.verdict) for one in learned.lessons(no).values()} == {
        (tag().curie, "rejected"),
        ("MESH:D001", "rejected"),
    }
    kept = no.decisions[0].model_copy(update={"kind": "accept", "reason": None})
    yes = accepted("f1", "a1", "ada").model_copy(update={"decisions": [kept]})
    assert {(one.meant.curie, one.verdict) for one in learned.lessons(yes).values()} == {
        (tag().curie, "accepted"),
        ("MESH:D001", "accepted"),
    }
    # Rejected with what stood before it, and added by hand: the hand counts.
    by_hand = accepted("f1", "a1", "ada", key="MESH:D001|present", curie="MESH:D001", iri="http://mesh/D001")
    both = by_hand.model_copy(update={"decisions": no.decisions})
    assert {(one.meant.curie, one.verdict) for one in learned.lessons(both).values()} == {
        (tag().curie, "rejected"),
        ("MESH:D001", "accepted"),
    }


@pytest.mark.parametrize("said", ["of", "A", "the", "scale bar", "x" * 101, "--", " "])
def test_what_names_nothing_teaches_nothing(said: str) -> None:
    assert item([accepted("f1", "a1", "ada", said=said)]) is None


def test_names_are_one_however_they_are_inflected_or_spelt() -> None:
    ways = ["grey stuffs", "Grey stuff", "grey stuff"]
    events = [accepted(f"f{n}", f"a{n % 2}", p, said=ways[n]) for n, p in enumerate(("ada", "bob", "ada"))]
    made = item(events)
    assert made is not None
    assert made.figures == 3


def test_free_text_that_recurs_is_a_candidate_and_never_in_force() -> None:
    free = [
        accepted(f"f{n}", f"a{n % 2}", p, curie=None, iri=None, label="light sheet", source="free_text")
        for n, p in enumerate(("ada", "bob", "ada"))
    ]
    made = item(free)
    assert made is not None
    assert learned.enough(made, "accepted", LEAST)
    assert learned.force(made, LEAST, known=False) is None


def test_what_an_administrator_switched_off_is_not_in_force() -> None:
    made = item(ENOUGH)
    assert made is not None
    assert learned.force(made.changed(disabled_by="root"), LEAST, known=False) is None


def test_without_its_last_figure_a_name_is_blank() -> None:
    made = item(ENOUGH)
    assert made is not None
    for figure in ("f1", "f2", "f3"):
        made = learned.untaught(learned.untaught(made, figure), figure)
    assert (made.name, made.said, made.figures, dict(made.evidence)) == ("", "", 0, {})


@settings(max_examples=50)
@given(st.data())
def test_order_and_repetition_do_not_matter(data: st.DataObject) -> None:
    number = st.integers(0, 5)
    events = [
        data.draw(st.sampled_from([accepted, rejected]))(f"f{n}", f"a{data.draw(number)}", f"p{data.draw(number)}")
        for n in range(data.draw(st.integers(1, 8)))
    ]
    shuffled = [*events, *events[:3]]
    random.Random(data.draw(number)).shuffle(shuffled)
    assert item(events) == item(shuffled)
