"""Puts records into the ledger and says when they are safe. Knows nothing of calls, or of what is answered.

Durability `os`: what is appended in one turn of the event loop is written by one `os.write` before the loop
waits again, and whoever waits is told right after it. That survives the end of the process by any means
(kill -9). A power cut, or a crash of the kernel, loses what was not flushed yet: left to itself the kernel
takes up to about 30 seconds, so a thread flushes once a second. That leaves about the last second, more on
a disk that is slower.

Durability `disk`: a thread writes and flushes (`fdatasync`) what gathered while it was busy with the batch
before, and whoever waits is told after it. That survives a power cut, as far as the disk tells the
truth.

Nothing is called safe that is not. Where writing fails the writer is `failed` and tries again with the next
record and every second; the first line that gets through tells of the outage. What becomes of records
meanwhile `rescue.py` says: by default everybody gets a `Refusal`. What was kept aside follows the record
of the outage, before anything newer.
"""

import asyncio
import logging
import os
import time
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Literal

from toolgate.errors import UNRECORDED, Refusal
from toolgate.ledger.acts import Outage, outage_over, torn_aside
from toolgate.ledger.chain import Head, encode, parse, record_of
from toolgate.ledger.durability import Disk, Os, Way
from toolgate.ledger.folder import claim, unusable
from toolgate.ledger.promise import Promise
from toolgate.ledger.recover import recover, unrecorded
from toolgate.ledger.rescue import Allow, Deny, Rescue, Spool
from toolgate.ledger.segments import SPOOL, backward, segments
from toolgate.ledger.tail import Tail
from toolgate.model import Record
from toolgate.ports import Clock

_log = logging.getLogger("toolgate.ledger")

