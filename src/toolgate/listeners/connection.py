"""What uvicorn's HTTP protocol lacks: bounds on headers and on the time to send them, and Host required.

Its parser already refuses a body with two lengths and bare line feeds.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from toolgate.listeners.edge import Edge


class Connection(HttpToolsProtocol):
    """One client's connection. `edge` is set by `bounded`."""

    edge: Edge
    _header_bytes = 0
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client that connects and stays silent is let go like an idle one."""
        super().connection_made(transport)
        self._expect_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is expected any more."""
        self._forget_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """A refused connection hears nothing more of what its client sends."""
        if not self.transport.is_closing():
            super().data_received(data)

    def on_message_begin(self) -> None:
        """Count the headers of this request anew."""
        super().on_message_begin()
        self._header_bytes = 0
        if self._deadline is None:
            self._expect_headers()

    def on_url(self, url: bytes) -> None:
        """The target counts as header bytes."""
        super().on_url(url)
        self._count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Refuse with 431 past the bounds."""
        super().on_header(name, value)
        self._count(len(name) + len(value) + 4)

    def on_headers_complete(self) -> None:
        """Start the request, unless it was refused."""
        self._forget_deadline()
        if self.transport.is_closing():
            return
        if sum(name == b"host" for name, _ in self.headers) != 1:
            self._refuse(b"400 Bad Request")
            return
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Ignored for a refused request."""
        if not self.transport.is_closing():
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Ignored for a refused request."""
        if not self.transport.is_closing():
            super().on_message_complete()

    def _count(self, size: int) -> None:
        self._header_bytes += size
        if self._header_bytes > self.edge.max_headers or len(self.headers) > self.edge.max_header_count:
            self._refuse(b"431 Request Header Fields Too Large")

    def _expect_headers(self) -> None:
        self._deadline = self.loop.call_later(self.edge.header_seconds, self._refuse, b"408 Request Timeout")

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _refuse(self, status: bytes) -> None:
        self._forget_deadline()
        if not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 %b\r\ncontent-length: 0\r\nconnection: close\r\n\r\n" % status)
            self.transport.close()


def bounded(edge: Edge) -> type[Any]:
    """The protocol class for a listener with these bounds."""
    return type("BoundedConnection", (Connection,), {"edge": edge})
