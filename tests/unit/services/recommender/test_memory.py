from collections.abc import Sequence

import pytest

from services.recommender.annotator import Annotation
from services.recommender.memory import Remembering
from shared.events.legend import Analysis
from tests.support.builders import analysis


class Counting:
    """An annotator that finds nothing and counts how often it was asked."""

    def __init__(self) -> None:
        self.version = "1"
        self.asked: list[str] = []

    def annotate(self, analyses: Sequence[Analysis]) -> list[list[Annotation]]:
        self.asked.extend(one.text for one in analyses)
        return [[] for _ in analyses]


def texts(*words: str) -> list[Analysis]:
    return [analysis(text=word) for word in words]


def test_a_text_is_annotated_once() -> None:
    counting = Counting()
    memory = Remembering(counting)
    assert memory.annotate(texts("a", "b", "a")) == [[], [], []]
    memory.annotate(texts("b", "c"))
    assert counting.asked == ["a", "b", "c"]


def test_a_new_version_annotates_anew() -> None:
    counting = Counting()
    memory = Remembering(counting)
    memory.annotate(texts("a"))
    counting.version = "2"
    memory.annotate(texts("a"))
    assert counting.asked == ["a", "a"]


def test_the_same_text_analysed_otherwise_is_another_text() -> None:
    counting = Counting()
    memory = Remembering(counting)
    memory.annotate([analysis(text="a"), analysis(text="a", panels=[])])
    assert counting.asked == ["a", "a"]


def test_it_holds_the_most_recent_texts_only() -> None:
    counting = Counting()
    memory = Remembering(counting, most=2)
    memory.annotate(texts("a", "b"))
    memory.annotate(texts("a"))
    memory.annotate(texts("c"))
    memory.annotate(texts("a"))
    assert counting.asked == ["a", "b", "c"]
    memory.annotate(texts("b"))
    assert counting.asked == ["a", "b", "c", "b"]


def test_forgetting_forgets_everything() -> None:
    counting = Counting()
    memory = Remembering(counting)
    memory.annotate(texts("a"))
    memory.forget()
    memory.annotate(texts("a"))
    assert counting.asked == ["a", "a"]


def test_a_failure_is_not_remembered() -> None:
    class Failing(Counting):
        def annotate(self, analyses: Sequence[Analysis]) -> list[list[Annotation]]:
            super().annotate(analyses)
            raise ZeroDivisionError

    failing = Failing()
    memory = Remembering(failing)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            memory.annotate(texts("a"))
    assert failing.asked == ["a", "a"]
