"""What kills the worker process that runs it. Light: the worker imports this module."""

import os
import signal
from typing import Any


def die(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)
