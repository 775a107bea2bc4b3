"""MCP servers over HTTP+SSE, the transport of 2024-11-05. Decides nothing about calls.

Each client's session has a connection of its own: that connection is the session at the server. One that
breaks takes its calls with it, and the next call opens another.
"""

import logging
import time
from collections.abc import AsyncIterator, Callable

import msgspec

from toolgate.model import Principal, Reply, Session
from toolgate.ports import Clock, Http, Opened, Outbound
from toolgate.protocol import versions
from toolgate.upstreams.audience import Audience
from toolgate.upstreams.channels import Bounds, Channels
from toolgate.upstreams.conversation import Patience
from toolgate.upstreams.opening import Opening, opening
from toolgate.upstreams.sse_channel import Headers, SseChannel, open_channel

MAX_SESSIONS = 10_000
"""Connections to one server at the same time. Beyond, an idle one makes room."""
IDLE_SECONDS = 600.0
"""How long a connection without calls and listeners is kept."""
STOP_SECONDS = 1.0


class HttpSse:
    """Meets `ports.Upstream`."""

    def __init__(
        self,
        name: str,
        url: str,
        http: Http,
        *,
        streams: Http,
        headers: Headers = (),
        seconds: float = 60.0,
        total_seconds: float = 900.0,
        start_seconds: float = 10.0,
        revision: str | None = None,
        clock: Clock = time.time,
    ) -> None:
        """`streams` carries what stays open, `http` what is posted. `headers` are the server's credentials.

        `revision` is what hands are shaken in; left out, the client's own.
        """
        self.name = name
        self._url = url
        self._http = http
        self._streams = streams
        self._headers = headers
        self._revision = revision
        self._seconds = seconds
        self._start_seconds = start_seconds
        self._log = logging.getLogger(f"toolgate.upstream.{name}")
        self._audience = Audience(name)
        self._channels = Channels(
            name,
            self._open,
            Bounds(MAX_SESSIONS, IDLE_SECONDS),
            Patience(seconds, total_seconds, start_seconds, STOP_SECONDS),
            self._log,
            clock,
            self._audience.tell,
            self._audience.listens,
        )

    async def speaks(self, revision: str, principal: Principal) -> bool:
        """Only revisions with sessions are spoken over this transport."""
        return not versions.is_modern(revision)

    async def offered(self) -> None:
        """Return where the server offers this transport. Raises `Refusal`, `NotOffered` where it does not."""
        channel = await self._open(lambda _: None, lambda _: None)
        await channel.stop(STOP_SECONDS)

    async def initialize(self, session: Session, principal: Principal) -> Opened:
        """What the server said when the session's connection was opened, which this does where there is none."""
        return Opened((await self._channels.get(self._opening(session, principal))).result)

    async def exchange(self, out: Outbound) -> Reply:
        """Send a request, return the answer: one message, or a stream with the response last.

        Closing the stream or cancelling tells the server, and swallows a late response. Raises `Refusal`.
        """
        conversation = await self._channels.get(self._opening(out.session, out.principal))
        return await conversation.exchange(out)

    async def send(self, out: Outbound) -> None:
        """Send a notification or a response; without a connection there is nobody to be told."""
        conversation = self._channels.find(self._opening(out.session, out.principal).key)
        if conversation is not None:
            await conversation.send(out)

    async def listen(
        self, session: Session, principal: Principal, ready: Callable[[], None] | None = None
    ) -> AsyncIterator[bytes]:
        """Notifications that belong to no call, from now on, also over later connections."""
        wanted = self._opening(session, principal)
        mailbox = self._audience.join(wanted.key, session.id)
        await self._channels.get(wanted)
        if ready is not None:
            ready()
        async for message in mailbox:
            yield message

    async def forget(self, session: Session, principal: Principal) -> None:
        """Close the session's connection."""
        key = self._opening(session, principal).key
        self._audience.leave(key, session.id)
        self._channels.end(key)

    async def aclose(self) -> None:
        """Close every connection and end every listener."""
        self._audience.close()
        await self._channels.aclose()
        await self._streams.aclose()
        await self._http.aclose()

    def _opening(self, session: Session | None, principal: Principal) -> Opening:
        found = opening(session, principal)
        assert session is not None
        return msgspec.structs.replace(found, session=session.id, revision=self._revision or found.revision)

    async def _open(self, heard: Callable[[bytes], None], ended: Callable[[str], None]) -> SseChannel:
        return await open_channel(
            self._url,
            self._streams,
            self._http,
            self._headers,
            start_seconds=self._start_seconds,
            seconds=self._seconds,
            log=self._log,
            heard=heard,
            ended=ended,
        )
