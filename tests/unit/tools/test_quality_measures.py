"""How quality is counted: exact mentions, distinct concepts, effort saved."""

import pytest

from services.nlp.analysis import analyse
from tools.quality.corpus import ONTOLOGIES, Legend, Mention
from tools.quality.measures import Score, by_ontology, concepts, counted, interval, macro, mentions, saved


def legend(*gold: Mention) -> Legend:
    return Legend("l", "a", analyse("text", language="en"), {**{name: set() for name in ONTOLOGIES}, "CL": set(gold)})


def found(*mentions: Mention) -> dict[str, set[Mention]]:
    return {**{name: set() for name in ONTOLOGIES}, "CL": set(mentions)}


def test_a_mention_counts_by_its_span_and_a_concept_once_for_the_legend() -> None:
    of_one = legend(("l", "CL:1", ((0, 4),)), ("l", "CL:1", ((9, 12),)))
    shown = found(("l", "CL:1", ((0, 4),)), ("l", "CL:1", ((20, 24),)), ("l", "CL:2", ((9, 12),)))
    assert mentions(of_one, shown, "CL") == Score(right=1, found=3, gold=2)
    assert concepts(of_one, shown, "CL") == Score(right=1, found=2, gold=1)


def test_effort_saved_weighs_what_is_missing_by_its_keystrokes() -> None:
    # 1 - (A + R + K M) / (K (A + M)) with A = 8, R = 4, M = 2, K = 6
    assert saved({"CL": Score(right=8, found=12, gold=10)}, 6) == pytest.approx(1 - (8 + 4 + 12) / 60)


def test_an_interval_over_equal_articles_has_no_width() -> None:
    counts = {name: counted([legend(("l", "CL:1", ((0, 4),)))], [found()], mentions)["a"] for name in "ab"}
    assert interval(counts, macro) == (0.0, 0.0)
    assert by_ontology(counts.values())["CL"] == Score(right=0, found=0, gold=2)
