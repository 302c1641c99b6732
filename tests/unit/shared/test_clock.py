"""Ids: unguessable, and together in an index when they are made together."""

import re

from shared.clock import new_id


def test_ids_are_distinct_and_safe_in_urls() -> None:
    ids = [new_id() for _ in range(10_000)]
    assert len({id[12:] for id in ids}) == len(ids), "what is random of them differs, not only the time"
    assert all(re.fullmatch("[0-9a-f]{32}", id) for id in ids)


def test_an_id_begins_with_the_millisecond_of_its_making() -> None:
    times = [int(new_id()[:12], 16) for _ in range(1_000)]
    assert times == sorted(times)
    assert times[-1] - times[0] < 60_000
