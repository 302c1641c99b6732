"""The documents of `gateway`: accounts, sessions, API keys, the record of administration. The only place where a
person's name stands."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from shared.access import Caller, Role
from shared.documents.port import Document, Index

AccountState: TypeAlias = Literal["active", "invited", "disabled"]
Outcome: TypeAlias = Literal["begun", "done", "refused", "failed"]


class Link(BaseModel):
    """Leave to set an account's password, once. Its secret is kept nowhere, only the fingerprint."""

    model_config = ConfigDict(frozen=True)

    fingerprint: str
    expires_at: datetime


class Account(Document):
    """A person who signs in. `id` is the pseudonym that all other services see."""

    collection: ClassVar[str] = "gateway.accounts"
    indexes: ClassVar[tuple[Index, ...]] = (
        Index("by_name", ("name_key",), unique=True),
        Index("by_subject", ("issuer", "subject"), unique=True),
    )

    name: str
    name_key: Annotated[str, Field(description="The name, folded: two names that look the same are one")]
    password_hash: Annotated[str, Field(description="Empty until the one who is invited has set a password")]
    roles: dict[str, tuple[Role, ...]]
    reviewers: Annotated[dict[str, str], Field(description="Who reviews this person's work, by project")] = {}
    created_at: datetime
    disabled: bool = False
    epoch: Annotated[int, Field(ge=0, description="Sessions of an earlier epoch are over")] = 0
    link: Link | None = None
    issuer: Annotated[str | None, Field(description="The OpenID Connect provider that knows the person")] = None
    subject: Annotated[str | None, Field(description="What it calls the person")] = None

    @property
    def caller(self) -> Caller:
        return Caller(self.id, {project: frozenset(roles) for project, roles in self.roles.items()})

    @property
    def state(self) -> AccountState:
        if self.disabled:
            return "disabled"
        return "active" if self.password_hash or self.subject else "invited"

    @property
    def administers(self) -> bool:
        """Whether this is somebody who can sign in and administer."""
        return self.state == "active" and any("administrator" in roles for roles in self.roles.values())


class Administrators(Document):
    """Who administers, in one document, so that of two changes at once one sees the other: nobody takes the last
    administrator away. Holds nobody who does not administer; who is missing is put back when the gateway starts."""

    collection: ClassVar[str] = "gateway.administrators"

    people: tuple[str, ...] = ()


class Project(BaseModel):
    """A project by its name. The one called `default` is there without being kept."""

    model_config = ConfigDict(frozen=True)

    name: str
    created_at: datetime | None = None
    archived: bool = False


class Projects(Document):
    """All projects by id, in one document: it is read with every request, a name is given once, and nothing that is
    archived here is open elsewhere."""

    collection: ClassVar[str] = "gateway.projects"

    items: dict[str, Project] = {}


class Session(Document):
    """Somebody is signed in. `id` is the fingerprint of the secret in the cookie, which is kept nowhere."""

    collection: ClassVar[str] = "gateway.sessions"
    indexes: ClassVar[tuple[Index, ...]] = (Index("by_expiry", ("expires_at",)), Index("by_account", ("account",)))

    account: str
    expires_at: datetime
    epoch: Annotated[int, Field(ge=0, description="The account's when it began")] = 0
    created_at: datetime | None = None
    agent: Annotated[str, Field(description="The browser, as it calls itself; a claim, shown to its owner")] = ""


class Answered(Document):
    """An answer of the OpenID Connect provider that was used. `id` is the fingerprint of its state."""

    collection: ClassVar[str] = "gateway.answered"
    indexes: ClassVar[tuple[Index, ...]] = (Index("by_time", ("at",)),)

    at: datetime


class Key(Document):
    """An API key: of a person, who then is who asks, or of another system, which has a pseudonym of its own (`id`)."""

    collection: ClassVar[str] = "gateway.keys"
    indexes: ClassVar[tuple[Index, ...]] = (Index("by_creation", ("created_at",)), Index("by_owner", ("owner",)))

    name: str
    fingerprint: str
    roles: dict[str, tuple[Role, ...]]
    created_at: datetime
    owner: Annotated[str | None, Field(description="The person; null for another system's")] = None
    expires_at: datetime | None = None
    last_used_at: Annotated[datetime | None, Field(description="To the minute")] = None

    @property
    def caller(self) -> Caller:
        return Caller(self.id, {project: frozenset(roles) for project, roles in self.roles.items()})


class AuditEntry(Document):
    """An act of administration. Written before the act, as `begun`, and once more with how it ended; never changed
    after that, never erased. Holds pseudonyms and ids: no name, no secret, nothing of a legend."""

    collection: ClassVar[str] = "gateway.audit"
    indexes: ClassVar[tuple[Index, ...]] = (Index("by_time", ("at",)),)

    at: datetime
    actor: str
    action: str
    target: str = ""
    project: str = ""  # in which it was done; empty: in none, or the act names a thing, not a project
    detail: dict[str, str] = {}
    outcome: Outcome = "begun"


class CollectionTime(Document):
    """When files that nothing names were last collected, all of them."""

    collection: ClassVar[str] = "gateway.collection_times"

    at: datetime


# What is written later stands first: mitagger/backup.py copies them in this order.
MODELS: tuple[type[Document], ...] = (
    CollectionTime,
    Answered,
    Session,
    Key,
    Administrators,
    Account,
    Projects,
    AuditEntry,
)
