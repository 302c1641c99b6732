"""What every event has: CloudEvents 1.0 attributes and the facts that consumers decide by.

The attributes (id, source, type, time, subject, dataschema, traceparent) travel beside the body, on Kafka as `ce_*`
headers (CloudEvents binary mode); the body is the JSON of the other fields.
"""

import json
import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from shared import tracing
from shared.errors import Invalid, TooLarge

# Kafka refuses requests above 1 MiB by default; 900 kB leaves room for headers and framing (DESIGN.md, section 2).
MAX_BODY_BYTES = 900_000
NAMESPACE = uuid.UUID("6f1a3a52-4f3e-5d8e-9a53-0c6f0d1b7a11")


def event_id(source: str, kind: str, *parts: object) -> str:
    """A name-based UUID (RFC 9562, version 5): the same fact always has the same id, so ids spot duplicates."""
    return str(uuid.uuid5(NAMESPACE, "\n".join((source, kind, *map(str, parts)))))


class Body(BaseModel):
    """A part of an event. Unknown fields are ignored: services are tolerant of each other's newer versions."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Event(Body):
    """A fact, in the past tense, with the whole state of the entity that it names as of `revision`."""

    topic: ClassVar[str]
    schema_version: ClassVar[int] = 1
    source: ClassVar[str]
    # How long the bus keeps it (null: for good): short where the body may hold personal data.
    kept: ClassVar[timedelta | None] = None

    id: Annotated[str, Field(exclude=True)] = ""
    time: Annotated[AwareDatetime, Field(exclude=True)]
    # Of what causes it, which stays its own when it is decoded; an event made of another one takes over that one's.
    traceparent: str | None = Field(default_factory=tracing.here, exclude=True)

    project: str
    actor: Annotated[str, Field(description="Pseudonymous id of the person or service that caused it")]
    figure: Annotated[str, Field(description="Figure id; the key that orders events")]
    revision: Annotated[int, Field(ge=1, description="Revision of the named entity; the highest wins")]

    def model_post_init(self, _context: Any) -> None:
        if not self.id:
            object.__setattr__(self, "id", event_id(self.source, self.type(), self.entity, self.revision))

    @property
    def entity(self) -> str:
        """Id of the entity whose state this event carries; `revision` counts its changes."""
        return self.figure

    @classmethod
    def type(cls) -> str:
        return f"org.mitagger.{cls.topic}.v{cls.schema_version}"

    @classmethod
    def dataschema(cls) -> str:
        return f"catalogue/{cls.topic}/v{cls.schema_version}.schema.json"

    def attributes(self) -> dict[str, str]:
        """CloudEvents context attributes, as strings."""
        values = {
            "specversion": "1.0",
            "id": self.id,
            "source": f"/mitagger/{self.source}",
            "type": self.type(),
            "time": self.time.isoformat(),
            "subject": self.figure,
            "dataschema": self.dataschema(),
            "datacontenttype": "application/json",
        }
        if self.traceparent:
            values["traceparent"] = self.traceparent
        return values

    def body(self) -> bytes:
        """The JSON body in UTF-8. Raises TooLarge above 900 kB, before the write that would cause the event."""
        body = self.model_dump_json().encode()
        if len(body) > MAX_BODY_BYTES:
            raise TooLarge(
                f"The event {self.topic} would have {len(body):,} bytes, more than {MAX_BODY_BYTES:,}.",
                remedy="Shorten the legend or the metadata.",
            )
        return body

    @classmethod
    def decode(cls, attributes: Mapping[str, str], body: bytes) -> Self:
        """The event of these attributes and body. Raises Invalid when they do not make one."""
        try:
            # Attributes and body become one document, so that pydantic-core parses and validates once.
            return cls.model_validate_json(
                b'{"id":%s,"time":%s,"traceparent":%s,%s'
                % (
                    _json(attributes["id"]),
                    _json(attributes["time"]),
                    _json(attributes["traceparent"]) if "traceparent" in attributes else b"null",
                    body.lstrip()[1:],
                )
            )
        except (KeyError, ValueError) as error:
            raise Invalid(f"Not a {cls.topic} event: {type(error).__name__}.") from error


def _json(value: str) -> bytes:
    return json.dumps(value).encode()
