"""The sessions at a server that the gateway keeps for clients that have none: who gets which. Knows no call.

A line belongs to one principal and one set of capabilities, since servers with sessions do by those what they
would do by the caller (E32). Lines are bounded, used again by the calls of that caller, and end when nobody
used them for a while. Calls whose server may ask their client get lines of their own as long as there are some:
a server's question that names no call is then still of one call only.
"""

import asyncio
from collections.abc import Iterator

from toolgate.errors import Refusal
from toolgate.model import Principal
from toolgate.ports import Upstream
from toolgate.protocol.to_sessions import Request
from toolgate.upstreams.line import Hear, Key, Line

MAX_LINES = 10_000
"""At one server, whoever they belong to."""
MAX_OF_PRINCIPAL = 32
"""Of one principal at one server."""
MAX_APART = 8
"""Of one principal with the same capabilities."""
IDLE_SECONDS = 600.0

_SWEEP_SECONDS = 30.0


class Lines:
    """The lines to one server; `hear` is told what the server says outside of calls."""

    def __init__(self, server: Upstream, numbers: Iterator[int], hear: Hear) -> None:
        self._server = server
        self._numbers = numbers
        self._hear = hear
        self._lines: dict[Key, list[Line]] = {}
        self._pending: dict[Key, list[asyncio.Task[Line]]] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._sweep: asyncio.TimerHandle | None = None

    async def take(self, principal: Principal, request: Request, *, apart: bool = False) -> Line:
        """A line for a call, opened where there is none; it stays until `give_back`. Raises `Refusal`.

        `apart` asks for one that no other call uses, and gets it within bounds.
        """
        key = (principal.id, request.capabilities)
        line = self._usable(key, apart=apart)
        if line is None:
            line = await asyncio.shield(self._opening(key, principal, request))
        line.users += 1
        return line

    def give_back(self, line: Line) -> None:
        """The call is over."""
        line.users -= 1
        line.used = asyncio.get_running_loop().time()

    async def aclose(self) -> None:
        """Keep none any more. The server is stopped by whoever started it."""
        if self._sweep is not None:
            self._sweep.cancel()
        for line in self._all():
            line.close()
        tasks = [*self._ending, *(task for tasks in self._pending.values() for task in tasks)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._lines.clear()

    def _usable(self, key: Key, *, apart: bool) -> Line | None:
        lines = self._lines.get(key, [])
        if not lines:
            return None
        # The first come first, so that the others get a chance to end.
        line = next((line for line in lines if not line.users), None)
        if line is not None or not apart or not lines[0].may_ask:
            return line or lines[0]
        if len(lines) + len(self._pending.get(key, ())) < MAX_APART:
            return None
        return min(lines, key=lambda line: line.users)

    def _opening(self, key: Key, principal: Principal, request: Request) -> asyncio.Task[Line]:
        # Calls that come together share the first handshake, and none of them ends it by leaving.
        pending = self._pending.setdefault(key, [])
        if pending and key not in self._lines:
            return pending[0]
        self._make_room(principal)
        line = Line(self._server, key, principal, request, self._numbers, self._hear)
        task = asyncio.create_task(_opened(line))
        pending.append(task)
        task.add_done_callback(lambda task: self._settle(key, task))
        return task

    def _settle(self, key: Key, task: asyncio.Task[Line]) -> None:
        self._pending[key].remove(task)
        if not self._pending[key]:
            del self._pending[key]
        if task.cancelled() or task.exception() is not None:
            return
        loop = asyncio.get_running_loop()
        line = task.result()
        line.used = loop.time()
        self._lines.setdefault(key, []).append(line)
        if self._sweep is None:
            self._sweep = loop.call_later(_SWEEP_SECONDS, self._end_idle)

    def _all(self) -> list[Line]:
        return [line for lines in self._lines.values() for line in lines]

    def _make_room(self, principal: Principal) -> None:
        lines = self._all()
        mine = [line for line in lines if line.principal.id == principal.id]
        if len(mine) >= MAX_OF_PRINCIPAL:
            self._end_one_of(mine)
        elif len(lines) + len(self._pending) >= MAX_LINES:
            self._end_one_of(lines)

    def _end_one_of(self, lines: list[Line]) -> None:
        idle = [line for line in lines if not line.users]
        if not idle:
            raise Refusal.unavailable(f"{self._server.name}: too many sessions are in use")
        self._end(min(idle, key=lambda line: line.used))

    def _end_idle(self) -> None:
        loop = asyncio.get_running_loop()
        for line in self._all():
            if not line.users and loop.time() - line.used > IDLE_SECONDS:
                self._end(line)
        self._sweep = loop.call_later(_SWEEP_SECONDS, self._end_idle) if self._lines else None

    def _end(self, line: Line) -> None:
        self._lines[line.key].remove(line)
        if not self._lines[line.key]:
            del self._lines[line.key]
        task = asyncio.create_task(line.end(), context=line.context)
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)


async def _opened(line: Line) -> Line:
    await line.open()
    return line
