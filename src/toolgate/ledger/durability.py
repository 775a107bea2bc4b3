"""When a batch counts as safe: two ways to hand it to the tail. Knows nothing of records or who waits."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Protocol

from toolgate.ledger.tail import Tail

Done = Callable[[Exception | None], None]
"""Told once how a batch ended. None: it is as safe as the way promises."""


class Way(Protocol):
    """Hands batches to the tail, on the loop it was made on."""

    busy: bool
    """Whether a batch is under way; `write` must not be called then."""

    def write(self, records: Sequence[bytes], done: Done) -> None:
        """Write one batch, then call `done`."""
        ...

    async def aclose(self) -> bool:
        """Flush, then stop. False where a thread is stuck in the kernel and still holds the tail."""
        ...


class Os:
    """Safe once the kernel has it: written at once on the loop, flushed by a thread every `pause` seconds."""

    busy = False

    def __init__(self, tail: Tail, pause: float, deadline: float, alarm: Done) -> None:
        """`alarm` is told when a flush in the background failed."""
        self._tail = tail
        self._pause = pause
        self._deadline = deadline
        self._alarm = alarm
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, "ledger")
        self._timer: asyncio.TimerHandle | None = None
        self._job: asyncio.Future[None] | None = None
        self._unsynced = False

    def write(self, records: Sequence[bytes], done: Done) -> None:
        """See `Way`; `done` is called before this returns."""
        try:
            self._tail.write(records, durable=False)
        except Exception as problem:  # noqa: BLE001 - whatever it was, those who wait must be told.
            done(problem)
            return
        done(None)
        self._unsynced = True
        self._plan()

    async def aclose(self) -> bool:
        """See `Way`. A flush works on a descriptor of its own, so the tail is always free."""
        await self._flushed()
        if self._timer:
            self._timer.cancel()
            self._sync()
            await self._flushed()
        self._unsynced = False
        self._thread.shutdown(wait=False)
        return True

    async def _flushed(self) -> None:
        if self._job:
            await asyncio.wait({self._job}, timeout=self._deadline)

    def _plan(self) -> None:
        if self._unsynced and not self._timer and not self._job:
            self._timer = self._loop.call_later(self._pause, self._sync)

    def _sync(self) -> None:
        self._timer, self._unsynced = None, False
        try:
            syncer = self._tail.syncer()
        except OSError as problem:
            self._alarm(problem)
            return
        self._job = self._loop.run_in_executor(self._thread, syncer)
        self._job.add_done_callback(self._synced)

    def _synced(self, job: asyncio.Future[None]) -> None:
        self._job = None
        problem = job.exception()
        if isinstance(problem, Exception):
            self._tail.distrust()
            self._alarm(problem)
        self._plan()


class Disk:
    """Safe once the disk has it: a thread writes and flushes one batch while the next one gathers."""

    def __init__(self, tail: Tail, deadline: float) -> None:
        """A batch that takes longer than `deadline` seconds has failed, whatever becomes of it."""
        self.busy = False
        self._tail = tail
        self._deadline = deadline
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, "ledger")
        self._job: asyncio.Future[None] | None = None
        self._done: Done | None = None

    def write(self, records: Sequence[bytes], done: Done) -> None:
        """See `Way`; `done` is called from the loop, at the latest after the deadline."""
        self.busy = True
        self._done = done
        late = self._loop.call_later(self._deadline, self._tell, TimeoutError("the disk does not answer"))
        self._job = self._loop.run_in_executor(self._thread, partial(self._tail.write, records, durable=True))
        self._job.add_done_callback(partial(self._written, late))

    async def aclose(self) -> bool:
        """See `Way`."""
        if self.busy and self._job:
            await asyncio.wait({self._job}, timeout=self._deadline)
        self._thread.shutdown(wait=False)
        return not self.busy

    def _written(self, late: asyncio.TimerHandle, job: asyncio.Future[None]) -> None:
        late.cancel()
        self.busy = False
        problem = job.exception()
        assert problem is None or isinstance(problem, Exception)
        self._tell(problem)

    def _tell(self, problem: Exception | None) -> None:
        """Once a batch: after the deadline it may still reach the ledger, but nobody is told it did."""
        done, self._done = self._done, None
        if done:
            done(problem)
