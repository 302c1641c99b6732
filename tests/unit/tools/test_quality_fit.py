"""What the scorer learns from annotated legends."""

import pytest

from services.recommender.scoring import probability
from tools.quality.fit import Example, fit

HOMOLOGOUS = ("SO:1", "homologous ")


def example(name: tuple[str, str], article: str, *, right: bool) -> Example:
    return Example({"bias": 1.0, "kind LABEL": 1.0}, right, article, name, name[1].strip())


OTHERS = [example((f"SO:{number}", f"name{number} "), f"article{number}", right=True) for number in range(10, 40)]


def test_a_name_that_several_articles_use_otherwise_has_a_weight_and_others_stay_likely() -> None:
    wrong = [example(HOMOLOGOUS, article, right=False) for article in "abcdef" for _ in range(3)]
    learned = fit(OTHERS + wrong, of_names=True)
    assert set(learned.by_name) == {HOMOLOGOUS}
    found = OTHERS[0].found
    assert probability(found, learned.by) > 0.5 > probability(found, learned.by, learned.by_name[HOMOLOGOUS])


def test_one_article_gives_no_weight_to_a_name() -> None:
    wrong = [example(HOMOLOGOUS, "a", right=False) for _ in range(50)]
    assert fit(OTHERS + wrong, of_names=True).by_name == {}


def test_names_have_no_weights_where_none_are_asked_for() -> None:
    wrong = [example(HOMOLOGOUS, article, right=False) for article in "abcdef"]
    assert fit(OTHERS + wrong, of_names=False).by_name == {}


def test_what_an_article_repeats_counts_no_more_than_three_times() -> None:
    three, fifty = (
        fit(OTHERS + [example(HOMOLOGOUS, "a", right=False)] * count, of_names=False).by for count in (3, 50)
    )
    assert three == pytest.approx(fifty, abs=0.01)
