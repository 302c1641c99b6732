"""The event door of nlp: one event for each, always the same for the same cause."""

from datetime import UTC, datetime

from services.nlp.consumers import tokenize
from shared.events.image import Article, ImageUploaded


def uploaded(figure: str = "figure-1", revision: int = 1, legend: str = "(A) Retina. (B) Cornea.") -> ImageUploaded:
    return ImageUploaded(
        time=datetime(2026, 1, 1, tzinfo=UTC),
        project="default",
        actor="person-1",
        figure=figure,
        revision=revision,
        article=Article(id="article-1"),
        legend=legend,
        technical={"Modality": "MR"},
    )


def test_processing_twice_equals_once() -> None:
    events = [uploaded(), uploaded("figure-2")]
    once, twice = tokenize(events), tokenize(events)
    assert [(event.id, event.attributes(), event.body()) for event in once] == [
        (event.id, event.attributes(), event.body()) for event in twice
    ]


def test_an_event_carries_on_what_its_cause_says() -> None:
    cause = uploaded(revision=3)
    (event,) = tokenize([cause])
    assert (event.project, event.actor, event.figure, event.revision) == ("default", "person-1", "figure-1", 3)
    assert (event.technical, event.time) == ({"Modality": "MR"}, cause.time)
    assert [panel.label for panel in event.analysis.panels] == ["A", "B"]


def test_every_revision_of_every_figure_has_an_event_of_its_own() -> None:
    events = tokenize([uploaded(), uploaded(revision=2), uploaded("figure-2")])
    assert len({event.id for event in events}) == len(events) == 3


def test_a_figure_without_legend_passes_on_empty() -> None:
    (event,) = tokenize([uploaded(legend="")])
    assert event.analysis.tokens.unpack() == []
