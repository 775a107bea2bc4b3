"""What every record is marked with: an id and a moment. Knows nothing of what is recorded."""

import random
import time
from functools import lru_cache


def new_id() -> str:
    """A UUIDv7 (RFC 9562): sorts by time. Not a secret."""
    millis = int(time.time() * 1000)
    chance = random.getrandbits(74)
    return "%08x-%04x-7%03x-%04x-%012x" % (  # noqa: UP031 - half the time of an f-string here
        millis >> 16,
        millis & 0xFFFF,
        chance >> 62,
        0x8000 | ((chance >> 48) & 0x3FFF),
        chance & 0xFFFFFFFFFFFF,
    )


def timestamp(seconds: float) -> str:
    """Unix seconds as the ledger writes them: UTC, RFC 3339, microseconds."""
    whole = int(seconds)
    return f"{_to_the_second(whole)}.{int((seconds - whole) * 1e6):06d}Z"


@lru_cache(maxsize=4)
def _to_the_second(whole: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole))
