"""What a service says to the collector of files: the blobs that its documents keep (`Document.files`), page by page."""

from collections.abc import Sequence
from typing import Final

from fastapi import APIRouter
from pydantic import BaseModel

from shared.documents.port import Document, Documents
from shared.errors import Invalid
from shared.http import CallerDep

PATH: Final = "/internal/files"
AT_ONCE: Final = 200


class Kept(BaseModel):
    """Content hashes, in no order, some of them twice. `next` goes into `?after=`; null on the last page."""

    files: list[str]
    next: str | None


def router(documents: Documents, models: Sequence[type[Document]]) -> APIRouter:
    """The door to them, the same in every service."""
    routes = APIRouter()

    @routes.get(PATH, include_in_schema=False)
    async def kept_files(caller: CallerDep, after: str = "") -> Kept:
        caller.require("system.write")
        return await kept(documents, models, after)

    return routes


async def kept(documents: Documents, models: Sequence[type[Document]], after: str = "") -> Kept:
    """A page of them; `after`: what the one before said is next. Raises Invalid on a foreign cursor."""
    keepers = {model.collection: model for model in models if model.keeps_files}
    names = list(keepers)
    name, _, cursor = after.partition(" ")
    if after and name not in keepers:
        raise Invalid("That is no cursor of this list.", field="after")
    if not names:
        return Kept(files=[], next=None)
    place = names.index(name) if after else 0
    page = await documents.collection(keepers[names[place]]).find(after=cursor or None, limit=AT_ONCE)
    files = [file for document in page.items for file in document.files()]
    if page.next is not None:
        return Kept(files=files, next=f"{names[place]} {page.next}")
    following = names[place + 1] if place + 1 < len(names) else None
    return Kept(files=files, next=following and f"{following} ")
