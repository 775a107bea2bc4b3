"""Pauses between attempts."""

from toolgate.upstreams.backoff import REMEMBERED, Backoff


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_pauses_double_up_to_half_a_minute() -> None:
    clock = Clock()
    backoff = Backoff(clock)
    pauses = []
    for _ in range(9):
        backoff.failed("key", "broken")
        start = clock.now
        while backoff.waiting("key") is not None:
            clock.now += 0.25
        pauses.append(clock.now - start)
    assert pauses == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]


def test_what_never_failed_needs_no_pause() -> None:
    assert Backoff(Clock()).waiting("key") is None


def test_a_clock_set_back_does_not_lock_anything_out() -> None:
    clock = Clock()
    backoff = Backoff(clock)
    backoff.failed("key", "broken")
    clock.now -= 3600
    assert backoff.waiting("key") is None


def test_failures_of_many_keys_are_forgotten_oldest_first() -> None:
    backoff = Backoff(Clock())
    for key in range(REMEMBERED + 1):
        backoff.failed(key, "broken")
    assert backoff.waiting(0) is None
    assert backoff.waiting(1) is not None