Batch = list[tuple[bytes, Promise]]

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
        on_failure: Literal["deny", "spool", "allow"] = "deny",
        spool_bytes: int = 16 * 1024 * 1024,
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
        self._on_failure = on_failure
        self._spool_bytes = spool_bytes
        self._rescue: Rescue = Deny()
        self._lost_before = 0
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
    def answering(self) -> bool:
        """Whether calls are answered: also in an outage, where the config and the room left allow it."""
        return self._outage is None or not self._outage.refused or self._on_failure == "allow"

    @property
    def kept(self) -> int:
        """Records kept aside until the ledger can be written again."""
        return self._rescue.kept

    @property
    def lost(self) -> int:
        """Calls answered unrecorded since the start, where the config says so."""
        return self._rescue.lost

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
            spool = self._spool()
            if spool:
                undo.callback(spool.close)
            self._tail = self._reopen(spool)
            undo.pop_all()
        self._rescue = self._chosen_rescue(spool)
        self._way = self._chosen_way()
        self._open = True

    def append(self, record: Record) -> Promise:
        """Take the record as it is now. The answer resolves once the record is safe, or raises `Refusal`.

        The record is on its way when this returns; awaiting the answer is for those who want to know.
        """
        recorded = Promise()
        try:
            data = encode(record)
        except ValueError as problem:
            recorded.settle(_refusal(str(problem)))
            return recorded
        if self._outage and self._open and (self._way.busy or self._rescue.kept):
            self._turn_away([(data, recorded)], self._outage)
            return recorded
        obstacle = self._obstacle(len(data))
        if obstacle:
            recorded.settle(_refusal(obstacle))
            return recorded
        self._pending.append((data, recorded))
        self._bytes += len(data)
        if not self._planned:
            self._planned = True
            self._loop.call_soon(self._flush)
        return recorded

    async def aclose(self) -> None:
        """Write what is pending, flush, give the folder back. Later records are refused. Waits at most
        a few deadlines; where the disk does not answer, the folder stays claimed until the process ends."""
        if not self._open:
            return
        self._open = False
        self._flush()
        while self._way.busy and self._pending:
            _, last = self._pending[-1]
            with suppress(TimeoutError, Refusal):
                await asyncio.wait_for(last, self._deadline)
        if self._retry:
            self._retry.cancel()
        if await self._way.aclose():
            self._tail.close()
            if isinstance(self._rescue, Spool):
                self._rescue.close()
            os.close(self._lock)

    def _spool(self) -> Spool | None:
        """The spool, also where it is not wanted any more but there is one: it may hold something."""
        try:
            if self._on_failure == "spool" or (self._folder / SPOOL).exists():
                return Spool(self._folder, self._spool_bytes)
        except OSError as problem:
            text = f"has no room for a spool of {self._spool_bytes} bytes: {problem.strerror}."
            raise unusable(self._folder, text, "Free some, or set ledger.on_failure.") from problem
        return None

    def _chosen_rescue(self, spool: Spool | None) -> Rescue:
        if spool and self._on_failure == "spool":
            return spool
        if spool:
            spool.close()
            (self._folder / SPOOL).unlink()
        return Allow() if self._on_failure == "allow" else Deny()

    def _reopen(self, spool: Spool | None) -> Tail:
        try:
            found = recover(self._folder)
            torn = [torn_aside(one, self._clock()) for one in unrecorded(self._folder, found.head)]
            tail = Tail(found, self._segment_bytes)
            if torn:
                tail.write([encode(record) for record in torn], durable=True)
            if spool:
                self._take_up(spool, tail)
        except OSError as problem:
            raise unusable(self._folder, f"cannot be used as ledger: {problem.strerror}.") from problem
        return tail

    def _take_up(self, spool: Spool, tail: Tail) -> None:
        """A process ended in an outage: what it kept aside goes into the ledger before anything else."""
        held = spool.held()
        if not held:
            return
        if not _ends_with(self._folder, held):
            told = Outage(self._clock(), "the gateway ended in an outage", kept=len(held))
            tail.write([encode(outage_over(told, self._clock())), *held], durable=True)
        spool.clear()

    def _chosen_way(self) -> Way:
        if self._durability == "disk":
            return Disk(self._tail, self._deadline)
        return Os(self._tail, self._pause, self._deadline, partial(self._settle, []))

    def _obstacle(self, size: int) -> str | None:
        """Why a record of `size` bytes cannot even wait."""
        if not self._open:
            return "the ledger is closed"
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
            self._outage.kept = self._rescue.kept
            self._outage.lost = self._rescue.lost - self._lost_before
            records.insert(0, encode(outage_over(self._outage, self._clock())))
        self._way.write(records, partial(self._settle, batch))

    def _drain(self) -> None:
        """What was kept aside goes before anything newer."""
        try:
            held = self._rescue.held()
        except OSError as problem:
            self._fail([], f"the spool cannot be read: {problem.strerror}")
        else:
            self._way.write(held, self._drained)

    def _drained(self, problem: Exception | None) -> None:
        if problem is None:
            try:
                self._rescue.clear()
            except OSError as fault:
                problem = fault
        self._settle([], problem)

    def _settle(self, batch: Batch, problem: Exception | None) -> None:
        """Tell those who wait how their batch ended."""
        if problem:
            self._fail(batch, str(problem))
        else:
            self._over()
            for _, recorded in batch:
                recorded.settle(None)
            if self._rescue.kept:
                self._drain()
                return
        if self._pending:
            self._flush()

    def _over(self) -> None:
        if self._outage:
            _log.warning("records are written again")
            self._outage = None

    def _fail(self, batch: Batch, reason: str) -> None:
        if self._way.busy:  # Stuck: who waits behind it would wait for nothing.
            batch, self._pending, self._bytes = batch + self._pending, [], 0
        if self._outage is None:
            self._outage = Outage(self._clock(), reason)
            self._lost_before = self._rescue.lost
            _log.error("records cannot be written: %s; calls without a record: %s", reason, self._on_failure)
        self._turn_away(batch, self._outage)
        self._plan_retry()

    def _turn_away(self, batch: Batch, outage: Outage) -> None:
        """What could not be written: its caller is answered where the way chosen for this allows it."""
        for data, recorded in batch:
            if self._rescue.take(data):
                recorded.settle(None)
            else:
                outage.refused += 1
                recorded.settle(_refusal(outage.reason))

    def _plan_retry(self) -> None:
        if self._outage and not self._retry and self._open:
            self._retry = self._loop.call_later(self._pause, self._try_again)

    def _try_again(self) -> None:
        self._retry = None
        self._flush()
        self._plan_retry()


def _ends_with(folder: Path, records: list[bytes]) -> bool:
    """Whether these were written already, and only the spool not cleared any more."""
    last = next((line for segment in reversed(segments(folder)) for line in backward(segment.path)), b"")
    return parse(last) is not None and record_of(last) == records[-1]


def _refusal(reason: str) -> Refusal:
    text = "This call could not be recorded, so it is not answered."
    return Refusal("ledger", "ledger_unavailable", text, code=UNRECORDED, status=503, reason=reason)
