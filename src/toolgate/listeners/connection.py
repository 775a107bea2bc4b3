"""HTTP/1.1 as clients speak it: bytes in, whole requests out; answers in their order. Knows no MCP.

Everything a client can make grow is bounded here: headers by size and number, a body by size, both by time,
requests sent ahead by number. What cannot be read in one way only is refused (RFC 9112).
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine
from email.utils import formatdate
from typing import Any

import httptools

from toolgate.listeners.edge import Edge
from toolgate.listeners.exchange import Exchange
from toolgate.listeners.head import Head, Heads, head_of

Application = Callable[[Exchange], Coroutine[Any, Any, None]]

MAX_AHEAD = 16
"""Requests of one connection that may wait for the answer to the one before."""

_TOO_LARGE = b"431 Request Header Fields Too Large"


class Shared:
    """What the connections of one listener have in common."""

    def __init__(self, application: Application, edge: Edge) -> None:
        self.application = application
        self.edge = edge
        self.heads = Heads()
        self.connections: set[Connection] = set()
        self.stopping = False
        self.empty = asyncio.Event()
        """Set when the last connection of a stopping listener is gone."""
        self._second = 0
        self._date = b""

    def let_go(self, connection: "Connection") -> None:
        """It is closed."""
        self.connections.discard(connection)
        if self.stopping and not self.connections:
            self.empty.set()

    def date(self) -> bytes:
        """The line every answer carries (RFC 9110, 6.6.1)."""
        now = int(time.time())
        if now != self._second:
            self._second = now
            self._date = b"date: %b\r\n" % formatdate(now, usegmt=True).encode()
        return self._date


class Connection(asyncio.Protocol):
    """One client's connection."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._find = shared.heads.find
        self.date = shared.date
        self._parser: Any = None
        self._loop = asyncio.get_running_loop()
        self.peer = ""
        self.secure = False
        self.certificate: bytes | None = None
        """What the client showed in the handshake, checked by then."""
        """The client's address, as the socket says."""
        self.transport: asyncio.Transport
        self.closed = False
        self._exchange: Exchange | None = None
        self._ahead: deque[tuple[Head, bytes | None]] = deque()
        self._between = True
        """Whether the parser stands before the first byte of a request."""
        self._raw = b""
        """What looks like a head at the front of the segment at hand; the first request in it takes it over."""
        self._own_raw = b""
        self._known: Head | None = None
        """A head found among those read before, whose body is not whole yet."""
        self._unfinished = 0
        """Bytes of whole segments in a head that has not ended."""
        self._begun = 0
        """Requests that began in the segment at hand."""
        self._in_head = False
        self._url = b""
        self._pairs: list[tuple[bytes, bytes]] = []
        self._head: Head | None = None
        self._switching = False
        self._body: list[bytes] = []
        self._size = 0
        self._drained: asyncio.Future[None] | None = None
        self._paused = False
        self._since = 0.0
        self._patience = shared.edge.header_seconds

    # From the transport

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client that connects and stays silent is let go after a while."""
        self.transport = transport
        peer = transport.get_extra_info("peername")
        self.peer = peer[0] if isinstance(peer, tuple) else ""
        tls = transport.get_extra_info("ssl_object")
        if tls is not None:
            self.secure, self.certificate = True, tls.getpeercert(binary_form=True)
        self._parser = httptools.HttpRequestParser(self)
        self._since = self._loop.time()
        self._shared.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client left, or was let go."""
        self.closed = True
        self._shared.let_go(self)
        self._parser = None
        self._ahead.clear()
        self._wake()
        if self._exchange is not None:
            self._exchange.left()

    def eof_received(self) -> None:
        """Closing one half counts as leaving: no client of ours does that and waits."""

    def data_received(self, data: bytes) -> None:
        """Bytes of the client, cut anywhere."""
        while data and not self.closed:
            if self._known is not None:
                data = self._more(self._known, data)
            elif self._between:
                data = self._open(data)
            else:
                self._feed(data, fresh=False)
                return

    def _open(self, data: bytes) -> bytes:
        """The front of a request; returns what stands behind it."""
        end = data.find(b"\r\n\r\n") + 4
        self._raw = data[:end]
        head = self._find(self._raw)
        if head is None:
            self._feed(data, fresh=True)
            return b""
        if len(data) - end == head.length:
            self._take(head, data[end:])
            return b""
        self._known = head
        self._expect(self._shared.edge.body_seconds)
        return self._more(head, data[end:])

    def _more(self, head: Head, data: bytes) -> bytes:
        """More of the body behind a head that was known; the parser stands before it and stays there."""
        missing = head.length - self._size
        self._body.append(data[:missing])
        self._size += len(self._body[-1])
        if self._size == head.length:
            body, self._known = b"".join(self._body), None
            self._body, self._size = [], 0
            self._take(head, body)
        return data[missing:]

    def _feed(self, data: bytes, *, fresh: bool) -> None:
        """Parse. `fresh` says that nothing of an earlier request is in the segment."""
        self._begun = 0
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            self._decline(data[offer.args[0] :])
        except httptools.HttpParserCallbackError:
            raise
        except httptools.HttpParserError:
            self._refuse(b"400 Bad Request")
        if self._in_head:
            self._unfinished += len(data) if self._begun == fresh else 0
            if self._unfinished > self._shared.edge.max_headers:
                self._refuse(_TOO_LARGE)

    def _decline(self, data: bytes) -> None:
        """Go on in HTTP/1.1 where the client offers to switch (RFC 9110, 7.8): its body is still to be read,
        though the parser, which is of no use any more, has left it out."""
        self._parser = httptools.HttpRequestParser(self)
        head = self._head
        if self.closed or head is None or self._size:
            return
        if head.chunked:
            self._refuse(b"400 Bad Request")
        elif head.length:
            self._known = head
            self.data_received(data)
        else:
            self._take(head, b"")

    def pause_writing(self) -> None:
        """The client reads more slowly than we write."""
        self._paused = True

    def resume_writing(self) -> None:
        """It has caught up."""
        self._paused = False
        self._wake()
        self._next()

    # From the parser

    def on_message_begin(self) -> None:
        """The head of a request begins."""
        self._own_raw, self._raw = self._raw, b""
        self._between = False
        self._in_head = True
        self._begun += 1
        self._url, self._pairs, self._head = b"", [], None
        self._body, self._size = [], 0
        self._expect(self._shared.edge.header_seconds)

    def on_url(self, url: bytes) -> None:
        """A piece of the target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer, which nobody who checks headers would see: dropped (RFC 9110, 6.5.1)."""
        if self._head is None:
            self._pairs.append((name.lower(), value.strip(b" \t")))

    def on_headers_complete(self) -> None:
        """The head is here: refused where it is too much or names no host or several (RFC 9112, 3.2)."""
        self._in_head, self._unfinished = False, 0
        if self.closed:
            return
        edge, pairs = self._shared.edge, self._pairs
        size = len(self._url) + sum([len(name) + len(value) + 4 for name, value in pairs])
        if len(pairs) > edge.max_header_count or size > edge.max_headers:
            self._refuse(_TOO_LARGE)
        elif [name for name, _ in pairs].count(b"host") != 1:
            self._refuse(b"400 Bad Request")
        else:
            self._open_body(edge)

    def _open_body(self, edge: Edge) -> None:
        try:
            url = httptools.parse_url(self._url)
        except httptools.HttpParserInvalidURLError:
            self._refuse(b"400 Bad Request")
            return
        parser = self._parser
        self._switching = parser.should_upgrade()
        self._head = head = head_of(
            parser.get_method(),
            url.path or b"/",
            url.query,
            self._pairs,
            parser.should_keep_alive() and not self._switching,
            parser.get_http_version(),
        )
        if head.length > edge.max_body:
            self._size = head.length
            self._take(head, None)
            return
        self._expect(edge.body_seconds)
        if head.expects_continue and not (self._ahead or self._exchange):
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, part: bytes) -> None:
        """A piece of the body. Past the bound the request goes on without it, and the connection ends there."""
        if self.closed or self._size > self._shared.edge.max_body:
            return
        self._body.append(part)
        self._size += len(part)
        if self._size > self._shared.edge.max_body:
            assert self._head is not None
            self._body = []
            self._take(self._head, None)

    def on_message_complete(self) -> None:
        """The body is here."""
        head = self._head
        self._between = True
        if self.closed or self._switching or head is None or self._size > self._shared.edge.max_body:
            return
        self._shared.heads.keep(self._own_raw, head)
        body = b"".join(self._body)
        self._body, self._size = [], 0
        self._take(head, body)

    # Requests in their order

    def _take(self, head: Head, body: bytes | None) -> None:
        """A whole request; without `body` where it is larger than the bound."""
        if self._exchange is None and not self._paused:
            self._start(head, body)
            return
        self._ahead.append((head, body))
        if len(self._ahead) >= MAX_AHEAD:
            self.transport.pause_reading()

    def _start(self, head: Head, body: bytes | None) -> None:
        self._exchange = exchange = Exchange(self, head, body)
        exchange.task = self._loop.create_task(self._shared.application(exchange))

    def finished(self, *, keep: bool) -> None:
        """The answer to the request under way is written."""
        self._exchange = None
        if not keep or self._shared.stopping:
            self.close()
            return
        self._expect(self._shared.edge.idle_seconds)
        if self._ahead:
            self._next()

    def _next(self) -> None:
        if self._exchange is None and self._ahead and not self._paused and not self.closed:
            head, body = self._ahead.popleft()
            self.transport.resume_reading()
            self._start(head, body)

    # Writing

    def write(self, data: bytes) -> None:
        """Send it; dropped where the client has left."""
        if not self.closed:
            self.transport.write(data)

    async def drain(self) -> None:
        """Return once the client takes more, or has left."""
        while self._paused and not self.closed:
            if self._drained is None:
                self._drained = self._loop.create_future()
            await asyncio.shield(self._drained)

    def _wake(self) -> None:
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        self._drained = None

    # Time and end

    def _expect(self, seconds: float) -> None:
        self._since, self._patience = self._loop.time(), seconds

    def sweep(self, now: float) -> None:
        """Let the client go where what was expected of it is late."""
        if (self._exchange is not None and not self.closed) or now - self._since < self._patience:
            return
        if self.closed:
            self.abort()
        elif self._between and self._known is None:
            self.close()
        else:
            self._refuse(b"408 Request Timeout")

    def stop(self) -> None:
        """Close now where nothing is under way, else once it is answered."""
        if self._exchange is None:
            self.close()

    def close(self) -> None:
        """Close once what was written is sent, or the client has had time to take it."""
        self.closed = True
        self._expect(self._shared.edge.header_seconds)
        if self._between or not self.transport.can_write_eof():
            self.transport.close()
        else:
            # It is still sending. Closed at once, the network would tell it of a reset before our answer.
            self.transport.write_eof()

    def abort(self) -> None:
        """Close at once; who waits for the answer under way waits no more."""
        self.closed = True
        self.transport.abort()
        if self._exchange is not None and self._exchange.task is not None:
            self._exchange.task.cancel()

    def _refuse(self, status: bytes) -> None:
        """Answer a request that is none. While another is being answered, only the connection can end."""
        if self.closed:
            return
        if self._exchange is None:
            self.transport.write(b"HTTP/1.1 %b\r\ncontent-length: 0\r\nconnection: close\r\n\r\n" % status)
        self.close()
