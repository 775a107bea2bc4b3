"""A real server on the official SDK that speaks one kind of MCP only, and keeps what it was sent."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import uvicorn
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp_types import Completion
from pydantic import BaseModel, Field

MODERN = "2026-07-28"


class Name(BaseModel):
    """A form with one field."""

    name: str


class Desk:
    """The server and what happened in it."""

    def __init__(self, kind: str) -> None:
        """`kind`: `sessions`, `stateless`."""
        self.kind = kind
        self.seen: list[dict[str, Any]] = []
        self.done: list[str] = []
        self.forgotten: set[str] = set()
        """Sessions that it answers 404 for, as after a restart."""
        self.cancelled = threading.Event()
        self.started = threading.Event()
        self.server = MCPServer("desk", instructions="Ring the bell.")
        _tools(self)
        _rest(self)
        self._app = self.server.streamable_http_app()

    def methods(self) -> list[str]:
        """The methods it was sent since `seen` was cleared."""
        return [one["message"].get("method", "response") for one in self.seen if one["http"] == "POST"]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """ASGI: keep the message, refuse the other kind of protocol."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {key.decode(): value.decode() for key, value in scope["headers"]}
        body = b""
        if scope["method"] == "POST":
            more = True
            while more:
                part = await receive()
                body += part.get("body", b"")
                more = part.get("more_body", False)
        message = json.loads(body) if body else {}
        self.seen.append({"http": scope["method"], "message": message, "headers": headers})
        stateless = headers.get("mcp-protocol-version") == MODERN
        if stateless != (self.kind == "stateless"):
            await _refuse(send, self.kind)
            return
        if headers.get("mcp-session-id") in self.forgotten:
            await _answer(send, 404, {"code": -32600, "message": "Session not found"})
            return
        replayed = False

        async def again() -> Any:
            nonlocal replayed
            if replayed:
                return await receive()
            replayed = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, again, send)


async def _refuse(send: Any, kind: str) -> None:
    """As Python 1.30 and servers of one revision do."""
    error: dict[str, Any] = {"code": -32600, "message": "Bad Request: Missing session ID"}
    if kind == "stateless":
        error = {"code": -32022, "message": "Unsupported protocol version", "data": {"supported": [MODERN]}}
    await _answer(send, 400, error)


async def _answer(send: Any, status: int, error: dict[str, Any]) -> None:
    body = json.dumps({"jsonrpc": "2.0", "id": "server-error", "error": error}).encode()
    headers = [(b"content-type", b"application/json"), (b"mcp-session-id", b"meaningless")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _tools(desk: Desk) -> None:
    server = desk.server

    @server.tool()
    def add(a: int, b: int) -> int:
        """Add two numbers."""
        desk.done.append("add")
        return a + b

    @server.tool()
    def fail() -> str:
        """Fail."""
        raise ValueError("no")

    @server.tool()
    async def steps(ctx: Context) -> str:
        """Report progress."""
        for step in (1, 2, 3):
            await ctx.report_progress(step, 3)
        return "done"

    @server.tool()
    async def talk(ctx: Context) -> str:
        """Write to the log."""
        await ctx.debug("a whisper")
        await ctx.error("a shout")
        return "said"

    @server.tool()
    async def wait(ctx: Context) -> str:
        """Wait until it is cancelled."""
        desk.started.set()
        try:
            await ctx.report_progress(1, 2)
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            desk.cancelled.set()
            raise
        return "waited"

    @server.tool()
    def place(region: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})]) -> str:
        """Say where."""
        return region

    @server.tool()
    def hidden() -> str:
        """Nobody may."""
        desk.done.append("hidden")
        return "seen"


def _rest(desk: Desk) -> None:
    server = desk.server

    @server.resource("desk://bell")
    def bell() -> str:
        """The bell."""
        return "ding"

    @server.resource("desk://drawer/{number}")
    def drawer(number: str) -> str:
        """One drawer."""
        return f"drawer {number}"

    @server.prompt()
    def greet(name: str) -> str:
        """Greet somebody."""
        return f"Hello {name}"

    @server.completion()
    async def complete(ref: Any, argument: Any, context: Any) -> Completion:
        return Completion(values=[argument.value + "-1"])


@contextmanager
def serving(app: Any) -> Iterator[int]:
    """Serve an ASGI app in a thread; its port."""
    config = uvicorn.Config(app, port=0, log_level="critical", lifespan="on", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        threading.Event().wait(0.01)
        assert thread.is_alive()
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join(20)
