"""Newline-delimited messages: any chunking of bytes in, whole lines out, and back. No I/O, no JSON."""

from collections.abc import Iterator

MAX_LINE = 4 * 1024 * 1024


class LineTooLong(ValueError):
    """A line exceeds the bound; the stream has no further use."""


class Lines:
    """Feed chunks, get lines without their ends. LF and CRLF end a line; empty lines are skipped.

    The same bytes give the same lines, and the same error after them, however they are cut.
    """

    def __init__(self, limit: int = MAX_LINE) -> None:
        self._limit = limit
        self._parts: list[bytes] = []
        self._held = 0

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """The lines that `chunk` completes; consume them all before the next chunk.

        Raises `LineTooLong` as soon as an unfinished line exceeds the limit, after the lines before it.
        """
        *whole, rest = chunk.split(b"\n")
        for piece in whole:
            line = self._finish(piece)
            if line:
                yield line
        self._keep(rest)

    def _finish(self, piece: bytes) -> bytes:
        self._keep(piece)
        line = b"".join(self._parts)
        self._parts, self._held = [], 0
        return line[:-1] if line.endswith(b"\r") else line

    def _keep(self, piece: bytes) -> None:
        self._held += len(piece)
        if self._held > self._limit:
            raise LineTooLong(f"a line is longer than {self._limit} bytes")
        if piece:
            self._parts.append(piece)


def pack(message: bytes) -> bytes:
    """The message as exactly one line.

    A line break in valid JSON stands between tokens, where a space means the same. Sent as it is, it would
    let a client put a second message, seen by no policy, behind the first.
    """
    if b"\n" in message or b"\r" in message:
        message = message.replace(b"\r", b" ").replace(b"\n", b" ")
    return message + b"\n"
