"""A real server on the official SDK that speaks one kind of MCP only, and keeps what it was sent."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import uvicorn
from mcp import UrlElicitationRequiredError
from mcp.server import MCPServer
from mcp.server.lowlevel import NotificationOptions
from mcp.server.mcpserver import Context
from mcp_types import (
    Completion,
    CreateMessageRequest,
    CreateMessageRequestParams,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitRequestURLParams,
    EmptyResult,
    InputRequiredResult,
    ListRootsRequest,
    SamplingMessage,
    SubscribeRequestParams,
    TextContent,
    UnsubscribeRequestParams,
)
from pydantic import BaseModel, Field

MODERN = "2026-07-28"
PAGE = "ui://desk/bell"


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
        self.sessions: set[str] = set()
        """Those it was named since the set was cleared."""
        self.subscribed: list[str] = []
        self._streams: list[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = []
        self.forgotten: set[str] = set()
        """Sessions that it answers 404 for, as after a restart."""
        self.cancelled = threading.Event()
        self.started = threading.Event()
        self.server = MCPServer("desk", instructions="Ring the bell.")
        _tools(self)
        if kind == "sessions":
            _questions(self)
            _promises(self)
        else:
            _rounds(self)
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
        self.sessions.add(headers.get("mcp-session-id", ""))
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

        if scope["method"] == "GET":
            stream = asyncio.ensure_future(self._app(scope, again, send))
            self._streams.append((asyncio.get_running_loop(), stream))
            await asyncio.wait((stream,))
        else:
            await self._app(scope, again, send)

    def close_streams(self) -> None:
        """As a server that is stopped."""
        for loop, stream in self._streams:
            loop.call_soon_threadsafe(stream.cancel)


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
    async def ring(ctx: Context) -> str:
        """Tell everybody who listens."""
        if desk.kind == "sessions":
            await ctx.session.send_tool_list_changed()
            await ctx.session.send_resource_updated("desk://bell")
        else:
            await ctx.notify_tools_changed()
            await ctx.notify_resource_updated("desk://bell")
        return "rung"

    @server.tool(meta={"ui": {"resourceUri": PAGE, "visibility": ["model", "app"]}})
    def show() -> str:
        """A tool with a page of its own."""
        return "shown"

    @server.tool()
    def hidden() -> str:
        """Nobody may."""
        desk.done.append("hidden")
        return "seen"


async def _name(ctx: Context, text: str = "Who?") -> str:
    answer = await ctx.elicit(text, Name)
    return answer.data.name if answer.action == "accept" else answer.action


async def _thought(ctx: Context) -> str:
    message = SamplingMessage(role="user", content=TextContent(text="Think."))
    result = await ctx.session.create_message([message], max_tokens=9, related_request_id=ctx.request_id)
    return getattr(result.content, "text", "")


def _questions(desk: Desk) -> None:
    """The way servers with sessions ask: by requests within a call."""
    server = desk.server

    @server.tool()
    async def ask_name(ctx: Context, title: str = "") -> str:
        """Ask for a name."""
        desk.done.append("ask_name")
        try:
            await ctx.report_progress(1, 3)
            name = await _name(ctx)
            await ctx.report_progress(2, 3)
        except asyncio.CancelledError:
            desk.cancelled.set()
            raise
        return f"{title}{name}"

    @server.tool()
    async def ask_page(ctx: Context) -> str:
        """Send the user to a page."""
        return (await ctx.elicit_url("Log in", "https://example.com/login?a=%20b", "e-1")).action

    @server.tool()
    async def need_page(ctx: Context) -> str:
        """Refuse until the user has been to a page."""
        desk.done.append("need_page")
        if desk.done.count("need_page") < 2:
            page = ElicitRequestURLParams(
                message="Log in", url="https://example.com/login", elicitation_id="e-2"
            )
            raise UrlElicitationRequiredError([page])
        return "logged in"

    @server.tool()
    async def think(ctx: Context) -> str:
        """Ask the client's model."""
        return await _thought(ctx)

    @server.tool()
    async def roots(ctx: Context) -> str:
        """Ask for roots in a message that names no call."""
        return str([str(root.uri) for root in (await ctx.session.list_roots()).roots])

    @server.tool()
    async def ask_twice(ctx: Context) -> str:
        """Two rounds."""
        return f"{await _name(ctx, 'First?')} {await _name(ctx, 'Second?')}"

    @server.tool()
    async def ask_on(ctx: Context) -> str:
        """Never have enough."""
        while True:
            await _name(ctx)

    @server.tool()
    async def ask_all(ctx: Context) -> str:
        """Two questions at once."""
        return " ".join(await asyncio.gather(_name(ctx), _thought(ctx)))

    @server.prompt()
    async def ask_prompt(ctx: Context) -> str:
        """A prompt that needs a name."""
        return f"Hello {await _name(ctx)}"


