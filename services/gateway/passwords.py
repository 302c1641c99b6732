"""Passwords: argon2id, in threads, a few at a time, and equally slow for names that do not exist."""

from typing import Final

import anyio
import anyio.to_thread
from pwdlib import PasswordHash
from zxcvbn import zxcvbn

from shared.errors import Invalid, Unavailable

# Each check takes a thread, about 64 MiB and some 50 ms.
AT_ONCE: Final = 2
WAITING: Final = 64
SHORTEST: Final = 10
LONGEST: Final = 500
# zxcvbn's scale of 0 to 4; 3 is "safely unguessable: moderate protection from offline slow-hash scenario" (more than
# 10^8 guesses). It weighs 72 characters at most, for its time grows with the square; a longer one is no weaker.
STRONG: Final = 3
WEIGHED: Final = 72
_REMEDY: Final = "A few unrelated words make a good one."


# The cost of argon2id is pwdlib's recommendation (RFC 9106's second choice or above).
HASHER: Final = PasswordHash.recommended()


class Passwords:
    """Hashes and checks."""

    def __init__(self) -> None:
        self._hasher = HASHER
        self._limiter = anyio.CapacityLimiter(AT_ONCE)
        self._nobody: str | None = None

    async def hash(self, password: str, name: str = "") -> str:
        """`name`: whose it is; a password made of it is weak. Raises Invalid when it is too short, too long or too easy
        to guess; Unavailable when too many wait."""
        if not SHORTEST <= len(password) <= LONGEST:
            raise Invalid(f"A password has {SHORTEST} to {LONGEST} characters.", field="password", remedy=_REMEDY)
        self._refuse_crowds()
        return await anyio.to_thread.run_sync(self._hash, password, name, limiter=self._limiter)

    async def check(self, password: str, expected: str | None) -> bool:
        """Whether the password has this hash. No hash: as slow, and false. Raises Unavailable when too many wait."""
        self._refuse_crowds()
        if len(password) > LONGEST:
            return False
        if not expected and self._nobody is None:
            self._nobody = await anyio.to_thread.run_sync(self._hasher.hash, "nobody", limiter=self._limiter)
        known = expected or self._nobody or ""
        right = await anyio.to_thread.run_sync(self._hasher.verify, password, known, limiter=self._limiter)
        return right and bool(expected)

    def _refuse_crowds(self) -> None:
        if self._limiter.statistics().tasks_waiting >= WAITING:
            raise Unavailable("sign-in", "Too many people sign in at this moment.", remedy="Try again in a moment.")

    def _hash(self, password: str, name: str) -> str:
        found = zxcvbn(
            password[:WEIGHED], user_inputs=[name, "".join(name.split()), *name.split(), "mitagger"], max_length=WEIGHED
        )
        if found["score"] < STRONG:
            why = found["feedback"]["warning"]
            raise Invalid(
                f"This password is too easy to guess.{f' {why}' if why else ''}", field="password", remedy=_REMEDY
            )
        return self._hasher.hash(password)
