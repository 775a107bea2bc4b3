"""The body of an answer between the connection that fills it and the reader who empties it. Knows no HTTP."""

import asyncio
from collections import deque
from typing import Protocol, Self

from toolgate.ports import HttpError

MAX_UNREAD = 64 * 1024
"""Bytes held for a reader who does not come, beyond the segment that crossed the line."""


class Carrier(Protocol):
    """The connection, as far as a body knows it."""

    def pause(self) -> None:
        """Read no more until `resume`."""

    def resume(self) -> None:
        """Read on."""

    def drop(self) -> None:
        """Close at once, whatever is under way."""


class Body:
    """Parts of a body in their order. Ends once: `complete`, or with a `failure`. One reader at a time."""

    __slots__ = ("_carrier", "_loop", "_parts", "_paused", "_reader", "_unread", "complete", "failure")

    def __init__(self, carrier: Carrier, loop: asyncio.AbstractEventLoop) -> None:
        self.complete = False
        self.failure: HttpError | None = None
        self._carrier = carrier
        self._loop = loop
        self._parts: deque[bytes] = deque()
        self._unread = 0
        self._paused = False
        self._reader: asyncio.Future[None] | None = None

    @property
    def ended(self) -> bool:
        """Nothing more will come."""
        return self.complete or self.failure is not None

    async def read(self, limit: int) -> bytes:
        """All of it; does not suspend where all of it is here. Raises `HttpError`. Cancelling it closes."""
        if self.failure is not None:
            raise self.failure
        body = self.whole(limit)
        return await self._gather(limit) if body is None else body

    def whole(self, limit: int) -> bytes | None:
        """All of it, where all of it is here. Raises `HttpError`."""
        if not self.complete:
            return None
        if self._unread > limit:
            raise _too_large()
        parts = self._parts
        body = parts.pop() if len(parts) == 1 else b"".join(parts)
        parts.clear()
        self._unread = 0
        return body

    async def _gather(self, limit: int) -> bytes:
        # One growing buffer: kept apart, parts of two bytes would cost twenty times their size.
        body = bytearray()
        try:
            async for part in self:
                body += part
                if len(body) > limit:
                    raise _too_large()
        finally:
            if not self.ended:
                self.close()
        return bytes(body)

    def chunks(self) -> Self:
        """The parts as they arrive. A wait that is cancelled loses nothing: ask again."""
        return self

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        while not self._parts:
            if self.failure is not None:
                raise self.failure
            if self.complete:
                raise StopAsyncIteration
            self._reader = self._loop.create_future()
            await self._reader
        part = self._parts.popleft()
        self._unread -= len(part)
        if self._paused and not self._parts:
            self.flow()
        return part

    def close(self) -> None:
        """Done with it: an unfinished body costs the connection, and what is unread is gone."""
        closing = HttpError("closed", "the answer was closed by its reader", sent=True)
        self._parts.clear()
        self._unread = 0
        if not self.ended:
            self.fail(closing)
            self._carrier.drop()
        self.failure = self.failure or closing

    def put(self, part: bytes) -> None:
        """The next part. The reader learns of it by `wake`."""
        self._parts.append(part)
        self._unread += len(part)

    def fail(self, error: HttpError) -> None:
        """It ends here, broken, unless it has ended. Parts that came before are still handed on."""
        if not self.ended:
            self.failure = error
            self.wake()

    def wake(self) -> None:
        """Tell the reader that something changed; stop the sender where too much is unread."""
        reader = self._reader
        if reader is not None and not reader.done():
            reader.set_result(None)
        if self._unread > MAX_UNREAD and not self._paused and not self.ended:
            self._paused = True
            self._carrier.pause()

    def flow(self) -> None:
        """Let the sender go on, where it was stopped."""
        if self._paused:
            self._paused = False
            self._carrier.resume()


def _too_large() -> HttpError:
    return HttpError("too_large", "the body is larger than its reader takes", sent=True)
