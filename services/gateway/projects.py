"""Projects and their members: the one place that says which projects there are, who is in them as what, and who
reviews whose work. How work is done in a project (guidelines, rules) is annotation's.

docs/decisions/0034-projects.md
"""

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from services.gateway.accounts import Accounts
from services.gateway.model import Account, Project, Projects
from services.gateway.names import clean, folded
from services.gateway.throttle import Throttle, Throttled
from shared.access import DEFAULT_PROJECT, Caller, MemberRole, Role
from shared.clock import now
from shared.documents.port import Documents
from shared.errors import Conflict, Duplicate, Forbidden, Invalid, NotFound

MOST_PROJECTS: Final = 500
MEMBER_ROLES: Final[frozenset[Role]] = frozenset({"manager", "annotator", "reviewer", "observer"})
LEAST_LETTERS: Final = 2
MOST_CANDIDATES: Final = 10
MOST_LOOKED_THROUGH: Final = 200  # accounts whose names begin so
# Times that somebody may look up names before each has to wait for the next, until a rest of a quarter of an hour. The
# page asks some four times for a person.
FREE_LOOKUPS: Final = 200
_REGISTRY: Final = "projects"
_ID: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


@dataclass(frozen=True, slots=True)
class Pair:
    """Whose work is to be reviewed by whom. No reviewer: the one whom the membership names."""

    annotator: str
    reviewer: str | None


