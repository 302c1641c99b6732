"""The rules of gold, qualification and sampling."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.annotation import qualifying, sampling
from services.annotation.assigning import Pair, Planned, with_gold
from services.annotation.model import (
    Assignment,
    Decided,
    GoldVersion,
    Judged,
    Qualification,
    Sampling,
    Score,
    Trial,
)
from services.annotation.sampling import Record
from services.annotation.scoring import score
from shared.events.tag import Tag

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def tag(curie: str, *, bulk: bool = False) -> Tag:
    return Tag(
        key=f"{curie}|present",
        axis="anatomy",
        curie=curie,
        label=curie,
        source="search",
        annotator="ada",
        decided_at=NOW,
        bulk=bulk,
    )


def assignment(id: str = "a", **fields: object) -> Assignment:
    given = {"project": "p", "figure": "f", "article": "x", "annotator": "ada", "reviewer": "grace"}
    return Assignment.model_validate({**given, "id": id, "created_at": NOW, "updated_at": NOW, **fields})


def compared(found: set[str], wanted: set[str], same: dict[str, str] | None = None) -> Score:
    gold = GoldVersion(number=3, tags=tuple(tag(one) for one in sorted(wanted)), by="root", at=NOW)
    return score([tag(one) for one in sorted(found)], gold, same or {})


CONCEPTS = st.sets(st.sampled_from(["A:1", "A:2", "A:3", "B:1", "B:2"]))


@given(CONCEPTS, CONCEPTS)
def test_a_score_is_what_sets_have_in_common(found: set[str], wanted: set[str]) -> None:
    made = compared(found, wanted)
    assert {one.curie for one in made.right} == found & wanted
    assert {one.curie for one in made.missed} == wanted - found
    assert {one.curie for one in made.extra} == found - wanted
    assert 0 <= made.f1 <= 1
    assert made.f1 == pytest.approx(compared(wanted, found).f1)
    assert (made.f1 == 1) == (found == wanted)
    if made.right:
        harmonic = 2 * made.precision * made.recall / (made.precision + made.recall)
        assert made.f1 == pytest.approx(harmonic)


def test_the_same_concept_in_two_ontologies_is_one() -> None:
    made = compared({"B:1", "A:1", "A:2"}, {"A:1"}, {"B:1": "A:1"})
    assert (len(made.right), len(made.missed), [one.curie for one in made.extra]) == (1, 0, ["A:2"])


# Qualification

NEEDED = Qualification(figures=2, threshold=0.75, attempts=2)


def trial(attempt: int, found: set[str] | None, state: str = "approved", id: str = "t") -> Assignment:
    made = None if found is None else compared(found, {"A:1", "A:2"})
    return assignment(id, state=state, trial=Trial(purpose="qualify", attempt=attempt, score=made))


ALL, HALF = {"A:1", "A:2"}, {"A:1"}  # F1 of 1 and 2/3


@pytest.mark.parametrize(
    ("trials", "state", "attempt", "given_", "scored"),
    [
        ([], "newcomer", 1, 0, 0),
        ([trial(1, ALL), trial(1, None, "open")], "newcomer", 1, 2, 1),
        ([trial(1, ALL), trial(1, None, "skipped"), trial(1, None, "released")], "newcomer", 1, 1, 1),
        ([trial(1, ALL), trial(1, HALF)], "passed", 1, 2, 2),
        ([trial(1, HALF), trial(1, HALF)], "newcomer", 2, 0, 0),
        ([trial(1, HALF), trial(1, HALF), trial(2, ALL), trial(2, ALL)], "passed", 2, 2, 2),
        ([trial(number, HALF) for number in (1, 1, 2, 2)], "failed", 2, 2, 2),
    ],
)
def test_how_far_a_newcomer_is(trials: list[Assignment], state: str, attempt: int, given_: int, scored: int) -> None:
    found = qualifying.progress(trials, NEEDED)
    assert (found.state, found.attempt, found.given, found.scored) == (state, attempt, given_, scored)


# Sampling

RULES = Sampling(share=0.25, window=10, returned=0.2, f1=0.8)
GOOD = Record(inspected=10, returned=2, f1=(0.8, 0.9))


@pytest.mark.parametrize(
    ("record", "why"),
    [
        (Record(9, 0, ()), "new"),
        (Record(10, 3, ()), "quality"),
        (Record(10, 0, (0.9, 0.6)), "quality"),
    ],
)
def test_everything_of_who_is_new_or_not_good_is_looked_at(record: Record, why: str) -> None:
    assert {sampling.look(assignment(f"a{number}"), RULES, record, "seed") for number in range(50)} == {why}


def test_of_good_work_a_share_is_drawn_the_same_each_time() -> None:
    draws = [sampling.look(assignment(f"a{number}"), RULES, GOOD, "seed") for number in range(2_000)]
    assert draws == [sampling.look(assignment(f"a{number}"), RULES, GOOD, "seed") for number in range(2_000)]
    assert draws != [sampling.look(assignment(f"a{number}"), RULES, GOOD, "other") for number in range(2_000)]
    assert draws.count("drawn") / len(draws) == pytest.approx(0.25, abs=0.04)


def test_what_came_back_or_was_accepted_in_bulk_comes_first() -> None:
    judged = Judged(round=1, verdict="returned", comment="Again.", decided_at=NOW)
    bulk = (Decided(kind="accept", tag=tag("A:1", bulk=True)),)
    looks = [
        sampling.look(assignment(judged=judged), RULES, GOOD, "seed"),
        sampling.look(assignment(decisions=bulk), Sampling(), GOOD, "seed"),
        sampling.look(assignment(decisions=bulk), RULES, Record(10, 9, ()), "seed"),
        sampling.look(assignment(), Sampling(), GOOD, "seed"),
    ]
    assert looks == ["resubmitted", "bulk", "quality", "everything"]
    assert [sampling.in_queue(assignment(), look).place for look in looks if look] == [0, 1, 2, 4]


# Mixing


def test_gold_comes_in_proportion_each_once_and_to_whom_it_measures() -> None:
    pair = Pair("ada", "grace")
    planned = [Planned(f"f{number}", pair, hidden=False) for number in range(1_000)]
    spare = {"ada": [f"g{number}" for number in range(400)]}
    mixed, left = with_gold(planned, 0.2, "seed", spare)
    gold = [one.figure for one in mixed if one.trial]
    assert gold == spare["ada"][: len(gold)]
    assert len(gold) / 1_000 == pytest.approx(0.2, abs=0.04)
    assert left == {"ada": spare["ada"][len(gold) :]}
    assert with_gold(planned, 0.2, "seed", {}) == (planned, {})
