from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from services.recommender.slots import WINDOW_SECONDS, next_slot
from shared.bus.port import Share

SESSION = 30.0
limits = st.integers(1, 15)
times = st.floats(1.7e9, 1.8e9)


def sends(
    limit: int, share: Share, start: float, seconds: float, *, delays: Sequence[float], skew: float
) -> list[float]:
    """True times at which an eager replica sends, whose clock is `skew` ahead and who uses its slots a bit late."""
    now, used, found = start, -1, list[float]()
    while True:
        slot = next_slot(now + skew, limit, share, after=used)
        if slot is None:
            return found
        late = delays[len(found) % len(delays)] * WINDOW_SECONDS
        at = min(max(now, slot.opens - skew + late), slot.closes - skew - 1e-6)
        if at > start + seconds:
            return found
        found.append(at)
        now, used = at, slot.number


def busiest_second(at: Sequence[float]) -> int:
    ordered = sorted(at)
    return max((sum(1 for other in ordered if one <= other < one + 1) for one in ordered), default=0)


@given(limits, st.integers(1, 12), st.integers(1, 4), times, st.data())
def test_no_second_sees_more_than_the_limit(
    limit: int, partitions: int, replicas: int, start: float, data: st.DataObject
) -> None:
    at: list[float] = []
    for replica in range(replicas):
        delays = data.draw(st.lists(st.floats(0, 1), min_size=1, max_size=5))
        skew = data.draw(st.floats(-0.029, 0.029))
        share = Share(partitions, {p: 0.0 for p in range(partitions) if p % replicas == replica}, SESSION)
        at += sends(limit, share, start, 5, delays=delays, skew=skew)
    assert busiest_second(at) <= limit


@given(limits, st.integers(1, 12), times)
def test_a_replica_with_everything_uses_nine_tenths_of_the_limit(limit: int, partitions: int, start: float) -> None:
    share = Share(partitions, dict.fromkeys(range(partitions), 0.0), SESSION)
    assert len(sends(limit, share, start, 20, delays=[0.0], skew=0.0)) >= int(20 * 0.9 * limit) - 1


@given(limits, st.integers(1, 12), times, st.data())
def test_every_partition_gets_its_turn(limit: int, partitions: int, start: float, data: st.DataObject) -> None:
    partition = data.draw(st.integers(0, partitions - 1))
    slot = next_slot(start, limit, Share(partitions, {partition: 0.0}, SESSION))
    assert slot is not None
    assert slot.number % partitions == partition
    assert slot.opens - start <= partitions / (0.9 * limit)
    assert slot.closes > start


@given(limits, st.integers(1, 12), times, st.floats(0, 60))
def test_a_partition_counts_one_session_after_it_was_gained(
    limit: int, partitions: int, start: float, ago: float
) -> None:
    slot = next_slot(start, limit, Share(partitions, {0: start - ago}, SESSION))
    assert slot is not None
    assert slot.opens >= start - ago + SESSION
    assert slot.closes > slot.opens


def test_without_a_partition_nothing_is_sent() -> None:
    assert next_slot(1e9, 15, Share(12, {}, SESSION)) is None


@given(limits, times)
def test_a_slot_is_used_once(limit: int, start: float) -> None:
    share = Share(3, dict.fromkeys(range(3), 0.0), SESSION)
    first = next_slot(start, limit, share)
    assert first is not None
    second = next_slot(start, limit, share, after=first.number)
    assert second is not None
    assert second.number == first.number + 1
