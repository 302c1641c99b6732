"""A real server process on a data folder of its own: started, stopped, killed."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Final

from mitagger.client import AsyncClient
from tests.support.ports import reserved

ROOT: Final = Path(__file__).parents[2]
# The first start on a machine compiles the vocabularies, in the background; answering is a matter of seconds.
START_SECONDS: Final = 120.0
STOP_SECONDS: Final = 30.0


class Server:
    """`mitagger serve` in a process, on one port through all its lives. Its log is `server.log` beside the data."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.log = folder / "server.log"
        self._port = reserved(1)[0]
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Returns once it answers. Raises AssertionError, with the end of its log, when it does not."""
        await self.launch()
        assert self._process is not None
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(START_SECONDS):
                while line := await self._process.stdout.readline():
                    if line.startswith(b"MITagger serves on "):
                        return
        except TimeoutError:
            await self.kill()
        raise AssertionError(f"The server did not start.\n{self.told()}")

    async def launch(self) -> None:
        """The process is there, but need not answer yet."""
        # Of the environment, nothing but what a server needs: a developer's own MITAGGER_ settings stay outside.
        kept = {name: value for name, value in os.environ.items() if not name.startswith("MITAGGER_")}
        if "MITAGGER_CACHE" in os.environ:
            kept["MITAGGER_CACHE"] = os.environ["MITAGGER_CACHE"]
        self.data.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "mitagger", "serve", "--data", str(self.data), "--port", str(self._port)),
                cwd=self.data.parent,
                env={**kept, "PYTHONPATH": str(ROOT), "MITAGGER_WORKERS": "2"},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
            )

    def client(self) -> AsyncClient:
        """An administrator's client of the process that runs now."""
        answers = json.loads((self.data / "server.json").read_text(encoding="utf-8"))
        return AsyncClient(answers["url"], key=answers["key"])

    @property
    def url(self) -> str:
        return str(json.loads((self.data / "server.json").read_text(encoding="utf-8"))["url"])

    @property
    def pid(self) -> int:
        """Of the process that runs now."""
        assert self._process is not None
        return self._process.pid

    async def kill(self) -> None:
        """kill -9, and the process is gone. (Its workers end by themselves: their input does.)"""
        if self._process is not None:
            if self._process.returncode is None:
                os.kill(self._process.pid, signal.SIGKILL)
            await self._process.wait()

    async def stop(self) -> int:
        """As Ctrl+C does. Returns the exit code; one that hangs is killed."""
        if self._process is None:
            return 0
        if self._process.returncode is None:
            os.kill(self._process.pid, signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_SECONDS):
                return await self._process.wait()
        except TimeoutError:
            await self.kill()
            raise AssertionError(f"The server did not stop.\n{self.told()}") from None

    def told(self) -> str:
        """The end of its log."""
        return self.log.read_text(encoding="utf-8", errors="replace")[-4000:] if self.log.exists() else ""
