"""What can go wrong when talking to a MITagger server, as one tree.

ClientError
├── Unreachable           no answer: not running, wrong address, connection lost
├── NotMitagger           an answer that no MITagger server gives
├── Failed                a job ended without its result, or took longer than the caller waits
└── Refused               the server answered with a problem (RFC 9457)
    ├── NotSignedIn       401
    ├── NotAllowed        403
    ├── Missing           404, 410
    ├── Conflict          409: somebody else changed it, or it is there already
    ├── Rejected          413, 415, 422 …: the request is wrong
    ├── Busy              429, 503, 504, 507: the same request may succeed later
    └── ServerFailed      500 …: a fault of the server
"""

from typing import Any, Final

import httpx
from pydantic import BaseModel, ValidationError


class Problem(BaseModel):
    """RFC 9457 problem details, as MITagger sends them."""

    type: str = "about:blank"
    title: str = ""
    status: int
    detail: str = ""
    remedy: str = ""
    field: str = ""
    difference: dict[str, Any] = {}
    errors: list[dict[str, Any]] = []


class ClientError(Exception):
    """The root."""


class Unreachable(ClientError):
    """No answer came."""


class NotMitagger(ClientError):
    """What answered is not a MITagger server, or one of another version."""


class Failed(ClientError):
    """A job ended without its result."""


class Refused(ClientError):
    """The server's problem, whole."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(f"{problem.detail or problem.title} {problem.remedy}".strip())
        self.problem = problem


class NotSignedIn(Refused):
    """No credential, or a wrong or expired one."""


class NotAllowed(Refused):
    """The one who asks may not do this."""


class Missing(Refused):
    """There is no such thing, or no longer."""


class Conflict(Refused):
    """Somebody else changed it; `problem.difference` maps each field to yours and theirs."""


class Rejected(Refused):
    """The request is wrong; `problem.field` or `problem.errors` say where."""


class Busy(Refused):
    """The same request may succeed later."""


class ServerFailed(Refused):
    """A fault of the server."""


_BY_STATUS: Final[dict[int, type[Refused]]] = {
    401: NotSignedIn,
    403: NotAllowed,
    404: Missing,
    410: Missing,
    409: Conflict,
    412: Conflict,
    429: Busy,
    503: Busy,
    504: Busy,
    507: Busy,
}


def refusal(response: httpx.Response) -> ClientError:
    """The error of an answer above 399 whose body was read."""
    if not response.headers.get("content-type", "").startswith("application/problem+json"):
        return NotMitagger(f"{response.url.host} answered {response.status_code}, but not as a MITagger server does.")
    try:
        problem = Problem.model_validate_json(response.content)
    except ValidationError as error:
        return NotMitagger(f"{response.url.host} sent a problem that cannot be read: {error.error_count()} errors.")
    fallback = Rejected if problem.status < 500 else ServerFailed
    return _BY_STATUS.get(problem.status, fallback)(problem)


def unreachable(url: httpx.URL, error: httpx.TransportError) -> Unreachable:
    """The error of a request that got no answer."""
    return Unreachable(f"No answer from {url.scheme}://{url.netloc.decode()} ({str(error) or type(error).__name__}).")
