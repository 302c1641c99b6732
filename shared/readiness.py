"""Whether the consumers keep up: pure rules over their progress."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from shared.bus.port import Progress

PATIENCE: Final = timedelta(seconds=60)


class Readiness:
    """Remembers since when a group has been behind without moving, because an idle group has not moved either."""

    def __init__(self) -> None:
        self._since: dict[tuple[str, str], tuple[datetime | None, datetime]] = {}

    def problems(self, progress: Sequence[Progress], at: datetime) -> list[str]:
        """What is wrong, one sentence each; empty: ready."""
        found = []
        since: dict[tuple[str, str], tuple[datetime | None, datetime]] = {}
        for one in progress:
            if one.waiting_for:
                found.append(f"{one.group} waits for {one.waiting_for}.")
            if not one.behind:
                continue
            place = (one.group, one.topic)
            moved_at, first_seen = self._since.get(place, (one.moved_at, at))
            since[place] = (one.moved_at, first_seen if moved_at == one.moved_at else at)
            if at - since[place][1] > PATIENCE:
                found.append(
                    f"{one.group} has {one.behind:,} events of {one.topic} left and has not moved for"
                    f" {PATIENCE.total_seconds():.0f} s."
                )
        self._since = since
        return found