class ProjectsOfTheSite:
    """Over the documents port. Whoever calls has made sure that it may be done."""

    def __init__(self, documents: Documents, accounts: Accounts) -> None:
        self._registry = documents.collection(Projects)
        self._known = Projects(id=_REGISTRY)  # as it was read last
        self._accounts = accounts
        self._lookups = Throttle(FREE_LOOKUPS)

    # Which there are

    async def all(self) -> Mapping[str, Project]:
        """By id, `default` first."""
        self._known = await self._registry.unless(_REGISTRY, self._known.version) or self._known
        return _with_default(self._known.items)

    async def get(self, id: str) -> Project:
        """Raises NotFound."""
        found = (await self.all()).get(id)
        if found is None:
            raise _unknown(id)
        return found

    async def require(self, ids: Iterable[str]) -> None:
        """Raises NotFound where one is not there."""
        known = await self.all()
        if unknown := set(ids) - known.keys():
            raise _unknown(min(unknown))

    async def archived(self) -> frozenset[str]:
        """Ids of those that are closed for work."""
        return frozenset(id for id, project in (await self.all()).items() if project.archived)

    async def create(self, name: str, id: str = "") -> tuple[str, Project]:
        """With its id, made of the name where none is given. Raises Invalid, Duplicate, Conflict (too many)."""
        shown = clean(name)
        key = id or _made_of(shown)
        if not _ID.fullmatch(key):
            raise Invalid(
                f"{key[:60]!r} is no id of a project.",
                field="id",
                remedy="Take 1 to 40 small letters, digits and dashes, as `eye-atlas`.",
            )
        project, at = Project(name=shown), now()

        def change(registry: Projects) -> tuple[Projects, tuple[()]]:
            known = _with_default(registry.items)
            if key in known:
                raise Duplicate(f"There is a project {key} already.", remedy="Choose another id.")
            _require_new_name(known, key, shown)
            if len(known) >= MOST_PROJECTS:
                raise Conflict(f"There are {MOST_PROJECTS} projects, the most there can be.")
            made = project.model_copy(update={"created_at": at})
            return registry.changed(items={**registry.items, key: made}), ()

        done = await self._registry.update(_REGISTRY, change, initial=Projects(id=_REGISTRY))
        return key, done.items[key]

    async def change(self, id: str, *, name: str | None = None, archived: bool | None = None) -> Project:
        """Renames, archives, opens again. Raises NotFound, Invalid, Duplicate."""
        shown = None if name is None else clean(name)

        def change(registry: Projects) -> tuple[Projects, tuple[()]]:
            known = _with_default(registry.items)
            if id not in known:
                raise _unknown(id)
            if shown is not None:
                _require_new_name(known, id, shown)
            said = {"name": shown, "archived": archived}
            changed = known[id].model_copy(update={field: value for field, value in said.items() if value is not None})
            if changed == known[id]:
                return registry, ()
            return registry.changed(items={**registry.items, id: changed}), ()

        done = await self._registry.update(_REGISTRY, change, initial=Projects(id=_REGISTRY))
        return _with_default(done.items)[id]

    # Who is in them

    async def members(self, project: str) -> list[Account]:
        """By name."""
        return [account async for account in self._accounts.everybody() if _roles(account, project)]

    async def set_member(self, project: str, person: str, roles: Sequence[MemberRole], reviewer: str | None) -> Account:
        """Takes somebody in, or changes what they are. `reviewer`: of their work. Raises NotFound, Conflict (they are
        somebody's reviewer), Invalid (a reviewer who may not review, or in a circle)."""
        wanted = tuple(sorted(set(roles)))
        if not wanted:
            raise Invalid("A member has a role.", field="roles", remedy="Name one, or remove the member.")
        account = await self._accounts.get(person)
        members = await self.members(project)
        if "reviewer" not in wanted:
            self._require_nobody_s_reviewer(members, project, person)
        if reviewer is not None:
            if "annotator" not in wanted:
                raise Invalid(
                    "Only an annotator's work is reviewed.", field="reviewer", remedy="Add the role annotator."
                )
            await self._require_reviewer([one for one in members if one.id != person], project, person, reviewer)
        return await self._accounts.place(account.id, project, wanted, reviewer)

    async def candidates(self, project: str, name: str, *, asker: str) -> list[str]:
        """Names that begin so, the first ten, of people who can sign in or are invited and are no members yet. Raises
        Invalid for fewer than two letters, Throttled."""
        if len(folded(name)) < LEAST_LETTERS:
            raise Invalid(f"A name is looked up by {LEAST_LETTERS} letters or more.", field="name")
        at = time.monotonic()
        if wait := self._lookups.seconds(asker, at):
            raise Throttled(wait)
        self._lookups.failed(asker, at)
        found = await self._accounts.beginning(name, MOST_LOOKED_THROUGH)
        there = [one.name for one in found if not one.disabled and not _roles(one, project)]
        return there[:MOST_CANDIDATES]

    async def named(self, name: str) -> str:
        """The person with this name. Raises NotFound."""
        account = await self._accounts.named(name)
        if account is None:
            raise NotFound(f"There is nobody named {name[:60]!r}.", remedy="Ask an administrator to invite them first.")
        return account.id

    async def require_reviewer(self, project: str, person: str) -> None:
        """Raises Invalid unless somebody may review there."""
        await self._require_reviewer(await self.members(project), project, "", person)

    async def leave(self, project: str, person: str) -> Account:
        """From now on they are no member. Any number of times is once. Raises NotFound, Conflict (they are somebody's
        reviewer)."""
        self._require_nobody_s_reviewer(await self.members(project), project, person)
        return await self._accounts.place(person, project, (), None)

    async def reviewer_of(self, project: str, person: str) -> str | None:
        """Who reviews a member's work, as long as they may."""
        known = {account.id: account for account in await self._accounts.these([person])}
        reviewer = known[person].reviewers.get(project) if person in known else None
        if reviewer is None:
            return None
        found = await self._accounts.these([reviewer])
        may = any("reviewer" in _roles(account, project) and not account.disabled for account in found)
        return reviewer if may else None

    async def paired(self, project: str, pairs: Iterable[Pair]) -> list[tuple[str, str]]:
        """Annotators with their reviewers, where all of these may be. Raises Invalid."""
        members = await self.members(project)
        by_id = {account.id: account for account in members}
        done = []
        for pair in pairs:
            annotator = by_id.get(pair.annotator)
            if annotator is None or "annotator" not in _roles(annotator, project):
                raise Invalid(
                    f"{await self._name(pair.annotator)} is no annotator of the project {project}.",
                    field="annotator",
                    remedy="Take them in as an annotator first (`mitagger project member`), or name another person.",
                )
            reviewer = pair.reviewer or annotator.reviewers.get(project)
            if reviewer is None:
                raise Invalid(
                    f"Nobody reviews the work of {annotator.name}.",
                    field="reviewer",
                    remedy="Name a reviewer, here or with the member.",
                )
            await self._require_reviewer(members, project, pair.annotator, reviewer)
            done.append((pair.annotator, reviewer))
        return done

    async def require_team(self, project: str, overlap: int) -> None:
        """Raises Invalid where fewer than `overlap` annotators may pull figures: who has no reviewer gets none."""
        members = await self.members(project) if overlap else []
        team = [
            one
            for one in members
            if "annotator" in _roles(one, project) and one.reviewers.get(project) and not one.disabled
        ]
        if overlap > len(team):
            raise Invalid(
                f"{overlap} annotators shall see a figure, and {len(team)} of the project can get one.",
                field="overlap",
                remedy="Take in more annotators, each with a reviewer, or lower `overlap`.",
            )

    async def _require_reviewer(self, members: Sequence[Account], project: str, annotator: str, reviewer: str) -> None:
        """Raises Invalid unless `reviewer` may review the work of `annotator`."""
        if reviewer == annotator:
            raise Invalid(
                "Nobody reviews their own work.", field="reviewer", remedy="Name another person as the reviewer."
            )
        by_id = {account.id: account for account in members}
        found = by_id.get(reviewer)
        if found is None or "reviewer" not in _roles(found, project) or found.disabled:
            raise Invalid(
                f"{await self._name(reviewer)} may not review in the project {project}.",
                field="reviewer",
                remedy="Give them the role reviewer there first, or name another person.",
            )
        seen, who = {annotator}, reviewer
        while (following := by_id[who].reviewers.get(project) if who in by_id else None) is not None:
            if following in seen:
                raise Invalid(
                    "These would review each other's work in a circle.",
                    field="reviewer",
                    remedy="Name a reviewer whose own work somebody else reviews.",
                )
            seen.add(who)
            who = following

    async def _name(self, person: str) -> str:
        """As people know them; of who is not here, what was sent."""
        return (await self._accounts.names([person])).get(person) or f"The person {person[:60]!r}"

    @staticmethod
    def _require_nobody_s_reviewer(members: Sequence[Account], project: str, person: str) -> None:
        reviewed = [one.name for one in members if one.reviewers.get(project) == person and one.id != person]
        if reviewed:
            raise Conflict(
                f"They review the work of {', '.join(reviewed[:3])}{' and others' if len(reviewed) > 3 else ''}.",
                remedy="Name another reviewer for these first.",
            )


