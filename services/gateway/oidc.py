"""Sign-in by the hospital's OpenID Connect provider: who comes back from it, and what they may do here.

The provider says who somebody is and what groups they are in; a table says which roles these give. Roles are set anew
at each sign-in. docs/decisions/0029-oidc.md
"""

import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Protocol, Self

from services.gateway.audit import Audit
from services.gateway.identity import Identity, Person
from services.gateway.model import Account, Answered
from services.gateway.names import LONGEST_NAME, clean
from services.gateway.secret import fingerprint, new_secret
from services.gateway.throttle import Throttled, network_of
from shared.access import DEFAULT_PROJECT, Role
from shared.clock import now
from shared.documents.port import Documents
from shared.errors import Conflict, Duplicate, Forbidden, Invalid, TransientError, Unauthenticated
from shared.grants import ATTEMPT_SECONDS, Signer
from shared.settings import Settings

# Of a subject (OpenID Connect Core 1.0, 2) and of a group's name; more groups than this are read of nobody.
LONGEST_SUBJECT: Final = 255
GROUPS: Final = 10_000
# Ada, Ada 2, Ada 3: people of one name.
NAMESAKES: Final = 50
# In the record, where otherwise the pseudonym of whoever acts stands.
ACTOR: Final = "oidc"


@dataclass(frozen=True, slots=True)
class Terms:
    """What the settings say. `roles`: by value of the claim `roles_claim`."""

    name: str
    issuer: str
    client: str
    secret: str
    scopes: tuple[str, ...]
    roles_claim: str
    roles: Mapping[str, tuple[Role, ...]]
    name_claim: str
    creates: bool

    @classmethod
    def of(cls, settings: Settings) -> Self | None:
        """Null where no provider is set. Raises Invalid when what belongs together is not set."""
        if not settings.oidc:
            return None
        for field, what in (("oidc_client", "id of this client at the provider"), ("oidc_roles", "table of roles")):
            if not getattr(settings, field):
                raise Invalid(
                    f"Sign-in by {settings.oidc} needs the {what}.",
                    field=field,
                    remedy=f"Set MITAGGER_{field.upper()} (docs/access.md shows how).",
                )
        return cls(
            settings.oidc_name,
            settings.oidc,
            settings.oidc_client,
            settings.secret_for_oidc(),
            tuple(dict.fromkeys(("openid", *settings.oidc_scopes))),
            settings.oidc_roles_claim,
            settings.oidc_roles,
            settings.oidc_name_claim,
            settings.oidc_create,
        )


@dataclass(frozen=True, slots=True)
class Attempt:
    """Somebody on the way to the provider and back. It stays in their browser, signed. `callback`: the address to come
    back to; `page`: the page to go on to."""

    state: str
    nonce: str
    verifier: str
    callback: str
    page: str


class Provider(Protocol):
    """The OpenID Connect provider."""

    async def address(self, attempt: Attempt) -> str:
        """Where the browser is to go. Raises Unavailable."""

    async def claims(self, attempt: Attempt, code: str, wanted: Sequence[str]) -> Mapping[str, Any]:
        """What the provider says of whoever got the code; `wanted`: claims that may have to be asked for apart. Raises
        Unauthenticated where anything of the answer is not as it must be, Unavailable."""


