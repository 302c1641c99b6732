"""An assignment as it stood: what its history entries, in order, come to. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from services.annotation.model import Decided, Entry
from shared.events.tag import Tag


@dataclass(frozen=True, slots=True)
class Stood:
    """An assignment after the write that `entry` tells of."""

    entry: Entry
    decisions: tuple[Decided, ...]

    @property
    def tags(self) -> tuple[Tag, ...]:
        """The tags that stood."""
        return tuple(decided.tag for decided in self.decisions if decided.stands)


def stood(entries: Iterable[Entry]) -> Stood | None:
    """The assignment after the last of these entries, which are all from its first on; null without any."""
    decisions: dict[str, Decided] = {}
    last: Entry | None = None
    for last in entries:
        decisions.update({decided.tag.key: decided for decided in last.decisions})
    return Stood(last, tuple(decisions.values())) if last else None
