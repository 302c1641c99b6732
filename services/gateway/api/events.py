"""Doors: events to pull and to follow, dead letters, republishing."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Header, Query
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel, ConfigDict, Field

from services.gateway.api.asking import PersonDep
from services.gateway.audit import Audit
from shared import metrics
from shared.access import Caller
from shared.bus.port import Bus, DeadLetter
from shared.errors import Invalid, Unavailable
from shared.events import EVENTS
from shared.events.envelope import Event
from shared.grants import Signer
from shared.http import Hop, Limit, PageOf

# A stream ends after this time; the client's next one resumes, and shows its key or session again.
STREAM_SECONDS: Final = 900.0
STREAMS: Final = 200
REPUBLISHING_SECONDS: Final = 600.0
# Topics whose state a service keeps in documents. The others follow from these by themselves.
OWNERS: Final[Mapping[str, str]] = {
    "image.uploaded": "ingest",
    "tag.accepted": "annotation",
    "tag.withdrawn": "annotation",
    "review.done": "annotation",
    "mappings.activated": "recommender",
}

_TOPICS: Final[Mapping[str, type[Event]]] = {event.topic: event for event in EVENTS}


class CloudEvent(BaseModel):
    """An event in the JSON format of CloudEvents 1.0; `data` is described by `dataschema`."""

    model_config = ConfigDict(extra="allow")

    specversion: str
    id: str
    source: str
    type: str
    time: datetime
    subject: Annotated[str, Field(description="The figure")]
    dataschema: str
    datacontenttype: str
    data: dict[str, Any]


class EventsView(BaseModel):
    """Events in order. `next` is the cursor to go on from, also when there are none yet."""

    items: list[CloudEvent]
    next: str


class DeadLetterRef(BaseModel):
    """An event that a group could not handle."""

    id: str
    group: str
    topic: str
    event: str
    figure: str
    error: str
    attempts: int
    died_at: datetime


class DeadLetterView(DeadLetterRef):
    """With where it failed, and the event's body (null when it is not JSON)."""

    traceback: str
    data: dict[str, Any] | None


