"""What decided recommendations teach of scores: little from few, the same in any order, never upside down."""

import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.recommender.model import Judged, Judgement
from services.recommender.recalibration import (
    HIGHEST,
    LEAST_DECISIONS,
    LOWEST,
    Evidence,
    brier,
    fitted,
    judgement,
    together,
)
from shared.events.recommendation import Axis
from shared.events.review import Decision
from shared.vocabulary.axes import AXES
from tests.support.builders import WHEN, review_done


def decision(score: float | None, kind: str = "accept", axis: Axis = "anatomy", **fields: Any) -> Decision:
    made = {"key": "X:1|present", "curie": "X:1", "label": "x", "annotator": "ada", "decided_at": WHEN}
    return Decision.model_validate({**made, "kind": kind, "axis": axis, "model_score": score, **fields})


def said(figure: str, *cells: Judged, person: str = "ada", article: str = "a1") -> Judgement:
    return Judgement(
        id=figure, project="default", revision=1, at=WHEN, article=article, person=person, cells=tuple(cells)
    )


def evidence(*cells: tuple[Axis, float, int, int]) -> Evidence:
    return together([said("f", *(Judged(axis=a, score=s, accepted=y, rejected=n) for a, s, y, n in cells))])


def test_a_review_says_what_was_accepted_and_rejected_by_axis_and_model_score() -> None:
    event = review_done(
        decisions=[
            decision(0.813),
            decision(0.807),
            decision(0.81, "reject", reason="not_about_this_figure"),
            decision(0.5, "reject", axis="disease"),
            decision(0.5, "reject", reason="duplicate"),
            decision(0.9, "withdraw"),
            decision(None, "add"),
        ]
    )
    told = [(one.axis, one.score, one.accepted, one.rejected) for one in judgement(event).cells]
    assert told == [("anatomy", 0.81, 2, 1), ("disease", 0.5, 0, 1)]
    assert judgement(event.model_copy(update={"verdict": "returned"})).cells == ()


def test_scores_become_how_often_people_accept() -> None:
    # The scorer says twice what people accept, and on one axis they accept nearly everything.
    cells: list[tuple[Axis, float, int, int]] = [
        ("anatomy", score, round(200 * score / 2), round(200 * (1 - score / 2))) for score in (0.2, 0.4, 0.6, 0.8, 0.9)
    ]
    given_evidence = evidence(*cells, ("imaging", 0.5, 190, 10))
    made = fitted(given_evidence)
    for axis, score, accepted, rejected in cells:
        assert abs(made.of(axis, score) - accepted / (accepted + rejected)) < 0.06
    assert made.of("imaging", 0.5) > 0.8
    assert brier(given_evidence, made) < brier(given_evidence, None)


def test_many_decisions_of_one_score_are_met() -> None:
    assert 0.3 < fitted(evidence(("anatomy", 0.9, 80, 160))).of("anatomy", 0.9) < 0.42
    assert fitted(evidence(("anatomy", 0.9, 0, 100_000))).of("anatomy", 0.9) < 0.05


def test_what_says_nothing_new_changes_nothing_and_few_decisions_change_little() -> None:
    right = evidence(*(("anatomy", score / 10, 10 * score, 10 * (10 - score)) for score in range(1, 10)))
    assert all(abs(fitted(right).of("anatomy", score / 10) - score / 10) < 0.02 for score in range(1, 10))
    few = fitted(evidence(("anatomy", 0.9, 0, 1)))
    assert 0.7 < few.of("anatomy", 0.9) < 0.9
    assert abs(few.of("imaging", 0.9) - few.of("anatomy", 0.9)) < 0.1


def test_it_needs_many_decisions_of_both_kinds_in_several_articles_by_several_people() -> None:
    def enough(accepted: int, rejected: int, *, people: int = 2, articles: int = 2) -> bool:
        cell = Judged(axis="anatomy", score=0.5, accepted=accepted, rejected=rejected)
        figures = [
            said("f1", cell),
            said("f2", Judged(axis="anatomy", score=0.5, accepted=1, rejected=0), person=f"p{people}", article="a2"),
            said("f3", person="somebody who decided nothing", article="a9"),
        ]
        if people == 1:
            figures[1] = figures[1].changed(person="ada")
        if articles == 1:
            figures[1] = figures[1].changed(article="a1")
        return together(figures).enough(articles=2, people=2)

    assert enough(LEAST_DECISIONS - 26, 25)
    assert not enough(LEAST_DECISIONS - 27, 25)
    assert not enough(LEAST_DECISIONS, 24)
    assert not enough(24 - 1, LEAST_DECISIONS)
    assert not enough(LEAST_DECISIONS, 25, people=1)
    assert not enough(LEAST_DECISIONS, 25, articles=1)


COUNTS = st.integers(0, 40)
CELLS = st.lists(
    st.builds(
        Judged,
        axis=st.sampled_from(AXES),
        score=st.integers(0, 100).map(lambda hundredth: hundredth / 100),
        accepted=COUNTS,
        rejected=COUNTS,
    ),
    max_size=30,
)


@given(CELLS, st.randoms(use_true_random=False))
def test_any_order_gives_the_same_and_higher_scores_stay_higher(cells: list[Judged], shuffled: random.Random) -> None:
    figures = [said(f"f{number}", cell) for number, cell in enumerate(cells)]
    made = fitted(together(figures))
    shuffled.shuffle(figures)
    again = fitted(together(figures))
    assert (again, again.version) == (made, made.version)
    for axis in AXES:
        scores = [made.of(axis, score / 20) for score in range(21)]
        assert scores == sorted(scores)
        assert all(LOWEST <= score <= HIGHEST for score in scores)
