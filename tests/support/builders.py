"""Events and documents as they occur, for tests that care about one or two of their fields."""

from datetime import UTC, datetime
from typing import Any

from shared.events.assignment import AssignmentChanged
from shared.events.image import Article, ImageDeleted, ImageUploaded, Picture, Rendition
from shared.events.legend import Abbreviation, Analysis, LegendTokenized, Offsets, Panel, Scope
from shared.events.recommendation import Recommendation, RecommendationsReady, Span
from shared.events.review import Decision, ReviewDone
from shared.events.tag import Tag, TagAccepted, TagWithdrawn

WHEN = datetime(2026, 3, 14, 9, 26, 53, 589793, tzinfo=UTC)
LEGEND = "(A) MRI of the hippocampus (HC). (B) No gliosis in the HC."
ANNOTATOR, REVIEWER = "person-ada", "person-grace"


def common(**fields: Any) -> dict[str, Any]:
    return {"time": WHEN, "project": "default", "actor": "service", "figure": "f1", "revision": 1} | fields


def article(**fields: Any) -> Article:
    return Article(**{"id": "a1", "doi": "10.5555/mitagger.1", "title": "Memory and imaging", "year": 2026} | fields)


def picture(**fields: Any) -> Picture:
    def rendition(letter: str, width: int, height: int) -> Rendition:
        return Rendition(blob=letter * 64, media_type="image/jpeg", width=width, height=height, bytes=120_000)

    made = {
        "file": "figure-1.png",
        "sha256": "a" * 64,
        "format": "png",
        "width": 1600,
        "height": 1200,
        "display": rendition("b", 1600, 1200),
        "thumbnail": rendition("c", 320, 240),
    }
    return Picture(**made | fields)


def image_uploaded(**fields: Any) -> ImageUploaded:
    made = {"article": article(), "label": "Figure 1", "legend": LEGEND, "language": "en", "picture": picture()}
    return ImageUploaded(**common(**made) | fields)


def image_deleted(**fields: Any) -> ImageDeleted:
    return ImageDeleted(**common(revision=2) | fields)


def analysis(**fields: Any) -> Analysis:
    made = {
        "text": LEGEND,
        "language": "en",
        "sentences": Offsets.pack([(0, 32), (33, 58)]),
        "tokens": Offsets.pack([(4, 7), (8, 10), (11, 14), (15, 26), (28, 30), (37, 39), (40, 47), (48, 50)]),
        "panels": [Panel(label="A", start=0, end=33), Panel(label="B", start=33, end=58)],
        "abbreviations": [Abbreviation(short="HC", long="hippocampus", start=15, end=26)],
        "scopes": [Scope(assertion="absent", start=40, end=57, cue="No")],
    }
    return Analysis(**made | fields)


def legend_tokenized(**fields: Any) -> LegendTokenized:
    return LegendTokenized(**common(analysis=analysis()) | fields)


def recommendation(**fields: Any) -> Recommendation:
    made = {
        "id": "r1",
        "iri": "http://purl.obolibrary.org/obo/UBERON_0001954",
        "curie": "UBERON:0001954",
        "label": "Ammon's horn",
        "ontology": "UBERON",
        "vocabulary_version": "2025-01-15",
        "axis": "anatomy",
        "panels": ["A"],
        "spans": [Span(start=15, end=26, text="hippocampus")],
        "match": "synonym",
        "score": 0.8,
        "why": "“hippocampus” is a synonym of Ammon's horn (UBERON)",
    }
    return Recommendation(**made | fields)


def recommendations_ready(**fields: Any) -> RecommendationsReady:
    made = {
        "state": "ready",
        "annotator": "local/1",
        "vocabularies": {"UBERON": "2025-01-15"},
        "recommendations": [recommendation()],
    }
    return RecommendationsReady(**common(**made) | fields)


def tag(**fields: Any) -> Tag:
    made = {
        "key": "UBERON:0001954|present",
        "axis": "anatomy",
        "iri": "http://purl.obolibrary.org/obo/UBERON_0001954",
        "curie": "UBERON:0001954",
        "label": "Ammon's horn",
        "ontology": "UBERON",
        "vocabulary_version": "2025-01-15",
        "spans": [Span(start=15, end=26, text="hippocampus")],
        "source": "recommendation",
        "score": 0.8,
        "annotator": ANNOTATOR,
        "decided_at": WHEN,
    }
    return Tag(**made | fields)


def tag_accepted(**fields: Any) -> TagAccepted:
    return TagAccepted(**common(actor=ANNOTATOR, tag_id="t1", assignment="s1", tag=tag()) | fields)


def tag_withdrawn(**fields: Any) -> TagWithdrawn:
    made = {"actor": ANNOTATOR, "revision": 2, "tag_id": "t1", "assignment": "s1", "tag": tag()}
    return TagWithdrawn(**common(**made) | fields)


def assignment_changed(**fields: Any) -> AssignmentChanged:
    made = {"actor": ANNOTATOR, "assignment": "s1", "annotator": ANNOTATOR, "reviewer": REVIEWER, "state": "open"}
    return AssignmentChanged(**common(**made) | fields)


def review_done(**fields: Any) -> ReviewDone:
    decision = Decision(
        kind="accept",
        key="UBERON:0001954|present",
        axis="anatomy",
        curie="UBERON:0001954",
        label="Ammon's horn",
        annotator=ANNOTATOR,
        decided_at=WHEN,
    )
    made = {
        "actor": REVIEWER,
        "review": "v1",
        "assignment": "s1",
        "verdict": "approved",
        "comment": "Well seen.",
        "reviewer": REVIEWER,
        "annotator": ANNOTATOR,
        "decided_at": WHEN,
        "tags": [tag()],
        "decisions": [decision],
    }
    return ReviewDone(**common(**made) | fields)
