"""Messages as lines, on standard output or in files that follow one another."""

import asyncio
import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from stat import S_ISREG

from toolgate.ports import Message, Undelivered

_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC


class Lines:
    """One line a message. Meets `ports.Sink`."""

    def __init__(self, write: Callable[[bytes], None], close: Callable[[], None]) -> None:
        """`write` returns when the receiver has it; it may block."""
        self._write = write
        self._close = close
        self._thread = ThreadPoolExecutor(1, "sink")
        self._job: asyncio.Future[None] | None = None

    async def deliver(self, batch: Sequence[Message]) -> None:
        """See `ports.Sink`."""
        if self._job and not self._job.done():
            raise Undelivered("a former write has not come back")
        data = b"".join(message.body + b"\n" for message in batch)
        self._job = asyncio.get_running_loop().run_in_executor(self._thread, self._write, data)
        try:
            await asyncio.shield(self._job)
        except OSError as problem:
            raise Undelivered(f"cannot be written: {problem.strerror}") from problem

    async def aclose(self) -> None:
        """See `ports.Sink`. A write that never comes back is left to the end of the process."""
        self._thread.shutdown(wait=False)
        if self._job is None or self._job.done():
            self._close()


class Files:
    """A file that gives way to a fresh one at `limit` bytes; `keep` former ones stay, `.1` the youngest."""

    def __init__(self, path: Path, limit: int, keep: int) -> None:
        self._path = path
        self._limit = limit
        self._keep = keep
        self._fd = -1
        self._regular = True
        """A pipe or a device has nothing to flush, nor lines that a crash could have torn."""

    def write(self, data: bytes) -> None:
        """All of it, on the disk where it is a file.

        Raises `OSError`; then what a part of it left is cut off at the next try.
        """
        if self._fd >= 0 and not self._in_place():
            self.close()
        if self._fd < 0:
            self._open()
        if os.fstat(self._fd).st_size >= self._limit > 0:
            self._rotate()
        try:
            done = os.write(self._fd, data)
            while done < len(data):
                done += os.write(self._fd, memoryview(data)[done:])
            if self._regular:
                os.fdatasync(self._fd)
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        """No more writes."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _in_place(self) -> bool:
        """Whether the open file still bears its name: others move and remove log files, too."""
        try:
            return os.path.samestat(os.fstat(self._fd), self._path.stat())
        except OSError:
            return False

    def _open(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._fd = os.open(self._path, _FLAGS, 0o600)
        self._regular = S_ISREG(os.fstat(self._fd).st_mode)
        if self._regular:
            _cut_torn_line(self._path, self._fd)

    def _rotate(self) -> None:
        self.close()
        for number in range(self._keep - 1, 0, -1):
            former = self._numbered(number)
            if former.exists():
                former.rename(self._numbered(number + 1))
        if self._keep:
            self._path.rename(self._numbered(1))
        else:
            self._path.unlink()
        self._open()

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")


def standard_output(data: bytes) -> None:
    """Write to this process's standard output. Raises `OSError`."""
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def _cut_torn_line(path: Path, fd: int) -> None:
    """What a crash left of a line was never acknowledged: it comes again."""
    end = size = os.fstat(fd).st_size
    block = 64 * 1024
    with path.open("rb") as file:
        while end:
            start = max(0, end - block)
            file.seek(start)
            newline = file.read(end - start).rfind(b"\n")
            if newline >= 0:
                end = start + newline + 1
                break
            end = start
    if end < size:
        os.ftruncate(fd, end)
