"""Messages waiting for one reader, within a bound. Knows nothing of what they say."""

import asyncio
from collections import deque

from toolgate.errors import Refusal

MESSAGES = 256
SIZE = 4 * 1024 * 1024


class Mailbox:
    """An async iterator for one reader that never makes the writer wait.

    When more than 256 messages or 4 MiB wait, the oldest of those that may be lost is lost (E38).
    """

    def __init__(self) -> None:
        self._waiting: deque[tuple[bytes, bool]] = deque()
        self._size = 0
        self._reader: asyncio.Future[None] | None = None
        self.failure: Refusal | None = None
        self.closed = False
        self.lost = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, message: bytes, *, may_be_lost: bool) -> None:
        """Leave a message. After `close` it is dropped."""
        if self.closed:
            return
        self._waiting.append((message, may_be_lost))
        self._size += len(message)
        while (len(self._waiting) > MESSAGES or self._size > SIZE) and self._lose_one():
            pass
        self._wake()

    def close(self, failure: Refusal | None = None) -> None:
        """Nothing more will come. What waits can still be read; then `failure` is raised, if there is one."""
        if not self.closed:
            self.closed = True
            self.failure = failure
            self._wake()

    async def ready(self) -> None:
        """Return once there is something to read or nothing more will come."""
        while not self._waiting and not self.closed:
            self._reader = asyncio.get_running_loop().create_future()
            try:
                await self._reader
            finally:
                self._reader = None

    def __aiter__(self) -> "Mailbox":
        return self

    async def __anext__(self) -> bytes:
        await self.ready()
        if self._waiting:
            return self._take(0)
        if self.failure is not None:
            raise self.failure
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """The reader has gone."""
        self.close()
        self._waiting.clear()
        self._size = 0

    def _lose_one(self) -> bool:
        for index, (_, may_be_lost) in enumerate(self._waiting):
            if may_be_lost:
                self._take(index)
                self.lost += 1
                return True
        return False

    def _take(self, index: int) -> bytes:
        message, _ = self._waiting[index]
        del self._waiting[index]
        self._size -= len(message)
        return message

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)
