"""A server behind a URL: finds out which kinds of protocol it speaks, remembers, hands each call to its transport.

What is found out holds for one URL and one credential, which is what an object of this class stands for.
"""

import asyncio
import logging
import math
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

from toolgate.errors import Refusal
from toolgate.model import Principal, Reply, Session
from toolgate.ports import Clock, Http, Opened, OtherKind, Outbound
from toolgate.protocol import discovery, versions
from toolgate.protocol.discovery import Evidence
from toolgate.upstreams.http_sse import HttpSse
from toolgate.upstreams.sse_channel import NotOffered
from toolgate.upstreams.streamable_http import NotOpened, StreamableHttp

LEGACY_VERDICT_SECONDS = 300.0
"""A server found to speak only sessions is asked again after this: it may have been upgraded."""

PROBE_SECONDS = 10.0
"""How long a server may think about what it speaks."""


class HttpServer:
    """Meets `ports.Upstream` as a transport. A server may speak both kinds: then each client's own is used."""

    def __init__(
        self,
        name: str,
        url: str,
        http: Http,
        *,
        streams: Http,
        headers: tuple[tuple[bytes, bytes], ...] = (),
        seconds: float = 60.0,
        total_seconds: float = 900.0,
        revision: str | None = None,
        per_caller: bool = True,
        clock: Clock = time.monotonic,
    ) -> None:
        """`streams` carries what stays open, `http` everything else.

        `headers` are the server's credentials, never the client's. `seconds` bounds each silence,
        `total_seconds` a whole call. `revision` pins the server to one; then nothing is found out. Without
        `per_caller` each caller's calls are shown the same credential.
        """
        self.name = name
        self._per_caller = per_caller
        self._pinned = revision is not None
        self._clock = clock
        self._log = logging.getLogger(f"toolgate.upstream.{name}")
        self._asking = asyncio.Lock()
        self._stateless: bool | None = None
        """Whether the stateless revision is spoken; None while nobody knows."""
        self._sessions: bool | None = None
        self._until = 0.0
        """When a no to the stateless revision is asked again."""
        legacy = None
        if revision is not None:
            self._stateless, self._until = versions.is_modern(revision), math.inf
            self._sessions = not self._stateless
            legacy = None if self._stateless else revision
        self._streamable = StreamableHttp(
            name,
            url,
            http,
            streams=streams,
            headers=headers,
            seconds=seconds,
            total_seconds=total_seconds,
            revision=legacy,
        )
        self._sse = HttpSse(
            name,
            url,
            http,
            streams=streams,
            headers=headers,
            seconds=seconds,
            total_seconds=total_seconds,
            revision=legacy,
        )
        self._for_sessions: StreamableHttp | HttpSse = self._streamable

    def credential(self, principal: Principal) -> object:
        """The gateway's own, or that of each caller."""
        return principal if self._per_caller else "shared"

    async def speaks(self, revision: str, principal: Principal) -> bool:
        """Whether the kind of protocol of `revision` is spoken. Raises `Refusal` where that cannot be told."""
        return await (self._speaks_stateless() if versions.is_modern(revision) else self._speaks_sessions())

    async def initialize(self, session: Session, principal: Principal) -> Opened:
        """Open this server's side of a client's session."""
        await self._with_sessions()
        try:
            return await self._for_sessions.initialize(session, principal)
        except (NotOpened, NotOffered) as no:
            transport = await self._other_transport(no)
        return await transport.initialize(session, principal)

    def exchange(self, out: Outbound) -> Coroutine[Any, Any, Reply]:
        """Send a request, return the answer."""
        return self._exchange_stateless(out) if out.session is None else self._exchange_in_session(out)

    async def _exchange_in_session(self, out: Outbound) -> Reply:
        await self._with_sessions()
        try:
            return await self._for_sessions.exchange(out)
        except (NotOpened, NotOffered) as no:
            # Hands were not shaken, so the request was not sent yet.
            transport = await self._other_transport(no)
        return await transport.exchange(out)

    async def send(self, out: Outbound) -> None:
        """Send a notification or a response."""
        if out.session is not None:
            await self._for_sessions.send(out)

    def listen(
        self, session: Session, principal: Principal, ready: Callable[[], None] | None = None
    ) -> AsyncIterator[bytes]:
        """What the server says beside calls."""
        return self._for_sessions.listen(session, principal, ready)

    async def forget(self, session: Session, principal: Principal) -> None:
        """End this server's side of the session."""
        await self._for_sessions.forget(session, principal)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._streamable.aclose()
        await self._sse.aclose()

    async def _exchange_stateless(self, out: Outbound) -> Reply:
        known = self._stateless and self._clock() < self._until
        if not known and not await self._speaks_stateless():
            raise OtherKind("revisions with sessions")
        try:
            reply = await self._streamable.exchange(out)
        except Refusal as refusal:
            if refusal.kind == "upstream_invalid":
                self._doubt()
            raise
        if reply.status in (400, 404) and discovery.of_refused_call(reply.message) is Evidence.SESSIONS:
            self._doubt()
        return reply

    async def _with_sessions(self) -> None:
        if not await self._speaks_sessions():
            raise OtherKind(versions.MODERN)

    async def _speaks_stateless(self) -> bool:
        if self._stateless is None or self._clock() >= self._until:
            async with self._asking:
                if self._stateless is None or self._clock() >= self._until:
                    await self._find_out()
        return bool(self._stateless)

    async def _speaks_sessions(self) -> bool:
        if self._sessions is None:
            try:
                await self._find_out_about_sessions()
            except Refusal as refusal:
                # Unknown, so not kept: the handshake itself will tell, or fail with the better reason.
                self._log.info("cannot be asked what it speaks: %s", refusal.reason)
                return True
        return bool(self._sessions)

    async def _find_out(self) -> None:
        """Ask with `server/discover`, which has no effects."""
        answer = await self._streamable.ask(
            discovery.discover(0), discovery.DISCOVER_HEADERS, seconds=PROBE_SECONDS
        )
        evidence = discovery.of_discover(answer.status, answer.message)
        if evidence is Evidence.NOTHING:
            evidence = await self._ask_initialize()
            self._keep(stateless=evidence is Evidence.STATELESS, sessions=evidence is not Evidence.STATELESS)
        elif evidence is Evidence.STATELESS:
            self._keep(stateless=True, sessions=self._sessions)
        else:
            # To be presumed: the first handshake shows otherwise, or nothing does.
            self._keep(stateless=False, sessions=True)

    async def _find_out_about_sessions(self) -> None:
        async with self._asking:
            if self._stateless is None:
                await self._find_out()
            if self._sessions is None:
                self._sessions = await self._ask_initialize() is Evidence.SESSIONS

    async def _ask_initialize(self) -> Evidence:
        # Only servers that know the stateless revision are asked: older ones may be able to serve one session.
        answer = await self._streamable.ask(discovery.initialize(0), seconds=PROBE_SECONDS)
        evidence = discovery.of_initialize(answer.message)
        if evidence is Evidence.SESSIONS and answer.session_id is not None:
            await self._streamable.drop(answer.session_id)
        return evidence

    def _keep(self, *, stateless: bool, sessions: bool | None) -> None:
        if stateless is not self._stateless:
            self._log.info("speaks %s", versions.MODERN if stateless else "revisions with sessions")
        self._stateless, self._sessions = stateless, sessions
        self._until = math.inf if stateless else self._clock() + LEGACY_VERDICT_SECONDS

    def _doubt(self) -> None:
        """The server answered as none of its kind does: the next call finds out anew."""
        if not self._pinned:
            self._stateless = self._sessions = None

    async def _other_transport(self, no: NotOpened | NotOffered) -> StreamableHttp | HttpSse:
        """Where else hands may be shaken. Raises `Refusal`: nowhere, or the server speaks the other kind only."""
        if isinstance(no, NotOffered):
            # It was offered once; what the server offers now is found out anew.
            self._for_sessions = self._streamable
            self._doubt()
            return self._streamable
        stateless = discovery.of_initialize(no.answer.message) is Evidence.STATELESS
        if not self._pinned and (stateless or await self._speaks_stateless()):
            self._keep(stateless=True, sessions=False)
            raise OtherKind(versions.MODERN)
        if no.answer.status not in (400, 404, 405):
            raise no
        try:
            await self._sse.offered()
        except NotOffered:
            raise no from None
        self._log.info("speaks HTTP+SSE of 2024-11-05")
        self._for_sessions = self._sse
        return self._sse
