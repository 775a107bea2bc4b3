"""What the head of an HTTP request says, and the heads already read. No I/O.

A client that keeps its connection sends the same head again and again, byte for byte. Reading it once is
what HPACK does for HTTP/2; with HTTP/1.1 the bytes themselves are the index.
"""

from msgspec import Struct

from toolgate.protocol.headers import Headers, read

KEPT = 1024
"""Heads remembered by one listener."""
MAX_KEPT = 4096
"""Bytes of a head worth remembering."""


class Head(Struct, eq=False):
    """One request without its body."""

    method: str
    path: str
    """Decoded, without query."""
    query: bytes
    pairs: list[tuple[bytes, bytes]]
    """Names in lower case."""
    headers: Headers
    length: int
    """Bytes of the body where they are announced."""
    chunked: bool
    keep_alive: bool
    http10: bool
    door: str | None = None
    """Set by the application: which door the path leads to."""
    passed: bool = False
    """Set by the application once its checks of what stands here found nothing. They need not run again."""

    @property
    def expects_continue(self) -> bool:
        """Whether the client waits for `100 Continue` before it sends the body (RFC 9110, 10.1.1)."""
        return any(name == b"expect" and value.lower() == b"100-continue" for name, value in self.pairs)


def head_of(
    method: bytes,
    path: bytes,
    query: bytes | None,
    pairs: list[tuple[bytes, bytes]],
    keep: bool,
    version: str,
) -> Head:
    """The head that a parser found; it has made sure that at most one length is announced."""
    length, chunked = 0, False
    for name, value in pairs:
        if name == b"content-length":
            length = int(value)
        elif name == b"transfer-encoding":
            chunked = True
    return Head(
        method=method.decode("ascii"),
        path=_decoded(path),
        query=query or b"",
        pairs=pairs,
        headers=read(pairs),
        length=length,
        chunked=chunked,
        keep_alive=keep,
        http10=version == "1.0",
    )


def _decoded(path: bytes) -> str:
    if b"%" not in path:
        return path.decode("latin-1")
    from urllib.parse import unquote

    return unquote(path.decode("latin-1"))


class Heads:
    """Heads by their bytes; the oldest goes first."""

    def __init__(self) -> None:
        self._known: dict[bytes, Head] = {}
        self.find = self._known.get
        """The head these bytes are, if they were read before and `keep` took them."""

    def keep(self, raw: bytes, head: Head) -> None:
        """Remember the head, if its bytes alone say where its request ends.

        Line ends are counted again: were the parser to take anything but CR LF for one, the first empty
        line would not be where we look for it.
        """
        lines = len(head.pairs) + 2
        plain = (
            len(raw) <= MAX_KEPT
            and head.keep_alive
            and not (head.chunked or head.http10 or head.expects_continue)
            and raw[:1].isalpha()
            and raw.count(b"\r\n") == raw.count(b"\n") == raw.count(b"\r") == lines
        )
        if plain:
            if len(self._known) >= KEPT:
                del self._known[next(iter(self._known))]
            self._known[raw] = head
