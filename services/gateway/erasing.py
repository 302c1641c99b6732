"""What goes when figures are erased: each service counts what it has of them."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar

import httpx
from pydantic import BaseModel

from shared.access import Caller
from shared.grants import Signer
from shared.http import Hop
from shared.traces import MOST, PATH, Traces

M = TypeVar("M", bound=BaseModel)

MOST_COUNTED: Final = 20 * MOST  # figures: some seconds


class _Members(BaseModel):
    figures: list[str]
    next: str | None


class Traced(BaseModel):
    """Of each kind, how many go. `complete`: false when only the first 20,000 figures were looked at."""

    counts: dict[str, int]
    complete: bool


class Tracer:
    """Asks the services of one installation. `keepers`: those that keep something of figures, by name."""

    def __init__(self, signer: Signer, ingest: Hop, keepers: Mapping[str, Hop]) -> None:
        self._signer = signer
        self._ingest = ingest
        self._keepers = keepers

    async def propose(self, caller: Caller, project: str, selection: Any) -> httpx.Response:
        """Ingest's answer, whatever it is."""
        token = self._signer.token(caller, self._ingest.service)
        return await self._ingest.request(
            "POST", "/internal/erasures", token=token, params={"project": project}, json=selection
        )

    async def traced(self, caller: Caller, erasure: str) -> Traced:
        """What there is of an erasure's figures. Raises Unavailable when a service does not say: silence is not
        "nothing"."""
        counts: Counter[str] = Counter()
        anyway: dict[str, int] = {}
        seen, after = 0, None
        while seen < MOST_COUNTED:
            params: dict[str, str] = {} if after is None else {"after": after}
            page = await self._asked(
                caller, self._ingest, _Members, "GET", f"/internal/erasures/{erasure}/figures", params=params
            )
            asked = (self._counted(caller, hop, page.figures) for hop in self._keepers.values())
            for traces in await asyncio.gather(*asked):
                counts.update(traces.counts)
                anyway |= traces.anyway
            seen, after = seen + len(page.figures), page.next
            if after is None:
                break
        return Traced(counts=dict(sorted({**counts, **anyway}.items())), complete=after is None)

    async def _counted(self, caller: Caller, hop: Hop, figures: Sequence[str]) -> Traces:
        return await self._asked(caller, hop, Traces, "POST", PATH, json={"figures": figures})

    async def _asked(self, caller: Caller, hop: Hop, model: type[M], method: str, path: str, **sent: Any) -> M:
        otherwise = f"{hop.service} does not say what it has of the figures"
        token = self._signer.token(caller, hop.service)
        return await hop.told(model, method, path, otherwise=otherwise, token=token, **sent)
