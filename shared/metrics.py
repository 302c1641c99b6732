"""What Prometheus is told of this process. It counts for itself: `/metrics` (`shared.scraping`) shows it where the
setting `metrics` says, nobody else sees it.

The comment above each name is its only description: the HELP line and the table of docs/operations.md are made of it.
Values of labels come from bounded sets: groups, topics, collections and services from the code, routes as templates.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal, TypeAlias

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)

Name: TypeAlias = Literal[
    # Events that a group's handler finished; one that came again counts again.
    "mitagger_events_handled_total",
    # Calls of a handler that raised, by reason: unavailable (it waits), permanent, error. The events of a failed batch
    # are then handled one by one.
    "mitagger_handler_failures_total",
    # Seconds of a call of a handler, failed ones too.
    "mitagger_handler_seconds",
    # Events that a handler got at once. Mostly 1: it keeps up; mostly the largest: it works through a backlog.
    "mitagger_handler_batch_events",
    # Single events that failed and are tried again after a pause.
    "mitagger_events_retried_total",
    # Events that a group gave up on.
    "mitagger_events_dead_lettered_total",
    # Events that a group has still to handle, all its copies together. Asked for at each scrape.
    "mitagger_group_behind_events",
    # When a group last moved on in a topic, in this process (Unix time: `time()` less it is since when it has not);
    # absent before it did.
    "mitagger_group_moved_timestamp_seconds",
    # 1 while a group waits for a dependency, which it names.
    "mitagger_group_waiting",
    # Documents with events that were not sent yet (not on the embedded engines, which have no outbox).
    "mitagger_outbox_documents",
    # Seconds since the oldest of those events was written; absent when none waits.
    "mitagger_outbox_oldest_age_seconds",
    # Events that this process's relay has sent.
    "mitagger_outbox_sent_total",
    # Events that the bus refused for good. Each keeps the later ones of its document back.
    "mitagger_outbox_refused_total",
    # Requests by template of their route, method and status ("none": the client left first). Files of pages and what
    # matched no route have the route "".
    "mitagger_http_requests_total",
    # Seconds until an answer began: streams and slow downloads count no longer than others.
    "mitagger_http_request_seconds",
    # Requests of the gateway to a service, by outcome: 2xx to 5xx, deadline, unreachable.
    "mitagger_hop_requests_total",
    # Seconds of such a request, failed ones too.
    "mitagger_hop_seconds",
    # Server-sent event streams that are open; the gateway takes 200.
    "mitagger_event_streams_open",
    # Work on images in worker processes, by outcome: done, refused (the input is bad), timeout, died, cancelled. The
    # last three each cost a process.
    "mitagger_worker_tasks_total",
    # Seconds of such work, the wait for a free process included.
    "mitagger_worker_seconds",
    # Tiles and other views of figures, by where they came from: memory, made. Failed ones count as worker tasks.
    "mitagger_views_total",
    # Looks for a page prepared for deep zoom, by what was found: ready, made.
    "mitagger_views_prepared_total",
    # Bytes of prepared pages on this disk.
    "mitagger_views_bytes",
    # Legends by what the recommender said of them. One that failed is logged with its figure.
    "mitagger_legends_annotated_total",
    # Seconds of the annotator for a batch of legends.
    "mitagger_annotator_seconds",
    # Requests to BioPortal, by outcome: answered, throttled (429), failing (5xx), unreadable (no JSON, or half of it),
    # unreachable (no or half an answer), refused (not tried again).
    "mitagger_bioportal_requests_total",
    # Seconds that a request to BioPortal waited for its turn.
    "mitagger_bioportal_queue_seconds",
    # Pictures that wait for an administrator's look. Counted twice a minute; no number while the store is down.
    "mitagger_quarantine_waiting",
    # Archives that are being read.
    "mitagger_imports_running",
    # Exports that are being written or wait for their turn.
    "mitagger_exports_running",
    # Writes to the SQLite file.
    "mitagger_sqlite_writes_total",
    # Transactions that those writes shared, one sync to disk each.
    "mitagger_sqlite_commits_total",
    # Updates of a MongoDB document that somebody else came before, and were made again.
    "mitagger_document_races_total",
    # Bytes of files, by direction: in, out.
    "mitagger_blob_bytes_total",
    # Files that no document named for two days, such as uploads that were never used, and that were removed.
    "mitagger_files_collected_total",
    # Figures put into the search index or removed from it.
    "mitagger_search_writes_total",
    # 1 while /readyz says so.
    "mitagger_ready",
    # 1 when what a scrape asks (bus: for the groups' positions; outbox) answered; 0: what it would have said is absent.
    "mitagger_source_up",
    # How late the event loop runs what is due; late loops miss Kafka's heartbeats.
    "mitagger_loop_late_seconds",
    # Always 1: which version of which service this is.
    "mitagger_build_info",
]

REGISTRY: Final = CollectorRegistry()

_FAST: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_SLOW: Final = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_SIZES: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500)


def _described() -> dict[str, str]:
    comments = re.findall(r'((?:    # .*\n)+)    "(\w+)",', Path(__file__).read_text(encoding="utf-8"))
    return {name: " ".join(line.strip(" #") for line in comment.splitlines()) for comment, name in comments}


DESCRIBED: Final = _described()
MADE: Final[dict[str, tuple[str, tuple[str, ...]]]] = {}  # kind and labels, by name

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each, which nothing here asks for


def _counter(name: Name, *labels: str) -> Counter:
    MADE[name] = ("counter", labels)
    return Counter(name, DESCRIBED[name], labels, registry=REGISTRY)


def _gauge(name: Name, *labels: str) -> Gauge:
    MADE[name] = ("gauge", labels)
    return Gauge(name, DESCRIBED[name], labels, registry=REGISTRY)


def _histogram(name: Name, *labels: str, buckets: Sequence[float] = _FAST) -> Histogram:
    MADE[name] = ("histogram", labels)
    return Histogram(name, DESCRIBED[name], labels, registry=REGISTRY, buckets=buckets)


EVENTS_HANDLED: Final = _counter("mitagger_events_handled_total", "group", "topic")
HANDLER_FAILURES: Final = _counter("mitagger_handler_failures_total", "group", "topic", "reason")
HANDLER_SECONDS: Final = _histogram("mitagger_handler_seconds", "group", "topic")
HANDLER_BATCH: Final = _histogram("mitagger_handler_batch_events", "group", "topic", buckets=_SIZES)
EVENTS_RETRIED: Final = _counter("mitagger_events_retried_total", "group", "topic")
EVENTS_DEAD_LETTERED: Final = _counter("mitagger_events_dead_lettered_total", "group", "topic")
GROUP_BEHIND: Final = _gauge("mitagger_group_behind_events", "group", "topic")
GROUP_MOVED: Final = _gauge("mitagger_group_moved_timestamp_seconds", "group", "topic")
GROUP_WAITING: Final = _gauge("mitagger_group_waiting", "group", "dependency")
OUTBOX_DOCUMENTS: Final = _gauge("mitagger_outbox_documents", "collection")
OUTBOX_AGE: Final = _gauge("mitagger_outbox_oldest_age_seconds", "collection")
OUTBOX_SENT: Final = _counter("mitagger_outbox_sent_total", "topic")
OUTBOX_REFUSED: Final = _counter("mitagger_outbox_refused_total", "topic")
HTTP_REQUESTS: Final = _counter("mitagger_http_requests_total", "service", "route", "method", "status")
HTTP_SECONDS: Final = _histogram("mitagger_http_request_seconds", "service", "route", "method")
HOP_REQUESTS: Final = _counter("mitagger_hop_requests_total", "service", "outcome")
HOP_SECONDS: Final = _histogram("mitagger_hop_seconds", "service")
STREAMS_OPEN: Final = _gauge("mitagger_event_streams_open")
WORKER_TASKS: Final = _counter("mitagger_worker_tasks_total", "task", "outcome")
WORKER_SECONDS: Final = _histogram("mitagger_worker_seconds", "task", buckets=_SLOW)
VIEWS: Final = _counter("mitagger_views_total", "origin")
VIEWS_PREPARED: Final = _counter("mitagger_views_prepared_total", "found")
VIEWS_BYTES: Final = _gauge("mitagger_views_bytes")
LEGENDS_ANNOTATED: Final = _counter("mitagger_legends_annotated_total", "state")
ANNOTATOR_SECONDS: Final = _histogram("mitagger_annotator_seconds", buckets=_SLOW)
BIOPORTAL_REQUESTS: Final = _counter("mitagger_bioportal_requests_total", "outcome")
BIOPORTAL_QUEUE_SECONDS: Final = _histogram("mitagger_bioportal_queue_seconds", buckets=_SLOW)
QUARANTINE_WAITING: Final = _gauge("mitagger_quarantine_waiting")
IMPORTS_RUNNING: Final = _gauge("mitagger_imports_running")
EXPORTS_RUNNING: Final = _gauge("mitagger_exports_running")
SQLITE_WRITES: Final = _counter("mitagger_sqlite_writes_total")
SQLITE_COMMITS: Final = _counter("mitagger_sqlite_commits_total")
DOCUMENT_RACES: Final = _counter("mitagger_document_races_total", "collection")
BLOB_BYTES: Final = _counter("mitagger_blob_bytes_total", "direction")
FILES_COLLECTED: Final = _counter("mitagger_files_collected_total")
SEARCH_WRITES: Final = _counter("mitagger_search_writes_total", "operation")
READY: Final = _gauge("mitagger_ready")
SOURCE_UP: Final = _gauge("mitagger_source_up", "source")
LOOP_LATE: Final = _histogram("mitagger_loop_late_seconds")
BUILD_INFO: Final = _gauge("mitagger_build_info", "version", "service")

# process_* and python_info, as every Prometheus client in Python names them.
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)
