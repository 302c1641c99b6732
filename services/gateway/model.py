"""The documents of `gateway`: accounts, sessions, API keys. The only place where a person's name stands."""

from datetime import datetime
from typing import Annotated, ClassVar

from pydantic import Field

from shared.access import Caller, Role
from shared.documents.port import Document, Index


class Account(Document):
    """A person who signs in. `id` is the pseudonym that all other services see."""

    collection: ClassVar[str] = "gateway.accounts"
    indexes: ClassVar[tuple[Index, ...]] = (Index("by_name", ("name_key",), unique=True),)

    name: str
    name_key: Annotated[str, Field(description="The name, folded: two names that look the same are one")]
    password_hash: str
    roles: dict[str, tuple[Role, ...]]
    created_at: datetime

    @property
    def caller(self) -> Caller:
        return Caller(self.id, {project: frozenset(roles) for project, roles in self.roles.items()})


class Session(Document):
    """Somebody is signed in. `id` is the fingerprint of the secret in the cookie, which is kept nowhere."""

    collection: ClassVar[str] = "gateway.sessions"
    indexes: ClassVar[tuple[Index, ...]] = (Index("by_expiry", ("expires_at",)),)

    account: str
    expires_at: datetime


class Key(Document):
    """An API key of another system: an account of its own, with a pseudonym of its own (`id`)."""

    collection: ClassVar[str] = "gateway.keys"
    indexes: ClassVar[tuple[Index, ...]] = (Index("by_creation", ("created_at",)),)

    name: str
    fingerprint: str
    roles: dict[str, tuple[Role, ...]]
    created_at: datetime

    @property
    def caller(self) -> Caller:
        return Caller(self.id, {project: frozenset(roles) for project, roles in self.roles.items()})


class CollectionTime(Document):
    """When files that nothing names were last collected, all of them."""

    collection: ClassVar[str] = "gateway.collection_times"

    at: datetime


# What is written later stands first: mitagger/backup.py copies them in this order.
MODELS: tuple[type[Document], ...] = (CollectionTime, Session, Key, Account)