def widened(caller: Caller, archived: frozenset[str]) -> Caller:
    """The caller with what the project registry says."""
    return Caller(caller.person, caller.roles, archived, caller.reviewers) if archived else caller


def visible(caller: Caller, projects: Mapping[str, Project]) -> dict[str, Project]:
    """Those that the caller has a role in; an administrator all."""
    return {id: project for id, project in projects.items() if caller.roles_in(id)}


def require_known(caller: Caller, id: str, projects: Mapping[str, Project]) -> None:
    """Raises NotFound, or Forbidden for who has no role in it: whether it is there is nobody else's business."""
    if not caller.roles_in(id):
        raise Forbidden(
            f"You have no role in a project {id[:60]}.", remedy="Ask a manager of the project to take you in."
        )
    if id not in projects:
        raise _unknown(id)


def _with_default(items: Mapping[str, Project]) -> dict[str, Project]:
    return {DEFAULT_PROJECT: items.get(DEFAULT_PROJECT) or Project(name="Default"), **items}


def _roles(account: Account, project: str) -> frozenset[Role]:
    return frozenset(account.roles.get(project, ())) & MEMBER_ROLES


def _require_new_name(known: Mapping[str, Project], id: str, name: str) -> None:
    if any(other != id and folded(project.name) == folded(name) for other, project in known.items()):
        raise Duplicate(f"There is a project named {name!r} already.", remedy="Choose another name.")


def _made_of(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", folded(name)).strip("-")[:40].strip("-")


def _unknown(id: str) -> NotFound:
    return NotFound(f"There is no project {id[:60]}.", remedy="List the projects, or create it first.")
