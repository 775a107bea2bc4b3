"""Calls of clients with sessions at a stateless server. Decides nothing; the words are `protocol/to_stateless.py`."""

import asyncio
import json
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from contextlib import aclosing, suppress
from typing import Any

import orjson
from msgspec import Raw

from toolgate.errors import HEADER_MISMATCH, INVALID_PARAMS, Refusal
from toolgate.model import Principal, Reply, Session
from toolgate.ports import Opened, Outbound, Upstream
from toolgate.protocol import bridge, jsonrpc, legacy, param_headers, to_stateless, versions
from toolgate.protocol.methods import METHODS
from toolgate.protocol.to_sessions import LEVELS
from toolgate.upstreams.news import News
from toolgate.upstreams.questions import Questions
from toolgate.upstreams.replies import Messages, each, reply_of

MAX_ROUNDS = 10
"""Of questions within one call (E70)."""
ANSWER_SECONDS = 600.0
"""How long a client may think about one round."""
PAUSE_SECONDS = 0.25
"""Before a server that asked nothing is asked again."""
MAX_SESSIONS = 100_000
"""Whose log level is remembered."""
MAX_TOOLS = 10_000
"""Whose parameter headers are remembered."""


class ToStateless:
    """What a client with a session gets of one server."""

    def __init__(self, server: Upstream, numbers: Iterator[int]) -> None:
        """`numbers` are for requests of our own."""
        self.name = server.name
        self._server = server
        self._levels: OrderedDict[str, str] = OrderedDict()
        self._declared: OrderedDict[str, param_headers.Declared] = OrderedDict()
        self._questions = Questions()
        self._numbers = numbers
        self._news = News(server, self._numbers)

    async def initialize(self, session: Session, principal: Principal) -> Opened:
        """What the server says of itself, as the answer to `initialize`."""
        meta = to_stateless.envelope(session)
        parts = await self._own(session, principal, "server/discover", {"_meta": meta})
        if "result" not in parts:
            raise Refusal.upstream("upstream_failed", "server/discover was answered with an error")
        return Opened(to_stateless.initialized(bytes(parts["result"]), session.revision, self.name))

    async def exchange(self, out: Outbound) -> Reply:
        """Send a request, return the answer in the client's words. Raises `Refusal`."""
        if out.method not in METHODS:
            # Nobody knows how to put the words of an extension into the other kind (E84).
            raise legacy.unknown_method(out.method)
        assert out.session is not None
        out.crossed = versions.MODERN
        if out.method == "logging/setLevel":
            self._keep_level(out.session, out.message)
            return Reply(message=jsonrpc.result_text(b"%d" % (out.id or 0), b"{}"))
        if out.method in ("resources/subscribe", "resources/unsubscribe"):
            return self._wish(out, out.session)
        return await reply_of(self._messages(out, out.session))

    def listen(
        self, session: Session, principal: Principal, ready: Callable[[], None] | None
    ) -> AsyncIterator[bytes]:
        """What the server says outside of calls, as far as the client wants to hear it."""
        return self._news.messages(session, principal, ready)

    def answer(self, session: Session, message: bytes) -> bool:
        """Whether a client's response is to a question that was asked here."""
        return self._questions.answer(session.id, message)

    def forget(self, session: Session) -> None:
        """The session ended."""
        self._levels.pop(session.id, None)
        self._news.forget(session)

    async def _messages(self, out: Outbound, session: Session) -> Messages:
        """From a client's request to the response, through every round of questions in between."""
        assert out.id is not None
        message = first = to_stateless.request(out.message, session, self._levels.get(session.id))
        if out.method == "tools/call":
            out.headers = self._param_headers(out, first)
        number = out.id
        for _ in range(MAX_ROUNDS):
            parts: dict[str, Raw] = {}
            async with aclosing(each(await self._reply(out, message, number))) as messages:
                async for one in messages:
                    parts = bridge.fields(one)
                    if "method" not in parts:
                        break
                    if "id" in parts:
                        raise to_stateless.broken("a request of a stateless server")
                    yield False, one
                else:
                    raise bridge.lie("the stream ended before the answer")
            asked = _asked(parts, out.method)
            if asked is None:
                yield True, self._response(parts, out, session)
                return
            if to_stateless.undeclared(asked.questions, session):
                yield True, to_stateless.unanswered(out.id, out.method)
                return
            answers: dict[str, Raw] = {}
            async with aclosing(self._ask(asked.questions, session, answers)) as questions:
                async for question in questions:
                    yield False, question
            if answers.keys() != asked.questions.keys():
                yield True, to_stateless.unanswered(out.id, out.method)
                return
            if not asked.questions:
                await asyncio.sleep(PAUSE_SECONDS)
            number = next(self._numbers)
            message = to_stateless.answered(first, number, answers, asked.state)
        raise to_stateless.broken(f"more than {MAX_ROUNDS} rounds of questions")

    async def _ask(
        self, questions: Mapping[str, Raw], session: Session, answers: dict[str, Raw]
    ) -> AsyncGenerator[bytes, None]:
        """The requests that ask the client; when they all are out, waits until `answers` holds what it said."""
        open_: dict[str, bytes] = {}
        try:
            for key, entry in questions.items():
                open_[key], request = self._questions.ask(session.id, entry)
                yield request
            with suppress(TimeoutError):
                async with asyncio.timeout(ANSWER_SECONDS):
                    for key, number in open_.items():
                        said = await self._questions.answered(session.id, number)
                        if "result" not in said:
                            return
                        answers[key] = said["result"]
        finally:
            for number in open_.values():
                self._questions.forget(session.id, number)

    async def _reply(self, out: Outbound, message: bytes, number: int) -> Reply:
        inner = _stateless(out, message)
        inner.id = number
        reply = await self._server.exchange(inner)
        if out.method != "tools/call" or reply.message is None or reply.status != 400:
            return reply
        error = bridge.fields(reply.message).get("error")
        if error is None or jsonrpc.error_code(error) != HEADER_MISMATCH:
            return reply
        # The schema is not known yet, or no longer: read it and ask once more; nothing was done (E25).
        assert out.session is not None
        await self._read_schemas(out.session, out.principal)
        inner.headers = self._param_headers(out, message)
        return await self._server.exchange(inner)

    def _response(self, parts: dict[str, Raw], out: Outbound, session: Session) -> bytes:
        if "result" in parts and out.method == "tools/list":
            self._note_schemas(parts["result"])
        parts["id"] = Raw(b"%d" % (out.id or 0))
        return to_stateless.response(parts, out.method, session.revision)

    def _wish(self, out: Outbound, session: Session) -> Reply:
        """Kept here: told to the server by the stream that the client listens to, now or later."""
        wishes = self._news.wishes(session)
        if out.method == "resources/unsubscribe":
            wishes.drop(out.name)
        elif not wishes.add(out.name):
            raise Refusal.invalid("This session follows too many resources.", code=INVALID_PARAMS)
        return Reply(message=jsonrpc.result_text(b"%d" % (out.id or 0), b"{}"))

    # Log levels and parameter headers

    def _keep_level(self, session: Session, message: bytes) -> None:
        params = jsonrpc.fields(jsonrpc.fields(message).get("params", Raw(b"{}")))
        level = jsonrpc.text(params.get("level"))
        if level in LEVELS:
            self._levels[session.id] = level
            if len(self._levels) > MAX_SESSIONS:
                self._levels.popitem(last=False)

    def _param_headers(self, out: Outbound, message: bytes) -> tuple[tuple[bytes, bytes], ...]:
        known = self._declared.get(out.name)
        if not known:
            return ()
        params = jsonrpc.fields(jsonrpc.fields(message)["params"])
        return param_headers.written(known, _value(params.get("arguments")))

    async def _read_schemas(self, session: Session, principal: Principal) -> None:
        params: dict[str, Any] = {"_meta": to_stateless.envelope(session)}
        for _ in range(100):
            parts = await self._own(session, principal, "tools/list", params)
            result = parts.get("result", Raw(b"{}"))
            self._note_schemas(result)
            cursor = jsonrpc.text(bridge.fields(result).get("nextCursor"))
            if cursor is None:
                return
            params["cursor"] = cursor

    def _note_schemas(self, result: Raw) -> None:
        if b'"x-mcp-header"' not in bytes(result):
            return
        for tool in jsonrpc.items(bridge.fields(result).get("tools", Raw(b"[]"))):
            parts = bridge.fields(tool)
            name = jsonrpc.text(parts.get("name"))
            found = param_headers.declared(_value(parts.get("inputSchema")))
            if name is not None and found is not None:
                self._declared[name] = found
                if len(self._declared) > MAX_TOOLS:
                    self._declared.popitem(last=False)

    async def _own(
        self, session: Session, principal: Principal, method: str, params: Mapping[str, Any]
    ) -> dict[str, Raw]:
        """The response to a request of our own that may be repeated."""
        number = next(self._numbers)
        out = Outbound(
            message=orjson.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}),
            method=method,
            revision=versions.MODERN,
            id=number,
            name="",
            principal=principal,
            session=None,
            repeatable=True,
        )
        async with aclosing(each(await self._server.exchange(out))) as messages:
            async for message in messages:
                parts = bridge.fields(message)
                if "method" not in parts:
                    return parts
        raise bridge.lie("the stream ended before the answer")


def _asked(parts: dict[str, Raw], method: str) -> to_stateless.Asked | None:
    """The questions of a response; None where it is the answer."""
    if "result" not in parts or to_stateless.result_type(parts["result"]) == "complete":
        return None
    return to_stateless.asked(parts["result"], method)


def _value(text: Raw | None) -> Any:
    """The value of JSON; None where there is none, or what only claims to be."""
    try:
        return None if text is None else json.loads(bytes(text))
    except (ValueError, RecursionError):
        return None


def _stateless(out: Outbound, message: bytes) -> Outbound:
    return Outbound(
        message=message,
        method=out.method,
        revision=versions.MODERN,
        id=out.id,
        name=out.name,
        principal=out.principal,
        session=None,
        headers=out.headers,
        repeatable=out.repeatable,
    )
