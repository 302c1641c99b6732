"""Who may do what: the one rule table that every door asks.

A rule says which relation to the object a role needs for an action. `own`: the assignment is the caller's;
`review`: the caller reviews it; `any`: whoever's it is. An action that is missing for a role is forbidden.

People are members of projects, each with roles there: manager, annotator, reviewer, observer. Administrators are those
of the whole site, and may in every project what they may in one. Other systems have roles of projects as people do. A
project that is archived stays readable; what would be work in it (`WORK`) is refused to everybody.

Within a project legends are open: whoever may search finds every figure by its legend. Tags that are not reviewed yet
are found by administrators and by who gave them. Annotators and reviewers read a figure where the assignment is known
(annotation).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from shared.errors import Forbidden

DEFAULT_PROJECT: Final = "default"

Role: TypeAlias = Literal["administrator", "manager", "annotator", "reviewer", "observer", "service"]
MemberRole: TypeAlias = Literal["manager", "annotator", "reviewer", "observer"]
Relation: TypeAlias = Literal["own", "review", "any"]
Action: TypeAlias = Literal[
    "figure.read",
    "figure.write",
    "figure.erase",
    "quarantine.read",
    "quarantine.write",
    "import.run",
    "assignment.create",
    "assignment.read",
    "decision.write",
    "review.write",
    "assignment.reopen",
    "adjudication.write",
    "comment.write",
    "concern.settle",
    "project.read",
    "project.write",
    "project.create",
    "member.read",
    "member.write",
    "vocabulary.read",
    "vocabulary.write",
    "search.read",
    "export.run",
    "event.read",
    "system.read",
    "system.write",
    "account.write",
    "key.write",
    "audit.read",
    "measures.read",
    "quality.read",
    "quality.write",
]

OWN: Final[frozenset[Relation]] = frozenset({"own"})

# Of the installation, whatever the project: no manager's.
OF_THE_SITE: Final[frozenset[Action]] = frozenset({
    "project.create", "vocabulary.write", "system.read", "system.write", "account.write", "key.write", "audit.read",
})  # fmt: skip
# What nobody may in a project that is archived. Reading, exporting, erasing and opening it again stay.
WORK: Final[frozenset[Action]] = frozenset({
    "figure.write", "import.run", "quarantine.write", "assignment.create", "decision.write", "review.write",
    "assignment.reopen", "adjudication.write", "comment.write", "concern.settle", "quality.write",
})  # fmt: skip

_ADMINISTRATOR: Final[Mapping[Action, frozenset[Relation]]] = {
    "figure.read": frozenset({"any"}),
    "figure.write": frozenset({"any"}),
    "figure.erase": frozenset({"any"}),
    "quarantine.read": frozenset({"any"}),
    "quarantine.write": frozenset({"any"}),
    "import.run": frozenset({"any"}),
    "assignment.create": frozenset({"any"}),
    "assignment.read": frozenset({"any"}),
    "assignment.reopen": frozenset({"any"}),
    "adjudication.write": frozenset({"any"}),
    "comment.write": frozenset({"any"}),
    "concern.settle": frozenset({"any"}),
    "project.read": frozenset({"any"}),
    "project.write": frozenset({"any"}),
    "project.create": frozenset({"any"}),
    "member.read": frozenset({"any"}),
    "member.write": frozenset({"any"}),
    "vocabulary.read": frozenset({"any"}),
    "vocabulary.write": frozenset({"any"}),
    "search.read": frozenset({"any"}),
    "export.run": frozenset({"any"}),
    "event.read": frozenset({"any"}),
    "system.read": frozenset({"any"}),
    "system.write": frozenset({"any"}),
    "account.write": frozenset({"any"}),
    "key.write": frozenset({"own", "any"}),
    "audit.read": frozenset({"any"}),
    "quality.read": frozenset({"any"}),
    "measures.read": frozenset({"any"}),
    "quality.write": frozenset({"any"}),
}

RULES: Final[Mapping[Role, Mapping[Action, frozenset[Relation]]]] = {
    "administrator": _ADMINISTRATOR,
    # All that an administrator may, within the project; and keys of one's own.
    "manager": {
        **{action: relations for action, relations in _ADMINISTRATOR.items() if action not in OF_THE_SITE},
        "key.write": OWN,
    },
    # Sees how a project gets on, and what came of it; nobody's unreviewed work. Takes nothing out of the house.
    "observer": {
        "figure.read": frozenset({"any"}),
        "project.read": frozenset({"any"}),
        "measures.read": frozenset({"any"}),
        "vocabulary.read": frozenset({"any"}),
        "search.read": frozenset({"any"}),
        "key.write": OWN,
    },
    "annotator": {
        "figure.read": frozenset({"own", "review"}),
        "assignment.read": frozenset({"own"}),
        "decision.write": frozenset({"own"}),
        "comment.write": frozenset({"own"}),
        "project.read": frozenset({"any"}),
        "measures.read": OWN,
        "vocabulary.read": frozenset({"any"}),
        "search.read": frozenset({"any"}),
        "key.write": OWN,
    },
    "reviewer": {
        "figure.read": frozenset({"own", "review"}),
        "assignment.read": frozenset({"review"}),
        "review.write": frozenset({"review"}),
        "assignment.reopen": frozenset({"review"}),
        "adjudication.write": frozenset({"any"}),  # but what they tagged themselves
        "comment.write": frozenset({"review"}),
        "project.read": frozenset({"any"}),
        "measures.read": OWN,
        "vocabulary.read": frozenset({"any"}),
        "search.read": frozenset({"any"}),
        "key.write": OWN,
    },
    # Other systems of the hospital, by API key.
    "service": {
        "figure.read": frozenset({"any"}),
        "figure.write": frozenset({"any"}),
        "import.run": frozenset({"any"}),
        "vocabulary.read": frozenset({"any"}),
        "search.read": frozenset({"any"}),
        "export.run": frozenset({"any"}),
        "event.read": frozenset({"any"}),
    },
}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: a pseudonymous person and the roles in each project. `archived`: which projects are; `reviewers`: who
    reviews the caller's work in each project, where the door needs to know."""

    person: str
    roles: Mapping[str, frozenset[Role]] = field(default_factory=dict)
    archived: frozenset[str] = frozenset()
    reviewers: Mapping[str, str] = field(default_factory=dict)

    def roles_in(self, project: str) -> frozenset[Role]:
        """Those of the project; an administrator's are everywhere."""
        of_the_site: frozenset[Role] = frozenset({"administrator"}) if self.administers else frozenset()
        return self.roles.get(project, frozenset()) | of_the_site

    def relations(self, action: Action, project: str = DEFAULT_PROJECT) -> frozenset[Relation]:
        """The relations through which the caller may do `action` in `project`; empty: not at all."""
        closed = action in WORK and project in self.archived
        return frozenset() if closed else self._granted(action, project)

    def _granted(self, action: Action, project: str) -> frozenset[Relation]:
        """Those that the rules give, whether the project is open or not."""
        granted: set[Relation] = set()
        for role in self.roles_in(project):
            granted |= RULES[role].get(action, frozenset())
        return frozenset(granted)

    def may(self, action: Action, relations: frozenset[Relation] = frozenset(), project: str = DEFAULT_PROJECT) -> bool:
        """Whether one of the object's `relations` to the caller suffices. No relations: only `any` does."""
        granted = self.relations(action, project)
        return "any" in granted or bool(granted & relations)

    def require(
        self, action: Action, relations: frozenset[Relation] = frozenset(), project: str = DEFAULT_PROJECT
    ) -> None:
        """Raises Forbidden unless the caller may."""
        if not self.may(action, relations, project):
            self.require_open(action, project)
            raise _forbidden(action)

    def require_open(self, action: Action, project: str) -> None:
        """Raises Forbidden where it is the project that is closed for this, not the caller who may not."""
        if action in WORK and project in self.archived and self._granted(action, project):
            raise Forbidden(
                f"The project {project} is archived: closed for work, nothing of it is lost.",
                remedy="Its manager can open it again.",
            )

    def require_somewhere(self, action: Action, relations: frozenset[Relation] = frozenset()) -> None:
        """For what belongs to no project. Raises Forbidden unless the caller may in one of theirs."""
        if not any(self.may(action, relations, project) for project in self.roles):
            for project in self.roles:
                self.require_open(action, project)
            raise _forbidden(action)

    @property
    def administers(self) -> bool:
        """Whether the caller is an administrator: of the site, therefore in every project."""
        return any("administrator" in roles for roles in self.roles.values())

    @property
    def manages(self) -> bool:
        """Whether the caller is an administrator or manages a project: what these change is recorded."""
        return self.administers or any("manager" in roles for roles in self.roles.values())


def _forbidden(action: Action) -> Forbidden:
    return Forbidden(f"You may not do this ({action}).", remedy="Ask a manager of the project for a role that may.")
