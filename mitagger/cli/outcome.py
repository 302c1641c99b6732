"""How a command ends: exit codes that scripts can rely on, and errors of one line that say what to do."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

import typer

from mitagger.client import ClientError, Refused, ServerFailed, Unreachable
from shared.errors import MitaggerError

SOME_FAILED: Final = 1
UNREACHABLE: Final = 3
REFUSED: Final = 4
SERVER_FAILED: Final = 5
CODES: Final = """\
Exit codes: 0 done; 1 some of the input failed, or a plan or the doctor found something to do; 2 wrong usage; 3 no
server answered; 4 refused (not allowed, not found, not valid, or changed by somebody else meanwhile); 5 the server
failed."""

T = TypeVar("T")


def perform(work: Coroutine[Any, Any, T]) -> T:
    """Runs a command. Known errors become one line on standard error and an exit code."""
    try:
        return asyncio.run(work)
    except (ClientError, MitaggerError) as error:
        raise failed(error) from error


def failed(error: ClientError | MitaggerError) -> typer.Exit:
    """Says what went wrong; the exit to raise."""
    typer.echo(f"mitagger: {' '.join(str(error).split())}", err=True)
    return typer.Exit(_code(error))


def _code(error: ClientError | MitaggerError) -> int:
    if isinstance(error, Unreachable):
        return UNREACHABLE
    if isinstance(error, Refused | MitaggerError) and not isinstance(error, ServerFailed):
        return REFUSED
    return SERVER_FAILED
