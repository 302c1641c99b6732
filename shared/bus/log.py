"""The embedded event log: a table that events are appended to in the transaction that causes them."""

import json
import time
from collections.abc import Sequence
from typing import Final

import apsw

from shared.events.envelope import Event

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS events (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, figure TEXT NOT NULL, at REAL NOT NULL,
  attributes TEXT NOT NULL, body BLOB);  -- body: null once the figure is erased
CREATE INDEX IF NOT EXISTS events_topic ON events (topic, seq);
CREATE INDEX IF NOT EXISTS events_figure ON events (figure);
"""


class EventLog:
    """Who appends, and whoever wants to know cheaply whether a topic has grown."""

    def __init__(self) -> None:
        # Topic to the newest row appended. Never behind a commit; ahead of it where a transaction was undone.
        self.newest: dict[str, int] = {}

    def append(self, connection: apsw.Connection, events: Sequence[Event]) -> None:
        """Adds events, inside the transaction that causes them. Raises TooLarge."""
        at = time.time()
        for event in events:
            connection.execute(
                "INSERT INTO events (topic, figure, at, attributes, body) VALUES (?, ?, ?, ?, ?)",
                (event.topic, event.figure, at, json.dumps(event.attributes()), event.body()),
            )
            self.newest[event.topic] = connection.last_insert_rowid()
