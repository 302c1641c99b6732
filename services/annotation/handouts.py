"""Plans for as many figures as there are, carried out in the background, one at a time in a project.

Each step is a plan's next figures, as a request would give them; then how far it went is noted. Whoever takes up the
work of one who died in between does the step again: figures that were given in it are not free any more, so nobody gets
one twice. What such a step gave in all its tries is counted from what is stored, where its name stands.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Final

import structlog

from services.annotation.assigning import Choice, Order, Share
from services.annotation.distribution import Distributed, Distribution
from services.annotation.model import Handout
from shared.access import Caller
from shared.clock import new_id, now
from shared.documents.port import Collection, Documents
from shared.errors import Conflict, MitaggerError, NotFound, PermanentError, TransientError
from shared.leases import held, silent
from shared.tasks import ended, rung

LOOK_SECONDS: Final = 2.0

log = structlog.get_logger()


class Handouts:
    """The use cases, and whoever works on them in this process."""

    def __init__(self, documents: Documents, distribution: Distribution) -> None:
        self._handouts: Collection[Handout] = documents.collection(Handout)
        self._distribution = distribution
        self._me = new_id()
        self._at: str | None = None  # the project whose job this process had last
        self._wanted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Goes on with what a stop or a death left running."""
        self._task = asyncio.create_task(self._work_on(), name="handouts")

    async def stop(self) -> None:
        """What runs stays so on record; others may go on with what this process was at, at once."""
        if self._task is not None:
            await ended(self._task)
        if self._at is not None:
            with suppress(TransientError):  # the store is away: others hear nothing of this process, and take over
                await self._handouts.update(self._at, lambda current: (_left(current, self._me), ()))

    async def begin(self, caller: Caller, project: str, article: str | None, order: Order) -> Handout:
        """Raises Conflict where one is running; Forbidden, Invalid as `Distribution.distribute`."""
        await self._distribution.require_possible(caller, project, order)
        new = Handout(
            id=project,
            number=0,
            article=article,
            order=order,
            total=await self._distribution.size(project, article),
            started_by=caller.person,
            started_at=now(),
        )

        def fresh(current: Handout) -> tuple[Handout, tuple[()]]:
            if current.state == "running" and current.number:
                raise Conflict(
                    "Figures of this project are being handed out.", remedy="Wait until that is done, or stop it."
                )
            return new.changed(number=current.number + 1, version=current.version), ()

        begun = await self._handouts.update(project, fresh, initial=new)
        self._wanted.set()
        return begun

    async def newest(self, caller: Caller, project: str) -> Handout:
        """How far it is. Raises Forbidden, NotFound where there never was one."""
        caller.require("project.write", frozenset({"any"}), project)
        try:
            return await self._handouts.get(project)
        except NotFound as error:
            raise NotFound("Nothing was handed out here in the background.", remedy="Begin by a POST.") from error

    async def break_off(self, caller: Caller, project: str) -> Handout:
        """No further step begins; what was given stays given. Nothing where it has ended. Raises Forbidden,
        NotFound."""
        await self.newest(caller, project)
        return await self._handouts.update(
            project, lambda one: ((one.changed(state="stopped") if one.state == "running" else one), ())
        )

    async def step(self) -> bool:
        """Does the next step of whatever is running and nobody works on. Returns whether there was any."""
        for one in await self._running():
            at = now()
            try:
                mine = await self._handouts.update(one.id, lambda current, at=at: (_taken(current, self._me, at), ()))  # type: ignore[misc]
            except (Conflict, NotFound):
                continue  # somebody else has it, or it was stopped
            self._at = mine.id
            async with held(partial(self._say, mine)):
                await self._do(mine, again=mine.step_begun_at != at)
            return True
        return False

    async def _say(self, mine: Handout) -> None:
        """That this process is at it. Raises Conflict where another has taken over, who would be disturbed: two at one
        step would give its figures to different people."""
        at = now()
        await self._handouts.update(mine.id, lambda current: (_alive(current, mine, at), ()))

    async def _do(self, handout: Handout, *, again: bool) -> None:
        try:
            done = await self._distribution.hand_out(
                Caller(handout.started_by),  # who was asked for the right when it began
                handout.id,
                Choice(article=handout.article),
                handout.order,
                after=handout.next,
                apply=True,
                step=handout.step,
            )
            if again and handout.step_begun_at is not None:
                figures, shares = await self._distribution.given(
                    handout.id, handout.order.team, handout.step, handout.step_begun_at
                )
                done = replace(done, figures=figures, shares=shares)
        except PermanentError as error:
            reason = str(error)
            await self._handouts.update(handout.id, lambda one: (_failed(one, handout.number, reason), ()))
            log.warning("handing out failed", project=handout.id, reason=reason)
            return
        await self._handouts.update(handout.id, lambda one: (_further(one, handout.number, done), ()))

    async def _running(self) -> list[Handout]:
        return (await self._handouts.find({"state": "running"}, limit=100)).items

    async def _work_on(self) -> None:
        while True:
            try:
                while await self.step():
                    pass
            except MitaggerError as error:
                log.warning("handing out waits", reason=str(error))
            except Exception:
                log.exception("handing out stands still")
            await rung(self._wanted, seconds=LOOK_SECONDS)


def _taken(handout: Handout, worker: str, at: datetime) -> Handout:
    """Raises Conflict where it is not to be had."""
    if handout.state != "running" or (handout.worker not in ("", worker) and not silent(handout.alive_at, at)):
        raise Conflict("Somebody else works on it, or it was stopped.")
    return handout.changed(worker=worker, alive_at=at, step_begun_at=handout.step_begun_at or at)


def _alive(handout: Handout, mine: Handout, at: datetime) -> Handout:
    if (handout.number, handout.worker) != (mine.number, mine.worker):
        raise Conflict("Another process works on it by now.")
    return handout.changed(alive_at=at)


def _left(handout: Handout, worker: str) -> Handout:
    return handout.changed(worker="", alive_at=None) if handout.worker == worker else handout


def _failed(handout: Handout, number: int, reason: str) -> Handout:
    return handout.changed(state="failed", error=reason) if handout.number == number else handout


def _further(handout: Handout, number: int, done: Distributed) -> Handout:
    """After a step. What was stopped meanwhile stays so, and counts the step."""
    if handout.number != number:
        return handout
    state = "done" if done.next is None and handout.state == "running" else handout.state
    return handout.changed(
        state=state,
        looked=handout.looked + done.looked,
        figures=handout.figures + done.figures,
        people=_added(handout.people, done.shares),
        next=done.next,
        steps=handout.steps + 1,
        step_begun_at=None,
    )


def _added(before: Sequence[Share], step: Sequence[Share]) -> tuple[Share, ...]:
    figures, hidden, gold = Counter[str](), Counter[str](), Counter[str]()
    for share in (*before, *step):
        figures[share.pair.annotator] += share.figures
        hidden[share.pair.annotator] += share.hidden
        gold[share.pair.annotator] += share.gold
    return tuple(
        Share(one.pair, figures[one.pair.annotator], hidden[one.pair.annotator], gold[one.pair.annotator])
        for one in step
    )
