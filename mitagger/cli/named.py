"""People as commands name them: by name or pseudonym."""

from collections.abc import Sequence

from mitagger.client import AsyncClient
from shared.errors import NotFound


async def person(client: AsyncClient, project: str, name: str) -> str:
    """The pseudonym of a member, or, for administrators, of anybody. Raises NotFound."""
    return (await people(client, project, [name]))[0]


async def people(client: AsyncClient, project: str, names: Sequence[str]) -> list[str]:
    """The same of several, in their order."""
    pseudonyms = await names_of(client, project)
    known = {name: pseudonym for pseudonym, name in pseudonyms.items()}
    return [
        name if name in pseudonyms else known[name] if name in known else await _anybody(client, name) for name in names
    ]


async def names_of(client: AsyncClient, project: str) -> dict[str, str]:
    """The names of a project's members by pseudonym."""
    return {one.person: one.name for one in await client.members(project)}


async def _anybody(client: AsyncClient, name: str) -> str:
    async for account in client.accounts():
        if name in (account.person, account.name):
            return account.person
    raise NotFound(f"There is nobody called {name}.", remedy="mitagger people list shows everybody.")
