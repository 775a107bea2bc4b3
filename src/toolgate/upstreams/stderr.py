"""What a child says on stderr: kept for the record, forwarded to the log, never taken for an error (E83)."""

import logging

KEPT = 64 * 1024
LONGEST = 1000
"""Bytes of one line that reach the log."""


class Stderr:
    """Takes chunks, keeps the last 64 KiB, logs each line at INFO. Never makes the child wait."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._kept = bytearray()
        self._line = bytearray()

    def feed(self, chunk: bytes) -> None:
        """Read on."""
        self._kept += chunk
        del self._kept[:-KEPT]
        *whole, rest = chunk.split(b"\n")
        for piece in whole:
            self._grow(piece)
            self._forward()
        self._grow(rest)

    def last(self) -> str:
        """The last line that says anything, shortened; empty where nothing was said."""
        lines = self._kept.strip().rsplit(b"\n", 1)
        return _readable(lines[-1][:LONGEST])

    def _grow(self, piece: bytes) -> None:
        self._line += piece[: LONGEST - len(self._line)]

    def _forward(self) -> None:
        text = _readable(self._line)
        self._line.clear()
        if text:
            self._log.info("%s", text)


def _readable(line: bytes | bytearray) -> str:
    # Control characters would let a child write log lines of its own or drive the reader's terminal.
    text = line.decode("utf-8", "replace").strip()
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)
