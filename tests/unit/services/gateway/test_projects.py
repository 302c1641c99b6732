"""Whom a manager finds by name, and how much."""

from services.gateway.accounts import Accounts
from services.gateway.passwords import Passwords
from services.gateway.projects import FREE_LOOKUPS
from tests.unit.services.gateway.conftest import Installation

CANDIDATES = "/api/v1/projects/default/candidates"


async def test_people_are_found_by_how_their_names_begin_but_members_and_who_is_disabled(
    installation: Installation,
) -> None:
    accounts = Accounts(installation.engine.documents, Passwords())
    for number in range(12):
        await accounts.invite(f"Adam {number:02}", [])
    await accounts.invite("Ada Member", ["observer"])
    gone, _ = await accounts.invite("Ada Gone", [])
    await accounts.change(gone.id, disabled=True)
    await accounts.invite("Ben", [])
    async with installation.signed_in() as administrator:
        found = (await administrator.get(CANDIDATES, params={"name": "ADA"})).json()["names"]
        none = (await administrator.get(CANDIDATES, params={"name": "dam"})).json()["names"]
        short = await administrator.get(CANDIDATES, params={"name": "a"})
        blank = await administrator.get(CANDIDATES, params={"name": "a  "})
    assert found == [f"Adam {number:02}" for number in range(10)]
    assert none == []
    assert (short.status_code, blank.status_code) == (422, 422)


async def test_whoever_looks_up_names_without_a_rest_has_to_wait(installation: Installation) -> None:
    async with installation.signed_in() as administrator:
        answers = [await administrator.get(CANDIDATES, params={"name": "xy"}) for _ in range(FREE_LOOKUPS + 1)]
    assert {one.status_code for one in answers[:-1]} == {200}
    assert answers[-1].status_code == 429
    assert answers[-1].headers["retry-after"] == "1"