def _promises(desk: Desk) -> None:
    """What servers with sessions do for those who follow changes; the SDK leaves it to its users."""
    low = desk.server._lowlevel_server
    all_lists = NotificationOptions(tools_changed=True, prompts_changed=True, resources_changed=True)
    plain = low.get_capabilities
    low.get_capabilities = lambda _=None, *more, **named: plain(all_lists, *more, **named)  # type: ignore[method-assign,misc,assignment]

    async def subscribe(ctx: Any, params: Any) -> EmptyResult:
        desk.subscribed.append(str(params.uri))
        return EmptyResult()

    async def unsubscribe(ctx: Any, params: Any) -> EmptyResult:
        desk.subscribed.remove(str(params.uri))
        return EmptyResult()

    low.add_request_handler("resources/subscribe", SubscribeRequestParams, subscribe)
    low.add_request_handler("resources/unsubscribe", UnsubscribeRequestParams, unsubscribe)


def _form(text: str) -> ElicitRequest:
    return ElicitRequest(
        params=ElicitRequestFormParams(message=text, requested_schema=Name.model_json_schema())
    )


def _rounds(desk: Desk) -> None:
    """The way stateless servers ask: by answers that want to be called again."""
    server = desk.server
    message = SamplingMessage(role="user", content=TextContent(text="Think."))
    thought = CreateMessageRequest(params=CreateMessageRequestParams(messages=[message], max_tokens=9))
    page = ElicitRequest(
        params=ElicitRequestURLParams(message="Log in", url="https://example.com/login?a=%20b")
    )
    rounds: dict[str, list[dict[str, Any]]] = {
        "ask_name": [{"name": _form("Who?")}],
        "think": [{"thought": thought}],
        "roots": [{"roots": ListRootsRequest()}],
        "ask_page": [{"page": page}],
        "ask_twice": [{"first": _form("First?")}, {"second": _form("Second?")}],
        "ask_all": [{"name": _form("Who?"), "thought": thought}],
        "wait_a_round": [{}],
        "ask_on": [{"name": _form("Who?")}] * 50,
    }

    def tool(name: str, questions: list[dict[str, Any]]) -> None:
        async def ask(ctx: Context) -> str | InputRequiredResult:
            desk.done.append(name)
            said = json.loads(ctx.request_state or "[]")
            for answer in (ctx.input_responses or {}).values():
                said.append(answer.model_dump(by_alias=True, exclude_none=True, mode="json"))
            if ctx.request_state is not None and not ctx.input_responses:
                said.append("nothing")
            if len(said) < sum(len(one) or 1 for one in questions):
                asked = sum(len(one) for one in questions[: len(said)]) and len(said)
                return InputRequiredResult(
                    input_requests=questions[asked] or None, request_state=json.dumps(said) + " "
                )
            return json.dumps(said)

        server.add_tool(ask, name=name)

    for name, questions in rounds.items():
        tool(name, questions)

    @server.prompt()
    async def ask_prompt(ctx: Context) -> str | InputRequiredResult:
        """A prompt that needs a name."""
        answer = (ctx.input_responses or {}).get("name")
        if answer is None:
            return InputRequiredResult(input_requests={"name": _form("Who?")})
        return f"Hello {answer.content['name']}"  # type: ignore[union-attr,index]


def _rest(desk: Desk) -> None:
    server = desk.server

    @server.resource("desk://bell")
    def bell() -> str:
        """The bell."""
        return "ding"

    @server.resource(PAGE, mime_type="text/html;profile=mcp-app", meta={"ui": {"prefersBorder": True}})
    def page() -> str:
        """The page of a tool."""
        return "<p>"

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
