"""Puts records into the ledger and says when they are safe. Knows nothing of calls, or of what is answered.

Durability `os`: what is appended in one turn of the event loop is written by one `os.write` before the loop
waits again, and its waiters are resolved right after it. That survives the end of the process by any means
(kill -9). A power cut, or a crash of the kernel, loses what was not flushed yet: left to itself the kernel
takes up to about 30 seconds, so a thread flushes once a second. That leaves about the last second, more on
a disk that is slower.

Durability `disk`: a thread writes and flushes (`fdatasync`) what gathered while it was busy with the batch
before, and the waiters are resolved after it. That survives a power cut, as far as the disk tells the
truth.

Nothing is called safe that is not. Where writing fails every waiter gets a `Refusal`, the writer is
`failed`, and it tries again with the next record and every second. The first line that gets through tells
of the outage.
"""

import asyncio
import os
import time
from collections.abc import Awaitable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Literal

from toolgate.errors import UNRECORDED, Refusal
from toolgate.ledger.acts import Outage, outage_over, torn_aside
from toolgate.ledger.chain import Head, encode
from toolgate.ledger.durability import Disk, Os, Way
from toolgate.ledger.folder import claim, unusable
from toolgate.ledger.recover import recover, unrecorded
from toolgate.ledger.tail import Tail
from toolgate.model import Record
from toolgate.ports import Clock

Waiter = asyncio.Future[None]
Batch = list[tuple[bytes, Waiter]]

MAX_PENDING_BYTES = 64 * 1024 * 1024
"""Encoded records that may wait, beside the bound on their number."""


class Writer:
    """The one writer of a ledger. Meets `ports.Ledger`; lives on the loop that calls `start`."""

    def __init__(
        self,
        folder: Path,
        *,
        durability: Literal["os", "disk"] = "os",
        segment_bytes: int = 64 * 1024 * 1024,
        backlog: int = 4096,
        pause: float = 1.0,
        deadline: float = 10.0,
        clock: Clock = time.time,
    ) -> None:
        """A segment is closed at `segment_bytes`; `backlog` records may wait. `pause` (seconds) lies between
        flushes (`os`) and between new tries; a write that takes `deadline` seconds has failed."""
        self._folder = folder
        self._durability = durability
        self._segment_bytes = segment_bytes
        self._backlog = backlog
        self._pause = pause
        self._deadline = deadline
        self._clock = clock
        self._pending: Batch = []
        self._bytes = 0
        self._planned = False
        self._outage: Outage | None = None
        self._retry: asyncio.TimerHandle | None = None
        self._open = False

    @property
    def failed(self) -> str | None:
        """Why records cannot be written at the moment; None while all is well."""
        return self._outage.reason if self._outage else None

    @property
    def head(self) -> Head:
        """The last record written. Noted elsewhere, it lets a cut at the end of the ledger be found."""
        return self._tail.head

    def start(self) -> None:
        """Claim the folder, find where the ledger ended, tell of a torn line. Call it on the running loop.

        Reads the last segment whole. Raises `ConfigError` where the folder cannot be claimed, read or
        written, or a line of that segment is damaged.
        """
        self._loop = asyncio.get_running_loop()
        with ExitStack() as undo:
            self._lock = claim(self._folder)
            undo.callback(os.close, self._lock)
            self._tail = self._reopen()
            undo.pop_all()
        self._way = self._chosen_way()
        self._open = True

    def append(self, record: Record) -> Awaitable[None]:
        """Take the record as it is now. The answer resolves once the record is safe, or raises `Refusal`.

        The record is on its way when this returns; awaiting the answer is for those who want to know.
        """
        waiter: Waiter = self._loop.create_future()
        try:
            data = encode(record)
        except ValueError as problem:
            _refuse(waiter, str(problem))
            return waiter
        obstacle = self._obstacle(len(data))
        if obstacle:
            _refuse(waiter, obstacle)
            return waiter
        self._pending.append((data, waiter))
        self._bytes += len(data)
        if not self._planned:
            self._planned = True
            self._loop.call_soon(self._flush)
        return waiter

    async def aclose(self) -> None:
        """Write what is pending, flush, give the folder back. Later records are refused. Waits at most
        a few deadlines; where the disk does not answer, the folder stays claimed until the process ends."""
        if not self._open:
            return
        self._open = False
        self._flush()
        while self._way.busy and self._pending:
            await asyncio.wait([waiter for _, waiter in self._pending], timeout=self._deadline)
        if self._retry:
            self._retry.cancel()
        if await self._way.aclose():
            self._tail.close()
            os.close(self._lock)

    def _reopen(self) -> Tail:
        try:
            found = recover(self._folder)
            torn = [torn_aside(one, self._clock()) for one in unrecorded(self._folder, found.head)]
            tail = Tail(found, self._segment_bytes)
            if torn:
                tail.write([encode(record) for record in torn], durable=True)
        except OSError as problem:
            raise unusable(self._folder, f"cannot be used as ledger: {problem.strerror}.") from problem
        return tail

    def _chosen_way(self) -> Way:
        if self._durability == "disk":
            return Disk(self._tail, self._deadline)
        return Os(self._tail, self._pause, self._deadline, partial(self._settle, []))

    def _obstacle(self, size: int) -> str | None:
        """Why a record of `size` bytes cannot even wait."""
        if not self._open:
            return "the ledger is closed"
        if self._outage and self._way.busy:
            self._outage.refused += 1
            return self._outage.reason
        if len(self._pending) >= self._backlog or self._bytes + size > MAX_PENDING_BYTES:
            return "too many records are waiting for the ledger"
        return None

    def _flush(self) -> None:
        """Hand over what is pending; during an outage, behind the record that tells of it."""
        self._planned = False
        if self._way.busy or not (self._pending or self._outage):
            return
        batch, self._pending, self._bytes = self._pending, [], 0
        records = [data for data, _ in batch]
        if self._outage:
            records.insert(0, encode(outage_over(self._outage, self._clock())))
        self._way.write(records, partial(self._settle, batch))

    def _settle(self, batch: Batch, problem: Exception | None) -> None:
        """Tell those who wait how their batch ended."""
        if problem:
            self._fail(batch, str(problem))
        else:
            self._outage = None
            for _, waiter in batch:
                if not waiter.done():
                    waiter.set_result(None)
        if self._pending:
            self._flush()

    def _fail(self, batch: Batch, reason: str) -> None:
        if self._way.busy:  # Stuck: who waits behind it would wait for nothing.
            batch, self._pending, self._bytes = batch + self._pending, [], 0
        self._outage = self._outage or Outage(self._clock(), reason)
        self._outage.refused += len(batch)
        for _, waiter in batch:
            _refuse(waiter, reason)
        self._plan_retry()

    def _plan_retry(self) -> None:
        if self._outage and not self._retry and self._open:
            self._retry = self._loop.call_later(self._pause, self._try_again)

    def _try_again(self) -> None:
        self._retry = None
        self._flush()
        self._plan_retry()


def _refuse(waiter: Waiter, reason: str) -> None:
    if waiter.done():
        return
    text = "This call could not be recorded, so it is not answered."
    waiter.set_exception(
        Refusal("ledger", "ledger_unavailable", text, code=UNRECORDED, status=503, reason=reason)
    )
    waiter.exception()  # Seen: whoever does not wait for it must not be warned of it.
