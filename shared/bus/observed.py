"""Subscriptions as they are watched: metrics and spans around a handler, on every bus."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from opentelemetry.trace import Span, SpanKind

from shared import metrics, tracing
from shared.bus.port import Subscription
from shared.errors import PermanentError, Unavailable
from shared.events.envelope import Event


def observed(subscription: Subscription) -> Subscription:
    """The same subscription; what its handler does shows in metrics, and in the traces of the events."""
    group, handler = subscription.group, subscription.handler
    for topic in subscription.topics:
        # They are 0 before they rise, for alerts on a first failure.
        metrics.EVENTS_HANDLED.labels(group, topic.topic)
        metrics.EVENTS_RETRIED.labels(group, topic.topic)
        metrics.EVENTS_DEAD_LETTERED.labels(group, topic.topic)

    async def handle(events: Sequence[Event]) -> None:
        topic = events[0].topic
        metrics.HANDLER_BATCH.labels(group, topic).observe(len(events))
        begun = time.perf_counter()
        try:
            with _spans(group, events):
                await handler(events)
        except Exception as error:
            metrics.HANDLER_FAILURES.labels(group, topic, _reason(error)).inc()
            raise
        finally:
            metrics.HANDLER_SECONDS.labels(group, topic).observe(time.perf_counter() - begun)
        metrics.EVENTS_HANDLED.labels(group, topic).inc(len(events))

    return replace(subscription, handler=handle)


def _reason(error: Exception) -> str:
    if isinstance(error, Unavailable):
        return "unavailable"
    return "permanent" if isinstance(error, PermanentError) else "error"


@contextmanager
def _spans(group: str, events: Sequence[Event]) -> Iterator[None]:
    """For each event that is part of a trace, a span there. That of a single event is the current one; a batch belongs
    to no single trace."""
    if not tracing.on() and len(events) > 1:
        yield
        return
    spans = [_span(group, event, len(events)) for event in events if event.traceparent]
    if len(events) == len(spans) == 1:
        with tracing.current(spans[0]):
            yield
        return
    try:
        yield
    except BaseException as error:
        for span in spans:
            tracing.failed(span, error)
        raise
    finally:
        for span in spans:
            span.end()


def _span(group: str, event: Event, together: int) -> Span:
    # As OpenTelemetry's semantic conventions for messaging have it.
    attributes: dict[str, str | int] = {
        "messaging.operation.type": "process",
        "messaging.destination.name": event.topic,
        "messaging.consumer.group.name": group,
        "messaging.message.id": event.id,
        "messaging.batch.message_count": together,
        "mitagger.figure": event.figure,
    }
    return tracing.begun(f"process {event.topic}", SpanKind.CONSUMER, attributes, cause=event.traceparent)
