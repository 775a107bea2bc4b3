"""Calls of stateless clients at a server with sessions. Decides nothing; the words are `protocol/to_sessions.py`."""

import itertools
from contextlib import aclosing

from msgspec import Raw

from toolgate.errors import Refusal
from toolgate.model import Reply
from toolgate.ports import Outbound, Upstream
from toolgate.protocol import bridge, jsonrpc, to_sessions
from toolgate.protocol.to_sessions import Request
from toolgate.upstreams.lines import Line, Lines
from toolgate.upstreams.replies import Messages, each, reply_of

_LOST = frozenset({400, 404})
"""How servers answer for a session they do not know: 404, some 400 (E28). Nothing was done then."""


class ToSessions:
    """What a client without sessions gets of one server."""

    def __init__(self, server: Upstream) -> None:
        self._server = server
        self._lines = Lines(server)
        # Numbers of our own go down, those of the pipeline up: they never meet at a server.
        self._numbers = itertools.count(-1, -1)

    async def exchange(self, out: Outbound) -> Reply:
        """Send a request, return the answer in the client's words. Raises `Refusal`."""
        return await reply_of(self._messages(out))

    async def aclose(self) -> None:
        """Stop what runs beside calls."""
        await self._lines.aclose()

    async def _messages(self, out: Outbound) -> Messages:
        assert out.id is not None
        request = to_sessions.request(out.message)
        line = await self._lines.take(out.principal, request)
        try:
            out.crossed = line.revision
            if out.method == "server/discover":
                yield True, jsonrpc.result_text(b"%d" % out.id, to_sessions.discovered(line.initialized))
                return
            async with aclosing(each(await self._reply(out, request, line))) as messages:
                async for message in messages:
                    parts = bridge.fields(message)
                    if "method" not in parts:
                        yield True, to_sessions.response(parts, out.method)
                        return
                    if "id" in parts:
                        await self._answer_here(parts, line)
                    elif to_sessions.passes(parts, request.level):
                        yield False, message
            raise bridge.lie("the stream ended before the answer")
        finally:
            self._lines.give_back(line)

    async def _reply(self, out: Outbound, request: Request, line: Line) -> Reply:
        used = line.session
        try:
            reply = await self._send(out, request, line)
            if reply.status not in _LOST:
                return reply
        except Refusal as refusal:
            if refusal.kind != "unknown_session":
                raise
        # The server refused before it did anything, so this is no second execution.
        await line.open(self._server, used)
        return await self._send(out, request, line)

    async def _send(self, out: Outbound, request: Request, line: Line) -> Reply:
        if request.level is not None:
            await self._set_level(line, request.level)
        return await self._server.exchange(
            Outbound(
                message=request.message,
                method=out.method,
                revision=line.revision,
                id=out.id,
                name=out.name,
                principal=out.principal,
                session=line.session,
                repeatable=out.repeatable,
            )
        )

    async def _set_level(self, line: Line, level: int) -> None:
        """Make the session's log as talkative as its most curious call needs; each call gets its own share."""
        if "logging" not in line.offers or (line.level is not None and line.level <= level):
            return
        number = next(self._numbers)
        out = Outbound(
            message=to_sessions.set_level(number, level),
            method="logging/setLevel",
            revision=line.revision,
            id=number,
            name="",
            principal=line.principal,
            session=line.session,
            repeatable=True,
        )
        async with aclosing(each(await self._server.exchange(out))) as messages:
            async for _ in messages:
                pass
        line.level = level

    async def _answer_here(self, parts: dict[str, Raw], line: Line) -> None:
        """A request of the server: `ping` is answered, questions are not carried to this kind of client."""
        method = jsonrpc.text(parts["method"])
        if method != "ping":
            raise bridge.lie(f"{method} within a call is not carried yet")
        out = Outbound(
            message=jsonrpc.result_text(bytes(parts["id"]), b"{}"),
            method="",
            revision=line.revision,
            id=None,
            name="",
            principal=line.principal,
            session=line.session,
        )
        await self._server.send(out)
