"""What the bodies of the gateway's own doors share."""

from typing import Annotated, get_args

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from shared.access import Role

Cursor = Annotated[str | None, Query(max_length=2000)]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Password = Annotated[str, Field(min_length=1, max_length=1000)]
Roles = Annotated[list[Role], Field(min_length=1, max_length=len(get_args(Role)))]
Id = Annotated[str, Field(max_length=64)]


class Body(BaseModel):
    """A body: unknown fields are errors, so that a misspelt one is not lost."""

    model_config = ConfigDict(extra="forbid")
