"""The embedded event log: a table that events are appended to in the transaction that causes them."""

import json
import time
from collections.abc import Sequence
from typing import Final

import apsw

from shared.events.envelope import Event
from shared.events.image import ImageDeleted

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS events (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, figure TEXT NOT NULL, at REAL NOT NULL,
  attributes TEXT NOT NULL, body BLOB);  -- body: null once the figure is erased
CREATE TABLE IF NOT EXISTS forgotten (figure TEXT PRIMARY KEY NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS events_topic ON events (topic, seq);
CREATE INDEX IF NOT EXISTS events_figure ON events (figure);
"""

# A handler may be at work while its figure is forgotten; what it publishes then holds the erased legend.
_APPEND: Final = f"""
INSERT INTO events (topic, figure, at, attributes, body) VALUES (?1, ?2, ?3, ?4, CASE
  WHEN ?1 != '{ImageDeleted.topic}' AND EXISTS (SELECT 1 FROM forgotten WHERE figure = ?2) THEN NULL ELSE ?5 END)
"""  # noqa: S608 - a constant


class EventLog:
    """Who appends, and whoever wants to know cheaply whether a topic has grown."""

    def __init__(self) -> None:
        # Topic to the newest row appended. Never behind a commit; ahead of it where a transaction was undone.
        self.newest: dict[str, int] = {}

    def append(self, connection: apsw.Connection, events: Sequence[Event]) -> None:
        """Adds events, inside the transaction that causes them. Raises TooLarge."""
        at = time.time()
        for event in events:
            connection.execute(_APPEND, (event.topic, event.figure, at, json.dumps(event.attributes()), event.body()))
            self.newest[event.topic] = connection.last_insert_rowid()
