"""The one place where a client's kind of protocol meets a server's. Carries nothing itself.

Calls of the server's own kind go straight to its transport; the others by `to_sessions.py` and `to_stateless.py`.
"""

import itertools
from collections.abc import AsyncIterator, Callable

from toolgate.model import Principal, Reply, Session
from toolgate.ports import Opened, OtherKind, Outbound, Upstream
from toolgate.upstreams.held import HeldCalls
from toolgate.upstreams.to_sessions import ToSessions
from toolgate.upstreams.to_stateless import ToStateless


class Crossing:
    """A server of any kind for clients of both; meets `ports.Upstream`."""

    def __init__(self, server: Upstream, held: HeldCalls) -> None:
        """`held` keeps the calls of all servers whose clients were asked something."""
        self.name = server.name
        self._server = server
        # Numbers of our own go down, those of the pipeline up: they never meet at a server.
        numbers = itertools.count(-1, -1)
        self._to_sessions = ToSessions(server, held, numbers)
        self._to_stateless = ToStateless(server, numbers)

    async def speaks(self, revision: str, principal: Principal) -> bool:
        """Whether the server itself speaks this kind; its clients may be of either."""
        return await self._server.speaks(revision, principal)

    def credential(self, principal: Principal) -> object:
        """What the server is shown."""
        return self._server.credential(principal)

    async def initialize(self, session: Session, principal: Principal) -> Opened:
        """Open this server's side of a client's session."""
        try:
            return await self._server.initialize(session, principal)
        except OtherKind:
            return await self._to_stateless.initialize(session, principal)

    async def exchange(self, out: Outbound) -> Reply:
        """Send a request, return the answer."""
        try:
            return await self._server.exchange(out)
        except OtherKind:
            return await (self._to_sessions if out.session is None else self._to_stateless).exchange(out)

    async def send(self, out: Outbound) -> None:
        """Send a notification or a response."""
        if out.session is not None and not out.method and self._to_stateless.answer(out.session, out.message):
            return
        if out.session is not None and await self.speaks(out.session.revision, out.principal):
            await self._server.send(out)

    async def listen(
        self, session: Session, principal: Principal, ready: Callable[[], None] | None = None
    ) -> AsyncIterator[bytes]:
        """Messages of the server that belong to no call."""
        own = await self.speaks(session.revision, principal)
        listen = self._server.listen if own else self._to_stateless.listen
        async for message in listen(session, principal, ready):
            yield message

    async def forget(self, session: Session, principal: Principal) -> None:
        """The client's session ended."""
        self._to_stateless.forget(session)
        await self._server.forget(session, principal)

    async def aclose(self) -> None:
        """Stop for good."""
        await self._to_sessions.aclose()
        await self._server.aclose()
