from typing import get_args

import pytest

from shared.access import RULES, Action, Caller, Role
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
    assert not caller("administrator").may("figure.read", project="other")


def test_what_is_not_allowed_is_forbidden_with_a_remedy() -> None:
    with pytest.raises(Forbidden) as caught:
        caller("reviewer").require("figure.erase")
    assert caught.value.remedy


def test_every_action_is_some_role_s() -> None:
    assert set(get_args(Action)) == set[str]().union(*RULES.values())


def test_every_role_has_rules() -> None:
    assert set(get_args(Role)) == set(RULES)
