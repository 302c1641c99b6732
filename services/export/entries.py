"""A figure's record as the search index holds it, and what of its status is shown to whom.

Who may not see provisional tags is not told either that there are some, or whose figure it is: a figure is `approved`
to them, or `new`. So an approved figure whose tags are kept from annotators (`Review.blind`) looks like one that nobody
has tagged, also to the person who is tagging it (docs/decisions/0035-gold.md).
"""

from collections.abc import Iterable, Sequence
from typing import Final

from services.export.merge import final_tags, provisional_tags, trial_tags
from services.export.model import FigureRecord, Status
from shared.events.tag import Tag
from shared.search.port import FigureEntry, TagEntry

# As the index has the status of an approved figure whose tags are kept from annotators.
KEPT_BACK: Final = "kept back"


def entry_of(record: FigureRecord) -> FigureEntry | None:
    """The record's version makes a late write harmless. Null while the figure itself has not arrived."""
    facts = record.facts
    if facts is None:
        return None
    review = record.review
    kept_back = review is not None and review.blind and record.status == "approved"
    final = _entries(_tag(tag) for tag in final_tags(record))
    # On trial, one finds one's own tags as on any other figure.
    standing = trial_tags(record) if kept_back else provisional_tags(record) + trial_tags(record)
    drafts = _entries(_tag(tag, by=tag.annotator) for tag in standing)
    return FigureEntry(
        id=record.id,
        version=record.version,
        project=record.project,
        article=facts.article.id,
        doi=facts.article.doi,
        collection=facts.article.collection,
        title=facts.article.title,
        label=facts.label,
        legend=facts.legend,
        status=KEPT_BACK if kept_back else record.status,
        language=facts.language,
        tags=() if kept_back else final,
        provisional=(*final, *drafts) if kept_back else drafts,
        people=tuple(sorted({tag.annotator for tag in (*final_tags(record), *standing)})),
    )


def statuses_to_find(wanted: Sequence[Status], *, everything: bool) -> list[str]:
    """The index's statuses of those that somebody asks for. `everything`: who sees everybody's provisional tags."""
    if everything:
        return [*wanted, *([KEPT_BACK] if "approved" in wanted else [])]
    # Nothing is `provisional` or `returned` to them; asking for it finds nothing.
    open_ones = ["new", "provisional", "returned", KEPT_BACK] if "new" in wanted else []
    return [*open_ones, *(["approved"] if "approved" in wanted else [])] or ["none"]


def status_shown(stored: str, *, everything: bool) -> str:
    """What of an index's status is shown to somebody."""
    if everything:
        return "approved" if stored == KEPT_BACK else stored
    return "approved" if stored == "approved" else "new"


def _tag(tag: Tag, *, by: str | None = None) -> TagEntry:
    return TagEntry(axis=tag.axis, label=tag.label, curie=tag.curie, by=by)


def _entries(tags: Iterable[TagEntry]) -> tuple[TagEntry, ...]:
    """Each once: a concept may stand with several assertions."""
    return tuple(sorted(set(tags), key=lambda tag: (tag.axis, tag.label, tag.curie or "", tag.by or "")))
