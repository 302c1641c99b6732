"""Agreement, against published worked examples and NLTK."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nltk.metrics.agreement import AnnotationTask
from nltk.metrics.distance import masi_distance

from services.annotation.agreement import agreement, alpha, deciding, f1, fleiss, kappa, masi

# Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability", section C: four observers, twelve units, some values
# missing; for nominal data alpha is 0.743.
WORKED = (
    (1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None),
    (1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3),
    (None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None),
    (1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None),
)


def rated(*sets: str) -> dict[str, frozenset[str]]:
    return {f"p{place}": frozenset(one.split()) for place, one in enumerate(sets)}


def test_alpha_of_single_values_is_krippendorffs_worked_example() -> None:
    units = [
        {
            f"p{observer}": frozenset({str(values[unit])})
            for observer, values in enumerate(WORKED)
            if values[unit] is not None
        }
        for unit in range(12)
    ]
    assert alpha(units) == pytest.approx(0.743, abs=0.001)


def test_masi_credits_partial_overlap_as_passonneau_says() -> None:
    assert masi(frozenset("abc"), frozenset("abc")) == 0
    assert masi(frozenset("ab"), frozenset("abc")) == pytest.approx(1 - 2 / 3 * 2 / 3)
    assert masi(frozenset("abc"), frozenset("bcd")) == pytest.approx(1 - 1 / 2 * 1 / 3)
    assert masi(frozenset("ab"), frozenset("cd")) == 1
    assert masi(frozenset(), frozenset()) == 0
    assert masi(frozenset(), frozenset("a")) == 1


def test_f1_is_pooled_over_pairs_and_figures() -> None:
    # 2 of 3 and 2 agree: 4/5; nothing of 1 and 1; together 2*2 / (5 + 2).
    assert f1([rated("a b c", "a b"), rated("a", "b")]) == pytest.approx(4 / 7)
    assert f1([rated("", "")]) is None


def test_kappa_is_the_textbook_example_and_falls_with_prevalence() -> None:
    # 20 both yes, 5 yes and no, 10 no and yes, 15 both no: observed 0.7, expected 0.5.
    pairs = [(True, True)] * 20 + [(True, False)] * 5 + [(False, True)] * 10 + [(False, False)] * 15
    assert kappa(pairs) == pytest.approx(0.4)
    assert kappa([(True, True)] * 9) is None
    assert kappa([]) is None


def test_fleiss_of_three_raters() -> None:
    # Two items all say yes, one all say no, one two of three: observed (1 + 1 + 1 + 1/3) / 4, accepted 8 of 12.
    observed, expected = 10 / 12, (8 / 12) ** 2 + (4 / 12) ** 2
    assert fleiss([3, 3, 0, 2], 3) == pytest.approx((observed - expected) / (1 - expected))


def test_only_recommendations_that_all_decided_count() -> None:
    figures = [
        {"ada": {"r1": True, "r2": False, "r3": True}, "bob": {"r1": True, "r2": True}},
        {"ada": {"r1": True}},
    ]
    found = deciding(figures)
    assert (found.recommendations, found.accepted, found.fleiss) == (2, 0.75, None)
    assert found.kappa == pytest.approx(kappa([(True, True), (False, True)]))
    mixed = deciding([*figures, {"ada": {"x": True}, "bob": {"x": True}, "cleo": {"x": False}}])
    assert (mixed.kappa, mixed.fleiss) == (None, None)


def test_figures_of_one_annotator_do_not_count_and_the_interval_holds_the_value() -> None:
    figures = [rated("a b", "a b"), rated("a", "b c"), rated("c d", "c"), rated("a")]
    found = agreement(figures)
    assert (found.figures, found.annotators) == (3, 2)
    for measure in (found.f1, found.alpha):
        assert measure.value is not None
        assert measure.low is not None
        assert measure.high is not None
        assert measure.low <= measure.value <= measure.high
    assert agreement(figures) == found
    assert agreement([]).f1.value is None


@settings(max_examples=50)
@given(
    st.lists(
        st.lists(st.frozensets(st.sampled_from("abcdef"), min_size=1, max_size=4), min_size=2, max_size=4),
        min_size=2,
        max_size=12,
    )
)
def test_alpha_is_what_nltk_says(units: list[list[frozenset[str]]]) -> None:
    if len({one for unit in units for one in unit}) < 2:
        assert alpha([{str(place): one for place, one in enumerate(unit)} for unit in units]) is None
        return
    rows = [(str(place), str(number), one) for number, unit in enumerate(units) for place, one in enumerate(unit)]
    found = alpha([{str(place): one for place, one in enumerate(unit)} for unit in units])
    assert found == pytest.approx(AnnotationTask(rows, distance=masi_distance).alpha(), abs=1e-9)
