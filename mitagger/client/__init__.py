"""The typed client of a MITagger server, on its own: it needs httpx and pydantic only.

    with Client("http://127.0.0.1:8420", key="mitagger_…") as client:
        for figure in client.figures():
            print(figure.label)

`AsyncClient` offers the same with `await` and `async for`. Every error is a `ClientError`.
"""

from mitagger.client.asynchronous import AsyncClient
from mitagger.client.errors import (
    Busy,
    ClientError,
    Conflict,
    Failed,
    Missing,
    NotAllowed,
    NotMitagger,
    NotSignedIn,
    Problem,
    Refused,
    Rejected,
    ServerFailed,
    Unreachable,
)
from mitagger.client.synchronous import Client

__all__ = [
    "AsyncClient",
    "Busy",
    "Client",
    "ClientError",
    "Conflict",
    "Failed",
    "Missing",
    "NotAllowed",
    "NotMitagger",
    "NotSignedIn",
    "Problem",
    "Refused",
    "Rejected",
    "ServerFailed",
    "Unreachable",
]
