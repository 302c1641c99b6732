"""Passwords: argon2id, in threads, a few at a time, and equally slow for names that do not exist."""

from typing import Final

import anyio
import anyio.to_thread
from pwdlib import PasswordHash

from shared.errors import Invalid, Unavailable

# Each check takes a thread, about 64 MiB and some 50 ms.
AT_ONCE: Final = 2
WAITING: Final = 64
SHORTEST: Final = 10
LONGEST: Final = 500


class Passwords:
    """Hashes and checks. The cost of argon2id is pwdlib's recommendation (RFC 9106's second choice or above)."""

    def __init__(self) -> None:
        self._hasher = PasswordHash.recommended()
        self._limiter = anyio.CapacityLimiter(AT_ONCE)
        self._nobody: str | None = None

    async def hash(self, password: str) -> str:
        """Raises Invalid when the password is too short or too long."""
        if not SHORTEST <= len(password) <= LONGEST:
            raise Invalid(
                f"A password has {SHORTEST} to {LONGEST} characters.",
                field="password",
                remedy="A few unrelated words make a good one.",
            )
        return await anyio.to_thread.run_sync(self._hasher.hash, password, limiter=self._limiter)

    async def check(self, password: str, expected: str | None) -> bool:
        """Whether the password has this hash. No hash: as slow, and false. Raises Unavailable when too many wait."""
        if self._limiter.statistics().tasks_waiting >= WAITING:
            raise Unavailable("sign-in", "Too many people sign in at this moment.", remedy="Try again in a moment.")
        if len(password) > LONGEST:
            return False
        if expected is None and self._nobody is None:
            self._nobody = await self.hash("nobody has this password")
        known = expected or self._nobody or ""
        right = await anyio.to_thread.run_sync(self._hasher.verify, password, known, limiter=self._limiter)
        return right and expected is not None
