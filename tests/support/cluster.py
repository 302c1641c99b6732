"""A process a service, on Kafka and MongoDB: what `tests.support.server.Server` is for one process."""

import asyncio
import os
import secrets
import signal
import socket
import sys
from pathlib import Path
from typing import Final

import httpx

from mitagger.client import AsyncClient
from services.gateway.routes import SERVICES
from tests.support.server import ROOT

# Six interpreters start at once on two cores, and the recommender loads its vocabularies.
START_SECONDS: Final = 120.0
STOP_SECONDS: Final = 30.0


class Cluster:
    """`mitagger serve SERVICE`, once for each, with a data folder each and files in common."""

    def __init__(self, folder: Path, *, bus: str, documents: str) -> None:
        self._folder = folder
        self._engines = {"MITAGGER_BUS": bus, "MITAGGER_DOCUMENTS": documents}
        self._processes: dict[str, asyncio.subprocess.Process] = {}
        ports = _free_ports(2 * len(SERVICES))
        self._ports = dict(zip(SERVICES, ports[::2], strict=True))
        self.metrics = {name: f"127.0.0.1:{port}" for name, port in zip(SERVICES, ports[1::2], strict=True)}
        self._signing_key = secrets.token_hex(32)
        self._key = ""
        self.url = self._address("gateway")

    async def start(self) -> None:
        """Returns once every service is ready. Raises AssertionError, with the ends of the logs, when one is not."""
        for name in SERVICES:
            await self._launch(name)
        try:
            async with asyncio.timeout(START_SECONDS), httpx.AsyncClient(trust_env=False) as http:
                for name in SERVICES:
                    while not await _ready(http, self._address(name)):
                        process = self._processes[name]
                        assert process.returncode is None, f"{name} ended.\n{self.told()}"
                        await asyncio.sleep(0.2)
                await self._take_key()
        except TimeoutError:
            raise AssertionError(f"Not all services became ready.\n{self.told()}") from None

    def client(self) -> AsyncClient:
        """An administrator's client."""
        return AsyncClient(self.url, key=self._key)

    async def stop(self) -> int:
        """As Ctrl+C does; the highest exit code."""
        codes = [await self._end(name, signal.SIGTERM) for name in reversed(SERVICES)]
        return max(codes)

    async def kill(self) -> None:
        for name in self._processes:
            await self._end(name, signal.SIGKILL)

    def told(self) -> str:
        """The ends of all logs."""
        logs = {name: self._log(name) for name in SERVICES}
        return "\n".join(
            f"--- {name}\n{log.read_text(encoding='utf-8', errors='replace')[-2000:]}"
            for name, log in logs.items()
            if log.exists()
        )

    def _address(self, name: str) -> str:
        return f"http://127.0.0.1:{self._ports[name]}"

    def _log(self, name: str) -> Path:
        return self._folder / f"{name}.log"

    async def _launch(self, name: str) -> None:
        kept = {key: value for key, value in os.environ.items() if not key.startswith("MITAGGER_")}
        if "MITAGGER_CACHE" in os.environ:
            kept["MITAGGER_CACHE"] = os.environ["MITAGGER_CACHE"]
        addresses = {f"MITAGGER_ADDRESSES__{other.upper()}": self._address(other) for other in SERVICES}
        settings = {
            "MITAGGER_KEY": self._signing_key,
            "MITAGGER_BLOBS": f"file://{self._folder / 'blobs'}",
            "MITAGGER_WORKERS": "1",
            "MITAGGER_METRICS": self.metrics[name],
            "PYTHONPATH": str(ROOT),
        }
        data, port = str(self._folder / name), str(self._ports[name])
        with self._log(name).open("ab") as log:
            self._processes[name] = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "mitagger", "serve", name, "--data", data, "--port", port),
                cwd=self._folder,
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
        self._key = made.key

    async def _end(self, name: str, how: signal.Signals) -> int:
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


def _free_ports(count: int) -> list[int]:
    doors = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [door.getsockname()[1] for door in doors]
    finally:
        for door in doors:
            door.close()
