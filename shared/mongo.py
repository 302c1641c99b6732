"""MongoDB: how we connect to it, and what its errors mean to us."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final

from bson.errors import BSONError
from pymongo import AsyncMongoClient, WriteConcern
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import (
    ConfigurationError,
    ConnectionFailure,
    DocumentTooLarge,
    ExecutionTimeout,
    OperationFailure,
    WriteConcernError,
)

from shared.clock import now
from shared.errors import DeadlineExceeded, Invalid, TooLarge, Unavailable

DEPENDENCY: Final = "documents"
DATABASE: Final = "mitagger"  # where the URL names none
# "The maximum BSON document size is 16 mebibytes" (MongoDB manual, Limits and Thresholds).
MAX_DOCUMENT_BYTES: Final = 16 << 20
CONNECT_MILLISECONDS: Final = 5_000  # until a server that is not there is Unavailable
ANSWER_MILLISECONDS: Final = 20_000  # until one that does not answer is

_REFUSED: Final = frozenset({13, 18, 8000})  # Unauthorized, AuthenticationFailed, AtlasError (the same, in Atlas)
_TOO_LARGE: Final = frozenset({10334, 17419, 17420})  # a document after an update: body and waiting events together


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[AsyncDatabase[dict[str, Any]]]:
    """The database that a `mongodb://` or `mongodb+srv://` URL names. Connects with the first operation.

    Raises Invalid when the URL is not one (it is not repeated: it may hold a password).
    """
    try:
        client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(
            url,
            appname="mitagger",
            serverSelectionTimeoutMS=CONNECT_MILLISECONDS,
            connectTimeoutMS=CONNECT_MILLISECONDS,
            waitQueueTimeoutMS=CONNECT_MILLISECONDS,
            socketTimeoutMS=ANSWER_MILLISECONDS,
        )
        name = client.get_default_database(DATABASE).name
    except (ConfigurationError, ValueError, TypeError):  # InvalidURI is a ConfigurationError
        raise Invalid(
            "MITAGGER_DOCUMENTS is not a MongoDB URL.",
            field="documents",
            remedy="Write mongodb://host:27017/name; escape special characters of user and password.",
        ) from None
    async with client:
        yield client.get_database(name, write_concern=WriteConcern("majority", j=True))


class MongoErasures:
    """Implements `shared.erasures.Erasures` in a database beside ours, so that dropping or restoring ours leaves it."""

    def __init__(self, database: AsyncDatabase[dict[str, Any]]) -> None:
        beside = database.client.get_database(f"{database.name}_erasures", write_concern=database.write_concern)
        self._figures = beside["figures"]

    async def add(self, figures: Sequence[str]) -> None:
        with answering():
            for figure in figures:
                first = {"$setOnInsert": {"at": now().isoformat()}}
                await self._figures.update_one({"_id": figure}, first, upsert=True)

    async def all(self) -> list[str]:
        with answering():
            return [str(found["_id"]) async for found in self._figures.find({}, {"_id": 1}).sort("_id")]


@contextmanager
def answering() -> Iterator[None]:
    """Errors of the driver and the server, as ours."""
    try:
        yield
    except (ConnectionFailure, WriteConcernError) as error:  # not primary and most time-outs are ConnectionFailures
        raise Unavailable(DEPENDENCY, f"MongoDB does not answer ({type(error).__name__}).") from error
    except ExecutionTimeout as error:
        raise DeadlineExceeded("MongoDB took longer than allowed.") from error
    except DocumentTooLarge as error:
        raise too_large() from error
    except (BSONError, OverflowError, UnicodeError) as error:
        raise Invalid(f"MongoDB cannot hold this value ({type(error).__name__}).") from error
    except OperationFailure as error:
        if error.code in _REFUSED:
            remedy = "Look at the user, the password and the rights in MITAGGER_DOCUMENTS."
            raise Unavailable(DEPENDENCY, "MongoDB refuses these credentials.", remedy=remedy) from error
        if error.code in _TOO_LARGE:
            raise Unavailable("bus", "Too many events of this document wait to be sent.") from error
        raise


def too_large() -> TooLarge:
    """The error for a document that MongoDB cannot hold."""
    return TooLarge(
        f"The document would have more than {MAX_DOCUMENT_BYTES:,} bytes.", remedy="Make it smaller, or two of it."
    )
