"""Slows down guessing: after a few failures a name has to wait, longer each time."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

FREE: Final = 5
LONGEST: Final = 300.0
FORGOTTEN: Final = 900.0
NAMES: Final = 10_000


@dataclass(slots=True)
class _Failures:
    count: int
    last: float


class Throttle:
    """Failures by name, in memory: at most 10,000 names, the ones that failed longest ago are forgotten first."""

    def __init__(self) -> None:
        self._failures: OrderedDict[str, _Failures] = OrderedDict()

    def seconds(self, name: str, now: float) -> float:
        """How long this name has to wait before it may try again; 0: it may now. `now` in monotonic seconds."""
        failures = self._failures.get(name)
        if failures is None or now - failures.last > FORGOTTEN or failures.count < FREE:
            return 0.0
        pause = min(2.0 ** (failures.count - FREE), LONGEST)
        return max(0.0, failures.last + pause - now)

    def failed(self, name: str, now: float) -> None:
        failures = self._failures.pop(name, None)
        if failures is None or now - failures.last > FORGOTTEN:
            failures = _Failures(0, now)
        self._failures[name] = _Failures(failures.count + 1, now)
        while len(self._failures) > NAMES:
            self._failures.popitem(last=False)

    def succeeded(self, name: str) -> None:
        self._failures.pop(name, None)
