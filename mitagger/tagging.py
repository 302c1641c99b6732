"""Adding a concept as a person does: by the name under which the search finds it."""

import re

from mitagger.client import AsyncClient


async def addition(client: AsyncClient, name: str, *, axis: str, assertion: str = "present") -> dict[str, str | None]:
    """The decision that adds the concept which the search finds under exactly this name, else free text."""
    for concept in await client.concepts(name, axis=axis, limit=5):
        if plain(name) in (plain(concept.name), plain(concept.label)):
            return {
                "kind": "add",
                "axis": axis,
                "assertion": assertion,
                "curie": concept.curie,
                "iri": concept.iri,
                "label": concept.label,
                "ontology": concept.ontology,
                "vocabulary_version": concept.vocabulary_version,
            }
    return {"kind": "add", "axis": axis, "assertion": assertion, "text": name}


def plain(name: str) -> str:
    """As people compare names: case, hyphens and a plural's s do not matter."""
    return re.sub(r"s$", "", re.sub(r"[\s-]+", " ", name).strip().casefold())
