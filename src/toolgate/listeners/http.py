"""The data plane behind the listener: every door. Decides nothing about a call but its kind.

The two kinds of protocol part in `_post`, by the version header and the body's own claim (protocol 19.1);
nothing after it asks again.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable
from typing import Any

from toolgate.errors import Refusal
from toolgate.listeners import edge as at_edge
from toolgate.listeners.edge import Edge
from toolgate.listeners.exchange import JSON, Exchange
from toolgate.listeners.head import Head
from toolgate.listeners.resumption import Streams
from toolgate.listeners.sse import Sse
from toolgate.listeners.well_known import Pages
from toolgate.model import Call, Reply, Session
from toolgate.pipeline import Pipeline
from toolgate.protocol import batch, jsonrpc, legacy, modern, refused, sse, versions
from toolgate.protocol.headers import mismatch


class App:
    """Serves `/mcp`, `/servers/{name}/mcp`, `/adapters/{name}/mcp` and the pages beside them."""

    def __init__(self, pipeline: Pipeline, edge: Edge, pages: Pages, old: Sse | None = None) -> None:
        """`old` serves the transport of 2024-11-05 beside the doors."""
        self._pipeline = pipeline
        self._edge = edge
        self._pages = pages
        self._streams = Streams()
        self._old = old

    async def aclose(self) -> None:
        """Let go of streams that clients might have taken up again."""
        await self._streams.aclose()
        if self._old is not None:
            await self._old.aclose()

    async def __call__(self, exchange: Exchange) -> None:
        """Answer one request."""
        head = exchange.head
        try:
            if not head.passed:
                at_edge.check(self._edge, head.headers)
            exchange.origin = head.headers.origin
            if self._old is not None and self._old.serves(head.path):
                await self._old.answer(exchange)
                return
            reply = await (self._post if head.method == "POST" else self._other)(exchange, head)
            if reply is None:
                return
            if reply.stream is None:
                exchange.reply(reply)
            else:
                await exchange.events(self._events(exchange.session, reply.stream))
        except Refusal as refusal:
            exchange.refuse(self._challenged(refusal, exchange))
        except asyncio.CancelledError as end:
            if not exchange.given_up() and not exchange.cut(end):
                raise
        except Exception as error:  # noqa: BLE001 - the last place where a bug can be told apart from a no
            exchange.broken(error)

    def _events(
        self, session: Session | None, messages: AsyncGenerator[bytes, None]
    ) -> AsyncGenerator[bytes, None]:
        """Messages as events: with ids where the client may take the stream up again."""
        if session is None:
            return _written(messages)
        return self._streams.answering(session.id, messages, primed=_knows_priming(session))

    def _door(self, head: Head) -> str:
        if head.door is None:
            head.door = door_name(head.path)
        if head.door is None or head.door not in self._pipeline.snapshot.doors:
            raise at_edge.not_found()
        return head.door

    def _challenged(self, refusal: Refusal, exchange: Exchange) -> Refusal:
        path = exchange.head.path
        if self._old is not None and self._old.serves(path):
            # The resource is the door; the two paths are but another way in.
            path = path.rpartition("/")[0] + "/mcp"
        if refusal.status == 401:
            shown = exchange.headers.authorization is not None
            refusal.headers = self._pages.challenge(path, error="invalid_token" if shown else None)
        elif refusal.kind == "insufficient_scope" and refusal.data is not None:
            scopes = refusal.data["scopes"]
            refusal.headers = self._pages.challenge(path, error="insufficient_scope", scopes=scopes)
        return refusal

    def _post(self, exchange: Exchange, head: Head) -> Awaitable[Reply | None]:
        """The work a message asks for. It answers itself where it gives no reply."""
        door = self._door(head)
        if not head.passed:
            at_edge.check_post(self._edge, head.headers)
            head.passed = True
        body = exchange.body(self._edge)
        message = jsonrpc.parse(body, self._edge.json_depth)
        headers = exchange.headers
        if headers.version is not None and headers.version not in versions.LEGACY:
            exchange.revision = versions.MODERN
            return self._modern(exchange, message, body, door)
        if modern.claims(message):
            exchange.id = jsonrpc.request_id(message)
            raise mismatch("MCP-Protocol-Version differs from the body.")
        if isinstance(message, list):
            return self._batch(exchange, message, door)
        return self._legacy(exchange, message, body, door)

    def _modern(self, exchange: Exchange, message: Any, body: bytes, door: str) -> Awaitable[Reply | None]:
        if isinstance(message, dict) and "id" not in message:
            return self._notify(exchange, exchange.call(Call(versions.MODERN, door, "", body, {})))
        ident = jsonrpc.request_id(message)
        if ident is None or "method" not in message:
            raise Refusal.invalid("One request or notification is expected.")
        exchange.id, exchange.method = ident, message["method"]
        call = exchange.call(modern.read(exchange.headers, message, ident, body, door))
        exchange.watch()
        return self._pipeline.attend(call)

    def _legacy(self, exchange: Exchange, message: Any, body: bytes, door: str) -> Awaitable[Reply | None]:
        ident = jsonrpc.request_id(message)
        exchange.id = ident if "method" in message else None
        call = exchange.call(legacy.read(exchange.headers, message, ident, body, door))
        if ident is None or not call.method:
            return self._notify(exchange, call)
        exchange.method, exchange.revision = call.method, call.revision
        exchange.may_be_taken_back(call)
        return self._pipeline.attend(call)

    async def _notify(self, exchange: Exchange, call: Call) -> None:
        await self._pipeline.notify(call)
        exchange.accepted()

    async def _batch(self, exchange: Exchange, messages: list[Any], door: str) -> None:
        """Arrays exist in 2025-03-26 only; each item is a message of its own (E04)."""
        batch.check(exchange.headers, messages)
        answers = [await self._one_of_batch(exchange, message, door) for message in messages]
        if any(answers):
            exchange.answer(200, (JSON,), b"[%b]" % b",".join(filter(None, answers)))
        else:
            exchange.accepted()

    async def _one_of_batch(self, exchange: Exchange, message: dict[str, Any], door: str) -> bytes | None:
        """Its response; None where it asked for none. What is wrong with it costs the others nothing."""
        ident = None
        try:
            ident = jsonrpc.request_id(message)
            call = exchange.call(legacy.read(exchange.headers, message, ident, batch.item(message), door))
            if ident is None or not call.method:
                await self._pipeline.notify(call)
                return None
            return await _last(await self._pipeline.request(call))
        except Refusal as refusal:
            if refusal.status in (401, 404):
                raise
            method = message.get("method")
            return refused.write(refusal, id=ident, method=str(method), revision=versions.BATCHES)[1]

    async def _other(self, exchange: Exchange, head: Head) -> Reply | None:
        """GET and DELETE belong to sessions; everybody else is told to POST (E37)."""
        method = head.method
        page = self._pages.find(head.path) if method in ("GET", "HEAD") else None
        if page is not None:
            exchange.answer(*page)
            return None
        door = self._door(head)
        if method == "OPTIONS":
            exchange.preflight()
            return None
        if method not in ("GET", "DELETE"):
            raise at_edge.wrong_method("GET, POST, DELETE, OPTIONS")
        text = legacy.session_text(exchange.headers)
        if text is None or exchange.headers.version == versions.MODERN:
            raise at_edge.wrong_method("POST")
        call = exchange.call(
            Call(
                revision=versions.UNSTATED,
                door=door,
                method="listen" if method == "GET" else "",
                body=b"",
                params={},
                session_text=text,
            )
        )
        if method == "DELETE":
            await self._pipeline.end(call)
            if call.session is not None:
                self._streams.forget(call.session.id)
            exchange.answer(204, (), b"")
            return None
        session = await self._pipeline.session_of(call)
        events = await self._streams.listening(
            session.id,
            exchange.headers.last_event_id,
            lambda: self._pipeline.listen(call),
            primed=_knows_priming(session),
        )
        exchange.watch()
        await exchange.events(events)
        return None


async def _written(messages: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    try:
        async for message in messages:
            yield sse.write(message)
    finally:
        await messages.aclose()


def _knows_priming(session: Session) -> bool:
    """Clients of older revisions take an event without data for a broken message."""
    return session.revision == versions.LATEST_LEGACY


async def _last(reply: Reply) -> bytes:
    """The response alone: in an array there is no place for what comes before it."""
    if reply.message is not None:
        return reply.message
    assert reply.stream is not None
    last = b""
    async for message in reply.stream:
        last = message
    return last


def door_name(path: str) -> str | None:
    """The door a path leads to: `""` for the shared one, None for no door."""
    if path == "/mcp":
        return ""
    parts = path.split("/")
    if len(parts) == 4 and parts[1] in ("servers", "adapters") and parts[3] == "mcp":
        return parts[2] or None
    return None
