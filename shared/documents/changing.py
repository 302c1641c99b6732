"""What an update does to a document, whichever engine stores it."""

from collections.abc import Sequence

from shared.documents.port import Change, D
from shared.errors import Conflict
from shared.events.envelope import Event


def applied(current: D, change: Change[D], *, seen: int | None, stored: bool) -> tuple[D, Sequence[Event]] | None:
    """The next version and its events; null when a stored document stays as it is and nothing is to be told. Raises
    Conflict when the caller saw another version than the current one."""
    if seen is not None and seen != current.version:
        raise Conflict(
            f"This changed meanwhile: you saw version {seen}, it is at {current.version}.",
            difference={"version": {"yours": seen, "theirs": current.version}},
        )
    changed, events = change(current)
    if stored and changed == current and not events:
        return None
    return changed.model_copy(update={"version": current.version + 1}), events
