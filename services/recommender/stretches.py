"""Labelled stretches of a text, and which of them hold a span."""

from bisect import bisect_right
from collections.abc import Iterable
from typing import Generic, TypeVar

Label = TypeVar("Label", bound=str)


class Stretches(Generic[Label]):
    """Stretches as (label, start, end). Those of one label that overlap or touch count as one."""

    def __init__(self, stretches: Iterable[tuple[Label, int, int]]) -> None:
        # From each border to the next the same stretches lie above the text.
        self._borders: list[int] = []
        self._above: list[list[tuple[int, Label]]] = []
        ordered = sorted(stretches, key=_place)
        first: dict[Label, int] = {}
        reached = begun = -1
        for number, (label, start, end) in enumerate(ordered):
            first.setdefault(label, number)
            if start > reached:
                self._borders += start, end
                self._above += [(end, label)], []
            elif start == begun and end == reached and first[self._above[-2][-1][1]] < first[label]:
                self._above[-2].append((end, label))
            else:
                self._overlaid(ordered)
                return
            begun, reached = start, end

    def _overlaid(self, ordered: Iterable[tuple[Label, int, int]]) -> None:
        """For those that overlap or touch."""
        merged: dict[Label, list[list[int]]] = {}
        for label, start, end in ordered:
            of_label = merged.setdefault(label, [])
            if of_label and start <= of_label[-1][1]:
                of_label[-1][1] = max(of_label[-1][1], end)
            else:
                of_label.append([start, end])
        spans = [(start, end, label) for label, of_label in merged.items() for start, end in of_label]
        self._borders = sorted({start for start, _, _ in spans} | {end for _, end, _ in spans})
        self._above = [[] for _ in self._borders]
        numbers = {border: number for number, border in enumerate(self._borders)}
        for start, end, label in spans:
            for number in range(numbers[start], numbers[end]):
                self._above[number].append((end, label))

    def around(self, start: int, end: int) -> tuple[Label, ...]:
        """The labels whose stretches hold the whole span, in the order in which they first appear."""
        place = bisect_right(self._borders, start) - 1
        if place < 0:
            return ()
        return tuple([label for stretch_end, label in self._above[place] if end <= stretch_end])


def _place(stretch: tuple[str, int, int]) -> tuple[int, int]:
    return stretch[1], stretch[2]
