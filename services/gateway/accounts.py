"""Accounts of people: invited, changed, disabled, deleted. One administrator always stays."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from services.gateway.model import Account, Administrators, Key, Link, Session
from services.gateway.names import clean, folded
from services.gateway.passwords import Passwords
from services.gateway.secret import fingerprint, link_parts, link_text, matches, new_secret
from shared.access import DEFAULT_PROJECT, Role
from shared.clock import new_id, now
from shared.documents.port import Documents, Page, Range
from shared.errors import Conflict, Duplicate, Erased, Invalid, NotFound, Unauthenticated

LINK_DAYS: Final = 7
_ADMINISTRATORS: Final = "administrators"


class Accounts:
    """Over the documents port. Whoever calls has made sure that it may be done."""

    def __init__(self, documents: Documents, passwords: Passwords) -> None:
        self._accounts = documents.collection(Account)
        self._administrators = documents.collection(Administrators)
        self._sessions = documents.collection(Session)
        self._keys = documents.collection(Key)
        self._passwords = passwords

    async def prepare(self) -> None:
        """Counts the administrators whom a process that died, or an older MITagger, has left uncounted."""
        async for account in self.everybody():
            await self._count(account)

    async def any(self) -> bool:
        return await self._accounts.count() > 0

    async def page(self, after: str | None, limit: int) -> Page[Account]:
        """By name."""
        return await self._accounts.find(sort=("name_key",), after=after, limit=limit)

    async def everybody(self) -> AsyncIterator[Account]:
        """By name."""
        after: str | None = None
        while True:
            page = await self._accounts.find(sort=("name_key",), after=after, limit=500)
            for account in page.items:
                yield account
            if (after := page.next) is None:
                return

    async def get(self, id: str) -> Account:
        """Raises NotFound."""
        return await self._accounts.get(id)

    async def these(self, ids: Sequence[str]) -> list[Account]:
        """Those that are there."""
        return await self._accounts.get_many(ids)

    async def names(self, ids: Sequence[str]) -> dict[str, str]:
        """Of those that are there, by pseudonym."""
        return {account.id: account.name for account in await self._accounts.get_many(list(dict.fromkeys(ids)))}

    async def named(self, name: str) -> Account | None:
        found = (await self._accounts.find({"name_key": folded(name)}, limit=1)).items
        return found[0] if found else None

    async def beginning(self, name: str, limit: int) -> list[Account]:
        """The first so many, by name, whose names begin with this."""
        key = folded(name)
        there = {"name_key": Range(gte=key, lt=key + "\U0010ffff")}
        return (await self._accounts.find(there, sort=("name_key",), limit=limit)).items

    async def of_subject(self, issuer: str, subject: str) -> Account | None:
        """Whom an OpenID Connect provider calls so."""
        found = (await self._accounts.find({"issuer": issuer, "subject": subject}, limit=1)).items
        return found[0] if found else None

    async def join(self, name: str, issuer: str, subject: str, roles: Sequence[Role]) -> Account:
        """An account for whom an OpenID Connect provider calls so. Raises Invalid, Duplicate."""
        return await self._insert(_new(clean(name), roles).changed(issuer=issuer, subject=subject))

    async def create(self, name: str, password: str, roles: Sequence[Role], project: str = DEFAULT_PROJECT) -> Account:
        """With a password, and roles in a project. Raises Invalid, Duplicate."""
        shown = clean(name)
        return await self._insert(
            _new(shown, roles, project).changed(password_hash=await self._passwords.hash(password, shown))
        )

    async def invite(
        self, name: str, roles: Sequence[Role], days: int = LINK_DAYS, project: str = DEFAULT_PROJECT
    ) -> tuple[Account, str]:
        """An account without a password, with roles in a project, and the text of the link that sets one. Raises
        Invalid, Duplicate."""
        account = _new(clean(name), roles, project)
        link, text = _link(account.id, days)
        return await self._insert(account.changed(link=link)), text

    async def new_link(self, id: str, days: int = LINK_DAYS) -> tuple[Account, str]:
        """The account with a new link to set its password; an earlier link is void. The old password and the sessions
        hold until it is used. Raises NotFound, Conflict where the account is disabled."""
        link, text = _link(id, days)

        def change(account: Account) -> tuple[Account, tuple[()]]:
            if account.disabled:
                raise Conflict("This account is disabled.", remedy="Enable it first.")
            return account.changed(link=link), ()

        return await self._accounts.update(id, change), text

    async def linked(self, text: str) -> Account:
        """Whose password this link sets. Raises Unauthenticated."""
        parts = link_parts(text)
        if parts is None:
            raise _void_link()
        try:
            account = await self._accounts.get(parts[0])
        except NotFound as error:
            raise _void_link() from error
        _check_link(account, parts[1], now())
        return account

    async def use_link(self, text: str, password: str) -> Account:
        """Sets the password, once, and ends the sessions that were. Raises Unauthenticated, Invalid."""
        account = await self.linked(text)
        secret, at = text.partition("_")[2], now()
        hashed = await self._passwords.hash(password, account.name)

        def change(current: Account) -> tuple[Account, tuple[()]]:
            _check_link(current, secret, at)
            return current.changed(password_hash=hashed, link=None, epoch=current.epoch + 1), ()

        try:
            changed = await self._accounts.update(account.id, change)
        except NotFound as error:
            raise _void_link() from error
        await self._count(changed)
        return changed

    async def change_password(self, id: str, old: str, new: str) -> Account:
        """Ends all sessions. Raises Unauthenticated when `old` is wrong, Invalid, NotFound."""
        account = await self._accounts.get(id)
        if not await self._passwords.check(old, account.password_hash):
            raise Unauthenticated("The old password is wrong.", remedy="Or ask an administrator for a new link.")
        if old == new:
            raise Invalid("The new password is the old one.", field="password", remedy="Choose another.")
        hashed = await self._passwords.hash(new, account.name)

        def change(current: Account) -> tuple[Account, tuple[()]]:
            if current.password_hash != account.password_hash:
                raise Conflict("The password was changed meanwhile.", remedy="Sign in again.")
            return current.changed(password_hash=hashed, link=None, epoch=current.epoch + 1), ()

        return await self._accounts.update(id, change)

    async def end_sessions(self, id: str) -> Account:
        """Signs out everywhere. Raises NotFound."""
        return await self._accounts.update(id, lambda account: (account.changed(epoch=account.epoch + 1), ()))

    async def change(
        self,
        id: str,
        *,
        roles: Sequence[Role] | None = None,
        disabled: bool | None = None,
        known_as: tuple[str, str] | None = None,
        project: str = DEFAULT_PROJECT,
    ) -> Account:
        """`roles`: in the `project`. `known_as`: issuer and subject of the person at the OpenID Connect provider; an
        empty subject: nobody there any more. Raises NotFound, Duplicate for a subject of another account, Conflict for
        the last administrator."""
        wanted = None if roles is None else tuple(sorted(set(roles)))

        def change(account: Account) -> tuple[Account, tuple[()]]:
            changed = account
            if wanted is not None:
                changed = changed.changed(roles={**account.roles, project: wanted})
            if disabled is not None and disabled != account.disabled:
                # A link from before must not open what was closed.
                changed = changed.changed(disabled=disabled, epoch=account.epoch + 1, link=None)
            if known_as is not None:
                issuer, subject = known_as if known_as[1] else (None, None)
                if (issuer, subject) != (account.issuer, account.subject):
                    # Whoever was signed in by the provider may be somebody else there now.
                    changed = changed.changed(issuer=issuer, subject=subject, epoch=account.epoch + 1)
            return changed, ()

        if not change(await self._accounts.get(id))[0].administers:
            await self._uncount(id)
        try:
            account = await self._accounts.update(id, change)
        except Duplicate as error:
            raise Duplicate(
                "This person of the provider is connected to another account.",
                remedy="Disconnect that first.",
            ) from error
        await self._count(account)
        return account

    async def place(self, id: str, project: str, roles: Sequence[Role], reviewer: str | None) -> Account:
        """Sets what somebody is in a project, and who reviews their work there; no roles: nothing any more. An
        administrator stays one. Raises NotFound."""

        def change(account: Account) -> tuple[Account, tuple[()]]:
            kept = [role for role in account.roles.get(project, ()) if role in ("administrator", "service")]
            held = {**account.roles, project: tuple(sorted({*roles, *kept}))}
            reviewers = {**account.reviewers, project: reviewer or ""}
            return account.changed(
                roles={one: had for one, had in held.items() if had or one == DEFAULT_PROJECT},
                reviewers={one: who for one, who in reviewers.items() if who},
            ), ()

        return await self._accounts.update(id, change)

    async def delete(self, id: str) -> None:
        """Name, password, sessions and keys go; what the person did stays, under the pseudonym. Raises NotFound,
        Conflict for the last administrator."""
        await self.change(id, disabled=True)  # a process that dies below leaves nothing open
        while keys := (await self._keys.find({"owner": id}, limit=500)).items:
            for key in keys:
                await self._keys.erase(key.id)
        while sessions := (await self._sessions.find({"account": id}, limit=500)).items:
            for session in sessions:
                await self._sessions.erase(session.id)
        await self._accounts.erase(id)

    async def _insert(self, account: Account) -> Account:
        try:
            stored = await self._accounts.insert(account)
        except Duplicate as error:
            raise Duplicate(
                f"There is an account named {account.name!r} already.", remedy="Choose another name."
            ) from error
        await self._count(stored)
        return stored

    async def _count(self, account: Account) -> None:
        """Puts an administrator among them; takes out again who stopped being one meanwhile."""
        if not account.administers:
            return
        await self._administrators.update(
            _ADMINISTRATORS,
            lambda them: (them.changed(people=tuple(sorted({*them.people, account.id}))), ()),
            initial=Administrators(id=_ADMINISTRATORS),
        )
        try:
            still = (await self._accounts.get(account.id)).administers
        except Erased:
            still = False
        if not still:
            await self._uncount(account.id)

    async def _uncount(self, id: str) -> None:
        """Before somebody stops to administer. Raises Conflict for the last one."""

        def change(them: Administrators) -> tuple[Administrators, tuple[()]]:
            if them.people == (id,):
                raise Conflict(
                    "This is the last administrator.", remedy="Give somebody else the role administrator first."
                )
            return them.changed(people=tuple(one for one in them.people if one != id)), ()

        await self._administrators.update(_ADMINISTRATORS, change, initial=Administrators(id=_ADMINISTRATORS))


def _new(shown: str, roles: Sequence[Role], project: str = DEFAULT_PROJECT) -> Account:
    return Account(
        id=new_id(),
        name=shown,
        name_key=folded(shown),
        password_hash="",
        roles={project: tuple(sorted(set(roles)))},
        created_at=now(),
    )


def _link(id: str, days: int) -> tuple[Link, str]:
    secret = new_secret()
    return Link(fingerprint=fingerprint(secret), expires_at=now() + timedelta(days=days)), link_text(id, secret)


def _check_link(account: Account, secret: str, at: datetime) -> None:
    """Raises Unauthenticated."""
    link = account.link
    if link is None or account.disabled or link.expires_at <= at or not matches(secret, link.fingerprint):
        raise _void_link()


def _void_link() -> Unauthenticated:
    return Unauthenticated(
        "This link is not valid: it was used, has expired, or was replaced.",
        remedy="Ask an administrator for a new one.",
    )
