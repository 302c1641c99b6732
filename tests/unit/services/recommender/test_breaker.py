from services.recommender.breaker import FAILURES, OPEN_SECONDS, Breaker


def test_opens_after_failures_in_a_row_lets_one_try_after_a_while_and_closes_with_a_success() -> None:
    now = 100.0
    breaker = Breaker(lambda: now)
    for _ in range(FAILURES - 1):
        breaker.failed()
    breaker.succeeded()
    for _ in range(FAILURES):
        assert not breaker.open
        breaker.failed()
    assert breaker.open
    now += OPEN_SECONDS
    assert not breaker.open
    breaker.failed()
    assert breaker.open
    now += OPEN_SECONDS
    breaker.succeeded()
    assert not breaker.open
