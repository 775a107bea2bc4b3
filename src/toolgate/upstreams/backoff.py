"""When may something that failed be tried again? Knows nothing of what it is."""

from collections.abc import Hashable

from msgspec import Struct

from toolgate.ports import Clock

FIRST = 0.5
LONGEST = 30.0
STEADY = 60.0
"""Seconds of life after which a failure counts as the first one again."""
REMEMBERED = 1024


class _Failure(Struct, frozen=True):
    delay: float
    until: float
    reason: str


class Backoff:
    """Delays per key: half a second after the first failure, doubling up to half a minute."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures: dict[Hashable, _Failure] = {}

    def failed(self, key: Hashable, reason: str, *, lived: float = 0.0) -> None:
        """It failed after `lived` seconds of work."""
        before = self._failures.pop(key, None)
        again = before is not None and lived < STEADY
        delay = min(before.delay * 2, LONGEST) if before is not None and again else FIRST
        self._failures[key] = _Failure(delay, self._clock() + delay, reason)
        if len(self._failures) > REMEMBERED:
            del self._failures[next(iter(self._failures))]

    def waiting(self, key: Hashable) -> str | None:
        """Why it must not be tried now; None where it may."""
        failure = self._failures.get(key)
        if failure is None:
            return None
        left = failure.until - self._clock()
        # More than its delay is left only where the clock was set back.
        if left <= 0 or left > failure.delay:
            return None
        return f"{failure.reason}; next start in {left:.1f} s"
