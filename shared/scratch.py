"""What killed processes left in a scratch folder, removed by the next one that serves on it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.blobs import Blobs


@contextmanager
def swept(blobs: Blobs, data: Path) -> Iterator[None]:
    """Sweeps, unless another process serves on this data folder; as long as the context lasts, no other one sweeps."""
    if sys.platform == "win32":  # which has no locks that several share
        yield
        return
    import fcntl  # noqa: PLC0415

    with (data / "scratch.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            blobs.sweep_scratch()
        except BlockingIOError:
            pass  # its files are in use
        fcntl.flock(lock, fcntl.LOCK_SH)
        yield
