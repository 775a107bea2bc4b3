"""One session that the gateway keeps at a server for clients that have none: what is said over it, and heard.

A lost session is opened anew without a word; a stream that breaks is told to whoever followed it.
"""

import asyncio
import secrets
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from contextlib import aclosing, suppress
from contextvars import copy_context
from typing import Any

import msgspec
from msgspec import Raw

from toolgate.errors import Refusal
from toolgate.model import Principal, Reply, Session
from toolgate.ports import Outbound, Upstream
from toolgate.protocol import bridge, jsonrpc, legacy, to_sessions, versions
from toolgate.protocol.asking import KINDS
from toolgate.protocol.to_sessions import Request
from toolgate.upstreams.mailbox import Mailbox
from toolgate.upstreams.open_call import OpenCall
from toolgate.upstreams.replies import each

STREAM_SECONDS = 2.0
"""How long a call waits until a new line hears what belongs to no call: what is asked before is lost."""

_UNKNOWN = {"name": "unknown", "version": "0"}

Key = tuple[str, bytes]
"""Principal and capabilities."""
Hear = Callable[["Line", bytes], None]


class Line:
    """One session at a server. Its own requests get their numbers from `numbers`, which no call uses."""

    def __init__(
        self,
        server: Upstream,
        key: Key,
        principal: Principal,
        request: Request,
        numbers: Iterator[int],
        hear: Hear,
    ) -> None:
        """`hear` is told what the server says outside of calls."""
        self.key = key
        self.principal = principal
        self.capabilities = to_sessions.declared(request.capabilities)
        self.may_ask = any(kind in self.capabilities for kind in KINDS.values())
        """Whether the client can be asked anything."""
        self.calls: set[OpenCall] = set()
        """Open calls whose server may ask."""
        self.followers: set[Mailbox] = set()
        """Who wants the server's news."""
        self.context = copy_context()
        """Says whose session it is, so that its end too is asked for with that caller's credential."""
        self.opened = 0.0
        self.users = 0
        self.used = 0.0
        self._server = server
        self._client = msgspec.json.decode(request.client) if request.client else _UNKNOWN
        self._numbers = numbers
        self._hear = hear
        self._session: Session
        self._level: int | None = None
        self._subscribed: Counter[str] = Counter()
        self._opening = asyncio.Lock()
        self._subscribing = asyncio.Lock()
        self._listener: asyncio.Task[None] | None = None
        self._hears = False
        self._beside: set[asyncio.Task[None]] = set()

    # Its life

    async def open(self, lost: Session | None = None) -> None:
        """Shake hands, unless somebody did since the session `lost` was lost. Raises `Refusal`."""
        async with self._opening:
            if lost is not None and self._session is not lost:
                return
            session = Session(
                id="line-" + secrets.token_urlsafe(12),
                principal=self.principal.id,
                revision=versions.LATEST_LEGACY,
                capabilities=self.capabilities,
                client=self._client,
                expires=float("inf"),
            )
            opened = await self._server.initialize(session, self.principal)
            said = bridge.fields(opened.result)
            self._session, self._level = session, None
            self._subscribed.clear()
            self.opened = asyncio.get_running_loop().time()
            self.initialized = opened.result
            self.revision = jsonrpc.text(said.get("protocolVersion")) or versions.LATEST_LEGACY
            self.offers = bridge.fields(said.get("capabilities", Raw(b"{}")))
            if self.may_ask:
                await self._listen()

    async def end(self) -> None:
        """The server may forget the session."""
        self.close()
        await self._server.forget(self._session, self.principal)

    def close(self) -> None:
        """Nothing goes on beside calls."""
        for task in (self._listener, *self._beside):
            if task is not None:
                task.cancel()

    # To the server

    async def call(self, out: Outbound, message: bytes, level: int | None) -> Reply:
        """A client's request; `level` of log is what it wants. Raises `Refusal`."""
        if level is not None:
            await self._talk(level)
        inner = self._outbound(message, out.method, out.id)
        inner.name, inner.repeatable = out.name, out.repeatable
        return await self._exchange(inner)

    async def request(self, method: str, params: bytes) -> dict[str, Raw]:
        """The response to a request of our own. Raises `Refusal`."""
        async with aclosing(each(await self.start(method, params))) as messages:
            async for message in messages:
                parts = bridge.fields(message)
                if "method" not in parts:
                    return parts
        raise bridge.lie("the stream ended before the answer")

    async def start(self, method: str, params: bytes) -> Reply:
        """A request of our own, with all that is said before its response. Raises `Refusal`."""
        number = next(self._numbers)
        return await self._exchange(
            self._outbound(jsonrpc.request_text(number, method, params), method, number)
        )

    async def send(self, message: bytes) -> None:
        """A notification or a response. Raises `Refusal`."""
        await self._server.send(self._outbound(message, "", None))

    def post(self, message: bytes) -> None:
        """Send what needs no waiting; a server that cannot be told is not told."""
        self.aside(self.send(message))

    def aside(self, work: Coroutine[Any, Any, object]) -> None:
        """Do what nobody waits for."""

        async def done() -> None:
            with suppress(Refusal):
                await work

        task = asyncio.create_task(done())
        self._beside.add(task)
        task.add_done_callback(self._beside.discard)

    async def subscribe(self, uri: str) -> bool:
        """Whether the server will tell of changes of this resource; it is asked once, however many want to know."""
        async with self._subscribing:
            if not self._subscribed[uri]:
                response = await self.request("resources/subscribe", to_sessions.about_resource(uri))
                if "error" in response:
                    return False
            self._subscribed[uri] += 1
            return True

    async def unsubscribe(self, uri: str) -> None:
        """One less wants to know."""
        async with self._subscribing:
            self._subscribed[uri] -= 1
            if self._subscribed[uri] <= 0:
                del self._subscribed[uri]
                await self.request("resources/unsubscribe", to_sessions.about_resource(uri))

    async def _exchange(self, out: Outbound) -> Reply:
        used = self._session
        try:
            return await self._server.exchange(out)
        except Refusal as refusal:
            if refusal.kind != legacy.UNKNOWN_SESSION:
                raise
        # The server refused before it did anything, so this is no second execution (E28).
        await self.open(used)
        out.session = self._session
        return await self._server.exchange(out)

    async def _talk(self, level: int) -> None:
        """Make the log as talkative as the most curious call needs; each call gets its own share of it."""
        if "logging" not in self.offers or (self._level is not None and self._level <= level):
            return
        await self.request("logging/setLevel", to_sessions.about_log(level))
        self._level = level

    def _outbound(self, message: bytes, method: str, number: int | None) -> Outbound:
        return Outbound(
            message=message,
            method=method,
            revision=self.revision,
            id=number,
            name="",
            principal=self.principal,
            session=self._session,
        )

    # From the server, outside of calls

    async def hear(self) -> bool:
        """Hear what the server says outside of calls, if it is not heard yet; False where it offers that not."""
        async with self._opening:
            if not self._hears:
                await self._listen()
            return self._hears

    async def hear_again(self) -> bool:
        """The same in a new session: the server may have forgotten the old one, which a listener does not notice."""
        await self.open(self._session)
        return await self.hear()

    def tell(self, message: bytes) -> None:
        """Pass news on to everybody who follows them."""
        for follower in self.followers:
            follower.put(message, may_be_lost=True)

    async def _listen(self) -> None:
        ready = asyncio.Event()

        def heard() -> None:
            if self._hears:
                self._miss()  # The stream broke and was taken up again.
            self._hears = True
            ready.set()

        async def listen() -> None:
            try:
                with suppress(Refusal):
                    async for message in self._server.listen(self._session, self.principal, heard):
                        self._hear(self, message)
            finally:
                self._hears = False
                ready.set()
                self._miss()

        if self._listener is not None:
            self._listener.cancel()
        self._listener = asyncio.create_task(listen())
        with suppress(TimeoutError):
            async with asyncio.timeout(STREAM_SECONDS):
                await ready.wait()

    def _miss(self) -> None:
        """News may have been lost: whoever follows them listens anew, and so learns that."""
        for follower in self.followers:
            follower.close()
