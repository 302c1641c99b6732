"""Decisions, as pure functions."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.annotation.model import STANDING, Assignment, Decided
from services.annotation.tagging import (
    MAX_DECISIONS,
    Accept,
    Add,
    Mention,
    Reject,
    Withdraw,
    concept_key,
    decide,
    tag_event,
    text_key,
)
from shared.errors import Conflict, Invalid, NotFound, TooLarge
from shared.events.envelope import Event
from shared.events.recommendation import Recommendation, Span
from shared.events.tag import TagAccepted, TagWithdrawn

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def assignment(**fields: object) -> Assignment:
    return Assignment.model_validate(
        {
            "id": "as1",
            "version": 1,
            "project": "default",
            "figure": "f1",
            "article": "a1",
            "annotator": "ada",
            "reviewer": "grace",
            "created_at": NOW,
            "updated_at": NOW,
            **fields,
        }
    )


def recommendation(curie: str = "UBERON:1", assertion: str = "present") -> Recommendation:
    return Recommendation.model_validate(
        {
            "id": f"r-{curie}-{assertion}",
            "iri": None,
            "curie": curie,
            "label": f"label of {curie}",
            "ontology": "UBERON",
            "vocabulary_version": "1",
            "axis": "anatomy",
            "assertion": assertion,
            "panels": ["A"],
            "spans": [{"start": 0, "end": 3, "text": "eye"}],
            "match": "label",
            "score": 0.5,
        }
    )


RECOMMENDED = {r.id: r for r in (recommendation(), recommendation("UBERON:2"), recommendation("UBERON:1", "absent"))}
Command = Accept | Reject | Add | Withdraw


def after(current: Assignment, command: Command, at: datetime = NOW) -> tuple[Assignment, list[Event]]:
    """What an engine stores: the next version where something changed."""
    recommended = RECOMMENDED[command.recommendation] if isinstance(command, Accept | Reject) else None
    changed, events = decide(current, command, recommended, at)
    return (changed.changed(version=current.version + 1) if changed != current else current), events


def accept(recommended: str = "r-UBERON:1-present", **fields: object) -> Accept:
    return Accept.model_validate({"kind": "accept", "recommendation": recommended, **fields})


def add(**fields: object) -> Add:
    return Add.model_validate({"kind": "add", "axis": "anatomy", **fields})


def test_an_accepted_tag_has_the_content_of_the_recommendation() -> None:
    changed, (event,) = after(assignment(), accept())
    assert isinstance(event, TagAccepted)
    assert event.tag == changed.tags[0]
    assert (event.tag.key, event.tag.panels, event.tag.score) == ("UBERON:1|present", ["A"], 0.5)
    assert event.tag.spans == [Span(start=0, end=3, text="eye")]
    assert (event.revision, event.figure, event.actor, event.assignment) == (1, "f1", "ada", "as1")


def test_what_was_accepted_in_bulk_says_so_until_somebody_accepts_it_alone() -> None:
    bulk, [event] = after(assignment(), accept(bulk=True))
    assert isinstance(event, TagAccepted)
    assert event.tag.bulk
    alone, [event] = after(bulk, accept())
    assert isinstance(event, TagAccepted)
    assert not event.tag.bulk
    assert [tag.bulk for tag in alone.tags] == [False]


def test_accepting_with_another_assertion_replaces_the_former_tag() -> None:
    first, _ = after(assignment(), accept())
    second, events = after(first, accept(assertion="uncertain"))
    assert [tag.key for tag in second.tags] == ["UBERON:1|uncertain"]
    assert [(event.topic, event.revision) for event in events] == [("tag.withdrawn", 2), ("tag.accepted", 1)]


def test_rejecting_what_never_stood_causes_no_event() -> None:
    changed, events = after(
        assignment(), Reject(kind="reject", recommendation="r-UBERON:1-present", reason="duplicate")
    )
    assert events == []
    assert [(decided.kind, decided.reason) for decided in changed.decisions] == [("reject", "duplicate")]


def test_rejecting_an_accepted_recommendation_withdraws_its_tag_and_says_why() -> None:
    accepted, _ = after(assignment(), accept())
    changed, (event,) = after(
        accepted, Reject(kind="reject", recommendation="r-UBERON:1-present", reason="wrong_meaning")
    )
    assert isinstance(event, TagWithdrawn)
    assert (event.revision, event.reason, changed.tags) == (2, "wrong_meaning", ())


def test_adding_what_stands_keeps_where_it_came_from() -> None:
    accepted, _ = after(assignment(), accept())
    same, events = after(accepted, add(curie="UBERON:1", label="eye"))
    assert (same, events) == (accepted, [])
    moved, (event,) = after(accepted, add(curie="UBERON:1", label="eye", panels=["B", "A", "B"]))
    assert isinstance(event, TagAccepted)
    assert (event.tag.source, event.tag.panels, event.revision) == ("recommendation", ["A", "B"], 2)
    assert moved.tags[0].score == 0.5


def test_free_text_has_neither_iri_nor_curie_and_one_spelling() -> None:
    changed, _ = after(assignment(), add(text="Light  Sheet"))
    (tag,) = changed.tags
    assert (tag.label, tag.curie, tag.iri, tag.ontology, tag.source) == ("Light Sheet", None, None, None, "free_text")
    assert after(changed, add(text="light sheet"))[1] == []


@given(st.text(min_size=1, max_size=20))
def test_the_key_of_free_text_does_not_change_when_it_is_made_again(text: str) -> None:
    key = text_key(text, "imaging", "present")
    folded = key.removeprefix("text/imaging/").removesuffix("|present")
    assert text_key(folded, "imaging", "present") == key
    assert text_key(f"  {text} ", "imaging", "present") == key


def test_keys_of_concepts_texts_and_assertions_differ() -> None:
    keys = {
        concept_key("UBERON:1", "present"),
        concept_key("UBERON:1", "absent"),
        text_key("UBERON:1", "anatomy", "present"),
        text_key("UBERON:1", "imaging", "present"),
    }
    assert len(keys) == 4


def test_a_tag_makes_a_figure_that_had_none_tagged() -> None:
    nothing = assignment(state="returned", no_tag_applies=True)
    assert after(nothing, add(text="eye"))[0].no_tag_applies is False


@pytest.mark.parametrize("state", ["submitted", "approved"])
def test_closed_assignments_refuse_what_would_change_them(state: str) -> None:
    with pytest.raises(Conflict) as caught:
        after(assignment(state=state), add(text="eye"))
    assert caught.value.difference == {"state": {"yours": "open", "theirs": state}}


def test_there_must_be_something_to_withdraw() -> None:
    with pytest.raises(NotFound):
        after(assignment(), Withdraw(kind="withdraw", key="UBERON:1|present"))


def test_a_span_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(Invalid) as caught:
        after(assignment(), add(text="eye", spans=[Mention(start=3, end=3)]))
    assert caught.value.field == "spans"


def test_an_assignment_does_not_grow_without_bound() -> None:
    (decided,) = after(assignment(), add(text="eye"))[0].decisions
    many = tuple(
        Decided(kind="add", tag=decided.tag.model_copy(update={"key": str(number)})) for number in range(MAX_DECISIONS)
    )
    with pytest.raises(TooLarge):
        after(assignment(decisions=many), add(text="eye"))


recommendations = st.sampled_from(sorted(RECOMMENDED))
assertions = st.sampled_from(["present", "absent"])
panels = st.sampled_from([None, [], ["A"], ["B"]])
COMMANDS = st.one_of(
    st.builds(accept, recommendations, assertion=st.one_of(st.none(), assertions), panels=panels),
    st.builds(
        lambda recommended, reason: Reject(kind="reject", recommendation=recommended, reason=reason),
        recommendations,
        st.sampled_from([None, "duplicate", "too_general"]),
    ),
    st.builds(
        lambda curie, assertion, panels: add(curie=curie, label="eye", assertion=assertion, panels=panels),
        st.sampled_from(["UBERON:1", "UBERON:3"]),
        assertions,
        panels,
    ),
    st.builds(
        lambda curie, assertion: Withdraw(kind="withdraw", key=concept_key(curie, assertion)),
        st.sampled_from(["UBERON:1", "UBERON:2", "UBERON:3"]),
        assertions,
    ),
)


def told(commands: list[Command]) -> tuple[Assignment, list[Event]]:
    current, told = assignment(), list[Event]()
    for number, command in enumerate(commands):
        try:
            current, events = after(current, command, NOW + timedelta(seconds=number))
        except NotFound:
            continue
        told += events
    return current, told


@given(st.lists(COMMANDS, max_size=12), st.randoms(use_true_random=False))
def test_the_newest_event_of_each_tag_tells_what_stands_in_whatever_order_events_arrive(
    commands: list[Command], random: object
) -> None:
    current, events = told(commands)
    delivered = [*events, *events]
    random.shuffle(delivered)  # type: ignore[attr-defined]
    newest: dict[str, Event] = {}
    for event in delivered:
        if event.entity not in newest or newest[event.entity].revision < event.revision:
            newest[event.entity] = event
    standing = {event.tag.key: event.tag for event in newest.values() if isinstance(event, TagAccepted)}
    assert standing == {tag.key: tag for tag in current.tags}
    # What can be sent again is what was sent last.
    again = {e.entity: e for decided in current.decisions if decided.revision for e in [tag_event(current, decided)]}
    assert again == newest
    assert {e.id for e in again.values()} == {e.id for e in newest.values()}


@given(st.lists(COMMANDS, max_size=12))
def test_revisions_of_a_tag_rise_by_one(commands: list[Command]) -> None:
    revisions: dict[str, list[int]] = {}
    for event in told(commands)[1]:
        revisions.setdefault(event.entity, []).append(event.revision)
    assert all(found == list(range(1, len(found) + 1)) for found in revisions.values())


@given(st.lists(COMMANDS, max_size=8), COMMANDS)
def test_a_command_given_twice_is_given_once(commands: list[Command], command: Command) -> None:
    before, _ = told(commands)
    try:
        once, _ = after(before, command, NOW + timedelta(hours=1))
    except NotFound:
        return
    twice, events = after(once, command, NOW + timedelta(hours=2))
    assert (twice, events) == (once, [])


@given(st.lists(COMMANDS, max_size=12))
def test_decisions_are_the_fold_of_history(commands: list[Command]) -> None:
    current, _ = told(commands)
    folded: dict[str, Decided] = {}
    for entry in current.recent:
        folded.update({decided.tag.key: decided for decided in entry.decisions})
    assert folded == {decided.tag.key: decided for decided in current.decisions}
    assert [entry.number for entry in current.recent] == list(range(2, 2 + len(current.recent)))


@given(st.lists(COMMANDS, max_size=12))
def test_a_recommendation_makes_at_most_one_tag(commands: list[Command]) -> None:
    sources = [decided.recommendation for decided in told(commands)[0].decisions if decided.kind in STANDING]
    from_recommendations = [source for source in sources if source is not None]
    assert len(from_recommendations) == len(set(from_recommendations))
