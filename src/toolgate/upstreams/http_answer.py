"""One answer of HTTP/1.1: bytes in, status, headers and body out. Refuses what could be read in two ways."""

import asyncio
from typing import Any

import httptools

from toolgate.ports import HttpError
from toolgate.upstreams.http_body import Body, Carrier
from toolgate.upstreams.http_heads import Heads

MAX_HEAD = 64 * 1024
"""Bytes of names and values, interim answers and trailers included; also of anything else that is no body."""
MAX_FIELDS = 200


class Answer(Body):
    """Meets `ports.HttpResponse`, and is called back by a parser of its own: nothing of an earlier answer on
    the same connection can leak into it.
    """

    __slots__ = (
        "_bodiless",
        "_fields",
        "_head",
        "_heads",
        "_parser",
        "_quiet",
        "arrived",
        "headers",
        "heard",
        "reusable",
        "status",
    )

    def __init__(
        self, carrier: Carrier, loop: asyncio.AbstractEventLoop, heads: Heads, *, bodiless: bool
    ) -> None:
        super().__init__(carrier, loop)
        self.status = 0
        """0 until the headers of the final answer are here."""
        self.headers: dict[bytes, bytes] = {}
        self.arrived: asyncio.Future[None] = loop.create_future()
        """Resolved once: by the headers, or by a failure before them."""
        self.heard = False
        """Whether any byte came."""
        self.reusable = False
        """Whether the connection may carry another exchange; says nothing before the end."""
        self._bodiless = bodiless
        self._fields = 0
        self._head = 0
        self._quiet = 0
        self._heads = heads
        self._parser: Any = None

    def feed(self, data: bytes) -> None:
        """Bytes from the connection. Never raises: look at `ended`."""
        fresh = not self.heard
        if fresh:
            self.heard = True
            if self._take_whole(data):
                return
            self._parser = httptools.HttpResponseParser(self)
        self._quiet += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._stumble(error)
        else:
            if self._quiet > MAX_HEAD and not self.complete:
                self.fail(_endless())
            elif fresh and self.complete and self.reusable and not self._bodiless:
                self._heads.keep(data[: data.find(b"\r\n\r\n") + 4], self.status, self.headers)
        if self.complete:
            self._parser = None  # It holds us: without the cycle both go with their last reader.
        self.wake()

    def _take_whole(self, data: bytes) -> bool:
        """The usual answer: a head seen before and all of its body in one segment."""
        end = data.find(b"\r\n\r\n") + 4
        head = self._heads.find(data[:end])
        if head is None or len(data) - end != head.length or self._bodiless:
            return False
        self.status, self.headers = head.status, head.headers
        self.complete = self.reusable = True
        self.put(data[end:])
        if not self.arrived.done():
            self.arrived.set_result(None)
        return True

    def end_of_stream(self) -> None:
        """The server sends no more: the end of a body without length (RFC 9112, 6.3), else a break."""
        if self.ended:
            return
        if self.status and not (b"content-length" in self.headers or b"transfer-encoding" in self.headers):
            self.complete = True
            self.wake()
        else:
            self.fail(HttpError("closed", "the server closed before the end of its answer", sent=True))

    def fail(self, error: HttpError) -> None:
        """See `Body`."""
        if self.ended:
            return
        self.reusable = False
        self._parser = None
        super().fail(error)
        if not self.arrived.done():
            self.arrived.set_result(None)

    def _stumble(self, error: httptools.HttpParserError) -> None:
        if self.complete:
            # Bytes behind the end: this answer is good, what follows it belongs to nobody.
            self.reusable = False
        elif isinstance(error.__context__, HttpError):
            self.fail(error.__context__)
        else:
            self.fail(HttpError("protocol", f"not an HTTP/1.1 answer: {error}", sent=True))

    # Called by the parser. What they raise stops it and comes out of `feed_data`.

    def on_message_begin(self) -> None:
        """Another answer begins; after the final one that is response splitting."""
        if self.complete:
            raise _surplus()

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header or trailer."""
        self._fields += 1
        self._head += len(name) + len(value)
        if self._head > MAX_HEAD or self._fields > MAX_FIELDS:
            raise _endless()
        if self.status:
            return  # Trailers must not be taken for headers (RFC 9110, 6.5.1).
        name = name.lower()
        if name == b"transfer-encoding" and name in self.headers:
            raise HttpError("protocol", "Transfer-Encoding twice", sent=True)
        self.headers[name] = value.rstrip(b" \t")

    def on_headers_complete(self) -> None:
        """The final answer is known; interim ones leave nothing behind."""
        status = self._parser.get_status_code()
        if status == 101:
            raise HttpError("protocol", "the server switched protocols unasked", sent=True)
        if status < 200:
            self.headers = {}
            return
        self._check_framing()
        self.status = status
        self.complete = self._bodiless
        if not self.arrived.done():
            self.arrived.set_result(None)

    def _check_framing(self) -> None:
        version = self._parser.get_http_version()
        if version not in ("1.1", "1.0"):
            raise HttpError("protocol", "neither HTTP/1.1 nor HTTP/1.0", sent=True)
        # The parser refuses Content-Length twice, or beside Transfer-Encoding. A coding other than `chunked`
        # is one we would not undo, and HTTP/1.0 has none (RFC 9112, 6.1).
        encoding = self.headers.get(b"transfer-encoding")
        if encoding is not None and (version == "1.0" or encoding.lower() != b"chunked"):
            raise HttpError("protocol", "a transfer coding that is not spoken here", sent=True)
        self.reusable = version == "1.1" and self._parser.should_keep_alive()

    def on_body(self, part: bytes) -> None:
        """A piece of the body, as cut by the network and by chunks."""
        if self.complete:
            raise _surplus()
        self._quiet = 0
        self.put(part)

    def on_message_complete(self) -> None:
        """The end of an answer; interim ones end too."""
        self.complete = self.status != 0


def _endless() -> HttpError:
    return HttpError("too_large", "more headers, trailers or framing than is taken", sent=True)


def _surplus() -> HttpError:
    return HttpError("protocol", "bytes behind the end of the answer", sent=True)
