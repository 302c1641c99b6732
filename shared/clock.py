"""Time and ids, where everything takes them from."""

import secrets
import time
from datetime import UTC, datetime


def now() -> datetime:
    """The current time, in UTC."""
    return datetime.now(UTC)


def new_id() -> str:
    """An unguessable id of 32 lower-case hex digits: safe in URLs, file names and shells.

    The first 48 bits are the time in milliseconds, as in UUID version 7 (RFC 9562, 5.7), the other 80 are random. Ids
    that are made together lie together in every index, so that a store does not grow slower as it grows.
    """
    return f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"


def first_id(at: datetime) -> str:
    """No id that was made since `at` (UTC where it has no time zone) is smaller, none made before is larger."""
    aware = at if at.tzinfo else at.replace(tzinfo=UTC)
    return f"{max(0, int(aware.timestamp() * 1000)):012x}"
