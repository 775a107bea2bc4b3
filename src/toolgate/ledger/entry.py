"""The record of one call while the call lasts: opened first, closed on every way out. Decides nothing.

One line in the ledger for a call that is answered in one piece. Where events must be released before the
end, a `begin` line is written first, so that nothing is ever answered unrecorded, and an `end` line after.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Protocol

from toolgate.errors import INTERNAL_ERROR, UPSTREAM_FAILED, UPSTREAM_TIMEOUT, Refusal
from toolgate.ledger.marks import new_id, timestamp
from toolgate.ledger.values import Describe, Disguise
from toolgate.model import Call, Decision, Hold, Outcome, Principal, Promise, Record, Session, Target
from toolgate.ports import Ledger

_log = logging.getLogger("toolgate.incident")

Count = Callable[[Record], None]
"""Called with each finished record: metrics are readers of the record."""


class Lease(Protocol):
    """Counts who still needs a world."""

    def take(self) -> None:
        """One more."""
        ...

    def give_back(self) -> None:
        """One less."""
        ...


class Hop(Protocol):
    """What an entry needs to know of a message to a server."""

    @property
    def crossed(self) -> str | None:
        """The server's revision where it is of the other kind than the client's."""
        ...


class World(Protocol):
    """What an entry needs to know of the snapshot its call sees."""

    @property
    def version(self) -> str:
        """Its content hash."""
        ...

    @property
    def lease(self) -> Lease:
        """Held until the record is closed, so that what the call uses is not stopped under it."""
        ...


class Book:
    """Opens entries."""

    def __init__(
        self, ledger: Ledger, describe: Describe, count: Count, disguise: Disguise | None = None
    ) -> None:
        """`describe` puts a call's arguments into its record, as the config wants them; `disguise`, where there
        is one, a pseudonym in the place of the person."""
        self.ledger = ledger
        self.describe = describe
        self.disguise = disguise
        self._count = count

    def open(self, call: Call, world: "World") -> "Entry":
        """The entry of a call that just came in and will see `world` until it ends."""
        now = time.time()
        record = Record(
            id=new_id(now),
            ts=timestamp(now),
            method=call.method,
            revision=call.revision,
            door=call.door,
            client_ip=call.client_ip,
            request_bytes=len(call.body),
            config=world.version,
        )
        return Entry(record, self, world.lease)

    def write(self, record: Record) -> Promise:
        """Count and append."""
        self._count(record)
        return self.ledger.append(record)


class Entry:
    """One call's record. Use as an async context manager: an exception that leaves it closes it."""

    def __init__(self, record: Record, book: Book, lease: Lease) -> None:
        self.record = record
        self._book = book
        self._lease = lease
        lease.take()
        self._started = time.perf_counter()
        self._upstream_started = 0.0
        self._begun = False
        self._closed = False
        self._after: tuple[Callable[[], object], ...] = ()
        self._hops: list[Hop] = []
        self._hold: Hold | None = None
        self.handed_over = False
        """True once a stream has taken over closing it."""

    def then(self, act: Callable[[], object]) -> None:
        """Do this when the record is closed."""
        self._after += (act,)

    def identified(self, principal: Principal, session: Session | None) -> None:
        """Who calls."""
        record = self.record
        record.auth = principal.method
        record.principal = principal.id
        record.agent = principal.agent
        record.user = principal.user
        record.tenant = principal.tenant
        record.actors = principal.actors
        record.roles = principal.roles
        record.scopes = principal.scopes
        record.tags = principal.tags
        record.task = principal.task.id if principal.task is not None else None
        record.asserted_task = principal.asserted_task
        record.session = session.id if session is not None else None
        if self._book.disguise is not None:
            self._book.disguise(record)

    def aimed(self, target: Target) -> None:
        """What at."""
        self.record.kind = target.kind
        self.record.server = target.server
        self.record.target = target.name or None

    def decided(self, decision: Decision, arguments: Any) -> None:
        """What policy said, and of which arguments."""
        record = self.record
        record.decision = decision.effect
        record.rule = decision.rule
        record.reason = decision.reason
        record.policy = decision.policy
        record.condition_errors = decision.errors
        if decision.hold is not None:
            self._hold = decision.hold
            record.totals = decision.hold.counted
        if arguments is not None:
            self._book.describe(record, arguments)

    def sent(self) -> None:
        """The upstream's time starts."""
        self._upstream_started = time.perf_counter()

    def by(self, hop: Hop) -> None:
        """A message to a server on behalf of this call: what it crosses is known when it is answered."""
        self._hops.append(hop)

    async def begin(self) -> None:
        """Write the first of two lines: what follows is released before its end is known."""
        self._begun = True
        record = _copy(self.record)
        record.event = "begin"
        await self._book.ledger.append(record)

    def close(
        self, outcome: Outcome, *, code: int | None = None, detail: str | None = None, size: int = 0
    ) -> Promise:
        """Write the record. Who waits for no answer need not wait for this."""
        self._closed = True
        record = self.record
        now = time.perf_counter()
        record.event = "end" if self._begun else "call"
        for hop in self._hops:
            if hop.crossed is not None:
                record.upstream_revision = hop.crossed
        record.outcome = outcome
        record.code = code
        if detail is not None:
            record.detail = detail
        if self._upstream_started:
            record.upstream_us = int((now - self._upstream_started) * 1e6)
        record.total_us = int((now - self._started) * 1e6)
        record.response_bytes = size
        if self._hold is not None and _did_nothing(outcome, code):
            self._hold.give_back()
            record.totals = None
        for act in self._after:
            act()
        self._lease.give_back()
        return self._book.write(record)

    async def __aenter__(self) -> "Entry":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None or self.handed_over:
            return
        await self.failed(error)

    async def failed(self, error: BaseException) -> None:
        """Close for an error that ends the call, unless its record is written: then the client left at the last
        message. A bug gets an incident id and becomes a `Refusal` with it."""
        if self._closed:
            return
        if isinstance(error, Refusal):
            await self.close(Outcome.REFUSED, code=error.code, detail=error.reason)
        elif isinstance(error, asyncio.CancelledError) and error.args and isinstance(error.args[0], Refusal):
            # We ended it, and the reason came with the cancellation.
            outcome = Outcome.CUT if self._begun else Outcome.REFUSED
            await self.close(outcome, code=error.args[0].code, detail=error.args[0].reason)
        elif isinstance(error, asyncio.CancelledError | GeneratorExit):
            # Nobody waits any more; the record is in the writer's hands already.
            self.close(Outcome.CANCELLED if not self._begun else Outcome.CUT)
        else:
            self.record.incident = self.record.id
            _log.error("incident %s", self.record.id, exc_info=error)
            await self.close(Outcome.BUG, code=INTERNAL_ERROR, detail=repr(error))
            text = f"Internal error. Incident {self.record.id}."
            raise Refusal("bug", "internal_error", text, code=INTERNAL_ERROR, status=200) from error


def _did_nothing(outcome: Outcome, code: int | None) -> bool:
    """Whether the server can be trusted to have done nothing: it said so, or never had the call."""
    if outcome is Outcome.REFUSED:
        # The server may have done it, and its answer was lost or came too late.
        return code not in (UPSTREAM_FAILED, UPSTREAM_TIMEOUT)
    return outcome in (Outcome.ERROR, Outcome.TOOL_ERROR)


def _copy(record: Record) -> Record:
    return Record(**{field: getattr(record, field) for field in Record.__struct_fields__})
