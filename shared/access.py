"""Who may do what: the one rule table that every door asks.

A rule says which relation to the object a role needs for an action. `own`: the assignment is the caller's;
`review`: the caller reviews it; `any`: whoever's it is. An action that is missing for a role is forbidden.

Within a project legends are open: whoever may search finds every figure by its legend. Tags that are not reviewed yet
are found by administrators only. Annotators and reviewers read a figure where the assignment is known (annotation).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from shared.errors import Forbidden

DEFAULT_PROJECT: Final = "default"

Role: TypeAlias = Literal["administrator", "annotator", "reviewer", "service"]
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
    "comment.write",
    "concern.settle",
    "project.read",
    "project.write",
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
]

OWN: Final[frozenset[Relation]] = frozenset({"own"})

RULES: Final[Mapping[Role, Mapping[Action, frozenset[Relation]]]] = {
    "administrator": {
        "figure.read": frozenset({"any"}),
        "figure.write": frozenset({"any"}),
        "figure.erase": frozenset({"any"}),
        "quarantine.read": frozenset({"any"}),
        "quarantine.write": frozenset({"any"}),
        "import.run": frozenset({"any"}),
        "assignment.create": frozenset({"any"}),
        "assignment.read": frozenset({"any"}),
        "assignment.reopen": frozenset({"any"}),
        "comment.write": frozenset({"any"}),
        "concern.settle": frozenset({"any"}),
        "project.read": frozenset({"any"}),
        "project.write": frozenset({"any"}),
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
    },
    "annotator": {
        "figure.read": frozenset({"own", "review"}),
        "assignment.read": frozenset({"own"}),
        "decision.write": frozenset({"own"}),
        "comment.write": frozenset({"own"}),
        "project.read": frozenset({"any"}),
        "vocabulary.read": frozenset({"any"}),
        "search.read": frozenset({"any"}),
        "key.write": OWN,
    },
    "reviewer": {
        "figure.read": frozenset({"own", "review"}),
        "assignment.read": frozenset({"review"}),
        "review.write": frozenset({"review"}),
        "assignment.reopen": frozenset({"review"}),
        "comment.write": frozenset({"review"}),
        "project.read": frozenset({"any"}),
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
    """Who asks: a pseudonymous person and the roles in each project."""

    person: str
    roles: Mapping[str, frozenset[Role]] = field(default_factory=dict)

    def relations(self, action: Action, project: str = DEFAULT_PROJECT) -> frozenset[Relation]:
        """The relations through which the caller may do `action` in `project`; empty: not at all."""
        granted: set[Relation] = set()
        for role in self.roles.get(project, frozenset()):
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
            raise _forbidden(action)

    def require_somewhere(self, action: Action, relations: frozenset[Relation] = frozenset()) -> None:
        """For what belongs to no project. Raises Forbidden unless the caller may in one of theirs."""
        if not any(self.may(action, relations, project) for project in self.roles):
            raise _forbidden(action)

    @property
    def administers(self) -> bool:
        """Whether the caller is an administrator anywhere: what these change is recorded."""
        return any("administrator" in roles for roles in self.roles.values())


def _forbidden(action: Action) -> Forbidden:
    return Forbidden(
        f"You may not do this ({action}).", remedy="Ask an administrator of the project for a role that may."
    )
