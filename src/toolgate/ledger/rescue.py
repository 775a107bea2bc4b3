"""What becomes of records while the ledger cannot be written: three ways. Knows nothing of why it cannot.

The spool lies in room that was set aside at the start, so that it holds on a full disk. What it took
survives the gateway, but no power cut.
"""

import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from struct import Struct as Binary
from typing import Protocol

from toolgate.ledger.segments import SPOOL

_HEADER = Binary(">8sQ")
_MAGIC = b"tgspool1"
_FRAME = Binary(">II")
"""Length and CRC-32 of a record. The checksum starts from the generation, so that what an earlier outage left
behind is never taken for something of this one."""


class Rescue(Protocol):
    """Asked for each record that could not be written."""

    kept: int
    """Records that wait to be written."""
    lost: int
    """Records that went unwritten and were answered all the same, since the start."""

    def take(self, record: bytes) -> bool:
        """Whether its call may be answered."""
        ...

    def held(self) -> list[bytes]:
        """What waits, in order. Raises `OSError`."""
        ...

    def clear(self) -> None:
        """All of it is written now. Raises `OSError`."""
        ...


class Deny:
    """Nothing is answered that is not recorded."""

    kept = lost = 0

    def take(self, record: bytes) -> bool:
        """See `Rescue`."""
        return False

    def held(self) -> list[bytes]:
        """See `Rescue`."""
        return []

    def clear(self) -> None:
        """See `Rescue`."""


class Allow(Deny):
    """Calls go on, unrecorded; only their number is kept."""

    def __init__(self) -> None:
        self.lost = 0

    def take(self, record: bytes) -> bool:
        """See `Rescue`."""
        self.lost += 1
        return True


class Spool:
    """Kept in a file of its own up to a bound; beyond, nothing is answered."""

    lost = 0

    def __init__(self, folder: Path, size: int) -> None:
        """Sets `size` bytes aside, or what there is where that is more. What an earlier process left is held.

        Raises `OSError`.
        """
        self._fd = os.open(folder / SPOOL, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            self._size = max(size, os.fstat(self._fd).st_size)
            os.posix_fallocate(self._fd, 0, self._size)
            magic, self._generation = _HEADER.unpack(os.pread(self._fd, _HEADER.size, 0))
            if magic != _MAGIC:
                self._begin(1)
            self._end, self.kept = _HEADER.size, 0
            for record in self._records():
                self._end += _FRAME.size + len(record)
                self.kept += 1
        except BaseException:
            os.close(self._fd)
            raise

    def take(self, record: bytes) -> bool:
        """See `Rescue`."""
        data = _FRAME.pack(len(record), self._checksum(record)) + record
        if self._end + len(data) > self._size:
            return False
        try:
            done = os.pwrite(self._fd, data, self._end)
        except OSError:
            return False
        if done < len(data):
            return False
        self._end += len(data)
        self.kept += 1
        return True

    def held(self) -> list[bytes]:
        """See `Rescue`."""
        return list(self._records())

    def clear(self) -> None:
        """See `Rescue`."""
        self._begin(self._generation + 1)
        self._end, self.kept = _HEADER.size, 0

    def close(self) -> None:
        """What it holds stays for the next start."""
        os.close(self._fd)

    def _begin(self, generation: int) -> None:
        os.pwrite(self._fd, _HEADER.pack(_MAGIC, generation), 0)
        self._generation = generation

    def _records(self) -> Iterator[bytes]:
        """Up to the first that is not whole, or of another generation."""
        place = _HEADER.size
        while place + _FRAME.size <= self._size:
            length, checksum = _FRAME.unpack(os.pread(self._fd, _FRAME.size, place))
            if not length or place + _FRAME.size + length > self._size:
                return
            record = os.pread(self._fd, length, place + _FRAME.size)
            if self._checksum(record) != checksum:
                return
            yield record
            place += _FRAME.size + length

    def _checksum(self, record: bytes) -> int:
        return zlib.crc32(record, self._generation & 0xFFFFFFFF)
