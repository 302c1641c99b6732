"""Who gets which figure, as a pure function."""

from collections import Counter, defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.annotation.assigning import Order, Pair, check, drawn, plan, uncertainty
from shared.errors import Invalid

TEAM = (Pair("ada", "grace"), Pair("bob", "grace"), Pair("eve", "ada"))
FIGURES = [(f"f{number}", f"a{number // 7}") for number in range(700)]


@given(st.integers(0, 200), st.integers(1, 3), st.floats(0, 1), st.floats(0, 1))
def test_every_figure_goes_to_as_many_different_people_as_wanted_and_all_get_as_much(
    figures: int, overlap: int, share: float, hidden: float
) -> None:
    order = Order(TEAM, overlap=overlap, overlap_share=share, hidden_share=hidden)
    planned = plan(FIGURES[:figures], order, {}, {})
    people: dict[str, list[str]] = defaultdict(list)
    for one in planned:
        people[one.figure].append(one.pair.annotator)
    assert set(people) == {figure for figure, _ in FIGURES[:figures]}
    assert all(len(set(who)) == len(who) in (1, overlap) for who in people.values())
    loads = Counter({pair.annotator: 0 for pair in TEAM}) + Counter(one.pair.annotator for one in planned)
    assert not loads or max(loads.values()) - min(loads[pair.annotator] for pair in TEAM) <= 1
    assert planned == plan(FIGURES[:figures], order, {}, {})


def test_whoever_has_least_gets_the_next() -> None:
    planned = plan(FIGURES[:5], Order(TEAM), {"ada": 5, "bob": 3, "eve": 9}, {})
    assert Counter(one.pair.annotator for one in planned) == {"bob": 3, "ada": 2}


def test_a_paper_stays_together_also_with_who_has_some_of_it() -> None:
    planned = plan(FIGURES, Order(TEAM, together="article"), {}, {"a3": ["eve", "gone"]})
    articles = dict(FIGURES)
    people: dict[str, set[str]] = defaultdict(set)
    for one in planned:
        people[articles[one.figure]].add(one.pair.annotator)
    assert {len(who) for who in people.values()} == {1}
    assert people["a3"] == {"eve"}


def test_shares_are_drawn_as_large_as_they_were_ordered() -> None:
    planned = plan(FIGURES, Order(TEAM, overlap=3, overlap_share=0.2, hidden_share=0.1), {}, {})
    counts = Counter(one.figure for one in planned)
    assert 0.15 < sum(count == 3 for count in counts.values()) / len(counts) < 0.25
    assert 0.06 < len({one.figure for one in planned if one.hidden}) / len(counts) < 0.14
    assert all(len({one.hidden for one in planned if one.figure == figure}) == 1 for figure in counts)


@given(st.text(max_size=20))
def test_a_draw_lies_between_0_and_1(id: str) -> None:
    assert 0 <= drawn("hidden", id) < 1


@pytest.mark.parametrize(
    ("order", "field"),
    [
        (Order((Pair("ada", "ada"),)), "team"),
        (Order((Pair("ada", "grace"), Pair("ada", "eve"))), "team"),
        (Order(TEAM, overlap=4, overlap_share=0.1), "overlap"),
    ],
)
def test_what_cannot_be_carried_out_is_refused(order: Order, field: str) -> None:
    with pytest.raises(Invalid) as caught:
        check(order)
    assert caught.value.field == field


def test_the_least_certain_recommendation_counts() -> None:
    assert uncertainty([]) == 0
    assert uncertainty([0.99, 0.5]) == 1
    assert uncertainty([1.0, 0.0]) == 0
