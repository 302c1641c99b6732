"""Events and dead letters as Kafka records: CloudEvents in binary mode (Kafka protocol binding 1.0.2, section 3.2)."""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, TypeAlias

from shared.bus.port import DeadLetter
from shared.errors import Invalid
from shared.events.envelope import event_id

Headers: TypeAlias = Sequence[tuple[str, bytes]]
Positions: TypeAlias = Mapping[tuple[str, int], int]  # (topic, partition) to offset

_CONTENT_TYPE: Final = "datacontenttype"
_LETTER: Final = "mitagger_"
_MAX_CURSOR: Final = 20_000


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a record stands that became a dead letter."""

    topic: str
    partition: int
    offset: int


def headers(attributes: Mapping[str, str]) -> list[tuple[str, bytes]]:
    """Context attributes as `ce_*` headers; the content type has a header of its own."""
    return [
        ("content-type" if name == _CONTENT_TYPE else f"ce_{name}", value.encode())
        for name, value in attributes.items()
    ]


def attributes(headers: Headers) -> dict[str, str]:
    """Context attributes of a record; empty when it is no CloudEvent."""
    found = {}
    for name, value in headers:
        if name == "content-type":
            found[_CONTENT_TYPE] = value.decode(errors="replace")
        elif name.startswith("ce_"):
            found[name.removeprefix("ce_")] = value.decode(errors="replace")
    return found


def letter_id(group: str, topic: str, attributes: Mapping[str, str], origin: Origin) -> str:
    """The same for an event that dies twice. A record without an event id is named by its place."""
    event = attributes.get("id") or f"{origin.topic}/{origin.partition}/{origin.offset}"
    return event_id("bus", "dead-letter", group, topic, event)


def letter_headers(letter: DeadLetter, origin: Origin) -> list[tuple[str, bytes]]:
    """The record's own headers, and why and where it died."""
    said = {
        "group": letter.group,
        "topic": letter.topic,
        "origin": f"{origin.topic}/{origin.partition}/{origin.offset}",
        "error": letter.error,
        "traceback": letter.traceback,
        "attempts": str(letter.attempts),
        "died_at": letter.died_at.isoformat(),
    }
    return headers(letter.attributes) + [(_LETTER + name, value.encode()) for name, value in said.items()]


def letter(id: str, record_headers: Headers, body: bytes) -> DeadLetter:
    """A dead letter from its record. Raises Invalid when somebody else wrote it."""
    said = {name.removeprefix(_LETTER): value.decode() for name, value in record_headers if name.startswith(_LETTER)}
    try:
        return DeadLetter(
            id=id,
            group=said["group"],
            topic=said["topic"],
            attributes=attributes(record_headers),
            body=body,
            error=said["error"],
            traceback=said["traceback"],
            died_at=datetime.fromisoformat(said["died_at"]).astimezone(UTC),
            attempts=int(said["attempts"]),
        )
    except (KeyError, ValueError) as error:
        raise Invalid(f"Not a dead letter: {type(error).__name__}.") from error


def cursor(positions: Positions) -> str:
    """Opaque to readers: the next offset of every partition."""
    by_topic: dict[str, dict[str, int]] = {}
    for (topic, partition), offset in sorted(positions.items()):
        by_topic.setdefault(topic, {})[str(partition)] = offset
    compact = json.dumps(by_topic, separators=(",", ":")).encode()
    return "k" + base64.urlsafe_b64encode(compact).decode().rstrip("=")


def positions(cursor: str) -> dict[tuple[str, int], int]:
    """What `cursor` was made of. Raises Invalid on anything else."""
    try:
        if not cursor.startswith("k") or len(cursor) > _MAX_CURSOR:
            raise ValueError
        padded = cursor[1:] + "=" * (-len(cursor[1:]) % 4)
        found = {
            (str(topic), int(partition)): offset
            for topic, offsets in json.loads(base64.urlsafe_b64decode(padded)).items()
            for partition, offset in offsets.items()
        }
        if not all(type(offset) is int and 0 <= offset < 2**63 for offset in found.values()):
            raise ValueError
        return found
    except (ValueError, AttributeError, RecursionError, binascii.Error) as error:
        raise Invalid("That cursor is not one of ours.", field="after", remedy="Start again without one.") from error
