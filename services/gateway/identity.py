"""Who somebody is: signing in, sessions, and who asks with a key."""

import hmac
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from services.gateway.accounts import Accounts
from services.gateway.keys import Keys
from services.gateway.model import Account, Answered, Session
from services.gateway.names import LONGEST_NAME, folded
from services.gateway.passwords import Passwords
from services.gateway.projects import ProjectsOfTheSite, widened
from services.gateway.secret import fingerprint, new_secret
from services.gateway.throttle import FREE_OF_AN_ADDRESS, Throttle, Throttled, network_of
from shared.access import DEFAULT_PROJECT, Caller, Role
from shared.clock import now
from shared.documents.port import Documents, Range
from shared.errors import Duplicate, NotFound, Unauthenticated

SESSION_TIME: Final = timedelta(hours=12)
# Well over the time for which an attempt holds (shared/grants.py).
ANSWERS_KEPT: Final = timedelta(hours=1)
ADMINISTRATOR: Final = "administrator"
LONGEST_AGENT: Final = 200
# More are the work of a script; the oldest have long expired by then.
SESSIONS_SHOWN: Final = 100


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
    """Who asks, as the gateway knows them. `expires_at` and `session` (its id) are null for API keys."""

    caller: Caller
    name: str
    expires_at: datetime | None = None
    session: str | None = None

    @property
    def roles(self) -> list[Role]:
        """Those of the default project; an administrator is one everywhere."""
        return sorted(self.caller.roles_in(DEFAULT_PROJECT))


class Identity:
    """Sessions, accounts and API keys over the documents port."""

    def __init__(self, documents: Documents, *, local_key: str = "") -> None:
        """`local_key`: a key that is valid for this process only, with an administrator's rights, for whoever may
        read the data folder (the command line); "": none."""
        self._passwords = Passwords()
        self.accounts = Accounts(documents, self._passwords)
        self.keys = Keys(documents)
        self.projects = ProjectsOfTheSite(documents, self.accounts)
        self._sessions = documents.collection(Session)
        self._answered = documents.collection(Answered)
        self._names = Throttle()
        self.addresses = Throttle(FREE_OF_AN_ADDRESS)
        self._local_key = local_key

    async def first_sign_in(self) -> SignIn | None:
        """Creates the administrator with a generated password where there is no account yet."""
        if await self.accounts.any():
            return None
        password = new_secret()[:20]
        try:
            await self.accounts.create(ADMINISTRATOR, password, ["administrator"])
        except Duplicate:  # another copy of the gateway was faster
            return None
        return SignIn(ADMINISTRATOR, password)

    async def sweep(self) -> None:
        """Removes expired sessions, and what is known of used answers that nobody could send again."""
        while (page := await self._sessions.find({"expires_at": Range(lt=now().isoformat())}, limit=500)).items:
            for session in page.items:
                await self._sessions.erase(session.id)
        while (old := await self._answered.find({"at": Range(lt=(now() - ANSWERS_KEPT).isoformat())}, limit=500)).items:
            for answer in old.items:
                await self._answered.erase(answer.id)

    async def sign_in(self, name: str, password: str, *, address: str = "", agent: str = "") -> tuple[Person, str]:
        """The person and the secret of the new session. `address`: where the request comes from; `agent`: the browser
        as it calls itself. Raises Unauthenticated, Throttled, Unavailable."""
        key, network, at = folded(name)[:LONGEST_NAME], network_of(address), time.monotonic()
        if wait := max(self._names.seconds(key, at), self.addresses.seconds(network, at)):
            raise Throttled(wait)
        # Counted before the check, so that a burst of guesses at once does not slip through.
        self._names.failed(key, at)
        self.addresses.failed(network, at)
        account = await self.accounts.named(name)
        right = await self._passwords.check(password, account.password_hash if account else None)
        if not right or account is None or account.disabled:
            raise Unauthenticated(
                "Name or password is wrong.",
                remedy="Ask an administrator for a link to set a new password. (The first start of the server printed"
                " a password for the name 'administrator'.)",
            )
        self._names.succeeded(key)
        self.addresses.forgiven(network)
        return await self.open_session(account, agent=agent)

    async def change_password(self, id: str, old: str, new: str) -> Account:
        """Ends all sessions. Raises Unauthenticated when `old` is wrong, Throttled when it was too often (whoever sits
        at somebody's open session must not guess on), Invalid, NotFound."""
        at = time.monotonic()
        if wait := self._names.seconds(id, at):
            raise Throttled(wait)
        self._names.failed(id, at)
        account = await self.accounts.change_password(id, old, new)
        self._names.succeeded(id)
        return account

    async def open_session(self, account: Account, *, agent: str = "") -> tuple[Person, str]:
        """Signs in who has shown who they are. The secret is new each time."""
        secret, at = new_secret(), now()
        session = Session(
            id=fingerprint(secret),
            account=account.id,
            expires_at=at + SESSION_TIME,
            epoch=account.epoch,
            created_at=at,
            agent="".join(character for character in agent if character.isprintable())[:LONGEST_AGENT],
        )
        await self._sessions.insert(session)
        return _person(account, session), secret

    async def by_session(self, secret: str) -> Person:
        """Raises Unauthenticated."""
        try:
            session = await self._sessions.get(fingerprint(secret))
            account = await self.accounts.get(session.account)
        except NotFound as error:
            raise _expired() from error
        if session.expires_at <= now() or session.epoch != account.epoch or account.disabled:
            await self._sessions.erase(session.id)
            raise _expired()
        return _person(account, session, await self.projects.archived())

    async def sign_out(self, secret: str) -> None:
        await self._sessions.erase(fingerprint(secret))

    async def sessions(self, id: str) -> list[Session]:
        """Of a person, those that hold, the newest first. Raises NotFound."""
        epoch = (await self.accounts.get(id)).epoch
        found = (await self._sessions.find({"account": id}, limit=1000)).items
        held = [one for one in found if one.epoch == epoch and one.expires_at > now()]
        return sorted(held, key=lambda one: one.expires_at, reverse=True)[:SESSIONS_SHOWN]

    async def end_session(self, id: str, session: str) -> None:
        """One of a person's sessions. Raises NotFound."""
        if (await self._sessions.get(session)).account != id:
            raise NotFound("You have no such session.")
        await self._sessions.erase(session)

    async def by_key(self, text: str) -> Person:
        """Raises Unauthenticated."""
        if self._local_key and hmac.compare_digest(text.encode(), self._local_key.encode()):
            caller = Caller("command-line", {DEFAULT_PROJECT: frozenset({"administrator"})})
            return Person(widened(caller, await self.projects.archived()), "command line")
        caller, name = await self.keys.holder(text)
        return Person(widened(caller, await self.projects.archived()), name)


def _person(account: Account, session: Session, archived: frozenset[str] = frozenset()) -> Person:
    return Person(widened(account.caller, archived), account.name, session.expires_at, session.id)


def _expired() -> Unauthenticated:
    return Unauthenticated("You are not signed in, or no longer.", remedy="Sign in again.")
