"""When a replica may ask a service that limits requests a second, without asking the other replicas.

Time is cut into slots of 1/(0.9 · limit) s. Slot n belongs to partition n mod P of the topic that the replicas share,
so only the replica that has this partition sends, once, within the slot's first 50 ms. With clocks that differ by less
than 30 ms from the true time, no second sees more than `limit` requests: (1 + 0.05 + 2 · 0.03) · 0.9 < 1.
"""

import math
from dataclasses import dataclass
from typing import Final

from shared.bus.port import Share

USED_SHARE: Final = 0.9
WINDOW_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True)
class Slot:
    """Send at `opens` (Unix time, seconds) or later, but before `closes`."""

    number: int
    opens: float
    closes: float


def next_slot(now: float, limit: int, share: Share, *, after: int = -1) -> Slot | None:
    """The first slot after number `after` that this replica may use and that has not closed at `now`.

    `limit` is in requests a second. None while the replica has no partition: then it must not send.
    """
    width = 1 / (USED_SHARE * limit)
    found = None
    for partition, since in share.since.items():
        earliest = max(now, since + share.settles)
        number = max(after + 1, math.ceil((earliest - WINDOW_SECONDS) / width), 0)
        number += (partition - number) % share.partitions
        # The window may be half over when the partition begins to count, or have closed just now.
        opens, closes = number * width, number * width + WINDOW_SECONDS
        if closes <= earliest:
            number += share.partitions
            opens, closes = number * width, number * width + WINDOW_SECONDS
        if found is None or number < found.number:
            found = Slot(number, max(opens, since + share.settles), closes)
    return found
