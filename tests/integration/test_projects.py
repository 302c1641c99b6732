"""Several projects beside each other, and who is in them: through the public door, all services in this process."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from mitagger.client import AsyncClient, Conflict, Missing, NotAllowed, Rejected
from mitagger.client import models as m
from mitagger.serve import MODELS
from services.annotation.model import Qualification, Standards
from services.gateway.identity import Identity
from services.gateway.model import Account
from shared.access import Role
from shared.clock import new_id, now
from shared.engine import Engine
from tests.support.embedded import embedded
from tests.support.system import KEY, composed

EYE = "eye-atlas"
ADD = {"kind": "add", "axis": "anatomy", "text": "retina"}


@dataclass(frozen=True, slots=True)
class Site:
    engine: Engine
    app: Any
    people: dict[str, str]  # pseudonyms by name
    cookies: dict[str, str]

    def client(self, name: str = "", project: str = "") -> AsyncClient:
        """Of somebody, or of the administrator."""
        transport = httpx.ASGITransport(self.app)
        client = AsyncClient("http://site", key="" if name else KEY, project=project, transport=transport)
        if name:
            client._http.cookies.set("mitagger_session", self.cookies[name])
        return client

    async def figures(self, count: int, project: str) -> list[str]:
        async with self.client(project=project) as admin:
            made = [await admin.create_figure(None, collection="Atlas", legend=f"Femur {n}.") for n in range(count)]
        await self.engine.bus.settled(timeout=30)
        return [figure.id for figure in made]


@pytest_asyncio.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with embedded(tmp_path, MODELS) as engine:
        services = composed(engine)
        for service in services:
            await service.start()
        await engine.bus.start()
        identity, accounts = Identity(engine.documents), engine.documents.collection(Account)
        people, cookies = {}, {}
        for name in ("mia", "ada", "bob", "grace", "joan"):
            # Not made through a door: argon2 takes its time.
            made = await accounts.insert(
                Account(id=new_id(), name=name, name_key=name, password_hash="none", roles={}, created_at=now())
            )
            people[name] = made.id
            _, cookies[name] = await identity.open_session(made)
        site = Site(engine, services[-1].app, people, cookies)
        async with site.client() as admin:
            await admin.create_project("Atlas of the eye", id=EYE)
            for name, roles, reviewer in (
                ("mia", ("manager",), None),
                ("grace", ("reviewer",), None),
                ("joan", ("reviewer",), None),
                ("ada", ("annotator",), "grace"),
                ("bob", ("annotator",), "grace"),
            ):
                await member(admin, site, name, roles, reviewer)
        yield site
        await engine.bus.stop()
        for service in reversed(services):
            await service.stop()


async def member(
    client: AsyncClient, site: Site, name: str, roles: tuple[Role, ...], reviewer: str | None = None
) -> m.Member:
    return await client.set_member(EYE, site.people[name], roles, reviewer=reviewer and site.people[reviewer])


async def states(site: Site) -> dict[str, list[str]]:
    """States of assignments by who tags them."""
    found: dict[str, list[str]] = {}
    names = {person: name for name, person in site.people.items()}
    async with site.client(project=EYE) as admin:
        async for one in admin.assignments():
            found.setdefault(names[one.annotator], []).append(one.state)
    return {name: sorted(one) for name, one in found.items()}


async def test_an_overlap_larger_than_the_team_is_refused_for_the_pool_too(site: Site) -> None:
    await site.figures(1, EYE)
    async with site.client("mia", EYE) as mia, site.client() as admin:
        await mia.pool(all_unassigned=True, overlap=3)  # of no figure
        with pytest.raises(Rejected, match="3 annotators shall see a figure, and 2 of the project"):
            await mia.pool(all_unassigned=True, overlap=3, overlap_share=0.5)
        await member(admin, site, "joan", ("annotator",))  # whose work nobody reviews
        with pytest.raises(Rejected, match="lower `overlap`"):
            await mia.pool(all_unassigned=True, overlap=3, overlap_share=0.5)
        await member(admin, site, "joan", ("annotator",), "grace")
        assert (await mia.pool(all_unassigned=True, overlap=3, overlap_share=0.5)).figures == 1


async def test_a_project_has_its_own_figures_work_search_and_exports(site: Site) -> None:
    await site.figures(2, EYE)
    (elsewhere,) = await site.figures(1, "")
    async with site.client("mia", EYE) as mia, site.client(project="") as admin:
        assert len([one async for one in mia.figures()]) == 2
        assert [one.id async for one in admin.figures()] == [elsewhere]
        await mia.pool(all_unassigned=True, hidden_share=0)
        async with site.client("ada", EYE) as ada:
            work = await ada.next_assignment()
            assert work is not None
            assert (work.annotator, work.reviewer) == (site.people["ada"], site.people["grace"])
            await ada.decide(work.id, ADD)
            await ada.submit(work.id)
        async with site.client("grace", EYE) as grace:
            await grace.review(work.id, "approved")
        await site.engine.bus.settled(timeout=30)
        assert (await mia.search("femur")).total == 2
        assert (await admin.search("femur")).total == 1
        job = await mia.finished_export((await mia.start_export("csv", ["new", "approved"])).id, seconds=30)
        assert job.rows == 2
        events = await mia.events()
        assert {event.data["project"] for event in events.items} == {EYE}
        with pytest.raises(NotAllowed):
            await mia.figure(elsewhere)


async def test_what_is_no_project_or_archived_is_refused_with_what_to_do(site: Site) -> None:
    (figure,) = await site.figures(1, EYE)
    async with site.client(project="ghost") as lost, site.client("ada", "ghost") as ada:
        with pytest.raises(Missing, match="no project ghost"):
            await lost.create_figure(None, legend="Femur.", collection="Atlas")
        with pytest.raises(Missing):
            await lost.search("femur")
        with pytest.raises(NotAllowed):  # whether it is there is none of theirs
            await ada.search("femur")
    async with site.client("mia", EYE) as mia, site.client(project=EYE) as admin:
        await mia.change_project(EYE, archived=True)
        for client in (mia, admin):
            for work in (
                client.create_figure(None, legend="Tibia.", collection="Atlas"),
                client.change_figure(figure, legend="Tibia."),
                client.assign(figures=[figure], annotator=site.people["ada"]),
            ):
                with pytest.raises(NotAllowed, match="archived"):
                    await work
        assert (await mia.search("femur")).total == 1
        assert (await mia.figure(figure)).legend == "Femur 0."
        await mia.change_project(EYE, archived=False)
        await mia.assign(figures=[figure], annotator=site.people["ada"])


async def test_projects_are_created_named_once_and_seen_by_who_is_in_them(site: Site) -> None:
    async with site.client() as admin, site.client("ada") as ada, site.client("mia") as mia:
        made = await admin.create_project("Atlas of the ear")
        assert (made.id, made.archived) == ("atlas-of-the-ear", False)
        for name, id in (("ATLAS of the ear", "ear"), ("Another", "atlas-of-the-ear")):
            with pytest.raises(Conflict):
                await admin.create_project(name, id=id)
        with pytest.raises(Rejected):
            await admin.create_project("X", id="No Id")
        with pytest.raises(NotAllowed):
            await mia.create_project("Mine")
        assert [one.id for one in await admin.projects()] == ["default", EYE, "atlas-of-the-ear"]
        assert [(one.id, one.roles) for one in await ada.projects()] == [(EYE, ["annotator"])]
        assert (await mia.change_project(EYE, name="Eyes")).name == "Eyes"
        with pytest.raises(NotAllowed):
            await ada.change_project(EYE, name="Mine")


async def test_nobody_is_reviewed_by_who_may_not_or_in_a_circle(site: Site) -> None:
    async with site.client("mia") as mia:
        for name, roles, reviewer in (
            ("ada", ("annotator",), "ada"),
            ("ada", ("annotator",), "bob"),  # no reviewer
            ("mia", ("manager",), "grace"),  # tags nothing
        ):
            with pytest.raises(Rejected):
                await member(mia, site, name, roles, reviewer)
        await member(mia, site, "grace", ("reviewer", "annotator"), "joan")
        with pytest.raises(Rejected, match="circle"):
            await member(mia, site, "joan", ("reviewer", "annotator"), "grace")
        with pytest.raises(Conflict, match="ada"):  # grace reviews ada
            await member(mia, site, "grace", ("annotator",))
        with pytest.raises(Rejected):
            await mia.set_member(EYE, site.people["bob"], ["administrator"])


async def test_only_members_with_the_role_are_given_work(site: Site) -> None:
    (figure,) = await site.figures(1, EYE)
    async with site.client("mia", EYE) as mia:
        for people in (
            {"annotator": "nobody", "reviewer": site.people["grace"]},
            {"annotator": site.people["grace"], "reviewer": site.people["joan"]},
            {"annotator": site.people["ada"], "reviewer": site.people["bob"]},
        ):
            with pytest.raises(Rejected):
                await mia.assign(figures=[figure], **people)
            with pytest.raises(Rejected):
                await mia.plan(all_unassigned=True, team=[people])
        plan = await mia.plan(all_unassigned=True, team=[{"annotator": site.people["ada"]}], apply=True)
        assert [(one.annotator, one.reviewer) for one in plan.people] == [(site.people["ada"], site.people["grace"])]


async def test_refusals_name_people_as_people_know_them(site: Site) -> None:
    (figure,) = await site.figures(1, EYE)
    await site.engine.documents.collection(Standards).insert(
        Standards(id=EYE, seed="s", qualification=Qualification(figures=1, threshold=1, attempts=1))
    )
    team = [{"annotator": site.people[name]} for name in ("ada", "bob")]
    async with site.client("mia", EYE) as mia:
        for refused, message in (
            (mia.assign(figures=[figure], annotator=site.people["ada"]), "^ada has not passed the qualification"),
            (mia.plan(all_unassigned=True, team=team), "^ada, bob have not passed the qualification"),
            (mia.assign(figures=[figure], annotator=site.people["joan"]), "^joan is no annotator"),
            (member(mia, site, "bob", ("annotator",), "ada"), "^ada may not review"),
            (mia.assign(figures=[figure], annotator="0" * 32), "^The person '0{32}' is no annotator"),
        ):
            with pytest.raises(Rejected, match=message):
                await refused


async def test_who_leaves_gives_open_work_back_or_to_another_and_what_was_submitted_stays(site: Site) -> None:
    figures = await site.figures(4, EYE)
    async with site.client("mia", EYE) as mia:
        await mia.assign(figures=figures[:3], annotator=site.people["ada"])
        async with site.client("ada", EYE) as ada:
            mine = [one.id async for one in ada.assignments()]
            await ada.submit(mine[0], no_tag_applies=True)
            await ada.decide(mine[1], ADD)
        left = await mia.remove_member(EYE, site.people["ada"], to=site.people["bob"])
        assert (left.reassigned, left.released) == (2, 0)
        assert await states(site) == {"ada": ["released", "released", "submitted"], "bob": ["open", "open"]}
        assert (await mia.remove_member(EYE, site.people["ada"])).reassigned == 0
        assert {one.name for one in await mia.members(EYE)} == {"bob", "grace", "joan", "mia"}
        async with site.client("ada", EYE) as ada:
            with pytest.raises(NotAllowed):
                await ada.assignment(mine[1])
        left = await mia.remove_member(EYE, site.people["bob"])
        assert (left.reassigned, left.released) == (0, 2)
        with pytest.raises(Conflict, match="review"):  # what ada submitted
            await mia.remove_member(EYE, site.people["grace"])
        assert (await mia.remove_member(EYE, site.people["grace"], reviewer=site.people["joan"])).reviews == 1
        async with site.client("joan", EYE) as joan:
            await joan.review(mine[0], "approved")


async def test_a_key_does_no_more_than_in_the_projects_it_is_for(site: Site) -> None:
    (figure,) = await site.figures(1, EYE)
    (elsewhere,) = await site.figures(1, "")
    async with site.client() as admin:
        made = await admin.create_key("pacs", ["service"], projects=[EYE])
        with pytest.raises(Missing):
            await admin.create_key("pacs", ["service"], projects=["ghost"])
        with pytest.raises(Rejected):
            await admin.create_key("root", ["administrator"], projects=[EYE])
    assert made.key is not None
    async with AsyncClient("http://site", key=made.key, project=EYE, transport=httpx.ASGITransport(site.app)) as pacs:
        assert (await pacs.figure(figure)).id == figure
        assert {event.data["project"] for event in (await pacs.events()).items} == {EYE}
        with pytest.raises(NotAllowed):
            await pacs.figure(elsewhere)
