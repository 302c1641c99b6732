"""Sequences in parts of about one size."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")


def in_parts(items: Sequence[T], size: int, of: Callable[[T], int]) -> Iterator[Sequence[T]]:
    """Parts in order, each ending with the item at which the sizes `of` its items reach `size`; the last may not."""
    first = reached = 0
    for number, item in enumerate(items, start=1):
        reached += of(item)
        if reached >= size or number == len(items):
            yield items[first:number]
            first, reached = number, 0
