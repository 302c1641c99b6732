"""Time and ids, where everything takes them from."""

import secrets
from datetime import UTC, datetime


def now() -> datetime:
    """The current time, in UTC."""
    return datetime.now(UTC)


def new_id() -> str:
    """A random, unguessable id (128 bits, lower-case hex): safe in URLs, file names and shells."""
    return secrets.token_hex(16)
