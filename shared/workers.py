"""CPU work in worker processes: bounded in time and memory, killed alone without harming their peers.

    workers = Workers()
    rendered = await workers.run(render, path, folder, timeout=60)

The pool is anyio's (`anyio.to_process`): processes start when first needed, are used again, and leave after five
idle minutes. Of the pools tried it is the one where killing a worker leaves the others alive (`ProcessPoolExecutor`
breaks as a whole). A worker imports the parent's `__main__` module and the module of the function: keep both light.
"""

import os
import time
from collections.abc import Callable
from typing import Any, TypeVar

import anyio
import anyio.to_process

from shared import metrics
from shared.bounded import bounded
from shared.errors import DeadlineExceeded, Invalid, Unavailable

GIB = 1024**3

_STARTS = 3  # of a worker process, before it is said that there is none

Result = TypeVar("Result")


class Workers:
    """At most `count` processes (default: one a core), each with at most `memory` bytes of address space.

    The bound on memory holds on Linux; other systems do not enforce one (RLIMIT_AS), there it is left out.
    """

    def __init__(self, count: int | None = None, *, memory: int = 2 * GIB) -> None:
        self._free = anyio.CapacityLimiter(count or os.cpu_count() or 1)
        self._memory = memory

    async def run(self, function: Callable[..., Result], *args: Any, timeout: float) -> Result:
        """Return `function(*args)`, computed in a worker within `timeout` seconds (waiting for one, and its start, not
        counted).

        `function` is a module's own; arguments, result and errors must pickle. Cancelling kills the worker too.

        Raises: what `function` raises; DeadlineExceeded when it took longer; TooLarge when it needed more memory;
        Invalid when its process died (a crash in a native library, or the system's memory killer); Unavailable when no
        process starts.
        """
        name = getattr(function, "__name__", repr(function))
        begun, outcome = time.perf_counter(), "cancelled"
        try:
            result = await self._run(name, function, args, timeout)
            outcome = "done"
            return result
        except Exception as error:
            outcome = _outcome(error)
            raise
        finally:
            metrics.WORKER_TASKS.labels(name, outcome).inc()
            metrics.WORKER_SECONDS.labels(name).observe(time.perf_counter() - begun)

    async def _run(self, name: str, function: Callable[..., Result], args: tuple[Any, ...], timeout: float) -> Result:
        async with self._free:
            await _ready()
            try:
                with anyio.move_on_after(timeout):
                    return await anyio.to_process.run_sync(
                        bounded, self._memory, timeout, function, args,
                        cancellable=True, limiter=anyio.CapacityLimiter(1),
                    )  # fmt: skip
            except anyio.BrokenWorkerProcess as died:
                raise Invalid(
                    f"This input made the process that ran {name} die.",
                    remedy="It is malformed or needs too much memory; send a repaired or smaller one.",
                ) from died
        raise DeadlineExceeded(f"{name} took longer than {timeout:g} s and was stopped.")


async def _ready() -> None:
    """A worker waits for work. Raises Unavailable.

    Apart from the work: what dies here is not the fault of the input, and anyio forgets a process whose start is
    cancelled, which then stays. (Of several at once one may take another's, which then starts with its work.)
    """
    for started in range(_STARTS):
        try:
            with anyio.CancelScope(shield=True):
                await anyio.to_process.run_sync(os.getpid, limiter=anyio.CapacityLimiter(1))
            return
        except (anyio.BrokenWorkerProcess, ProcessLookupError) as died:
            if started == _STARTS - 1:
                raise Unavailable("A worker process", "A worker process died while it started.") from died


def _outcome(error: Exception) -> str:
    if isinstance(error, DeadlineExceeded):
        return "timeout"
    return "died" if isinstance(error.__cause__, anyio.BrokenWorkerProcess) else "refused"
