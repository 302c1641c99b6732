"""Reading all of a selection, page by page: what is written meanwhile may or may not be in it."""

from collections.abc import AsyncIterator, Sequence

from shared.documents.port import Collection, D, Where


async def pages(
    collection: Collection[D], where: Where | None = None, *, sort: Sequence[str] = (), limit: int = 100
) -> AsyncIterator[list[D]]:
    """Pages of `limit`, the last one shorter; where nothing is selected, one without documents. Raises Unavailable."""
    after: str | None = None
    while True:
        page = await collection.find(where, sort=sort, after=after, limit=limit)
        yield page.items
        after = page.next
        if after is None:
            return


async def every(
    collection: Collection[D], where: Where | None = None, *, sort: Sequence[str] = (), limit: int = 100
) -> AsyncIterator[D]:
    """The documents themselves, read in pages of `limit`. Raises Unavailable."""
    async for page in pages(collection, where, sort=sort, limit=limit):
        for document in page:
            yield document
