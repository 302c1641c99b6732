"""Slows down guessing: after a few failures a name, or an address, has to wait, longer each time."""

from collections import OrderedDict
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import Final

FREE: Final = 5
# A whole ward may come from one address, and somebody always mistypes.
FREE_OF_AN_ADDRESS: Final = 50
LONGEST: Final = 300.0
FORGOTTEN: Final = 900.0
NAMES: Final = 10_000


@dataclass(slots=True)
class _Failures:
    count: int
    last: float


class Throttled(Exception):
    """This name, address or person has tried too often; `seconds` until it may try again."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class Throttle:
    """Failures by name, in memory: at most 10,000 names, the ones that failed longest ago are forgotten first.

    Several gateways count each for itself: n of them allow n times as many guesses, which is still few."""

    def __init__(self, free: int = FREE) -> None:
        """`free`: failures until a name has to wait."""
        self._free = free
        self._failures: OrderedDict[str, _Failures] = OrderedDict()

    def seconds(self, name: str, now: float) -> float:
        """How long this name has to wait before it may try again; 0: it may now. `now` in monotonic seconds."""
        failures = self._failures.get(name)
        if failures is None or now - failures.last > FORGOTTEN or failures.count < self._free:
            return 0.0
        pause = min(2.0 ** min(failures.count - self._free, 20), LONGEST)
        return max(0.0, failures.last + pause - now)

    def failed(self, name: str, now: float) -> None:
        failures = self._failures.pop(name, None)
        if failures is None or now - failures.last > FORGOTTEN:
            failures = _Failures(0, now)
        self._failures[name] = _Failures(failures.count + 1, now)
        while len(self._failures) > NAMES:
            self._failures.popitem(last=False)

    def succeeded(self, name: str) -> None:
        """All its failures are forgotten."""
        self._failures.pop(name, None)

    def forgiven(self, name: str) -> None:
        """One of its failures was none. The others stay: who knows one password must not guess others freely."""
        if failures := self._failures.get(name):
            failures.count -= 1


def network_of(address: str) -> str:
    """What counts as one address: a network of 64 bits in IPv6, of which anybody has 2^64 addresses."""
    try:
        found = ip_address(address)
    except ValueError:
        return address[:100]
    if not isinstance(found, IPv6Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return f"{IPv6Address(int(found) >> 64 << 64)}/64"
