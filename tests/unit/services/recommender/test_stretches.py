"""A span has the labels of the stretches that hold the whole of it."""

from hypothesis import given
from hypothesis import strategies as st

from services.recommender.stretches import Stretches

Spans = st.tuples(st.sampled_from("ABC"), st.integers(0, 60), st.integers(0, 30)).map(
    lambda drawn: (drawn[0], drawn[1], drawn[1] + drawn[2])
)


def test_labels_come_in_the_order_of_their_first_stretch() -> None:
    stretches = Stretches([("B", 10, 30), ("A", 20, 40), ("B", 50, 60)])
    assert stretches.around(22, 28) == ("B", "A")
    assert stretches.around(52, 60) == ("B",)
    assert stretches.around(28, 33) == ("A",)
    assert stretches.around(5, 12) == ()


def test_touching_stretches_of_one_label_count_as_one() -> None:
    assert Stretches([("absent", 0, 5), ("absent", 5, 9)]).around(3, 8) == ("absent",)


@given(st.lists(Spans, max_size=12), st.integers(0, 60), st.integers(1, 10))
def test_a_label_holds_a_span_when_its_stretches_together_cover_it(
    stretches: list[tuple[str, int, int]], start: int, length: int
) -> None:
    covered = {
        label
        for label in "ABC"
        if all(
            any(one == label and begin <= at < end for one, begin, end in stretches)
            for at in range(start, start + length)
        )
    }
    assert set(Stretches(stretches).around(start, start + length)) == covered
