"""Heads of answers already read, by their bytes: a server says the same ones again and again. No I/O."""

from msgspec import Struct

KEPT = 256
"""Heads remembered of one server; the oldest goes first."""
MAX_KEPT = 2048
"""Bytes of a head worth remembering."""


class Head(Struct, frozen=True, eq=False):
    """The head of a final answer that leaves its connection usable, with its length announced."""

    status: int
    headers: dict[bytes, bytes]
    length: int


class Heads:
    """The heads of one server's answers."""

    def __init__(self) -> None:
        self._known: dict[bytes, Head] = {}
        self.find = self._known.get
        """The head these bytes are, if `keep` took them before."""

    def keep(self, raw: bytes, status: int, headers: dict[bytes, bytes]) -> None:
        """Remember a head that the parser has read, if its bytes alone say where the answer ends.

        Line ends are counted again: were the parser to take anything but CR LF for one, or had a name stood
        twice, the first empty line or the length might not be what we take them for.
        """
        length = headers.get(b"content-length", b"")
        plain = (
            len(raw) <= MAX_KEPT
            and length.isdigit()
            and b"transfer-encoding" not in headers
            and status not in (204, 304)
            # Of an interim answer in front, this would be the head.
            and raw.startswith(b"HTTP/1.1 %d " % status)
            and raw.count(b"\r\n") == raw.count(b"\n") == raw.count(b"\r") == len(headers) + 2
        )
        if plain:
            if len(self._known) >= KEPT:
                del self._known[next(iter(self._known))]
            self._known[raw] = Head(status, headers, int(length))
