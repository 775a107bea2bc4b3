"""The one place where a client's kind of protocol meets a server's. Carries nothing itself.

Calls of the server's own kind go straight to its transport; the others by `to_sessions.py` and `to_stateless.py`.
"""

from collections.abc import AsyncIterator, Coroutine
from contextlib import suppress
from typing import Any

from toolgate.model import Principal, Reply, Session
from toolgate.ports import Opened, OtherKind, Outbound, Upstream
from toolgate.upstreams.to_sessions import ToSessions
from toolgate.upstreams.to_stateless import ToStateless


class Crossing:
    """A server of any kind for clients of both; meets `ports.Upstream`."""

    def __init__(self, server: Upstream) -> None:
        self.name = server.name
        self._server = server
        self._to_sessions = ToSessions(server)
        self._to_stateless = ToStateless(server)
        # Once seen, a server's own kind is not doubted again: a stale yes fails loudly.
        self._stateless = False
        self._with_sessions = False

    async def speaks(self, revision: str, principal: Principal) -> bool:
        """Whether the server itself speaks this kind; its clients may be of either."""
        return await self._server.speaks(revision, principal)

    async def initialize(self, session: Session, principal: Principal) -> Opened:
        """Open this server's side of a client's session."""
        try:
            opened = await self._server.initialize(session, principal)
        except OtherKind:
            return await self._to_stateless.initialize(session, principal)
        self._with_sessions = True
        return opened

    def exchange(self, out: Outbound) -> Coroutine[Any, Any, Reply]:
        """Send a request, return the answer."""
        if self._stateless if out.session is None else self._with_sessions:
            return self._server.exchange(out)
        return self._exchange(out)

    async def send(self, out: Outbound) -> None:
        """Send a notification or a response."""
        with suppress(OtherKind):
            await self._server.send(out)

    async def listen(self, session: Session, principal: Principal) -> AsyncIterator[bytes]:
        """Messages of the server that belong to no call."""
        with suppress(OtherKind):
            async for message in self._server.listen(session, principal):
                yield message

    async def forget(self, session: Session, principal: Principal) -> None:
        """The client's session ended."""
        self._to_stateless.forget(session)
        await self._server.forget(session, principal)

    async def aclose(self) -> None:
        """Stop for good."""
        await self._to_sessions.aclose()
        await self._server.aclose()

    async def _exchange(self, out: Outbound) -> Reply:
        try:
            reply = await self._server.exchange(out)
        except OtherKind:
            if out.session is None:
                return await self._to_sessions.exchange(out)
            return await self._to_stateless.exchange(out)
        if out.session is None:
            self._stateless = True
        else:
            self._with_sessions = True
        return reply
