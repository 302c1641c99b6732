"""How events become a figure's record, whatever the order of their arrival."""

from functools import reduce

from hypothesis import given
from hypothesis import strategies as st

from services.export.entries import entry_of
from services.export.merge import final_tags, merged, provisional_tags
from services.export.model import FigureRecord
from shared.events.envelope import Event
from tests.support.builders import article, image_uploaded, review_done, tag, tag_accepted, tag_withdrawn

EMPTY = FigureRecord(id="f1")
GLIOMA = tag(key="MONDO:1|present", curie="MONDO:1", label="glioma", axis="disease")

# A figure's life: corrected once, four tags of two assignments decided again and again, returned, approved.
LIFE: list[Event] = [
    image_uploaded(),
    tag_accepted(tag_id="t1"),
    tag_accepted(tag_id="t2", tag=GLIOMA),
    tag_withdrawn(tag_id="t1", revision=2),
    review_done(verdict="returned", tags=[]),
    image_uploaded(revision=2, legend="Corrected."),
    tag_accepted(tag_id="t1", revision=3, tag=tag(panels=["B"])),
    tag_withdrawn(tag_id="t2", revision=2, tag=GLIOMA),
    tag_accepted(tag_id="t3", assignment="s2", tag=tag(annotator="person-bob")),
    review_done(revision=2, tags=[tag(panels=["B"])]),
]


def after(*events: Event) -> FigureRecord:
    return reduce(merged, events, EMPTY)


@given(st.lists(st.sampled_from(LIFE)).flatmap(lambda doubles: st.permutations(LIFE + doubles)))
def test_shuffled_late_and_doubled_deliveries_end_in_one_state(deliveries: list[Event]) -> None:
    assert after(*deliveries) == after(*LIFE)
    assert after(*deliveries).model_dump_json() == after(*LIFE).model_dump_json()


@given(st.permutations(LIFE[:5]))
def test_so_does_every_beginning_of_it(deliveries: list[Event]) -> None:
    record = after(*deliveries)
    assert record == after(*LIFE[:5])
    assert record.status == "returned"
    assert provisional_tags(record) == [GLIOMA]


def test_an_event_that_is_known_changes_nothing() -> None:
    record = after(*LIFE)
    assert all(merged(record, event) is record for event in LIFE)


def test_the_status_follows_the_figures_life() -> None:
    assert after().status == "new"
    assert after(image_uploaded()).status == "new"
    assert after(tag_accepted()).status == "provisional"
    assert after(tag_accepted(), tag_withdrawn()).status == "new"
    assert after(tag_accepted(), review_done(verdict="returned", tags=[])).status == "returned"
    assert after(tag_accepted(), review_done()).status == "approved"


def test_approved_without_a_tag_is_approved_and_has_no_tags() -> None:
    record = after(tag_accepted(), review_done(tags=[], no_tag_applies=True))
    assert (record.status, final_tags(record), provisional_tags(record)) == ("approved", [], [])


def test_a_later_approval_replaces_all_final_tags() -> None:
    record = after(review_done(tags=[tag(), GLIOMA]), review_done(revision=2, tags=[GLIOMA]))
    assert final_tags(record) == [GLIOMA]


def test_what_one_annotator_got_approved_stands_while_anothers_work_is_returned() -> None:
    record = after(review_done(tags=[GLIOMA]), review_done(revision=2, verdict="returned", tags=[GLIOMA]))
    assert (record.status, final_tags(record)) == ("approved", [GLIOMA])


def test_figures_stand_by_article_then_by_label_as_people_count() -> None:
    def place(label: str, **of: str | None) -> str:
        return after(image_uploaded(label=label, article=article(**of))).place

    in_order = [
        place("Figure 2", doi=None, collection="Ward 3"),
        place("Figure 2", doi="10.5555/a"),
        place("figure 9a", doi="10.5555/a"),
        place("Figure 10", doi="10.5555/a"),
        place("Figure 1", doi="10.5555/ab"),
    ]
    assert in_order == sorted(in_order)


def test_a_figure_is_indexed_once_it_has_arrived_itself() -> None:
    assert entry_of(after(tag_accepted())) is None
    entry = entry_of(after(tag_accepted(), image_uploaded()))
    assert entry is not None
    assert (entry.tags, [found.label for found in entry.provisional]) == ((), ["Ammon's horn"])
    entry = entry_of(after(*LIFE))
    assert entry is not None
    assert ([found.label for found in entry.tags], entry.provisional) == (["Ammon's horn"], ())
