"""Calls of stateless clients at a server with sessions. Decides nothing; the words are `protocol/to_sessions.py`.

A call whose server asks the client something stays open here while the client decides: it is answered with
`input_required`, and goes on when the client comes back. One call of the client is one call at the server.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, suppress

from msgspec import Raw

from toolgate.errors import INTERNAL_ERROR, METHOD_NOT_FOUND, Refusal
from toolgate.model import Reply
from toolgate.ports import Outbound, Upstream
from toolgate.protocol import asking, bridge, jsonrpc, modern, subscriptions, to_sessions
from toolgate.protocol.methods import MAY_ASK, METHODS
from toolgate.protocol.to_sessions import Request
from toolgate.upstreams.held import Claim, HeldCalls
from toolgate.upstreams.line import Line
from toolgate.upstreams.lines import Lines
from toolgate.upstreams.mailbox import Mailbox
from toolgate.upstreams.open_call import OpenCall
from toolgate.upstreams.replies import Messages, each, reply_of

NEW_SECONDS = 1.0
"""A session younger than this is not taken for lost."""


class ToSessions:
    """What a client without sessions gets of one server."""

    def __init__(self, server: Upstream, held: HeldCalls, numbers: Iterator[int]) -> None:
        """`numbers` are for requests of our own."""
        self._server = server
        self._held = held
        self._lines = Lines(server, numbers, _hear)
        self._open: dict[OpenCall, Line] = {}

    async def exchange(self, out: Outbound) -> Reply:
        """Send a request, return the answer in the client's words. Raises `Refusal`."""
        if out.method not in METHODS:
            # Nobody knows how to put the words of an extension into the other kind (E84).
            raise modern.unknown_method(out.method)
        request = to_sessions.request(out.message, out.method)
        if out.method == "subscriptions/listen":
            return Reply(stream=self._follow(out, request))
        return await reply_of((self._round if out.method in MAY_ASK else self._plain)(out, request))

    async def aclose(self) -> None:
        """Stop what runs beside calls, and every call that waits for its client."""
        for call in list(self._open):
            call.abandon()
        await self._lines.aclose()

    async def _plain(self, out: Outbound, request: Request) -> Messages:
        """A request that ends in one exchange."""
        assert out.id is not None
        line = await self._lines.take(out.principal, request)
        try:
            out.crossed = line.revision
            if out.method == "server/discover":
                yield True, jsonrpc.result_text(b"%d" % out.id, to_sessions.discovered(line.initialized))
                return
            async with aclosing(each(await line.call(out, request.message, request.level))) as messages:
                async for message in messages:
                    parts = bridge.fields(message)
                    if "method" not in parts:
                        yield True, to_sessions.response(parts, out.method, out.name)
                        return
                    if "id" not in parts and to_sessions.passes(parts, request.level):
                        yield False, message
                    else:
                        _hear(line, message)
            raise bridge.lie("the stream ended before the answer")
        finally:
            self._lines.give_back(line)

    # Calls that may ask

    async def _round(self, out: Outbound, request: Request) -> Messages:
        """From a client's request to the response or the next questions."""
        assert out.id is not None
        claim = Claim(self._server.name, out.method, request.digest)
        answers: list[bytes] = []
        if request.state is None:
            call = await self._begin(out, request)
        else:
            call, answers = self._resume(out, request, request.state, claim)
        line = self._open[call]
        out.crossed = line.revision
        waits = False
        try:
            for answer in answers:
                await line.send(answer)
            while (parts := await call.next()) is not None:
                if "method" not in parts:
                    yield True, _response(parts, out, line)
                    return
                if to_sessions.passes(parts, request.level):
                    yield False, to_sessions.renumbered(parts, out.id)
                elif to_sessions.is_news(parts):
                    line.tell(jsonrpc.join(parts))
            questions = call.ask_client()
            state = self._held.hold(call, out.principal.id, claim)
            waits = True
            yield True, asking.input_required(out.id, questions, state)
        finally:
            if not waits:
                call.abandon()

    async def _begin(self, out: Outbound, request: Request) -> OpenCall:
        assert out.id is not None
        line = await self._lines.take(out.principal, request, apart=True)
        call = OpenCall(out.id, line.capabilities, line.post, self._left)
        self._open[call] = line
        line.calls.add(call)
        call.start(_carry_out(call, out, request, line))
        return call

    def _resume(
        self, out: Outbound, request: Request, state: str, claim: Claim
    ) -> tuple[OpenCall, list[bytes]]:
        token, call = self._held.find(state, out.principal.id, claim)
        assert isinstance(call, OpenCall)
        answers = call.answers(request.answers)
        self._held.leave(token)
        return call, answers

    def _left(self, call: OpenCall) -> None:
        line = self._open.pop(call)
        line.calls.discard(call)
        self._lines.give_back(line)

    # Subscriptions

    async def _follow(self, out: Outbound, request: Request) -> AsyncGenerator[bytes, None]:
        """The news a client wants, acknowledgement first, until the server is heard no more."""
        assert out.id is not None
        line = await self._lines.take(out.principal, request)
        mail, mine = Mailbox(), list[str]()
        try:
            out.crossed = line.revision
            heard = await line.hear()
            if not heard and asyncio.get_running_loop().time() - line.opened > NEW_SECONDS:
                heard = await line.hear_again()
            wanted = to_sessions.offered(request.message, line.offers) if heard else subscriptions.Wanted()
            line.followers.add(mail)
            for uri in wanted.uris:
                if await line.subscribe(uri):
                    mine.append(uri)
            agreed = subscriptions.Wanted(wanted.lists, tuple(mine))
            yield subscriptions.acknowledgement(b"%d" % out.id, agreed)
            async for message in mail:
                yield message
        finally:
            line.followers.discard(mail)
            for uri in mine:
                line.aside(line.unsubscribe(uri))
            self._lines.give_back(line)


