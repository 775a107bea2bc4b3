"""Clients of HTTP+SSE, the transport of 2024-11-05: a stream that stays open, and messages posted beside it.

Off unless the config says `legacy_sse: true`. A connection belongs to the principal that opened it: for
anybody else it does not exist, whatever the id.
"""

import asyncio
import secrets
from collections.abc import AsyncGenerator
from urllib.parse import parse_qs

from toolgate.errors import INVALID_REQUEST, UPSTREAM_UNAVAILABLE, Refusal
from toolgate.listeners import edge as at_edge
from toolgate.listeners.dialogue import Dialogue
from toolgate.listeners.edge import Edge
from toolgate.listeners.exchange import Exchange
from toolgate.model import Call
from toolgate.pipeline import Pipeline
from toolgate.protocol import sse, versions
from toolgate.protocol.legacy import unknown_session
from toolgate.upstreams.mailbox import Mailbox

MAX_OPEN = 10_000
"""Connections at the same time."""
FINISH_SECONDS = 5.0
"""How long calls in flight may go on where the gateway stops."""


class _Open:
    """One connection."""

    def __init__(self, door: str, principal: str, pipeline: Pipeline, depth: int) -> None:
        self.door = door
        self.principal = principal
        self.mail = Mailbox()
        self.dialogue = Dialogue(pipeline, door, self._say, json_depth=depth, stateless=False)

    def _say(self, message: bytes, may_be_lost: bool) -> None:
        self.mail.put(message, may_be_lost=may_be_lost)


class Sse:
    """Serves `/sse` and `/messages`, and the same under `/servers/{name}/`."""

    def __init__(self, pipeline: Pipeline, edge: Edge, prefix: str) -> None:
        """`prefix` is the path of the public URL, which clients post below."""
        self._pipeline = pipeline
        self._edge = edge
        self._prefix = prefix
        self._open: dict[str, _Open] = {}
        self._ending: set[asyncio.Task[None]] = set()

    def serves(self, path: str) -> bool:
        """Whether the path is one of this transport."""
        return _place(path) is not None

    async def answer(self, exchange: Exchange) -> None:
        """Answer a request to a path that is served here. Raises `Refusal`."""
        door, post = _place(exchange.head.path) or ("", False)
        if door not in self._pipeline.snapshot.doors:
            raise at_edge.not_found()
        method = exchange.head.method
        if method == "OPTIONS":
            exchange.preflight()
        elif method != ("POST" if post else "GET"):
            # Clients of both transports POST here first, and take this for the sign to open a stream.
            raise at_edge.wrong_method("POST" if post else "GET")
        elif post:
            await self._take(exchange, door)
        else:
            await self._stream(exchange, door)

    async def finish(self) -> None:
        """The gateway stops: let calls in flight end, then end every connection (E39)."""
        await asyncio.gather(*(one.dialogue.finish(FINISH_SECONDS) for one in self._open.values()))
        for one in self._open.values():
            one.mail.close()

    async def aclose(self) -> None:
        """Return once every ended connection has let go of what it held."""
        await asyncio.gather(*self._ending, return_exceptions=True)

    async def _stream(self, exchange: Exchange, door: str) -> None:
        call = exchange.call(Call(versions.UNSTATED, door, "", b"", {}))
        principal = await self._pipeline.snapshot.identify(call)
        if len(self._open) >= MAX_OPEN:
            text = "Too many connections are open."
            raise Refusal("session", "busy", text, code=UPSTREAM_UNAVAILABLE, status=503)
        number = secrets.token_urlsafe(24)
        one = self._open[number] = _Open(door, principal.id, self._pipeline, self._edge.json_depth)
        try:
            exchange.watch()
            await exchange.events(self._events(number, one))
        finally:
            del self._open[number]
            one.mail.close()
            task = asyncio.create_task(one.dialogue.close(exchange.call))
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)

    async def _events(self, number: str, one: _Open) -> AsyncGenerator[bytes, None]:
        place = f"/servers/{one.door}/messages" if one.door else "/messages"
        yield sse.write(f"{self._prefix}{place}?session_id={number}".encode(), name="endpoint")
        async for message in one.mail:
            yield sse.write(message)

    async def _take(self, exchange: Exchange, door: str) -> None:
        at_edge.check_post(self._edge, exchange.headers)
        call = exchange.call(Call(versions.UNSTATED, door, "", b"", {}))
        principal = await self._pipeline.snapshot.identify(call)
        one = self._open.get(_number(exchange.head.query))
        if one is None or one.door != door or one.principal != principal.id:
            raise unknown_session()
        one.dialogue.take(exchange.body(self._edge), exchange.call)
        exchange.accepted()


def _place(path: str) -> tuple[str, bool] | None:
    """Door, and whether messages are posted there; None for paths of no concern."""
    parts = path.split("/")
    if parts[-1] not in ("sse", "messages"):
        return None
    if len(parts) == 2:
        return "", parts[1] == "messages"
    if len(parts) == 4 and parts[1] == "servers" and parts[2]:
        return parts[2], parts[3] == "messages"
    return None


def _number(query: bytes) -> str:
    try:
        found = parse_qs(query.decode("ascii"), max_num_fields=4).get("session_id", [])
    except ValueError:
        found = []
    if len(found) != 1:
        raise Refusal.invalid("session_id is required, once.", code=INVALID_REQUEST)
    return found[0]
