"""A call within bounds of memory and time: what a worker process runs, and imports (`shared.workers`)."""

import math
import signal
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any, TypeVar

from shared.errors import TooLarge

Result = TypeVar("Result")


def bounded(memory: int, timeout: float, function: Callable[..., Result], args: tuple[Any, ...]) -> Result:
    """Returns `function(*args)`. Raises TooLarge when it needs more than `memory` bytes; the process dies when it takes
    longer than `timeout` seconds (Linux)."""
    # anyio takes it away where the parent's main module is no file that ends in .py, as the command `mitagger` is; what
    # looks at its callers (`inspect.stack`, in wordfreq) needs one.
    sys.modules.setdefault("__main__", ModuleType("__main__"))
    if sys.platform == "linux":
        import resource  # noqa: PLC0415 - not on every platform

        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (memory, hard))
        # The parent kills a late worker; should the parent itself be dead, the alarm does.
        signal.alarm(math.ceil(timeout) + 1)
    try:
        return function(*args)
    except MemoryError:
        raise TooLarge(
            f"It needs more than the {memory // 1024**2} MiB of memory a worker may use.", remedy="Send a smaller one."
        ) from None
    finally:
        if sys.platform == "linux":
            signal.alarm(0)