async def _carry_out(call: OpenCall, out: Outbound, request: Request, line: Line) -> None:
    may_want_task = out.method == "tools/call" and "tasks" in line.offers
    reply = await line.call(out, request.message, request.level)
    call.be_patient = reply.be_patient
    async with aclosing(each(reply)) as messages:
        async for message in messages:
            if not (may_want_task and to_sessions.wants_task(message)):
                call.hear(message)
                continue
            # The tool was not called, since it answers later only: it is waited for here.
            await _carry_out_later(call, request, line)


async def _carry_out_later(call: OpenCall, request: Request, line: Line) -> None:
    """The call as a task of 2025-11-25, for a client that knows none of those."""
    created = await line.request("tools/call", to_sessions.as_task(request.message))
    task = to_sessions.task_of(created)
    if task is None:
        call.hear(jsonrpc.join(created))
        return
    answered = False
    try:
        async with aclosing(each(await line.start("tasks/result", task))) as messages:
            async for one in messages:
                call.hear(to_sessions.unrelated(one))
        answered = True
    finally:
        if not answered:
            line.aside(line.request("tasks/cancel", task))


def _response(parts: dict[str, Raw], out: Outbound, line: Line) -> bytes:
    assert out.id is not None
    pages = asking.pages_to_visit(parts, line.capabilities)
    if pages is not None:
        return asking.input_required(out.id, pages, None)
    parts["id"] = Raw(b"%d" % out.id)
    return to_sessions.response(parts, out.method, out.name)


def _hear(line: Line, message: bytes) -> None:
    """A message of a server that belongs to no call, or may belong to the only one (E31)."""
    with suppress(Refusal):
        parts = bridge.fields(message)
        if "method" not in parts:
            return
        if "id" in parts:
            _answer(line, message, parts)
        elif to_sessions.is_news(parts):
            line.tell(message)
        elif len(line.calls) == 1 and to_sessions.passes(parts, 0):
            next(iter(line.calls)).hear(message)


def _answer(line: Line, message: bytes, parts: dict[str, Raw]) -> None:
    id, method = bytes(parts["id"]), jsonrpc.text(parts["method"]) or ""  # noqa: A001
    params = parts.get("params", Raw(b"{}"))
    if method == "ping":
        line.post(jsonrpc.result_text(id, b"{}"))
    elif method not in asking.KINDS or asking.undeclared(method, params, line.capabilities):
        line.post(jsonrpc.error(id, METHOD_NOT_FOUND, "The client does not offer this."))
    elif len(line.calls) == 1:
        next(iter(line.calls)).hear(message)
    elif method == "roots/list":
        line.post(jsonrpc.result_text(id, b'{"roots":[]}'))
    else:
        line.post(jsonrpc.error(id, INTERNAL_ERROR, "It cannot be told which call this belongs to."))
