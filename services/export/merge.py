"""How events become a figure's record: per entity the highest revision stays, whatever the order of arrival.

Figure facts, each tag of an assignment and the review are entities of their own, each with its own revisions; the
record holds the newest state of each. So shuffled, late and doubled deliveries end in one state.
"""

import re
from typing import Any, Final

from services.export.model import Facts, FigureRecord, ProvisionalTag, Review, Status
from shared.events.envelope import Event
from shared.events.image import ImageUploaded
from shared.events.review import ReviewDone
from shared.events.tag import Tag, TagAccepted, TagWithdrawn

_DIGITS: Final = re.compile(r"\d+")


def merged(record: FigureRecord, event: Event) -> FigureRecord:
    """The record after an event; the same record where it knew as much or more."""
    fields: dict[str, Any]
    match event:
        case ImageUploaded() if record.facts is None or record.facts.revision < event.revision:
            facts = _facts(event)
            fields = {"facts": facts, "place": _place(facts)}
        case TagAccepted() | TagWithdrawn() if _revision(record, event.tag_id) < event.revision:
            tag = event.tag if isinstance(event, TagAccepted) else None
            known = record.provisional | {
                event.tag_id: ProvisionalTag(revision=event.revision, tag=tag, trial=event.trial)
            }
            # In order of id, so that the order of arrival leaves no trace.
            fields = {"provisional": dict(sorted(known.items()))}
        case ReviewDone() if record.review is None or record.review.revision < event.revision:
            verdict = Review(
                revision=event.revision,
                verdict=event.verdict,
                reviewer=event.reviewer,
                tags=event.tags,
                blind=event.blind,
            )
            fields = {"review": verdict}
        case _:
            return record
    changed = record.changed(project=event.project, **fields)
    return changed.changed(status=_status(changed))


def final_tags(record: FigureRecord) -> list[Tag]:
    """The tags that reviews have approved."""
    return record.review.tags if record.review is not None else []


def provisional_tags(record: FigureRecord) -> list[Tag]:
    """The tags that stand without approval; none once the figure is approved."""
    if record.status == "approved":
        return []
    return [known.tag for known in record.provisional.values() if known.tag is not None and not known.trial]


def trial_tags(record: FigureRecord) -> list[Tag]:
    """Those that stand for the sake of measuring whoever gave them, and never become the figure's."""
    return [known.tag for known in record.provisional.values() if known.tag is not None and known.trial]


def _status(record: FigureRecord) -> Status:
    review = record.review
    if review is not None:
        # One annotator's work may be returned while another's stands approved: then the figure has final tags.
        return "approved" if review.verdict == "approved" or review.tags else "returned"
    standing = (known for known in record.provisional.values() if known.tag is not None and not known.trial)
    return "provisional" if any(standing) else "new"


def _revision(record: FigureRecord, tag_id: str) -> int:
    known = record.provisional.get(tag_id)
    return 0 if known is None else known.revision


def _facts(event: ImageUploaded) -> Facts:
    picture = event.picture
    return Facts(
        revision=event.revision,
        article=event.article,
        label=event.label,
        legend=event.legend,
        language=event.language,
        external_id=event.external_id,
        image_file=picture.file if picture else None,
        image_sha256=picture.sha256 if picture else None,
    )


def _place(facts: Facts) -> str:
    """Sorts figures by article, then by label as people count: "Figure 2" before "Figure 10"."""
    label = _DIGITS.sub(lambda digits: digits[0].zfill(6), facts.label.casefold())
    return "\x1f".join((facts.article.doi or "", facts.article.collection or "", label))
