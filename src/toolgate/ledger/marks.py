"""What every record is marked with: an id and a moment. Knows nothing of what is recorded."""

import random
import time


def new_id() -> str:
    """A UUIDv7 (RFC 9562): sorts by time. Not a secret."""
    number = (int(time.time() * 1000) << 80) | (7 << 76) | (random.getrandbits(12) << 64)
    number |= (2 << 62) | random.getrandbits(62)
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def timestamp(seconds: float) -> str:
    """Unix seconds as the ledger writes them: UTC, RFC 3339, microseconds."""
    whole = int(seconds)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)) + f".{int((seconds - whole) * 1e6):06d}Z"
