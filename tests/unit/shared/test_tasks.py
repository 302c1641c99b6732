"""Background tasks end."""

import asyncio

import pytest

from shared import tasks
from shared.tasks import Background, ended, rung


async def test_a_task_that_swallows_its_cancellation_is_cancelled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "AGAIN_SECONDS", 0.01)
    swallowed: list[bool] = []

    async def work() -> None:
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if swallowed:
                    raise
                swallowed.append(True)

    async def fails() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise ValueError

    going = [asyncio.create_task(work()), asyncio.create_task(fails())]
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await ended(*going)
    assert [task.done() for task in going] == [True, True]
    assert swallowed


async def test_nothing_to_end_is_no_error() -> None:
    await ended()


async def test_what_goes_on_in_the_background_is_held_until_it_ends() -> None:
    background, go_on = Background(), asyncio.Event()

    async def work() -> None:
        await go_on.wait()

    first, second = (background.begin(work(), name) for name in ("first", "second"))
    go_on.set()
    await asyncio.gather(first, second)
    await asyncio.sleep(0)  # what is told of their end
    assert background.idle
    go_on.clear()
    endless = background.begin(work(), "endless")
    await background.ended()
    assert endless.cancelled()


async def test_a_bell_is_heard_once_also_when_it_rang_before() -> None:
    bell = asyncio.Event()
    bell.set()
    async with asyncio.timeout(5):
        await rung(bell, seconds=1000)
    assert not bell.is_set()
    await rung(bell, seconds=0.001)
