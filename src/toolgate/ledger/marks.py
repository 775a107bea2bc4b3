"""What every record is marked with: an id and a moment. Knows nothing of what is recorded."""

import itertools
import random
import time
from functools import lru_cache

_PROCESS = random.SystemRandom().getrandbits(42)
_numbers = itertools.count(random.SystemRandom().getrandbits(31))


def new_id(now: float | None = None) -> str:
    """A UUIDv7 (RFC 9562) of that moment (unix seconds). Ids of a process sort as they were given. Not a secret.

    The 74 bits behind the time are 42 drawn once for the process and a counter (section 6.2, method 1), which
    takes half the time of drawing them for each.
    """
    moment = _at(int((time.time() if now is None else now) * 1000))
    return f"{moment}{next(_numbers) & 0xFFFFFFFF:08x}"


@lru_cache(maxsize=4)
def _at(millis: int) -> str:
    a, b = _PROCESS >> 30, _PROCESS & 0x3FFFFFFF
    return f"{millis >> 16:08x}-{millis & 0xFFFF:04x}-7{a:03x}-{0x8000 | b >> 16:04x}-{b & 0xFFFF:04x}"


def timestamp(seconds: float) -> str:
    """Unix seconds as the ledger writes them: UTC, RFC 3339, microseconds."""
    whole = int(seconds)
    return f"{_to_the_second(whole)}.{int((seconds - whole) * 1e6):06d}Z"


@lru_cache(maxsize=4)
def _to_the_second(whole: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole))
