"""What an export says of a figure, the same in every format."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, get_args

from services.export.mapped import ToVocabulary
from services.export.merge import final_tags, provisional_tags
from services.export.model import Facts, FigureRecord, Status
from shared.events.recommendation import Axis
from shared.events.tag import Tag
from shared.vocabulary.mappings import Target

AXES: Final[tuple[Axis, ...]] = get_args(Axis)

# What XML 1.0 cannot hold (section 2.2, production 2), however escaped; spreadsheets choke on the same.
_UNPRINTABLE: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class Exported:
    """A figure with its tags: the final ones when it is approved, else the provisional ones. Their order depends on
    nothing but them, so that the same state gives the same bytes. `mapped`: what the concepts of its tags are in the
    vocabulary that was asked for, by CURIE; those without one are missing."""

    id: str
    facts: Facts
    status: Status
    reviewer: str
    tags: list[Tag]
    mapped: Mapping[str, Target] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """Rows of a table with a row for each tag, or one row without a tag."""
        return max(1, len(self.tags))


def exported(record: FigureRecord, mapping: ToVocabulary | None = None) -> Exported | None:
    """Null while the figure itself has not arrived."""
    if record.facts is None:
        return None
    tags = sorted(final_tags(record) + provisional_tags(record), key=_order)
    return Exported(
        id=record.id,
        facts=record.facts,
        status=record.status,
        reviewer=record.review.reviewer if record.review is not None else "",
        tags=tags,
        mapped={} if mapping is None else mapping.of(tags),
    )


def printable(text: str) -> str:
    """The text with what neither format can hold replaced by U+FFFD."""
    return _UNPRINTABLE.sub("\ufffd", text)


def instant(at: datetime) -> str:
    """In UTC, by the second: 2026-03-01T09:30:00Z (RFC 3339)."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _order(tag: Tag) -> tuple[int, str, str, str, str]:
    return (AXES.index(tag.axis), tag.label.casefold(), tag.curie or "", tag.key, tag.annotator)
