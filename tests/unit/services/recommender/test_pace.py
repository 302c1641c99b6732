import asyncio
import time
from collections.abc import Sequence

import pytest

from services.recommender.pace import Pace
from services.recommender.slots import USED_SHARE
from shared.bus.port import Share
from shared.errors import Unavailable

LIMIT = 40


class Partitions:
    """What a group's copy has, as the test says."""

    def __init__(self, mine: Sequence[int], of: int) -> None:
        self.mine = list(mine)
        self.of = of
        self.asked = asyncio.Event()

    async def share(self) -> Share:
        self.asked.set()
        return Share(self.of, dict.fromkeys(self.mine, 0.0), settles=0.0)


async def test_turns_of_two_copies_together_keep_to_the_limit_and_both_get_some() -> None:
    copies = [Pace(LIMIT, Partitions(mine, of=4).share) for mine in ([0, 1], [2, 3])]
    taken: list[tuple[float, int]] = []

    async def work(number: int) -> None:
        for _ in range(LIMIT // 2):
            await copies[number].turn()
            taken.append((time.time(), number))

    async with asyncio.timeout(20):
        await asyncio.gather(work(0), work(1))
    at = sorted(moment for moment, _ in taken)
    assert max(sum(one <= other < one + 1 for other in at) for one in at) <= LIMIT
    assert at[-1] - at[0] >= (LIMIT - 1) / LIMIT / USED_SHARE - 0.1


async def test_two_who_ask_at_once_get_a_turn_each() -> None:
    pace = Pace(LIMIT, Partitions([0], of=1).share)
    async with asyncio.timeout(20):
        await asyncio.gather(pace.turn(), pace.turn())
    assert pace._used >= 0


async def test_without_a_partition_there_is_no_turn() -> None:
    with pytest.raises(Unavailable, match="another copy"):
        await Pace(LIMIT, Partitions([], of=12).share).turn()


async def test_a_partition_that_leaves_while_its_turn_is_waited_for_gives_none() -> None:
    partitions = Partitions([0], of=100)
    waiting = asyncio.create_task(Pace(LIMIT, partitions.share).turn())
    await partitions.asked.wait()
    partitions.mine.clear()
    async with asyncio.timeout(20):
        with pytest.raises(Unavailable):
            await waiting
