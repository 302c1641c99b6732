from typing import get_args

import pytest

from shared.access import OF_THE_SITE, RULES, WORK, Action, Caller, Role
from shared.errors import Forbidden


def caller(*roles: Role) -> Caller:
    return Caller("p", {"default": frozenset(roles)})


def test_an_annotator_decides_on_own_assignments_only() -> None:
    ada = caller("annotator")
    assert ada.may("decision.write", frozenset({"own"}))
    assert not ada.may("decision.write", frozenset({"review"}))
    assert not ada.may("decision.write")


def test_nobody_annotates_or_reviews_by_being_administrator() -> None:
    administrator = caller("administrator")
    assert not administrator.may("decision.write", frozenset({"own"}))
    assert not administrator.may("review.write", frozenset({"review"}))


def test_roles_add_up() -> None:
    assert caller("annotator", "reviewer").relations("assignment.read") == {"own", "review"}


def test_a_role_in_one_project_is_none_in_another() -> None:
    assert not caller("manager", "annotator", "reviewer", "observer").relations("figure.read", "other")
    assert caller("administrator").may("figure.read", project="other")


def test_a_manager_may_in_the_project_what_an_administrator_may_and_nothing_of_the_site() -> None:
    allowed = {action for action in get_args(Action) if caller("manager").may(action)}
    assert allowed == {action for action in get_args(Action) if caller("administrator").may(action)} - OF_THE_SITE


def test_an_observer_changes_nothing_and_sees_no_assignment() -> None:
    written = {action for action in RULES["observer"] if not action.endswith(".read")}
    assert written == {"key.write"}
    assert not caller("observer").relations("assignment.read")


def test_an_archived_project_is_read_and_not_worked_in_whoever_asks() -> None:
    for role in get_args(Role):
        someone = Caller("p", {"default": frozenset({role}), "old": frozenset({role})}, archived=frozenset({"old"}))
        assert not any(someone.relations(action, "old") for action in WORK)
        for action in set(get_args(Action)) - WORK:
            assert someone.relations(action, "old") == someone.relations(action)
    with pytest.raises(Forbidden, match="archived"):
        someone.require("figure.write", project="old")


def test_what_is_not_allowed_is_forbidden_with_a_remedy() -> None:
    with pytest.raises(Forbidden) as caught:
        caller("reviewer").require("figure.erase")
    assert caught.value.remedy


def test_every_action_is_some_role_s() -> None:
    assert set(get_args(Action)) == set[str]().union(*RULES.values())


def test_every_role_has_rules() -> None:
    assert set(get_args(Role)) == set(RULES)
