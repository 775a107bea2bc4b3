"""Sessions that the gateway keeps at a server for clients that have none. Knows no call.

A line belongs to one principal and one set of capabilities, since servers with sessions do by those what they
would do by the caller (E32). Lines are bounded, shared by the calls of that caller, and end when nobody used
them for a while.
"""

import asyncio
import secrets
from collections.abc import Hashable

import msgspec

from toolgate.errors import Refusal
from toolgate.model import Principal, Session
from toolgate.ports import Upstream
from toolgate.protocol import bridge, jsonrpc, to_sessions, versions

MAX_LINES = 10_000
"""At one server, whoever they belong to."""
MAX_OF_PRINCIPAL = 16
"""Of one principal at one server: more sets of capabilities than any honest client has."""
IDLE_SECONDS = 600.0

_SWEEP_SECONDS = 30.0
_UNKNOWN = {"name": "unknown", "version": "0"}


class Line:
    """One session at a server."""

    def __init__(self, key: Hashable, principal: Principal, request: to_sessions.Request) -> None:
        self.key = key
        self.principal = principal
        self.capabilities = to_sessions.declared(request.capabilities)
        self.level: int | None = None
        """The least log message that the server was told to send."""
        self.session: Session
        self.users = 0
        self.used = 0.0
        self._client = msgspec.json.decode(request.client) if request.client else _UNKNOWN
        self._lock = asyncio.Lock()

    async def open(self, server: Upstream, lost: Session | None = None) -> None:
        """Shake hands, unless somebody did since the session `lost` was lost. Raises `Refusal`."""
        async with self._lock:
            if lost is not None and self.session is not lost:
                return
            session = Session(
                id="line-" + secrets.token_urlsafe(12),
                principal=self.principal.id,
                revision=versions.LATEST_LEGACY,
                capabilities=self.capabilities,
                client=self._client,
                expires=float("inf"),
            )
            opened = await server.initialize(session, self.principal)
            said = bridge.fields(opened.result)
            self.session = session
            self.level = None
            self.initialized = opened.result
            self.revision = jsonrpc.text(said.get("protocolVersion")) or versions.LATEST_LEGACY
            self.offers = frozenset(bridge.fields(said.get("capabilities", msgspec.Raw(b"{}"))))


class Lines:
    """The lines to one server."""

    def __init__(self, server: Upstream) -> None:
        self._server = server
        self._lines: dict[Hashable, Line] = {}
        self._pending: dict[Hashable, asyncio.Task[Line]] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._sweep: asyncio.TimerHandle | None = None

    async def take(self, principal: Principal, request: to_sessions.Request) -> Line:
        """The line for a call, opened where there is none; it stays until `give_back`. Raises `Refusal`."""
        key = (principal.id, request.capabilities)
        line = self._lines.get(key)
        if line is None:
            line = await self._opened(key, principal, request)
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
        tasks = [*self._pending.values(), *self._ending]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._lines.clear()

    async def _opened(self, key: Hashable, principal: Principal, request: to_sessions.Request) -> Line:
        # Calls that come together share one handshake, and none of them ends it by leaving.
        pending = self._pending.get(key)
        if pending is None:
            self._make_room(principal)
            pending = asyncio.create_task(self._open(key, principal, request))
            self._pending[key] = pending
            pending.add_done_callback(lambda task: self._settle(key, task))
        return await asyncio.shield(pending)

    async def _open(self, key: Hashable, principal: Principal, request: to_sessions.Request) -> Line:
        line = Line(key, principal, request)
        await line.open(self._server)
        return line

    def _settle(self, key: Hashable, task: asyncio.Task[Line]) -> None:
        self._pending.pop(key, None)
        if task.cancelled() or task.exception() is not None:
            return
        loop = asyncio.get_running_loop()
        line = self._lines[key] = task.result()
        line.used = loop.time()
        if self._sweep is None:
            self._sweep = loop.call_later(_SWEEP_SECONDS, self._end_idle)

    def _make_room(self, principal: Principal) -> None:
        lines = self._lines.values()
        mine = [line for line in lines if line.principal.id == principal.id]
        if len(mine) >= MAX_OF_PRINCIPAL:
            self._end_one_of(mine)
        elif len(lines) + len(self._pending) >= MAX_LINES:
            self._end_one_of(list(lines))

    def _end_one_of(self, lines: list[Line]) -> None:
        idle = [line for line in lines if not line.users]
        if not idle:
            raise Refusal.unavailable(f"{self._server.name}: too many sessions are in use")
        self._end(min(idle, key=lambda line: line.used))

    def _end_idle(self) -> None:
        loop = asyncio.get_running_loop()
        for line in [line for line in self._lines.values() if not line.users]:
            if loop.time() - line.used > IDLE_SECONDS:
                self._end(line)
        self._sweep = loop.call_later(_SWEEP_SECONDS, self._end_idle) if self._lines else None

    def _end(self, line: Line) -> None:
        del self._lines[line.key]
        task = asyncio.create_task(self._server.forget(line.session, line.principal))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
