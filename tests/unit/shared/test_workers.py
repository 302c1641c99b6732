"""Functions run in the workers are the standard library's, so that a worker can import them wherever this file lies."""

import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from shared import errors
from shared.workers import GIB, Workers
from tests.support.samples import Risen

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="bounds on memory and /proc are Linux's")


def alive(process: int) -> bool:
    """A zombie that nobody has collected yet is dead."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until(condition: Callable[[], bool], seconds: float = 20) -> None:
    late = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < late, "it did not happen"
        time.sleep(0.02)


async def test_returns_what_the_function_returns_from_another_process() -> None:
    assert await Workers(1).run(os.getpid, timeout=20) != os.getpid()


async def test_a_worker_is_used_again() -> None:
    workers = Workers(1)
    first = await workers.run(os.getpid, timeout=20)
    assert await workers.run(os.getpid, timeout=20) == first


async def test_an_error_of_the_function_arrives_as_it_was() -> None:
    with pytest.raises(ZeroDivisionError):
        await Workers(1).run(divmod, 1, 0, timeout=20)


async def test_work_that_hangs_is_stopped_with_its_process() -> None:
    workers = Workers(1)
    process = await workers.run(os.getpid, timeout=20)
    with pytest.raises(errors.DeadlineExceeded, match=r"sleep took longer than 0\.2 s"):
        await workers.run(time.sleep, 300, timeout=0.2)
    assert not alive(process)
    assert await workers.run(abs, -1, timeout=20) == 1


async def test_work_that_needs_too_much_memory_is_refused_and_the_worker_lives_on() -> None:
    workers = Workers(1, memory=GIB)
    process = await workers.run(os.getpid, timeout=20)
    with pytest.raises(errors.TooLarge, match="1024 MiB"):
        await workers.run(bytes, 2 * GIB, timeout=20)
    assert await workers.run(os.getpid, timeout=20) == process


async def test_a_worker_that_dies_takes_no_peer_with_it() -> None:
    workers = Workers(2)
    ended: list[str] = []

    async def peer() -> None:
        await workers.run(time.sleep, 1, timeout=20)
        ended.append("peer")

    async with anyio.create_task_group() as group:
        group.start_soon(peer)
        for _ in range(3):
            with pytest.raises(errors.Invalid, match="abort die") as raised:
                await workers.run(os.abort, timeout=20)
            assert raised.value.remedy
    assert ended == ["peer"]


async def test_no_more_processes_than_allowed_work_at_once() -> None:
    workers = Workers(1)
    processes: set[int] = set()

    async def one() -> None:
        processes.add(await workers.run(os.getpid, timeout=20))

    async with anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(one)
    assert len(processes) == 1


async def test_cancelling_kills_the_worker() -> None:
    workers = Workers(1)
    process = await workers.run(os.getpid, timeout=20)
    with anyio.move_on_after(0.2):
        await workers.run(time.sleep, 300, timeout=600)
    assert not alive(process)


def children() -> set[int]:
    found = {int(pid) for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()}
    return {pid for pid in found if alive(pid)}


async def test_cancelling_while_a_worker_starts_leaves_no_other_behind() -> None:
    workers, before = Workers(1), children()
    for _ in range(3):
        with anyio.move_on_after(0.01):
            await workers.run(time.sleep, 300, timeout=600)
    assert await workers.run(abs, -1, timeout=20) == 1
    assert len(children() - before) <= 1


async def test_a_worker_that_was_killed_while_it_waited_is_replaced_and_no_input_blamed() -> None:
    workers = Workers(1)
    for _ in range(3):
        os.kill(await workers.run(os.getpid, timeout=20), signal.SIGKILL)
        assert await workers.run(abs, -1, timeout=20) == 1


SERVER = """
import sys, anyio
from shared.workers import Workers
async def main():
    await Workers(1).run(exec, sys.argv[1], timeout=1)
if __name__ == "__main__":
    anyio.run(main)
"""


def test_a_busy_worker_ends_after_its_server_was_killed(tmp_path: Path) -> None:
    script, busy = tmp_path / "server.py", tmp_path / "busy"
    script.write_text(SERVER)
    work = f"import os, time; os.symlink(str(os.getpid()), {str(busy)!r}); time.sleep(300)"
    root = str(Path(__file__).parents[3])
    server = subprocess.Popen([sys.executable, str(script), work], env={**os.environ, "PYTHONPATH": root})
    try:
        wait_until(busy.is_symlink)
    finally:
        server.kill()
        server.wait()
    worker = int(os.readlink(busy))
    wait_until(lambda: not alive(worker))


ERRORS = [
    errors.MitaggerError("broken", remedy="mend it"),
    errors.Unavailable("kafka"),
    errors.Unavailable("kafka", "It sleeps.", remedy="wait"),
    errors.DeadlineExceeded("late"),
    errors.Invalid("wrong", field="doi", remedy="send another"),
    errors.TooLarge("big", field="file"),
    errors.Duplicate("taken", holder="f1"),
    errors.Conflict("changed", difference={"legend": {"yours": "a", "theirs": "b"}}),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_errors_of_the_tree_cross_the_process_boundary_whole(error: errors.MitaggerError) -> None:
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert vars(copy) == vars(error)


async def test_what_became_of_the_work_shows_in_metrics() -> None:
    workers, risen = Workers(1), Risen()
    await workers.run(divmod, 1, 1, timeout=20)
    with pytest.raises(ZeroDivisionError):
        await workers.run(divmod, 1, 0, timeout=20)
    with pytest.raises(errors.DeadlineExceeded):
        await workers.run(time.sleep, 60, timeout=0.2)
    with pytest.raises(errors.Invalid):
        await workers.run(os.abort, timeout=20)
    tasks = [("divmod", "done"), ("divmod", "refused"), ("sleep", "timeout"), ("abort", "died")]
    for task, outcome in tasks:
        assert risen("mitagger_worker_tasks_total", task=task, outcome=outcome) == 1


async def test_a_function_may_ask_who_calls_it() -> None:
    """wordfreq does, by `inspect.stack`, which looks at the main module."""
    assert await Workers(1).run(eval, "len(__import__('inspect').stack())", timeout=20) > 0
