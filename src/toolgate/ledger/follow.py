"""Reads the lines behind one record, segment after segment, while the writer goes on. Checks nothing.

Only records up to the writer's head are read: behind it may stand what a failed write left, soon to be cut
off. For the same reason nothing read ahead is ever kept.
"""

import os
from pathlib import Path

from toolgate.ledger.chain import MAX_LINE, parse
from toolgate.ledger.segments import Segment, segments

_BLOCK = 256 * 1024
_NEAR = 64 * 1024
"""Bytes that are searched line by line."""


class Gone(Exception):
    """Records that were to be read are not in the folder any more. Its text is a plain sentence."""


class Follower:
    """One reader's place in a ledger. Used by one thread at a time."""

    def __init__(self, folder: Path, seq: int) -> None:
        """Will read what follows record `seq`; 0 is the start."""
        self.seq = seq
        """The last record read."""
        self._folder = folder
        self._fd = -1
        self._path: Path | None = None
        self._offset = 0

    def read(self, head: int, block: int = _BLOCK) -> list[bytes]:
        """Whole lines, about `block` bytes of them, up to record `head`; none where there is nothing new.

        Raises `OSError`, and `Gone` where the records due are in no segment.
        """
        while self.seq < head:
            if self._fd < 0:
                self._open()
            lines = self._lines(block)[: head - self.seq]
            if lines:
                self._offset += sum(map(len, lines))
                self.seq += len(lines)
                return lines
            self._next()
        return []

    def sync(self) -> None:
        """Make what was read survive a power cut. Segments before the open one are safe since they were closed."""
        if self._fd >= 0:
            os.fdatasync(self._fd)

    def close(self) -> None:
        """Done with it."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _lines(self, block: int) -> list[bytes]:
        while True:
            data = os.pread(self._fd, block, self._offset)
            end = data.rfind(b"\n") + 1
            if end or len(data) < block:
                return [line + b"\n" for line in data[:end].split(b"\n")[:-1]]
            if block > MAX_LINE:
                raise OSError(f"{self._path} holds a line of more than {MAX_LINE} bytes")
            block *= 2

    def _open(self) -> None:
        due = self.seq + 1
        known = [one for one in segments(self._folder) if one.first <= due]
        if not known:
            raise Gone(f"Record {due} is in no segment of the ledger.")
        self._take(known[-1])
        if known[-1].first < due:
            self._offset = _start_of(self._fd, due)

    def _next(self) -> None:
        """The open segment has no more, so the record due is the first of another."""
        self.close()
        due = self.seq + 1
        for one in segments(self._folder):
            if one.first == due and one.path != self._path:
                self._take(one)
                return
        raise Gone(f"Record {due} is due, but {self._path} ends before it and no segment begins with it.")

    def _take(self, segment: Segment) -> None:
        self._fd = os.open(segment.path, os.O_RDONLY | os.O_CLOEXEC)
        self._path, self._offset = segment.path, 0


def _start_of(fd: int, seq: int) -> int:
    """Where the line of record `seq` starts, or should. Halves the file until it is near: lines are in order."""
    low, high = 0, os.fstat(fd).st_size
    while high - low > _NEAR:
        middle = (low + high) // 2
        found = _line_behind(fd, middle)
        if found is None or found[0] >= high or found[1] > seq:
            high = middle
        else:
            low = found[0]
    while (found := _line_at(fd, low)) is not None and found[1] < seq:
        low += found[0]
    return low


def _line_behind(fd: int, offset: int) -> tuple[int, int] | None:
    """Offset and number of the first line that starts behind `offset`."""
    piece = _until_newline(fd, offset)
    start = offset + len(piece)
    found = _line_at(fd, start) if piece.endswith(b"\n") else None
    return None if found is None else (start, found[1])


def _line_at(fd: int, offset: int) -> tuple[int, int] | None:
    """Length and number of the line that starts at `offset`; None where there is none."""
    line = _until_newline(fd, offset)
    claim = parse(line) if line.endswith(b"\n") else None
    return None if claim is None else (len(line), claim.head.seq)


def _until_newline(fd: int, offset: int) -> bytes:
    size = 4096
    while True:
        data = os.pread(fd, size, offset)
        end = data.find(b"\n") + 1
        if end or len(data) < size or size > MAX_LINE:
            return data[:end] if end else data
        size *= 2
