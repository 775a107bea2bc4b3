"""The data plane's listener: one raw ASGI callable for every door. Decides nothing about a call but its kind.

The two kinds of protocol part in `_post`, by the version header and the body's own claim (protocol 19.1);
nothing after it asks again.
"""

from typing import Any

from toolgate.errors import Refusal
from toolgate.listeners import edge as at_edge
from toolgate.listeners.edge import Edge
from toolgate.listeners.exchange import JSON, Exchange, Receive, Scope, Send
from toolgate.listeners.well_known import Pages
from toolgate.model import Call
from toolgate.pipeline import Pipeline
from toolgate.protocol import batch, jsonrpc, legacy, modern, refused, versions
from toolgate.protocol.headers import mismatch, read


class App:
    """Serves `/mcp`, `/servers/{name}/mcp`, `/adapters/{name}/mcp` and the pages beside them."""

    def __init__(self, pipeline: Pipeline, edge: Edge, pages: Pages) -> None:
        self._pipeline = pipeline
        self._edge = edge
        self._pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI 3, HTTP only."""
        headers = read(scope["headers"])
        exchange = Exchange(scope, headers, receive, send)
        try:
            at_edge.check(self._edge, headers)
            exchange.origin = headers.origin
            page = self._pages.find(scope["path"])
            if page is not None:
                await exchange.answer(*page)
                return
            door = self._door(scope["path"])
            if scope["method"] == "POST":
                at_edge.check_post(self._edge, headers)
                await self._post(exchange, door)
            elif scope["method"] == "OPTIONS":
                await exchange.preflight()
            else:
                await self._other(exchange, door)
        except Refusal as refusal:
            await exchange.refuse(self._challenged(refusal, scope["path"]))

    def _door(self, path: str) -> str:
        name = door_name(path)
        if name is None or name not in self._pipeline.snapshot.doors:
            raise at_edge.not_found()
        return name

    def _challenged(self, refusal: Refusal, path: str) -> Refusal:
        if refusal.status == 401:
            refusal.headers = self._pages.challenge(path)
        return refusal

    async def _post(self, exchange: Exchange, door: str) -> None:
        body = await exchange.body(self._edge)
        message = jsonrpc.parse(body, self._edge.json_depth)
        headers = exchange.headers
        if headers.version is not None and headers.version not in versions.LEGACY:
            exchange.revision = versions.MODERN
            await self._modern(exchange, message, body, door)
        elif modern.claims(message):
            exchange.id = jsonrpc.request_id(message)
            raise mismatch("MCP-Protocol-Version differs from the body.")
        elif isinstance(message, list):
            await self._batch(exchange, message, door)
        else:
            await self._legacy(exchange, message, body, door)

    async def _modern(self, exchange: Exchange, message: Any, body: bytes, door: str) -> None:
        if isinstance(message, dict) and "id" not in message:
            await self._pipeline.notify(exchange.call(Call(versions.MODERN, door, "", body, {})))
            await exchange.accepted()
            return
        ident = jsonrpc.request_id(message)
        if ident is None or "method" not in message:
            raise Refusal.invalid("One request or notification is expected.")
        exchange.id, exchange.method = ident, message["method"]
        call = exchange.call(modern.read(exchange.headers, message, ident, body, door))
        await exchange.watched(self._answer(exchange, call))

    async def _legacy(self, exchange: Exchange, message: Any, body: bytes, door: str) -> None:
        ident = jsonrpc.request_id(message)
        call = exchange.call(legacy.read(exchange.headers, message, ident, body, door))
        if ident is None or not call.method:
            await self._pipeline.notify(call)
            await exchange.accepted()
            return
        exchange.id, exchange.method, exchange.revision = ident, call.method, call.revision
        await exchange.cancellable(call, self._answer(exchange, call))

    async def _answer(self, exchange: Exchange, call: Call) -> None:
        await exchange.reply(await self._pipeline.request(call))

    async def _batch(self, exchange: Exchange, messages: list[Any], door: str) -> None:
        """Arrays exist in 2025-03-26 only; each item is a message of its own (E04)."""
        batch.check(exchange.headers, messages)
        answers = []
        for message in messages:
            body = batch.item(message)
            ident = jsonrpc.request_id(message)
            call = exchange.call(legacy.read(exchange.headers, message, ident, body, door))
            if ident is None or not call.method:
                await self._pipeline.notify(call)
            else:
                answers.append(await self._one_of_batch(call))
        if answers:
            await exchange.answer(200, (JSON,), b"[%b]" % b",".join(answers))
        else:
            await exchange.accepted()

    async def _one_of_batch(self, call: Call) -> bytes:
        try:
            reply = await self._pipeline.request(call)
        except Refusal as refusal:
            if refusal.status in (401, 404):
                raise
            return refused.write(refusal, id=call.id, method=call.method, revision=call.revision)[1]
        if reply.message is not None:
            return reply.message
        assert reply.stream is not None
        last = b""
        async for message in reply.stream:
            last = message
        return last

    async def _other(self, exchange: Exchange, door: str) -> None:
        """GET and DELETE belong to sessions; everybody else is told to POST (E37)."""
        method = exchange.scope["method"]
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
            await exchange.answer(204, (), b"")
        else:
            await exchange.watched(exchange.cancellable(call, self._listen(exchange, call)))

    async def _listen(self, exchange: Exchange, call: Call) -> None:
        await exchange.reply(await self._pipeline.listen(call))


def door_name(path: str) -> str | None:
    """The door a path leads to: `""` for the shared one, None for no door."""
    if path == "/mcp":
        return ""
    parts = path.split("/")
    if len(parts) == 4 and parts[1] in ("servers", "adapters") and parts[3] == "mcp":
        return parts[2] or None
    return None
