"""Every error MITagger raises on purpose, as one tree.

    MitaggerError
    ├── TransientError            the same request may succeed later
    │   ├── Unavailable           a dependency is down; names it
    │   │   └── NoRoom            ... or has no room left: somebody must make some
    │   └── DeadlineExceeded      it took longer than allowed
    └── PermanentError            the same request fails again
        ├── Invalid               the input is wrong; says what and what to do
        │   ├── TooLarge          ... because it exceeds a bound
        │   └── Unsupported       ... because nobody here can read such a thing
        ├── NotFound              no such thing (never: the store is down)
        │   └── Erased            there was one, and it was erased
        ├── Duplicate             a unique key is taken; carries the holder's id
        ├── Conflict              somebody else changed it; carries the difference
        ├── Unauthenticated       nobody is signed in
        ├── Forbidden             somebody is, and may not
        └── StoreTooNew           a newer MITagger wrote this store

Doors translate them (`shared.http` to RFC 9457 problems, the command line to one line and an exit code); the bus
decides by their type whether to wait (Unavailable), retry (TransientError and unknown errors) or dead-letter
(PermanentError).
"""

from collections.abc import Mapping
from typing import Any


class MitaggerError(Exception):
    """The root. `remedy` says what the reader can do about it."""

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()


class TransientError(MitaggerError):
    """The same request may succeed later."""


class Unavailable(TransientError):
    """A dependency does not answer. Never to be mistaken for an empty answer."""

    def __init__(self, dependency: str, message: str = "", *, remedy: str = "") -> None:
        super().__init__(message or f"{dependency} is not available.", remedy=remedy)
        self.dependency = dependency


class NoRoom(Unavailable):
    """A disk or a quota is full. Nothing of what was being written is kept."""


class DeadlineExceeded(TransientError):
    """It took longer than allowed."""


class PermanentError(MitaggerError):
    """The same request fails again however often it is tried."""


class Invalid(PermanentError):
    """The input is wrong. `field` names the part of it that is, if one is."""

    def __init__(self, message: str, *, field: str = "", remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.field = field


class TooLarge(Invalid):
    """The input exceeds a bound."""


class Unsupported(Invalid):
    """The input is of a kind that MITagger does not read."""


class NotFound(PermanentError):
    """There is no such thing."""


class Erased(NotFound):
    """There was such a thing, and it was erased."""


class Duplicate(PermanentError):
    """A unique key is taken, by the document `holder` (its id) where the store knows it."""

    def __init__(self, message: str, *, holder: str = "", remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.holder = holder


class Conflict(PermanentError):
    """Somebody else changed it first. `difference` maps each field to {"yours", "theirs"}."""

    def __init__(self, message: str, *, difference: Mapping[str, Any] | None = None, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy or "Load the current version, then decide again.")
        self.difference = dict(difference or {})


class Unauthenticated(PermanentError):
    """Nobody is signed in, or the credential is wrong or expired."""


class Forbidden(PermanentError):
    """The one who asks may not do this."""


class StoreTooNew(PermanentError):
    """A newer MITagger wrote this store; it is left untouched."""
