"""A process a service, on Kafka, MongoDB and, where the environment names one, Meilisearch: what
`tests.support.server.Server` is for one process."""

import asyncio
import os
import secrets
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

import httpx

from mitagger.cli.outcome import REFUSED
from mitagger.client import AsyncClient
from services.gateway.routes import SERVICES
from tests.support.ports import reserved
from tests.support.server import ROOT
from tests.support.servers import meilisearch

# Six interpreters start at once on two cores, and the recommender loads its vocabularies.
START_SECONDS: Final = 240.0
STOP_SECONDS: Final = 30.0


class Cluster:
    """`mitagger serve SERVICE`, once for each, or more often (`copies`: "recommender", "recommender.2", ...), with a
    data folder each and files in common. `more`: further settings, as MITAGGER_…"""

    def __init__(
        self,
        folder: Path,
        *,
        bus: str,
        documents: str,
        copies: Mapping[str, int] = MappingProxyType({}),
        more: Mapping[str, str] = MappingProxyType({}),
        instead: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """`instead`: a module that serves in place of `mitagger serve SERVICE`."""
        self.folder = folder
        self._engines = {"MITAGGER_BUS": bus, "MITAGGER_DOCUMENTS": documents, **meilisearch.settings(), **more}
        self._processes: dict[str, asyncio.subprocess.Process] = {}
        others = [f"{name}.{number}" for name, count in copies.items() for number in range(2, count + 1)]
        self.names = (*SERVICES, *others)
        ports = reserved(2 * len(self.names))
        self._ports = dict(zip(self.names, ports[::2], strict=True))
        self.metrics = {name: f"127.0.0.1:{port}" for name, port in zip(self.names, ports[1::2], strict=True)}
        self._instead = instead
        self._signing_key = secrets.token_hex(32)
        self.key = ""  # an administrator's, made at the first start ever
        self.url = self.address("gateway")

    async def start(self) -> None:
        """Returns once every service is ready. Raises AssertionError, with the ends of the logs, when one is not."""
        for name in self.names:
            await self.launch(name)
        await self.ready(*self.names)
        if not self.key:
            await self._take_key()

    async def ready(self, *names: str) -> None:
        """Returns once these say that they are. Raises AssertionError, as `start` does."""
        try:
            async with asyncio.timeout(START_SECONDS), httpx.AsyncClient(trust_env=False) as http:
                for name in names:
                    while not await _ready(http, self.address(name)):
                        process = self._processes[name]
                        assert process.returncode is None, f"{name} ended.\n{self.told()}"
                        await asyncio.sleep(0.2)
        except TimeoutError:
            raise AssertionError(f"Not all services became ready.\n{self.told()}") from None

    async def revive(self) -> None:
        """As a supervisor does: starts again what ended because an engine was away when it started (exit code 4)."""
        for name, process in self._processes.items():
            if process.returncode == REFUSED:
                await self.launch(name)

    async def recovered(self) -> None:
        """Returns once every service is ready; what ends meanwhile as `revive` says is started again. Raises
        AssertionError, as `start` does."""
        try:
            async with asyncio.timeout(START_SECONDS), httpx.AsyncClient(trust_env=False) as http:
                while not all([await _ready(http, self.address(name)) for name in self.names]):
                    await self.revive()
                    await asyncio.sleep(0.2)
        except TimeoutError:
            raise AssertionError(f"Not all services became ready again.\n{self.told()}") from None

    async def problems(self, name: str) -> list[str]:
        """What a process says is wrong; [] when it is ready."""
        async with httpx.AsyncClient(trust_env=False, timeout=STOP_SECONDS) as http:
            return list((await http.get(f"{self.address(name)}/readyz")).json()["problems"])

    def client(self) -> AsyncClient:
        """An administrator's client."""
        return AsyncClient(self.url, key=self.key)

    async def stop(self) -> int:
        """As Ctrl+C does, all at once; the highest exit code."""
        return max(await asyncio.gather(*(self.end(name, signal.SIGTERM) for name in self.names)))

    async def kill(self) -> None:
        await asyncio.gather(*(self.end(name, signal.SIGKILL) for name in self._processes))

    def told(self) -> str:
        """The ends of all logs."""
        logs = {name: self._log(name) for name in self.names}
        return "\n".join(
            f"--- {name}\n{log.read_text(encoding='utf-8', errors='replace')[-2000:]}"
            for name, log in logs.items()
            if log.exists()
        )

    def pid(self, name: str) -> int:
        """Of the process that runs now."""
        return self._processes[name].pid

    def address(self, name: str) -> str:
        return f"http://127.0.0.1:{self._ports[name]}"

    def _log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    async def launch(self, name: str) -> None:
        kept = {key: value for key, value in os.environ.items() if not key.startswith("MITAGGER_")}
        if "MITAGGER_CACHE" in os.environ:
            kept["MITAGGER_CACHE"] = os.environ["MITAGGER_CACHE"]
        addresses = {f"MITAGGER_ADDRESSES__{other.upper()}": self.address(other) for other in SERVICES}
        settings = {
            "MITAGGER_KEY": self._signing_key,
            "MITAGGER_BLOBS": f"file://{self.folder / 'blobs'}",
            "MITAGGER_WORKERS": "1",
            "MITAGGER_METRICS": self.metrics[name],
            "PYTHONPATH": str(ROOT),
        }
        service, data, port = name.partition(".")[0], str(self.folder / name), str(self._ports[name])
        command = ["mitagger", "serve", service, "--data", data, "--port", port]
        if service in self._instead:
            command = [self._instead[service]]
            settings |= {"MITAGGER_DATA": data, "MITAGGER_PORT": port}
        with self._log(name).open("ab") as log:
            self._processes[name] = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", *command),
                cwd=self.folder,
                env={**kept, **self._engines, **addresses, **settings},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    async def _take_key(self) -> None:
        """Signs in with the password that the gateway said once, as an administrator does, and makes a key."""
        said = next(line for line in self._log("gateway").read_text().splitlines() if line.startswith("Sign in as"))
        async with AsyncClient(self.url) as client:
            await client.sign_in("administrator", said.split("password ")[1].split(" ")[0])
            made = await client.create_key("tests", ["administrator"])
        assert made.key is not None
        self.key = made.key

    async def end(self, name: str, how: signal.Signals) -> int:
        process = self._processes.get(name)
        if process is None:
            return 0
        if process.returncode is None:
            process.send_signal(how)
        try:
            async with asyncio.timeout(STOP_SECONDS):
                return await process.wait()
        except TimeoutError:
            process.kill()
            raise AssertionError(f"{name} did not stop.\n{self.told()}") from None


async def _ready(http: httpx.AsyncClient, address: str) -> bool:
    try:
        return (await http.get(f"{address}/readyz")).status_code == 200
    except httpx.HTTPError:
        return False
