"""ASGI 3 applications behind our listener, for what is no MCP: one listener with one set of bounds. HTTP only."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from toolgate.listeners.edge import Edge
from toolgate.listeners.exchange import Exchange

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApplication = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]


class Asgi:
    """Calls the application for each exchange. The whole answer is sent at once: pages do not stream."""

    def __init__(self, application: AsgiApplication, edge: Edge) -> None:
        self._application = application
        self._edge = edge

    async def __call__(self, exchange: Exchange) -> None:
        """Answer one request."""
        try:
            await self._serve(exchange)
        except Exception as error:  # noqa: BLE001 - whatever page it was, the listener goes on
            exchange.broken(error)

    async def _serve(self, exchange: Exchange) -> None:
        if exchange.too_large:
            exchange.answer(413, (), b"")
            return
        incoming: list[Message] = [{"type": "http.request", "body": exchange.body(self._edge)}]
        answer: Message = {}
        parts: list[bytes] = []

        async def receive() -> Message:
            return incoming.pop() if incoming else {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer.update(message)
            else:
                parts.append(message.get("body", b""))

        await self._application(_scope(exchange), receive, send)
        headers = tuple((n, v) for n, v in answer.get("headers", ()) if n != b"content-length")
        exchange.answer(answer["status"], headers, b"".join(parts))


def _scope(exchange: Exchange) -> dict[str, Any]:
    head = exchange.head
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.0" if head.http10 else "1.1",
        "method": head.method,
        "scheme": "http",
        "path": head.path,
        "query_string": head.query,
        "root_path": "",
        "headers": head.pairs,
        "client": (exchange.peer, 0),
    }
