"""Carries what the ledger records to one sink: in order, at least once, from where it stopped.

The cursor moves when the sink has a batch; until then it is tried again, slower and slower. What the receiver
refuses is found one by one and put into a file of dead letters. The ledger never waits for any of it.
"""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from toolgate.errors import Refusal
from toolgate.ledger.follow import Follower, Gone
from toolgate.ledger.reading import recorded
from toolgate.ports import Message, Recorded, Shape, Sink, Undelivered
from toolgate.sinks.cursor import Cursor, DeadLetters

_log = logging.getLogger("toolgate.sinks")

BATCH = 500
"""Messages of one delivery."""
BATCH_BYTES = 1024 * 1024
PAUSE_SECONDS = 0.2
"""How long records gather between two deliveries, unless a whole batch waits."""
SECONDS = 30.0
"""What one delivery may take."""
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 30.0
LOST_AFTER = 3
"""Failures in a row after which a sink counts as lost, and the ledger is told."""
LAST_SECONDS = 5.0
"""How long a stopping gateway tries to deliver the rest."""

_AT_ONCE = 32
"""Records shaped between two breaths, so that the loop never waits long for the interpreter."""

Tell = Callable[[str, str], Awaitable[None]]
"""Told of a sink that was lost or is back, with a detail, for the ledger."""


class _Stopped(Exception):
    """The gateway stops while nothing gets through."""


class Delivery:
    """One sink and its place in the ledger."""

    def __init__(
        self,
        name: str,
        sink: Sink,
        shape: Shape,
        *,
        folder: Path,
        head: Callable[[], int],
        beginning: bool,
        tell: Tell,
    ) -> None:
        """`folder` is the ledger's, and claimed. A sink without cursor starts with what is recorded from now
        on, or at the `beginning`. Raises `OSError`, and `ValueError` for a cursor that is none."""
        self.name = name
        self.delivered = 0
        self.failed = 0
        """Deliveries that did not arrive, each try counted."""
        self.problem: str | None = None
        """Why nothing gets through at the moment; None while all is well."""
        self._sink = sink
        self._shape = shape
        self._head = head
        self._tell = tell
        self._cursor = Cursor(folder, name, None if beginning else head())
        self._dead = DeadLetters(folder, name)
        if self._cursor.seq > head():
            # A power cut took records back that the sink had got already (`durability: os`).
            _log.warning("sink '%s' has more than the ledger; it goes on from its end", name)
            self._cursor.move(head())
        self._follower = Follower(folder, self._cursor.seq)
        self._failures = 0
        self._stopping = asyncio.Event()
        self._random = random.Random()  # noqa: S311 - spreads tries, no secret

    @property
    def lag(self) -> int:
        """Records that the sink has not got yet."""
        return self._head() - self._cursor.seq

    @property
    def dead_letters(self) -> int:
        """Messages that the receiver refused, since the start of this process."""
        return self._dead.count

    async def run(self) -> None:
        """Deliver until stopped; then what is there, for a few seconds."""
        try:
            while not self._stopping.is_set():
                await self._step()
                # A little later there are more of them, and a delivery costs the same for one as for many.
                if self.lag < BATCH:
                    await self._pause(PAUSE_SECONDS)
            async with asyncio.timeout(LAST_SECONDS):
                while await self._step():
                    pass
        except (_Stopped, TimeoutError):
            _log.warning("sink '%s' is %d records behind; it goes on at the next start", self.name, self.lag)
        except Gone as problem:
            self.problem = str(problem)
            _log.error("sink '%s' stands still: %s", self.name, problem)
            await self._announce("sink/lost", str(problem))
        finally:
            self._follower.close()
            await self._sink.aclose()

    def stop(self) -> None:
        """End `run` soon."""
        self._stopping.set()

    async def _step(self) -> bool:
        """One batch. False where there is nothing to do."""
        try:
            end, messages = await asyncio.to_thread(self._read)
        except OSError as problem:
            await self._wait(f"the ledger cannot be read: {problem.strerror}")
            return True
        if end == self._cursor.seq:
            return False
        for at in range(0, len(messages), BATCH):
            await self._deliver(messages[at : at + BATCH])
        await self._until_kept(lambda: self._cursor.move(end))
        return True

    def _read(self) -> tuple[int, list[Message]]:
        lines = self._follower.read(self._head(), BATCH_BYTES)
        messages = []
        for at, line in enumerate(lines, 1):
            found = recorded(line)
            if found is None:
                number = self._cursor.seq + at
                _log.error(
                    "sink '%s': record %d is damaged and was left out; verify the ledger", self.name, number
                )
                continue
            message = self._message(found)
            if message is not None:
                messages.append(message)
            if at % _AT_ONCE == 0:
                time.sleep(0.0005)
        return self._follower.seq, messages

    def _message(self, found: Recorded) -> Message | None:
        body = self._shape(found)
        return None if body is None else Message(found.seq, found.hash[:32], body)

    async def _deliver(self, batch: Sequence[Message]) -> None:
        """Until it is delivered, or dead."""
        while batch:
            try:
                async with asyncio.timeout(SECONDS):
                    await self._sink.deliver(batch)
            except Undelivered as problem:
                if problem.refused:
                    await self._divide(batch, problem)
                    return
                await self._wait(str(problem))
            except TimeoutError:
                await self._wait(f"the receiver took more than {SECONDS:g} s")
            else:
                self.delivered += len(batch)
                await self._came_back()
                return

    async def _divide(self, batch: Sequence[Message], problem: Undelivered) -> None:
        """One bad message must not hold up the others: halves, and their halves, until it stands alone."""
        if len(batch) > 1:
            middle = len(batch) // 2
            await self._deliver(batch[:middle])
            await self._deliver(batch[middle:])
            return
        _log.warning("sink '%s' refuses record %d: %s", self.name, batch[0].seq, problem)
        letter = batch[0]
        await self._until_kept(lambda: self._dead.add(letter, str(problem)))

    async def _until_kept(self, keep: Callable[[], bool]) -> None:
        while True:
            try:
                if await asyncio.to_thread(keep):
                    return
                text = "its dead letters have reached their bound"
            except OSError as problem:
                text = f"its place in the ledger cannot be kept: {problem.strerror}"
            await self._wait(text)

    async def _wait(self, problem: str) -> None:
        self.failed += 1
        self._failures += 1
        self.problem = problem
        if self._failures == LOST_AFTER:
            _log.error("sink '%s' is lost: %s; it is tried on", self.name, problem)
            await self._announce("sink/lost", problem)
        if self._stopping.is_set():
            raise _Stopped
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(self._failures, 20))
        await self._pause(pause * self._random.uniform(0.5, 1.0))

    async def _came_back(self) -> None:
        if self._failures >= LOST_AFTER:
            _log.warning("sink '%s' is back, %d records behind", self.name, self.lag)
            await self._announce("sink/back", f"{self.lag} records behind")
        self._failures, self.problem = 0, None

    async def _announce(self, what: str, detail: str) -> None:
        """In the ledger, which may be out of order itself just now: then the log alone tells of it."""
        with contextlib.suppress(Refusal):
            await self._tell(what, f"{self.name}: {detail}")

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
