"""One call in flight over a channel: its messages, its deadline, its end. Writes nothing itself."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Any

from toolgate.errors import Refusal
from toolgate.upstreams.mailbox import Mailbox

ASKS = 16
"""Requests of the server that may be unanswered within one call."""


class Exchange(AsyncGenerator[bytes, None]):
    """The stream of a call's messages, the response last.

    Ends `patience` seconds after the last message and `total` seconds after its start at the latest (E44);
    while the client owes the server an answer, only the second bound counts. `left` is called where the
    call ends before its response, with the reason the server is told.
    """

    def __init__(
        self,
        name: str,
        key: bytes,
        session: str,
        patience: float,
        total: float,
        left: Callable[["Exchange", str], None],
    ) -> None:
        self.name = name
        self.key = key
        self.session = session
        self.sent = False
        self.asked: set[bytes] = set()
        """Ids of the server's requests that wait for the client."""
        self._left = left
        self._mail = Mailbox()
        self._progress = float("-inf")
        self._loop = asyncio.get_running_loop()
        self._patience = patience
        self._last = self._loop.time() + total
        self._due = min(self._loop.time() + patience, self._last)
        self._timer = self._loop.call_at(self._due, self._look)

    # What the server says.

    def answer(self, message: bytes) -> None:
        """The response: the last message."""
        self._timer.cancel()
        self._mail.put(message, may_be_lost=False)
        self._mail.close()

    def ask(self, id_: bytes, message: bytes) -> bool:
        """A request of the server; False where too many are unanswered."""
        if len(self.asked) >= ASKS:
            return False
        self.asked.add(id_)
        self._mail.put(message, may_be_lost=False)
        self._extend()
        return True

    def answered(self, id_: bytes) -> None:
        """The client answered a request of the server."""
        self.asked.discard(id_)
        self._extend()

    def withdraw(self, id_: bytes, message: bytes) -> None:
        """The server cancels a request of its own."""
        self.asked.discard(id_)
        self._mail.put(message, may_be_lost=False)
        self._extend()

    def progress(self, value: float, message: bytes) -> None:
        """Progress extends the call; what does not increase is dropped (E41)."""
        if value > self._progress:
            self._progress = value
            self._mail.put(message, may_be_lost=True)
            self._extend()

    def fail(self, refusal: Refusal) -> None:
        """No response will come."""
        self._timer.cancel()
        self._mail.close(refusal)

    def lost(self, refusal: Refusal) -> None:
        """The request did not arrive."""
        self.sent = False
        self.leave("", refusal)

    # What the client does.

    async def first(self) -> bytes | None:
        """Wait for the first message. Returns it if it is the response, else leaves it for the iteration."""
        await self._mail.ready()
        if self._mail.failure is not None:
            raise self._mail.failure
        return await anext(self._mail) if self._mail.closed and len(self._mail) == 1 else None

    @property
    def over(self) -> bool:
        """The response is here, or none will come."""
        return self._mail.closed

    async def asend(self, value: None) -> bytes:
        """The next message; the way `async for` asks for it, too."""
        try:
            return await anext(self._mail)
        except asyncio.CancelledError:
            self.leave("The caller has gone.")
            raise

    async def athrow(self, *error: Any) -> bytes:
        """The reader failed, which ends the call like `aclose`."""
        await self.aclose()
        return await super().athrow(*error)

    async def aclose(self) -> None:
        """The client wants no more."""
        self.leave("The caller has gone.")
        await self._mail.aclose()

    def leave(self, why: str, refusal: Refusal | None = None) -> None:
        """End the call before its response, which will be swallowed (E43). Harmless after the end."""
        if not self._mail.closed:
            self.fail(refusal or Refusal.unavailable(f"{self.name}: the call was ended: {why}"))
            self._left(self, why)

    def _extend(self) -> None:
        self._due = self._last if self.asked else min(self._loop.time() + self._patience, self._last)
        # A later end is found out when the timer fires: a flood of progress would cost as many timers.
        if self._due < self._timer.when():
            self._timer.cancel()
            self._timer = self._loop.call_at(self._due, self._look)

    def _look(self) -> None:
        if self._loop.time() < self._due:
            self._timer = self._loop.call_at(self._due, self._look)
        else:
            self.leave("The call took too long.", Refusal.timeout(f"{self.name}: no answer in time"))
