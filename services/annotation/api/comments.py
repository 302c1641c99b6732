"""What people say to each other."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, StringConstraints

from services.annotation.api.bodies import Id, IdPath, Request
from services.annotation.commenting import Commenting
from services.annotation.model import Comment
from services.annotation.reviewing import MAX_COMMENT
from shared.http import CallerDep, Limit, PageOf


class NewComment(Request):
    """Of the whole assignment, or of the decision with `key`; `thread` is the first comment of the thread that this
    one answers."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"text": "Is this the retina or the choroid?", "key": "UBERON:0000966|present"},
                {"text": "The retina: see panel B.", "thread": "5f0c6a9be1d24c0c8a3f7be0d2c4e611"},
            ]
        },
    )

    text: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_COMMENT)]
    key: Annotated[str, StringConstraints(max_length=600)] | None = None
    thread: Id | None = None


class CommentView(BaseModel):
    """A comment. `key` is the decision that it is about, null for the whole; `thread` the comment that it answers."""

    id: str
    author: str
    at: datetime
    text: str
    key: str | None
    thread: str | None


def _comment(said: Comment) -> CommentView:
    return CommentView(id=said.id, author=said.author, at=said.at, text=said.text, key=said.key, thread=said.thread)


def router(commenting: Commenting) -> APIRouter:
    """Comments on assignments and tags."""
    routes = APIRouter()

    @routes.post(
        "/api/v1/assignments/{id}/comments",
        status_code=201,
        tags=["assignments"],
        summary="Comment on an assignment or a tag",
    )
    async def comment(caller: CallerDep, id: IdPath, body: NewComment) -> CommentView:
        """Seen by its annotator, its reviewer and administrators."""
        return _comment(await commenting.comment(caller, id, body.text, body.key, body.thread))

    @routes.get("/api/v1/assignments/{id}/comments", tags=["assignments"], summary="List comments")
    async def comments(
        caller: CallerDep,
        id: IdPath,
        cursor: Annotated[str | None, Query(max_length=2000)] = None,
        limit: Limit = 50,
    ) -> PageOf[CommentView]:
        """Oldest first."""
        page = await commenting.comments(caller, id, after=cursor, limit=limit)
        return PageOf(items=[_comment(said) for said in page.items], next=page.next)

    return routes