class Republish(BaseModel):
    """Topics whose current state the owners are to send again."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"topics": ["image.uploaded"]}]})

    topics: Annotated[list[str], Field(min_length=1, max_length=20)]


class Republished(BaseModel):
    """How many events were sent."""

    republished: int


def chosen(topic: Annotated[list[str], Query(max_length=len(EVENTS))] = []) -> tuple[type[Event], ...]:  # noqa: B006
    """The topics of the query; none: all. Raises Invalid."""
    for name in topic:
        if name not in _TOPICS:
            raise Invalid(
                f"There is no topic {name[:100]!r}.", field="topic", remedy=f"Topics are: {', '.join(_TOPICS)}."
            )
    return tuple(_TOPICS[name] for name in topic) or EVENTS


OneProject = Annotated[str | None, Query(max_length=40, description="Id of a project; all of yours without it")]
TopicsDep = Annotated[tuple[type[Event], ...], Depends(chosen)]


def router(bus: Bus, hops: Mapping[str, Hop], signer: Signer, audit: Audit) -> APIRouter:
    """The routes of events."""
    routes = APIRouter()
    streams = asyncio.Semaphore(STREAMS)

    @routes.get("/api/v1/events", tags=["events"], summary="Pull events")
    async def pull(
        person: PersonDep,
        topics: TopicsDep,
        after: Annotated[str, Query(max_length=8000, description="`next` of the last answer; empty: the oldest")] = "",
        limit: Limit = 100,
        project: OneProject = None,
    ) -> EventsView:
        """Of the projects where you may follow events; a page may hold fewer than `limit`, and none. Call again with
        `after` set to `next`. Events are kept for the time that the catalogue states."""
        read = _readable(person.caller, project)
        found = await bus.read(topics, after=after, limit=limit)
        return EventsView(items=[cloud_event(event) for event in found.events if read(event)], next=found.cursor)

    async def following(
        person: PersonDep,
        topics: TopicsDep,
        last: Annotated[str | None, Header(alias="Last-Event-ID", max_length=8000)] = None,
        project: OneProject = None,
    ) -> AsyncIterator[AsyncIterator[tuple[str, Event]]]:
        # Refusals belong before the stream begins: afterwards there is no status left to send.
        read = _readable(person.caller, project)
        if last is not None:
            await bus.read(topics, after=last, limit=1)
        if streams.locked():
            raise Unavailable("event stream", f"{STREAMS} streams are open already.", remedy="Pull the events instead.")
        async with streams:
            with metrics.STREAMS_OPEN.track_inprogress():
                yield _of(bus.tail(topics, after=last), read)

    @routes.get(
        "/api/v1/events/stream",
        tags=["events"],
        summary="Follow events as they happen",
        response_class=EventSourceResponse,
    )
    async def follow(
        events: Annotated[AsyncIterator[tuple[str, Event]], Depends(following)],
    ) -> AsyncIterator[ServerSentEvent]:
        """Server-sent events; resumes after `Last-Event-ID`. A comment every 15 seconds shows that it lives. The
        server ends a stream after 15 minutes: connect again, as browsers do by themselves."""
        deadline = asyncio.get_running_loop().time() + STREAM_SECONDS
        while True:
            try:
                async with asyncio.timeout_at(deadline):
                    cursor, event = await anext(events)
            except (TimeoutError, StopAsyncIteration):
                return
            yield ServerSentEvent(data=cloud_event(event), event=event.topic, id=cursor)

    @routes.post("/api/v1/events/republish", tags=["events"], summary="Send current state again")
    async def republish(person: PersonDep, body: Republish) -> Republished:
        """The owners publish the current state of their documents, so that read models can be rebuilt after the
        events' retention."""
        person.caller.require("system.write")
        if foreign := sorted(set(body.topics) - set(OWNERS)):
            raise Invalid(
                f"Nobody keeps the state of {foreign[0][:100]!r}.",
                field="topics",
                remedy=f"These can be republished: {', '.join(OWNERS)}; what is made of them follows.",
            )
        sent = 0
        async with audit.recorded(person.caller.person, "events.republish", ",".join(sorted(set(body.topics)))):
            for owner in sorted({OWNERS[topic] for topic in body.topics}):
                answer = await hops[owner].told(
                    Republished,
                    "POST",
                    "/internal/republish",
                    otherwise=f"{owner} could not republish",
                    remedy="See its log.",
                    token=signer.token(person.caller, owner),
                    json={"topics": [topic for topic in body.topics if OWNERS[topic] == owner]},
                    seconds=REPUBLISHING_SECONDS,
                )
                sent += answer.republished
        return Republished(republished=sent)

    @routes.get("/api/v1/dead-letters", tags=["events"], summary="List events that could not be handled")
    async def dead_letters(
        person: PersonDep, group: Annotated[str, Query(max_length=8000)] = "", limit: Limit = 100
    ) -> PageOf[DeadLetterRef]:
        """Newest first, at most `limit` (at most 200)."""
        person.caller.require("system.read")
        found = await bus.dead_letters(group=group, limit=limit)
        return PageOf(items=[DeadLetterRef(**_reference(letter)) for letter in found])

    @routes.get("/api/v1/dead-letters/{id}", tags=["events"], summary="Show an event that could not be handled")
    async def dead_letter(person: PersonDep, id: str) -> DeadLetterView:
        person.caller.require("system.read")
        letter = await bus.dead_letter(id)
        return DeadLetterView(**_reference(letter), traceback=letter.traceback, data=_data(letter.body))

    @routes.post("/api/v1/dead-letters/{id}/replay", status_code=204, tags=["events"], summary="Try again")
    async def replay(person: PersonDep, id: str) -> None:
        """Sends the event again to the group that failed, and to no other."""
        person.caller.require("system.write")
        async with audit.recorded(person.caller.person, "dead_letter.replay", id):
            await bus.dead_letter(id)
            await bus.replay([id])

    return routes


def _readable(caller: Caller, project: str | None) -> Callable[[Event], bool]:
    """Which events the caller may read: of this project, or of every one that is theirs. Raises Forbidden."""
    if project is not None:
        caller.require("event.read", project=project)
        return lambda event: event.project == project
    caller.require_somewhere("event.read")
    return lambda event: caller.may("event.read", project=event.project)


async def _of(
    events: AsyncIterator[tuple[str, Event]], read: Callable[[Event], bool]
) -> AsyncIterator[tuple[str, Event]]:
    async for cursor, event in events:
        if read(event):
            yield cursor, event


def cloud_event(event: Event) -> CloudEvent:
    """In the JSON format of CloudEvents 1.0."""
    return CloudEvent(**event.attributes(), data=event.model_dump(mode="json"))


def _reference(letter: DeadLetter) -> dict[str, Any]:
    return {
        "id": letter.id,
        "group": letter.group,
        "topic": letter.topic,
        "event": letter.attributes.get("id", ""),
        "figure": letter.attributes.get("subject", ""),
        "error": letter.error,
        "attempts": letter.attempts,
        "died_at": letter.died_at,
    }


def _data(body: bytes) -> dict[str, Any] | None:
    try:
        data = json.loads(body)
    except ValueError:
        return None
    return data if isinstance(data, dict) else None
