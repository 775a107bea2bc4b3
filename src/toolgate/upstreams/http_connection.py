"""One connection to a server: one exchange at a time. Knows when it may be used again, not by whom."""

import asyncio
from typing import Protocol, cast

from toolgate.ports import HttpError
from toolgate.upstreams.http_answer import Answer
from toolgate.upstreams.http_heads import Heads


class Owner(Protocol):
    """The pool, as far as a connection knows it."""

    heads: Heads
    """Heads of earlier answers of this server."""

    @property
    def quiet(self) -> bool:
        """Whether this is the only exchange under way."""

    def post(self, connection: "Connection") -> None:
        """Have its request sent at the end of this turn of the loop."""

    def release(self, connection: "Connection") -> None:
        """It is free again."""

    def lost(self, connection: "Connection") -> None:
        """It is closed, and its place free."""


class Connection(asyncio.Protocol):
    """Holds a place of its pool from its making until `lost`, also while it is not connected yet."""

    __slots__ = (
        "_answer",
        "_deadline",
        "_loop",
        "_owner",
        "_transport",
        "_unsent",
        "closed",
        "idle_since",
        "reused",
    )

    def __init__(self, owner: Owner, loop: asyncio.AbstractEventLoop) -> None:
        self.closed = False
        self.reused = False
        """Whether it was idle before: then the server may have left unnoticed."""
        self.idle_since = 0.0
        self._owner = owner
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._answer: Answer | None = None
        self._deadline = 0.0
        self._unsent: bytes | None = None
        """The request under way, until it is sent."""

    @property
    def connected(self) -> bool:
        """It was connected once; see `closed`."""
        return self._transport is not None

    def send(self, data: bytes, deadline: float, *, bodiless: bool) -> Answer:
        """Start an exchange on a connected, free connection: one write, whatever the size.

        Where others are under way, the requests of one turn of the loop leave together, behind each other:
        the first wakes the server, and the others find it awake (5 of 60 µs per call).
        """
        assert self._transport is not None
        assert self._answer is None
        self._answer = answer = Answer(self, self._loop, self._owner.heads, bodiless=bodiless)
        self._deadline = deadline
        if self._owner.quiet:
            self._transport.write(data)
        else:
            self._unsent = data
            self._owner.post(self)
        return answer

    def send_now(self) -> None:
        """The turn is over."""
        data, self._unsent = self._unsent, None
        if data is not None and self._transport is not None and not self.closed:
            self._transport.write(data)

    def expire(self, now: float) -> None:
        """Give up an answer whose headers are overdue."""
        answer = self._answer
        if answer is not None and now >= self._deadline and not answer.arrived.done():
            self.end(HttpError("timeout", "the server did not answer in time", sent=True))

    def end(self, error: HttpError) -> None:
        """Close; an exchange under way ends with `error`."""
        if self._answer is not None:
            self._answer.fail(error)
        self.drop()

    def pause(self) -> None:
        """Stop reading: the server's window fills up."""
        if self._transport is not None and not self.closed:
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        if self._transport is not None and not self.closed:
            self._transport.resume_reading()

    def drop(self) -> None:
        """Close at once. Graceful closing would wait for a server that may never read what is unsent."""
        if self._transport is not None and not self.closed:
            self.closed = True
            self._transport.abort()

    # Called by the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connected; over TLS, after the handshake."""
        # uvloop's transports do not inherit from asyncio.Transport.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Bytes for the answer; those that nobody asked for must not become an answer to somebody else."""
        answer = self._answer
        if answer is None or self._unsent is not None:
            self.drop()
            return
        answer.feed(data)
        if answer.complete or answer.failure is not None:
            self._settle(answer)

    def _settle(self, answer: Answer) -> None:
        assert self._transport is not None
        self._answer = None
        # A rest of the request still on its way would stand before the next one (RFC 9112, 9.5).
        if self.closed or not answer.reusable or self._transport.get_write_buffer_size():
            self.drop()
            return
        answer.flow()
        self.reused = True
        self._owner.release(self)

    def eof_received(self) -> None:
        """The server sends no more; whatever it would still read is of no use to us."""
        if self._answer is not None and self._unsent is None:
            self._answer.end_of_stream()
        self.drop()

    def connection_lost(self, error: Exception | None) -> None:
        """Closed by us, by the server or by the network."""
        self.closed = True
        if self._answer is not None:
            text = f"the connection broke: {error or 'closed'}"
            self._answer.fail(HttpError("closed", text, sent=self._unsent is None))
            self._answer = None
        self._owner.lost(self)