class OpenIdConnect:
    """From the button of the sign-in page to an open session."""

    def __init__(
        self, documents: Documents, identity: Identity, signer: Signer, *, provider: Provider, terms: Terms
    ) -> None:
        self._answered = documents.collection(Answered)
        self._identity = identity
        self._audit = Audit(documents)
        self._signer = signer
        self._provider = provider
        self._terms = terms

    @property
    def name(self) -> str:
        return self._terms.name

    @property
    def issuer(self) -> str:
        return self._terms.issuer

    async def begin(self, callback: str, page: str) -> tuple[str, str]:
        """The address at the provider, and the attempt for the browser's cookie. Raises Unavailable."""
        # RFC 7636, 4.1: a verifier of 43 to 128 characters.
        attempt = Attempt(new_secret(), new_secret(), secrets.token_urlsafe(48), callback, page)
        return await self._provider.address(attempt), self._signer.attempt(asdict(attempt))

    async def finish(
        self, slip: str, *, state: str, code: str, issuer: str, error: str, address: str, agent: str
    ) -> tuple[Person, str, str]:
        """The person, the secret of the new session, and the page to go on to. `slip`: the attempt, from the cookie;
        `state`, `code`, `issuer`, `error`: the provider's answer; `address`, `agent`: see Identity.sign_in.
        Raises Unauthenticated, Forbidden, Conflict, Throttled, Unavailable."""
        network, at = network_of(address), time.monotonic()
        if wait := self._identity.addresses.seconds(network, at):
            raise Throttled(wait)
        # Counted before, as wrong passwords are: every try makes a request to the provider.
        self._identity.addresses.failed(network, at)
        try:
            attempt = self._attempt(slip, state, issuer)
            account = await self._account(attempt, code, error)
        except TransientError:
            self._identity.addresses.forgiven(network)
            raise
        self._identity.addresses.forgiven(network)
        return *await self._identity.open_session(account, agent=agent), attempt.page

    def _attempt(self, slip: str, state: str, issuer: str) -> Attempt:
        try:
            attempt = Attempt(**self._signer.attempted(slip))
        except (Unauthenticated, TypeError) as problem:
            raise _stale() from problem
        # RFC 9207: a provider that names itself must be the one that was asked.
        if not secrets.compare_digest(attempt.state.encode(), state.encode()) or issuer not in ("", self._terms.issuer):
            raise _stale()
        return attempt

    async def _account(self, attempt: Attempt, code: str, error: str) -> Account:
        if error or not code:
            raise Unauthenticated(
                f"{self.name} did not sign you in.", remedy="Try again, or ask whoever runs the sign-in there."
            )
        claims = await self._provider.claims(
            attempt, code, [part.partition(".")[0] for part in (self._terms.roles_claim, self._terms.name_claim)]
        )
        try:
            await self._answered.insert(Answered(id=fingerprint(attempt.state), at=now()))
        except Duplicate as problem:
            raise _stale() from problem
        subject = claims.get("sub")
        if not isinstance(subject, str) or not 0 < len(subject) <= LONGEST_SUBJECT:
            raise Unauthenticated(f"{self.name} did not say who you are.", remedy="Ask your administrator.")
        return await self._admitted(subject, self._shown(claims), roles_of(claims, self._terms))

    async def _admitted(self, subject: str, name: str, roles: tuple[Role, ...]) -> Account:
        """The account of a subject with these roles, made where it may be. Raises Forbidden, Conflict."""
        accounts = self._identity.accounts
        account = await accounts.of_subject(self._terms.issuer, subject)
        if account is not None and not account.disabled and roles and account.roles.get(DEFAULT_PROJECT) == roles:
            return account
        detail = {"roles": ",".join(roles)}
        async with self._audit.recorded(ACTOR, "account.oidc", account.id if account else "", detail) as act:
            if account is not None and account.disabled:
                raise Forbidden("Your account here is disabled.", remedy="Ask an administrator of MITagger.")
            if not roles:
                if account is not None:
                    await accounts.change(account.id, roles=())
                    await accounts.end_sessions(account.id)
                raise Forbidden(
                    f"{self.name} knows you, but none of your groups there has a role in MITagger.",
                    remedy="Ask your administrator to be put in a group that has one, then sign in again.",
                )
            if account is not None:
                return await accounts.change(account.id, roles=roles)
            if not self._terms.creates:
                raise Forbidden(
                    "You have no account here yet.",
                    remedy=f"Ask an administrator of MITagger to connect yours; {self.name} calls you {subject}.",
                )
            account = await self._created(subject, name, roles)
            act.target = account.id
            return account

    async def _created(self, subject: str, name: str, roles: tuple[Role, ...]) -> Account:
        """Under this name, or one like it: a name that is taken is never the proof of being that person."""
        accounts = self._identity.accounts
        for number in range(1, NAMESAKES + 1):
            shown = name if number == 1 else f"{name[: LONGEST_NAME - 4]} {number}"
            try:
                return await accounts.join(shown, self._terms.issuer, subject, roles)
            except Duplicate:
                # Of the name; or of the subject, where the same person came in twice at once.
                if (account := await accounts.of_subject(self._terms.issuer, subject)) is not None:
                    return account
        raise Conflict(f"There are {NAMESAKES} people named {name!r} already.", remedy="Ask an administrator.")

    def _shown(self, claims: Mapping[str, Any]) -> str:
        for claim in (self._terms.name_claim, "preferred_username", "email"):
            value = found(claims, claim)
            if isinstance(value, str):
                try:
                    return clean(value[:LONGEST_NAME])
                except Invalid:
                    continue
        return "Somebody"


def roles_of(claims: Mapping[str, Any], terms: Terms) -> tuple[Role, ...]:
    """What the table gives for the groups in the claims. A claim of one text is one group; what is no text is none."""
    value = found(claims, terms.roles_claim)
    groups = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    held = {group for group in groups[:GROUPS] if isinstance(group, str)}
    return tuple(sorted({role for group in held for role in terms.roles.get(group, ())}))


def found(claims: Mapping[str, Any], name: str) -> Any:
    """A claim by its name, else by its path ("realm_access.roles"); null where it is not."""
    if name in claims:
        return claims[name]
    inner: Any = claims
    for part in name.split("."):
        if not isinstance(inner, Mapping):
            return None
        inner = inner.get(part)
    return inner


def _stale() -> Unauthenticated:
    return Unauthenticated(
        f"This sign-in was used already, is older than {ATTEMPT_SECONDS // 60} minutes, or began in another browser.",
        remedy="Sign in again.",
    )
