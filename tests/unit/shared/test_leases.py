"""Whoever is at a work says so meanwhile, and ends it when another has it."""

import asyncio
from datetime import timedelta

import pytest

from shared import leases
from shared.clock import now
from shared.errors import Conflict, Invalid, Unavailable


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "BEAT_SECONDS", 0.001)


class Said:
    """Counts how often it was said, and answers with these errors first."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.thrice = asyncio.Event()
        self.times = 0

    async def __call__(self) -> None:
        self.times += 1
        if self.times >= 3:
            self.thrice.set()
        if self.errors:
            raise self.errors.pop(0)


async def test_it_is_said_until_the_work_is_done_also_after_the_store_was_away() -> None:
    say = Said(Unavailable("documents"))
    async with asyncio.timeout(20), leases.held(say):
        await say.thrice.wait()
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "lease"]


async def test_work_ends_when_another_process_has_it() -> None:
    with pytest.raises(Conflict):
        async with asyncio.timeout(20), leases.held(Said(Conflict("Another has it."))):
            await asyncio.Event().wait()


async def test_what_fails_inside_is_raised_as_it_is() -> None:
    with pytest.raises(Invalid):
        async with leases.held(Said()):
            raise Invalid("No.")


@pytest.mark.parametrize(("seconds", "silent"), [(0, False), (29, False), (31, True), (-5, False)])
def test_half_a_minute_of_silence_is_death(seconds: float, silent: bool) -> None:
    at = now()
    assert leases.silent(at - timedelta(seconds=seconds), at) is silent
    assert leases.silent(None, at)
