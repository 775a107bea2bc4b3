"""Server-sent events: any chunking of bytes in, whole events out, and back. No I/O, no MCP."""

from msgspec import Struct

KEEP_ALIVE = b": keep-alive\n\n"
MAX_EVENT = 16 * 1024 * 1024


class Event(Struct, frozen=True):
    """One event. Events with empty data are events too (priming, SEP-1699)."""

    data: bytes
    name: str = "message"
    id: str | None = None
    retry: int | None = None


class TooLarge(ValueError):
    """An event exceeds the bound."""


class Reader:
    """Feed chunks, get events. Understands CR, LF and CRLF, comments and several data lines (E16).

    `feed` raises `TooLarge` once an unfinished event exceeds `limit` bytes.
    """

    def __init__(self, limit: int = MAX_EVENT) -> None:
        self._limit = limit
        self._pending = b""
        self._after_cr = False
        self._data: list[bytes] = []
        self._held = 0
        self._name = ""
        self._id: str | None = None
        self._retry: int | None = None
        self._first = True

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that `chunk` completes."""
        events: list[Event] = []
        for line in self._lines(chunk):
            if line:
                self._field(line)
            elif self._data or self._id is not None or self._retry is not None:
                events.append(Event(b"\n".join(self._data), self._name or "message", self._id, self._retry))
                self._data, self._held, self._name, self._id, self._retry = [], 0, "", None, None
            else:
                self._name = ""
        if len(self._pending) + self._held > self._limit:
            raise TooLarge(f"an event is larger than {self._limit} bytes")
        return events

    def _lines(self, chunk: bytes) -> list[bytes]:
        if self._after_cr and chunk:
            # A CRLF cut in two by the chunking ends one line, not two.
            chunk = chunk.removeprefix(b"\n")
            self._after_cr = False
        text = self._pending + chunk
        if self._first and text:
            if b"\xef\xbb\xbf".startswith(text):
                self._pending = text
                return []
            text = text.removeprefix(b"\xef\xbb\xbf")
            self._first = False
        self._after_cr = text.endswith(b"\r")
        if b"\r" in text:
            text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *lines, self._pending = text.split(b"\n")
        return lines

    def _field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
            self._held += len(value)
        elif name == b"event":
            self._name = value.decode("utf-8", "replace")
        elif name == b"id" and b"\0" not in value:
            self._id = value.decode("utf-8", "replace")
        elif name == b"retry" and value.isdigit():
            self._retry = int(value[:9])


def write(data: bytes, *, id: str | None = None, name: str = "message") -> bytes:
    """One event. Line breaks in `data` become several data lines."""
    head = b"event: %b\n" % name.encode()
    if id is not None:
        head += b"id: %b\n" % id.encode()
    if b"\n" in data or b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\ndata: ")
    return b"%bdata: %b\n\n" % (head, data)
