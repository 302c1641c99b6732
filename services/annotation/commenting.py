"""What people say to each other of assignments and their tags."""

from typing import Final

from services.annotation import rights
from services.annotation.model import Assignment, Comment, Figure
from shared.access import Caller
from shared.clock import new_id, now
from shared.documents.port import Collection, Documents, Page
from shared.errors import Erased, Invalid, TooLarge

MAX_COMMENTS: Final = 500  # of one assignment


class Commenting:
    """The use cases over the service's documents."""

    def __init__(self, documents: Documents) -> None:
        self._figures: Collection[Figure] = documents.collection(Figure)
        self._assignments: Collection[Assignment] = documents.collection(Assignment)
        self._comments: Collection[Comment] = documents.collection(Comment)

    async def comment(self, caller: Caller, id: str, text: str, key: str | None, thread: str | None) -> Comment:
        """Says something of the assignment or one of its tags. Raises Forbidden, Invalid, NotFound, Erased,
        TooLarge."""
        assignment = await self._assignments.get(id)
        rights.require(caller, "comment.write", assignment)
        if key is not None and assignment.decided(key) is None:
            raise Invalid("There is no decision with this key.", field="key", remedy="Take one of the decisions' keys.")
        if thread is not None:
            begun = await self._comments.get_many([thread])
            if not begun or begun[0].assignment != id or begun[0].thread is not None:
                raise Invalid(
                    "No thread of this assignment begins there.", field="thread", remedy="Take a first comment's id."
                )
        if await self._comments.count({"assignment": id}) >= MAX_COMMENTS:
            raise TooLarge(f"An assignment has at most {MAX_COMMENTS} comments.", remedy="Talk it over elsewhere.")
        said = await self._comments.insert(
            Comment(
                id=new_id(),
                project=assignment.project,
                assignment=id,
                figure=assignment.figure,
                author=caller.person,
                at=now(),
                text=text,
                key=key,
                thread=thread,
            )
        )
        # A figure erased meanwhile: its erasure may have looked for comments before this one was there.
        if not await self._figures.get_many([assignment.figure]):
            await self._comments.erase(said.id)
            raise Erased(f"The figure {assignment.figure} was erased.")
        return said

    async def comments(self, caller: Caller, id: str, *, after: str | None, limit: int) -> Page[Comment]:
        """What was said of it, oldest first. Raises Forbidden, Invalid, NotFound, Erased."""
        rights.require(caller, "assignment.read", await self._assignments.get(id))
        return await self._comments.find({"assignment": id}, sort=("at",), after=after, limit=limit)
