"""API keys: of people, with some of their rights, and of other systems, with rights of their own."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from services.gateway.model import Account, Key
from services.gateway.names import clean
from services.gateway.secret import fingerprint, key_parts, key_text, matches, new_secret
from shared.access import DEFAULT_PROJECT, Caller, Role
from shared.clock import new_id, now
from shared.documents.port import Documents, Page
from shared.errors import Invalid, NotFound, Unauthenticated

PERSONAL_DAYS: Final = 90
USE_NOTED: Final = timedelta(minutes=1)


class Keys:
    """Over the documents port. Whoever calls has made sure that it may be done."""

    def __init__(self, documents: Documents) -> None:
        self._keys = documents.collection(Key)
        self._accounts = documents.collection(Account)

    async def create(
        self, name: str, roles: Sequence[Role], days: int | None = None, projects: Sequence[str] = (DEFAULT_PROJECT,)
    ) -> tuple[Key, str]:
        """Of another system, with these roles in these projects: the key's document, and the key itself, which is kept
        nowhere. `days` until it expires; null: it does not. Raises Invalid."""
        if "administrator" in roles and set(projects) != {DEFAULT_PROJECT}:
            raise Invalid(
                "An administrator is one of the whole site.",
                field="projects",
                remedy="Take the role manager for a key of some projects.",
            )
        return await self._insert(name, {one: tuple(sorted(set(roles))) for one in projects}, None, days)

    async def create_personal(
        self, owner: Caller, name: str, roles: Sequence[Role], projects: Sequence[str], days: int
    ) -> tuple[Key, str]:
        """Of a person, with these roles (none: all) in these projects (none: all) as far as the person has them: now,
        and again whenever the key is used. Raises Invalid when a role is none of the person's."""
        has = owner.roles if not projects else {project: _within(owner, project) for project in projects}
        scope = {project: tuple(sorted(had & set(roles) if roles else had)) for project, had in has.items()}
        scope = {project: kept for project, kept in scope.items() if kept}
        if foreign := set(roles) - {role for kept in scope.values() for role in kept}:
            raise Invalid(
                f"You are no {min(foreign)} yourself.",
                field="roles",
                remedy="A key cannot do more than its owner: name roles that you have.",
            )
        if unknown := set(projects) - set(scope):
            raise Invalid(f"You have no role in the project {min(unknown)[:100]!r}.", field="projects")
        if not scope:
            raise Invalid("You have no role that a key could have.", field="roles")
        return await self._insert(name, scope, owner.person, days)

    async def get(self, id: str) -> Key:
        """Raises NotFound."""
        return await self._keys.get(id)

    async def page(self, after: str | None, limit: int, *, owner: str | None = None) -> Page[Key]:
        """In order of creation. `owner`: of this person alone."""
        where = None if owner is None else {"owner": owner}
        return await self._keys.find(where, sort=("created_at",), after=after, limit=limit)

    async def delete(self, id: str) -> None:
        """Raises NotFound."""
        await self._keys.get(id)
        await self._keys.erase(id)

    async def holder(self, text: str) -> tuple[Caller, str]:
        """Who asks with this key, and the name: the owner's, or the other system's. Raises Unauthenticated."""
        parts = key_parts(text)
        if parts is None:
            raise wrong_key()
        id, secret = parts
        try:
            key = await self._keys.get(id)
        except NotFound as error:
            raise wrong_key() from error
        at = now()
        if not matches(secret, key.fingerprint):
            raise wrong_key()
        if key.expires_at is not None and key.expires_at <= at:
            raise Unauthenticated("This API key has expired.", remedy="Create a new one.")
        caller, name = key.caller, key.name
        if key.owner is not None:
            caller, name = await self._owned(key, key.owner)
        await self._note_use(key, at)
        return caller, name

    async def _owned(self, key: Key, owner: str) -> tuple[Caller, str]:
        try:
            account = await self._accounts.get(owner)
        except NotFound as error:
            raise wrong_key() from error
        if account.state != "active":
            raise wrong_key()
        roles = {
            project: frozenset(kept)
            for project, scope in key.roles.items()
            if (kept := (account.caller.roles_in(project) | _within(account.caller, project)) & set(scope))
        }
        return Caller(owner, roles), account.name

    async def _note_use(self, key: Key, at: datetime) -> None:
        """At most once a minute, for reading must not become writing."""

        def change(current: Key) -> tuple[Key, tuple[()]]:
            seen = current.last_used_at
            return (current if seen and at - seen < USE_NOTED else current.changed(last_used_at=at)), ()

        if change(key)[0] is not key:
            try:
                await self._keys.update(key.id, change)
            except NotFound as error:  # deleted at this moment
                raise wrong_key() from error

    async def _insert(
        self, name: str, roles: dict[str, tuple[Role, ...]], owner: str | None, days: int | None
    ) -> tuple[Key, str]:
        secret, at = new_secret(), now()
        key = Key(
            id=new_id(),
            name=clean(name),
            fingerprint=fingerprint(secret),
            roles=roles,
            created_at=at,
            owner=owner,
            expires_at=None if days is None else at + timedelta(days=days),
        )
        return await self._keys.insert(key), key_text(key.id, secret)


def _within(owner: Caller, project: str) -> frozenset[Role]:
    """The owner's roles as a key of some projects has them: an administrator's key manages these, and no more."""
    managing: frozenset[Role] = frozenset({"manager"}) if owner.administers else frozenset()
    return owner.roles.get(project, frozenset()) - {"administrator"} | managing


def wrong_key() -> Unauthenticated:
    """What is said of every key that does not work, so that nothing is learnt of others."""
    return Unauthenticated("This API key is not valid.", remedy="Ask an administrator for a new one.")
