"""Labelled stretches of a text, and which of them hold a span."""

from bisect import bisect_right
from collections.abc import Iterable
from typing import Generic, TypeVar

Label = TypeVar("Label", bound=str)


class Stretches(Generic[Label]):
    """Stretches as (label, start, end). Those of one label that overlap or touch count as one."""

    def __init__(self, stretches: Iterable[tuple[Label, int, int]]) -> None:
        self._borders: dict[Label, tuple[list[int], list[int]]] = {}
        for label, start, end in sorted(stretches, key=lambda stretch: stretch[1:]):
            starts, ends = self._borders.setdefault(label, ([], []))
            if ends and start <= ends[-1]:
                ends[-1] = max(ends[-1], end)
            else:
                starts.append(start)
                ends.append(end)

    def around(self, start: int, end: int) -> tuple[Label, ...]:
        """The labels whose stretches hold the whole span, in the order in which they first appear."""
        held = []
        for label, (starts, ends) in self._borders.items():
            before = bisect_right(starts, start) - 1
            if before >= 0 and end <= ends[before]:
                held.append(label)
        return tuple(held)
