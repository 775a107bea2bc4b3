"""One HTTP request and its answer over ASGI. Knows framing, not MCP."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping
from typing import Any

from toolgate.errors import Refusal
from toolgate.listeners import edge as at_edge
from toolgate.listeners.edge import Edge
from toolgate.model import Call, Reply
from toolgate.protocol import refused, sse, versions
from toolgate.protocol.headers import Headers, accepts_json

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

PATIENCE = 0.02
"""Seconds an upstream may be silent before we start to watch for the client's leaving: fast calls need no
second task."""

KEEP_ALIVE = 15.0
"""Seconds between comments on an idle stream; load balancers often cut at 30 to 60 (E35)."""

JSON = (b"content-type", b"application/json")
_STREAM = (
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
)
_EXPOSED = b"Mcp-Session-Id, MCP-Protocol-Version, WWW-Authenticate"
_REQUESTED = (
    b"Authorization, Content-Type, Accept, MCP-Protocol-Version, Mcp-Method, Mcp-Name, Mcp-Session-Id, "
    b"Last-Event-ID, X-API-Key"
)


class Exchange:
    """One HTTP request and its answer."""

    def __init__(self, scope: Scope, headers: Headers, receive: Receive, send: Send) -> None:
        self.scope = scope
        self.headers = headers
        self.id: bytes | None = None
        self.method = ""
        self.revision = versions.UNSTATED
        self.origin: str | None = None
        """The page that may read the answer; set once it is known to be allowed."""
        self._receive = receive
        self._send = send
        self._started = False
        self._left = False
        self._watcher: asyncio.Future[None] | None = None

    def call(self, call: Call) -> Call:
        """The call with where it comes from."""
        client = self.scope.get("client")
        call.client_ip = client[0] if client else ""
        call.authorization = self.headers.authorization
        call.api_key = self.headers.api_key
        return call

    async def body(self, edge: Edge) -> bytes:
        """The request's body. Raises `Refusal` (413) past the bound."""
        message = await self._receive()
        body: bytes = message.get("body", b"")
        if not message.get("more_body"):
            if len(body) > edge.max_body:
                raise at_edge.too_large(edge)
            return body
        parts, size = [body], len(body)
        while message.get("more_body"):
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise Refusal.invalid("The body broke off.")
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > edge.max_body:
                raise at_edge.too_large(edge)
        return b"".join(parts)

    async def watched(self, work: Awaitable[None]) -> None:
        """Do the work; cancel it when the client leaves."""
        task = asyncio.current_task()
        assert task is not None
        timer = asyncio.get_running_loop().call_later(PATIENCE, self._start_watching, task)
        try:
            await work
        except asyncio.CancelledError:
            if not self._left:
                raise
            task.uncancel()
        finally:
            timer.cancel()
            if self._watcher is not None:
                self._watcher.cancel()

    def _start_watching(self, task: asyncio.Task[object]) -> None:
        self._watcher = asyncio.ensure_future(self._watch(task))

    async def _watch(self, task: asyncio.Task[object]) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._left = True
        task.cancel()

    async def cancellable(self, call: Call, work: Awaitable[None]) -> None:
        """Do the work; where the client takes the call back, end without an answer (E43)."""
        try:
            await work
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not call.cancelled or task is None:
                raise
            task.uncancel()
            if self._started:
                await self._send({"type": "http.response.body", "body": b""})
            else:
                await self.answer(200, _STREAM, b"")

    async def reply(self, reply: Reply) -> None:
        """Send what the pipeline answered."""
        session = () if reply.session is None else ((b"mcp-session-id", reply.session.encode()),)
        if reply.stream is not None:
            await self._stream(reply.stream, session)
        elif accepts_json(self.headers.accept):
            await self.answer(reply.status, (JSON, *session), reply.message or b"")
        else:
            await self.answer(reply.status, (*_STREAM, *session), sse.write(reply.message or b""))

    async def _stream(
        self, messages: AsyncGenerator[bytes, None], extra: tuple[tuple[bytes, bytes], ...]
    ) -> None:
        await self._start(200, (*_STREAM, *extra))
        pending: asyncio.Future[bytes | None] | None = None
        try:
            while True:
                pending = pending or asyncio.ensure_future(_next(messages))
                await asyncio.wait((pending,), timeout=KEEP_ALIVE)
                if not pending.done():
                    await self._more(sse.KEEP_ALIVE)
                    continue
                message, pending = pending.result(), None
                if message is None:
                    await self._send({"type": "http.response.body", "body": b""})
                    return
                await self._more(sse.write(message))
        finally:
            if pending is not None:
                pending.cancel()
                await asyncio.wait((pending,))
            await messages.aclose()

    async def accepted(self) -> None:
        """202 without a body, for notifications and responses (E05)."""
        await self.answer(202, (), b"")

    async def preflight(self) -> None:
        """CORS for the pages that may call us; the origin was checked at the edge."""
        allowed = (
            (b"access-control-allow-methods", b"GET, POST, DELETE, OPTIONS"),
            (b"access-control-allow-headers", _REQUESTED),
            (b"access-control-max-age", b"600"),
        )
        await self.answer(204, allowed, b"")

    async def refuse(self, refusal: Refusal) -> None:
        """The refusal in the words of this client's revision."""
        if self._started:
            raise refusal
        status, message = refused.write(refusal, id=self.id, method=self.method, revision=self.revision)
        if refusal.stage == "edge":
            status = refusal.status
        await self.answer(status, (JSON, *refusal.headers), message)

    async def answer(self, status: int, headers: tuple[tuple[bytes, bytes], ...], body: bytes) -> None:
        """A whole answer."""
        length = () if status in (204, 304) else ((b"content-length", b"%d" % len(body)),)
        await self._start(status, (*headers, *length))
        await self._send({"type": "http.response.body", "body": body})

    async def _start(self, status: int, headers: tuple[tuple[bytes, bytes], ...]) -> None:
        self._started = True
        if self.origin is not None:
            headers += (
                (b"access-control-allow-origin", self.origin.encode("latin-1")),
                (b"access-control-expose-headers", _EXPOSED),
                (b"vary", b"Origin"),
            )
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def _more(self, data: bytes) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": True})


async def _next(messages: AsyncGenerator[bytes, None]) -> bytes | None:
    return await anext(messages, None)
