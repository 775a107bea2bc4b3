"""Notices when the machine's clock is set: a record's time is worth what the clock was (DORA RTS Art. 12 (f))."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from toolgate.ports import Clock

JUMP_SECONDS = 1.0
"""A clock that is only kept in step moves less than this between two looks."""
_PAUSE = 5.0


async def watch(
    tell: Callable[[float], Awaitable[None]],
    *,
    wall: Clock = time.time,
    steady: Clock = time.monotonic,
    pause: float = _PAUSE,
) -> None:
    """Until cancelled: tells by how many seconds the clock jumped, forward or (negative) back."""
    difference = wall() - steady()
    while True:
        await asyncio.sleep(pause)
        now = wall() - steady()
        if abs(now - difference) > JUMP_SECONDS:
            await tell(now - difference)
        difference = now
