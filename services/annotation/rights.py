"""Who may do what with an assignment."""

from services.annotation.model import Assignment
from shared.access import Action, Caller, Relation
from shared.errors import Forbidden


def require(caller: Caller, action: Action, assignment: Assignment) -> None:
    """Raises Forbidden."""
    allow(caller, action, assignment.relations(caller.person), assignment.project)


def allow(caller: Caller, action: Action, relations: frozenset[Relation], project: str) -> None:
    """With an assignment, or what belongs to it, to which the caller has these relations. Raises Forbidden."""
    if not caller.may(action, relations, project):
        caller.require_open(action, project)
        raise Forbidden(
            f"You may not do this ({action}) with a figure that is not yours to annotate or review.",
            remedy="Ask an administrator to assign it to you.",
        )
