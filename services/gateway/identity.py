"""Who somebody is: accounts, sessions and API keys."""

import hmac
import time
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from services.gateway.model import Account, Key, Session
from services.gateway.passwords import Passwords
from services.gateway.secret import fingerprint, key_parts, key_text, matches, new_secret
from services.gateway.throttle import Throttle
from shared.access import DEFAULT_PROJECT, Caller, Role
from shared.clock import new_id, now
from shared.documents.port import Documents, Page, Range
from shared.errors import Duplicate, Erased, Invalid, NotFound, Unauthenticated

SESSION_TIME: Final = timedelta(hours=12)
LONGEST_NAME: Final = 100
ADMINISTRATOR: Final = "administrator"


@dataclass(frozen=True, slots=True)
class SignIn:
    """The name and the generated password of the first administrator, to be shown once and logged never."""

    name: str
    password: str

    def said(self) -> str:
        """For whoever started the server."""
        return f"Sign in as {self.name} with the password {self.password} (shown only now)."


@dataclass(frozen=True, slots=True)
class Person:
    """Who asks, as the gateway knows them. `expires_at` is null for API keys."""

    caller: Caller
    name: str
    expires_at: datetime | None = None

    @property
    def roles(self) -> list[Role]:
        return sorted(self.caller.roles.get(DEFAULT_PROJECT, frozenset()))


class Throttled(Exception):
    """This name has failed too often; `seconds` until it may try again."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class Identity:
    """Accounts, sessions and API keys over the documents port."""

    def __init__(self, documents: Documents, *, local_key: str = "") -> None:
        """`local_key`: a key that is valid for this process only, with an administrator's rights, for whoever may
        read the data folder (the command line); "": none."""
        self._accounts = documents.collection(Account)
        self._sessions = documents.collection(Session)
        self._keys = documents.collection(Key)
        self._passwords = Passwords()
        self._throttle = Throttle()
        self._local_key = local_key

    async def first_sign_in(self) -> SignIn | None:
        """Creates the administrator with a generated password where there is no account yet."""
        if await self._accounts.count():
            return None
        password = new_secret()[:20]
        try:
            await self.create_account(ADMINISTRATOR, password, ["administrator"])
        except Duplicate:  # another copy of the gateway was faster
            return None
        return SignIn(ADMINISTRATOR, password)

    async def sweep(self) -> None:
        """Removes expired sessions."""
        while (page := await self._sessions.find({"expires_at": Range(lt=now().isoformat())}, limit=500)).items:
            for session in page.items:
                await self._sessions.erase(session.id)

    # --- accounts

    async def create_account(self, name: str, password: str, roles: Sequence[Role]) -> Account:
        """Raises Invalid, Duplicate."""
        shown = _clean(name)
        account = Account(
            id=new_id(),
            name=shown,
            name_key=_folded(shown),
            password_hash=await self._passwords.hash(password),
            roles={DEFAULT_PROJECT: tuple(sorted(set(roles)))},
            created_at=now(),
        )
        try:
            return await self._accounts.insert(account)
        except Duplicate as error:
            raise Duplicate(f"There is an account named {shown!r} already.", remedy="Choose another name.") from error

    async def accounts(self, after: str | None, limit: int) -> Page[Account]:
        return await self._accounts.find(sort=("name_key",), after=after, limit=limit)

    # --- sessions

    async def sign_in(self, name: str, password: str) -> tuple[Person, str]:
        """The person and the secret of the new session. Raises Unauthenticated, Throttled, Unavailable."""
        key = _folded(name)[:LONGEST_NAME]
        if wait := self._throttle.seconds(key, time.monotonic()):
            raise Throttled(wait)
        # Counted before the check, so that a burst of guesses at once does not slip through.
        self._throttle.failed(key, time.monotonic())
        found = (await self._accounts.find({"name_key": key}, limit=1)).items
        account = found[0] if found else None
        if not await self._passwords.check(password, account.password_hash if account else None) or account is None:
            raise Unauthenticated(
                "Name or password is wrong.",
                remedy="The first start of the server printed a password for the name 'administrator'.",
            )
        self._throttle.succeeded(key)
        secret = new_secret()
        expires_at = now() + SESSION_TIME
        await self._sessions.insert(Session(id=fingerprint(secret), account=account.id, expires_at=expires_at))
        return Person(account.caller, account.name, expires_at), secret

    async def by_session(self, secret: str) -> Person:
        """Raises Unauthenticated."""
        try:
            session = await self._sessions.get(fingerprint(secret))
            account = await self._accounts.get(session.account)
        except NotFound as error:
            raise _expired() from error
        if session.expires_at <= now():
            await self._sessions.erase(session.id)
            raise _expired()
        return Person(account.caller, account.name, session.expires_at)

    async def sign_out(self, secret: str) -> None:
        await self._sessions.erase(fingerprint(secret))

    # --- keys

    async def create_key(self, name: str, roles: Sequence[Role]) -> tuple[Key, str]:
        """The key's document and the key itself, which is kept nowhere. Raises Invalid."""
        secret = new_secret()
        key = Key(
            id=new_id(),
            name=_clean(name),
            fingerprint=fingerprint(secret),
            roles={DEFAULT_PROJECT: tuple(sorted(set(roles)))},
            created_at=now(),
        )
        return await self._keys.insert(key), key_text(key.id, secret)

    async def keys(self, after: str | None, limit: int) -> Page[Key]:
        return await self._keys.find(sort=("created_at",), after=after, limit=limit)

    async def delete_key(self, id: str) -> None:
        """Raises NotFound."""
        await self._keys.get(id)
        await self._keys.erase(id)

    async def by_key(self, text: str) -> Person:
        """Raises Unauthenticated."""
        if self._local_key and hmac.compare_digest(text.encode(), self._local_key.encode()):
            return Person(Caller("command-line", {DEFAULT_PROJECT: frozenset({"administrator"})}), "command line")
        parts = key_parts(text)
        if parts is None:
            raise _wrong_key()
        id, secret = parts
        try:
            key = await self._keys.get(id)
        except (NotFound, Erased) as error:
            raise _wrong_key() from error
        if not matches(secret, key.fingerprint):
            raise _wrong_key()
        return Person(key.caller, key.name)


def _clean(name: str) -> str:
    """The name as it is shown. Raises Invalid."""
    shown = " ".join(unicodedata.normalize("NFC", name).split())
    if not 0 < len(shown) <= LONGEST_NAME or any(unicodedata.category(character)[0] == "C" for character in shown):
        raise Invalid(
            f"A name has 1 to {LONGEST_NAME} visible characters.", field="name", remedy="Choose another name."
        )
    return shown


def _folded(name: str) -> str:
    """Names are one where they look the same: compatibility forms and case are folded."""
    return unicodedata.normalize("NFKC", " ".join(name.split())).casefold()


def _expired() -> Unauthenticated:
    return Unauthenticated("You are not signed in, or no longer.", remedy="Sign in again.")


def _wrong_key() -> Unauthenticated:
    return Unauthenticated("This API key is not valid.", remedy="Ask an administrator for a new one.")
