"""A figure's record as the search index holds it."""

from collections.abc import Iterable

from services.export.merge import final_tags, provisional_tags
from services.export.model import FigureRecord
from shared.events.tag import Tag
from shared.search.port import FigureEntry, TagEntry


def entry_of(record: FigureRecord) -> FigureEntry | None:
    """The record's version makes a late write harmless. Null while the figure itself has not arrived."""
    facts = record.facts
    if facts is None:
        return None
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
        status=record.status,
        language=facts.language,
        tags=_tags(final_tags(record)),
        provisional=_tags(provisional_tags(record)),
    )


def _tags(tags: Iterable[Tag]) -> tuple[TagEntry, ...]:
    entries = {TagEntry(axis=tag.axis, label=tag.label, curie=tag.curie) for tag in tags}
    return tuple(sorted(entries, key=lambda tag: (tag.axis, tag.label, tag.curie or "")))
