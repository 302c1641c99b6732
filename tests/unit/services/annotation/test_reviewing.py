"""Submitting and reviewing, as pure functions."""

from datetime import UTC, datetime

import pytest

from services.annotation.model import Assignment, Review
from services.annotation.reviewing import judge, record, recorded, review_event, submit
from services.annotation.tagging import Add, decide
from shared.errors import Conflict, Invalid
from shared.events.review import ReviewDone

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def assignment(id: str = "as1", annotator: str = "ada", text: str = "retina") -> Assignment:
    empty = Assignment(
        id=id,
        version=1,
        project="default",
        figure="f1",
        article="a1",
        annotator=annotator,
        reviewer="grace",
        created_at=NOW,
        updated_at=NOW,
    )
    return decide(empty, Add(kind="add", axis="anatomy", text=text), None, NOW)[0]


def approved(id: str = "as1", annotator: str = "ada", text: str = "retina") -> Assignment:
    return judge(submit(assignment(id, annotator, text), False, NOW), "approved", "", NOW)


REVIEW = Review(id="f1", project="default")


def test_an_assignment_goes_back_and_forth_until_it_is_approved() -> None:
    current = assignment()
    for round in (1, 2):
        current = judge(submit(current, False, NOW), "returned", f"Again {round}.", NOW)
        assert (current.state, current.judged and current.judged.round) == ("returned", round)
    current = judge(submit(current, False, NOW), "approved", "", NOW)
    assert (current.state, current.judged and current.judged.round) == ("approved", 3)


def test_submitting_and_judging_twice_is_once() -> None:
    submitted = submit(assignment(), False, NOW)
    assert submit(submitted, False, NOW) is submitted
    returned = judge(submitted, "returned", "Again.", NOW)
    assert judge(returned, "returned", "Again.", NOW) is returned


def test_no_tag_applies_contradicts_a_tag() -> None:
    with pytest.raises(Invalid) as caught:
        submit(assignment(), True, NOW)
    assert caught.value.field == "no_tag_applies"


def test_a_return_needs_a_comment() -> None:
    with pytest.raises(Invalid) as caught:
        judge(submit(assignment(), False, NOW), "returned", "  ", NOW)
    assert caught.value.field == "comment"


def test_only_a_submitted_assignment_is_judged() -> None:
    for current in (assignment(), approved()):
        with pytest.raises(Conflict):
            judge(current, "returned", "Again.", NOW)
    with pytest.raises(Conflict):
        submit(approved(), False, NOW)


def test_a_verdict_is_recorded_once() -> None:
    once, (event,) = record(REVIEW, approved())
    assert isinstance(event, ReviewDone)
    assert (event.revision, event.review, [tag.label for tag in event.tags]) == (1, "f1", ["retina"])
    assert record(once, approved()) == (once, [])


def test_a_late_older_verdict_does_not_replace_a_newer_one() -> None:
    returned = judge(submit(assignment(), False, NOW), "returned", "Again.", NOW)
    final = judge(submit(returned, False, NOW), "approved", "", NOW)
    review, _ = record(REVIEW, final)
    assert record(review, returned) == (review, [])


def test_final_tags_hold_each_key_once_and_the_first_approved_wins() -> None:
    first, _ = record(REVIEW, approved())
    same, _ = record(first.changed(version=1), approved("as2", "eve"))
    assert [(tag.label, tag.annotator) for tag in same.tags] == [("retina", "ada")]
    more, (event,) = record(same.changed(version=2), approved("as3", "joan", "eye"))
    assert [tag.label for tag in more.tags] == ["retina", "eye"]
    assert isinstance(event, ReviewDone)
    assert (event.revision, event.assignment, len(event.tags), len(event.decisions)) == (3, "as3", 2, 1)


def test_a_returned_assignment_leaves_the_final_tags_of_others() -> None:
    review, _ = record(REVIEW, approved())
    returned = judge(submit(assignment("as2", "eve", "eye"), False, NOW), "returned", "Again.", NOW)
    _, (event,) = record(review, returned)
    assert isinstance(event, ReviewDone)
    assert (event.verdict, [tag.label for tag in event.tags]) == ("returned", ["retina"])


def test_what_can_be_sent_again_is_what_was_sent_last() -> None:
    assert review_event(REVIEW, revision=1) is None
    review, (event,) = record(REVIEW, approved())
    again = review_event(review, revision=1)
    assert again == event
    assert again is not None
    assert again.id == event.id


def test_recording_clears_the_flag_unless_the_assignment_was_changed_since() -> None:
    returned = judge(submit(assignment(), False, NOW), "returned", "Again.", NOW)
    assert recorded(returned, returned).unrecorded is False
    again = judge(submit(returned, False, NOW), "approved", "", NOW).changed(version=returned.version + 1)
    assert recorded(again, returned).unrecorded is True
