"""`mitagger serve` in a process of its own, as people run it."""

import asyncio
import json
import os
import signal
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import httpx

from shared.settings import Settings

# Without events, readiness does not wait for the vocabularies: the second one does.
READY: Final = ("/readyz", "/api/v1/vocabularies")
START_SECONDS: Final = 120.0  # the first start on a machine compiles the vocabularies


class Server:
    """Serves an own data folder while the context lasts; entered once it is ready and has all vocabularies.

    `seconds`: from exec until then.
    """

    def __init__(self, folder: Path) -> None:
        self._data = folder / "data"
        self._process: asyncio.subprocess.Process | None = None
        self.url = ""
        self.key = ""
        self.seconds = 0.0

    async def __aenter__(self) -> Self:
        self._data.mkdir(parents=True, exist_ok=True)
        with (self._data.parent / "server.log").open("wb") as log:
            start = time.perf_counter()
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "mitagger", "serve", "--data", str(self._data), "--port", "0"),
                env={**os.environ, "MITAGGER_CACHE": str(Settings().cache)},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
            )
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(START_SECONDS):
                line = await self._process.stdout.readline()
                assert line.startswith(b"MITagger serves on "), (self._data.parent / "server.log").read_text("utf-8")
                told = json.loads((self._data / "server.json").read_text(encoding="utf-8"))
                self.url, self.key = told["url"], told["key"]
                headers = {"Authorization": f"Bearer {self.key}"}
                async with httpx.AsyncClient(base_url=self.url, headers=headers, trust_env=False) as http:
                    for path in READY:
                        while (await http.get(path)).status_code != 200:
                            await asyncio.sleep(0.01)
        except BaseException:
            self._process.kill()
            await self._process.wait()
            raise
        self.seconds = time.perf_counter() - start
        return self

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        await self._process.wait()
