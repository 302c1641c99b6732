"""How long to wait before a safe request is tried again, and while a job runs."""

from collections.abc import Iterator
from typing import Final

TRIES: Final = 4


def retries() -> Iterator[float]:
    """Seconds before the second, third … try: 0.2, 0.8, 3.2. They cover the restart of a server."""
    return (0.2 * 4**attempt for attempt in range(TRIES - 1))


def polls() -> Iterator[float]:
    """Seconds between looks at a running job: short at first, then one a second."""
    seconds = 0.05
    while True:
        yield seconds
        seconds = min(seconds * 1.5, 1.0)
