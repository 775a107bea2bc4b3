"""One HTTP request and its answer. Knows framing, not MCP."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from functools import lru_cache
from http import HTTPStatus
from typing import Protocol

from toolgate.errors import Refusal
from toolgate.listeners import edge as at_edge
from toolgate.listeners.edge import Edge
from toolgate.listeners.head import Head
from toolgate.model import Call, Reply, Session, Shown
from toolgate.protocol import refused, sse, versions
from toolgate.protocol.headers import accepts_json

_log = logging.getLogger("toolgate.listener")

KEEP_ALIVE = 15.0
"""Seconds between comments on an idle stream; load balancers often cut at 30 to 60 (E35)."""

Fields = tuple[tuple[bytes, bytes], ...]

JSON = (b"content-type", b"application/json")
_ONLY_JSON = (JSON,)
_STREAM = (
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
)
_EXPOSED = b"Mcp-Session-Id, MCP-Protocol-Version, WWW-Authenticate"
_REQUESTED = (
    b"Authorization, Content-Type, Accept, MCP-Protocol-Version, Mcp-Method, Mcp-Name, Mcp-Session-Id, "
    b"Last-Event-ID, X-API-Key"
)
_BODILESS = frozenset({204, 304})


class Connection(Protocol):
    """The way back to the client."""

    peer: str
    secure: bool
    certificate: bytes | None

    date: Callable[[], bytes]
    """The line of the date."""

    def write(self, data: bytes) -> None:
        """Send; dropped where the client has left."""

    async def drain(self) -> None:
        """Return once the client takes more, or has left."""

    def finished(self, *, keep: bool) -> None:
        """The answer is written; without `keep` the connection ends."""


class Exchange:
    """One HTTP request and its answer."""

    __slots__ = (
        "_answered",
        "_body",
        "_connection",
        "_gone",
        "_started",
        "_taking_back",
        "_watching",
        "head",
        "headers",
        "id",
        "method",
        "origin",
        "revision",
        "task",
    )

    def __init__(self, connection: Connection, head: Head, body: bytes | None) -> None:
        """`body` is None where it was larger than the bound."""
        self.head = head
        self.headers = head.headers
        self.id: bytes | None = None
        self.method = ""
        self.revision = versions.UNSTATED
        self.origin: str | None = None
        """The page that may read the answer; set once it is known to be allowed."""
        self.task: asyncio.Task[None] | None = None
        """Who works on it."""
        self._connection = connection
        self._body = body
        self._started = False
        self._answered = False
        self._gone = False
        self._watching = False
        self._taking_back: Call | None = None

    def call(self, call: Call) -> Call:
        """The call with where it comes from."""
        call.client_ip = self._connection.peer
        call.authorization = self.headers.authorization
        call.api_key = self.headers.api_key
        call.task_token = self.headers.task_token
        call.languages = self.headers.languages
        call.traceparent = self.headers.traceparent
        call.tracestate = self.headers.tracestate
        if self.headers.shows or self._connection.certificate is not None:
            call.shown = self._shown()
        return call

    def _shown(self) -> Shown:
        headers, connection = self.headers, self._connection
        return Shown(
            method=self.head.method,
            origin=f"{'https' if connection.secure else 'http'}://{headers.host or ''}",
            path=self.head.path,
            dpop=headers.dpop,
            certificate=connection.certificate,
            forwarded_certificate=headers.forwarded_certificate,
            forwarded_user=headers.forwarded_user,
        )

    @property
    def peer(self) -> str:
        """The client's address, as the socket says."""
        return self._connection.peer

    @property
    def too_large(self) -> bool:
        """Whether the body exceeded the bound."""
        return self._body is None

    def body(self, edge: Edge) -> bytes:
        """The request's body. Raises `Refusal` (413) past the bound."""
        if self._body is None:
            raise at_edge.too_large(edge)
        return self._body

    # The client's changes of mind

    def watch(self) -> None:
        """From here on the work is cancelled when the client leaves."""
        self._watching = True
        if self._gone:
            self._cancel()

    @property
    def session(self) -> Session | None:
        """The session of the call that is being answered, where the client opened one."""
        call = self._taking_back
        return call.session if call is not None and call.session_text is not None else None

    def may_be_taken_back(self, call: Call) -> None:
        """The client can cancel this call by a message; then there is no answer (E43)."""
        self._taking_back = call

    def left(self) -> None:
        """The client's connection is gone."""
        self._gone = True
        if self._watching:
            self._cancel()

    def _cancel(self) -> None:
        if self.task is not None:
            self.task.cancel()

    def given_up(self) -> bool:
        """After a cancellation: whether it was the client's wish, so that the work simply ends here."""
        left = self._gone and self._watching
        if not left and (self._taking_back is None or not self._taking_back.cancelled):
            return False
        if self.task is not None:
            self.task.uncancel()
        if not self._started:
            self.answer(200, _STREAM, b"")
        elif not self._answered:
            self._end_stream()
        return True

    def cut(self, end: asyncio.CancelledError) -> bool:
        """After a cancellation: whether it was ours, for the refusal it carries, which is told."""
        refusal = end.args[0] if end.args else None
        if not isinstance(refusal, Refusal):
            return False
        if self.task is not None:
            self.task.uncancel()
        if not self._started:
            self.refuse(refusal)
        elif not self._answered:
            self._finish(keep=False)
        return True

    # Answers

    def reply(self, reply: Reply) -> None:
        """Send a reply of one message, once it may leave."""
        if reply.recorded is not None:
            reply.recorded.then(lambda problem: self._settled(reply, problem))
        else:
            self._send(reply)

    def _settled(self, reply: Reply, problem: Exception | None) -> None:
        try:
            if isinstance(problem, Refusal):
                self.refuse(problem)
            else:
                self._send(reply)
        except Exception as error:  # noqa: BLE001 - the other answers of this turn must leave
            self.broken(error)

    def _send(self, reply: Reply) -> None:
        headers: Fields = _ONLY_JSON
        if reply.session is not None:
            headers = (JSON, (b"mcp-session-id", reply.session.encode()))
        if accepts_json(self.headers.accept):
            self.answer(reply.status, headers, reply.message or b"")
        else:
            self.answer(reply.status, (*_STREAM, *headers[1:]), sse.write(reply.message or b""))

    def accepted(self) -> None:
        """202 without a body, for notifications and responses (E05)."""
        self.answer(202, (), b"")

    def preflight(self) -> None:
        """CORS for the pages that may call us; the origin was checked at the edge."""
        allowed = (
            (b"access-control-allow-methods", b"GET, POST, DELETE, OPTIONS"),
            (b"access-control-allow-headers", _REQUESTED),
            (b"access-control-max-age", b"600"),
        )
        self.answer(204, allowed, b"")

    def refuse(self, refusal: Refusal) -> None:
        """The refusal in the words of this client's revision."""
        if self._started:
            raise refusal
        status, message = refused.write(refusal, id=self.id, method=self.method, revision=self.revision)
        if refusal.stage == "edge":
            status = refusal.status
        self.answer(status, (JSON, *refusal.headers), message)

    def broken(self, error: Exception) -> None:
        """A bug outside of any call: the log has the trace, the client learns that it was not its fault."""
        _log.error("the request failed", exc_info=error)
        self._body = None
        if not self._started:
            self.answer(500, (), b"")
        elif not self._answered:
            self._finish(keep=False)

    def answer(self, status: int, headers: Fields, body: bytes) -> None:
        """A whole answer."""
        self._started = True
        lines = _lines(status, headers if self.origin is None else self._readable(headers))
        if status not in _BODILESS:
            lines = b"%bcontent-length: %d\r\n" % (lines, len(body))
        if self.head.method == "HEAD":
            body = b""
        keep = self.head.keep_alive and self._body is not None
        end = b"\r\n" if keep else b"connection: close\r\n\r\n"
        self._connection.write(b"%b%b%b%b" % (lines, self._connection.date(), end, body))
        self._finish(keep=keep)

    # Streams

    async def events(self, events: AsyncGenerator[bytes, None]) -> None:
        """Send a stream of events, written already. Closes `events`."""
        self._start_stream(_STREAM)
        pending: asyncio.Future[bytes | None] | None = None
        try:
            while True:
                pending = pending or asyncio.ensure_future(_next(events))
                await asyncio.wait((pending,), timeout=KEEP_ALIVE)
                if not pending.done():
                    await self._more(sse.KEEP_ALIVE)
                    continue
                event, pending = pending.result(), None
                if event is None:
                    self._end_stream()
                    return
                await self._more(event)
        finally:
            if pending is not None:
                pending.cancel()
                await asyncio.wait((pending,))
            await events.aclose()

    def _start_stream(self, headers: Fields) -> None:
        self._started = True
        lines = (
            _lines(200, headers if self.origin is None else self._readable(headers)) + self._connection.date()
        )
        framing = b"connection: close\r\n" if self.head.http10 else b"transfer-encoding: chunked\r\n"
        self._connection.write(b"%b%b\r\n" % (lines, framing))

    async def _more(self, data: bytes) -> None:
        self._connection.write(data if self.head.http10 else b"%x\r\n%b\r\n" % (len(data), data))
        await self._connection.drain()

    def _end_stream(self) -> None:
        if not self.head.http10:
            self._connection.write(b"0\r\n\r\n")
        self._finish(keep=self.head.keep_alive and not self.head.http10)

    def _finish(self, *, keep: bool) -> None:
        self._answered = True
        self._connection.finished(keep=keep)

    def _readable(self, headers: Fields) -> Fields:
        """With what lets the page read the answer."""
        assert self.origin is not None
        return (
            *headers,
            (b"access-control-allow-origin", self.origin.encode("latin-1")),
            (b"access-control-expose-headers", _EXPOSED),
            (b"vary", b"Origin"),
        )


@lru_cache(maxsize=256)
def _lines(status: int, headers: Fields) -> bytes:
    first = b"HTTP/1.1 %d %b\r\n" % (status, HTTPStatus(status).phrase.encode())
    lines = first + b"".join([b"%b: %b\r\n" % field for field in headers])
    if lines.count(b"\n") != len(headers) + 1 or lines.count(b"\r") != len(headers) + 1:
        raise ValueError("a header with a line break")
    return lines


async def _next(events: AsyncGenerator[bytes, None]) -> bytes | None:
    return await anext(events, None)
