"""A circuit breaker: after several failures in a row nobody is asked for a while, then one request tries again
(Nygard 2007, "Release It!")."""

import time
from collections.abc import Callable
from typing import Final

FAILURES: Final = 5
OPEN_SECONDS: Final = 30.0


class Breaker:
    """Closed at first. `clock` gives seconds that only rise."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._opened_at = 0.0

    @property
    def open(self) -> bool:
        """Whether nobody is to be asked now."""
        return self._failures >= FAILURES and self._clock() < self._opened_at + OPEN_SECONDS

    def succeeded(self) -> None:
        self._failures = 0

    def failed(self) -> None:
        self._failures += 1
        self._opened_at = self._clock()
