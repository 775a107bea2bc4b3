"""One client that sends and hears messages over one channel: standard input and output, or HTTP+SSE.

There are no headers: what they say stands in the messages. A client may be of either kind; one that shakes
hands has one session, which lives as long as the channel.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any

from msgspec import Raw

from toolgate.errors import INTERNAL_ERROR, Refusal
from toolgate.model import Call, Reply
from toolgate.pipeline import Pipeline
from toolgate.protocol import batch, jsonrpc, legacy, modern, refused, versions
from toolgate.protocol.headers import Headers, encode_value

_log = logging.getLogger("toolgate.dialogue")

MAX_CALLS = 256
"""Calls of one client in flight. More are refused: a client that may send without end could fill the memory."""

Say = Callable[[bytes, bool], None]
"""Takes a message for the client, and whether it may be lost where the client reads too slowly (E38)."""

Mark = Callable[[Call], Call]
"""Adds to a call where it comes from and with which credential."""


class Dialogue:
    """Takes messages, says answers. Every message is a task of its own, so none waits for another."""

    def __init__(self, pipeline: Pipeline, door: str, say: Say, *, json_depth: int, stateless: bool) -> None:
        """`stateless` says whether the client may be of the revision without sessions."""
        self._pipeline = pipeline
        self._door = door
        self._say = say
        self._depth = json_depth
        self._may_be_stateless = stateless
        self._session: str | None = None
        self._revision = versions.UNSTATED
        self._calls: dict[bytes, tuple[Call, asyncio.Task[None]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._listening: asyncio.Task[None] | None = None

    @property
    def opened(self) -> bool:
        """Whether the client has shaken hands."""
        return self._session is not None

    def take(self, body: bytes, mark: Mark) -> None:
        """One message of the client. Raises `Refusal` for what is no message."""
        message = jsonrpc.parse(body, self._depth)
        if isinstance(message, list):
            self._take_batch(message, mark)
        else:
            self._take(message, body, mark)

    async def finish(self, seconds: float) -> None:
        """The client says no more: let its calls end within `seconds`."""
        # What listens would never end by itself.
        running = {task for call, task in self._calls.values() if call.method != "subscriptions/listen"}
        if running:
            await asyncio.wait(running, timeout=seconds)

    async def close(self, mark: Mark) -> None:
        """The channel is gone: end calls and session."""
        tasks = {*self._tasks}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._session is not None:
            await self._guarded(self._pipeline.end(mark(self._call("", b"", {}))))

    def _take(self, message: Any, body: bytes, mark: Mark) -> None:
        ident = jsonrpc.request_id(message)
        if message.get("method") == "notifications/cancelled":
            self._cancel(message)
            return
        try:
            call = mark(self._read(message, ident, body))
            if ident is not None and call.method:
                self._start_call(ident, call)
            else:
                self._start(self._notify(call))
        except Refusal as refusal:
            self._refuse(refusal, ident, message.get("method", ""), modern.claims(message))

    def _take_batch(self, messages: list[Any], mark: Mark) -> None:
        """Arrays exist in 2025-03-26 only; the answers leave in one, too (E04)."""
        version = self._revision if self.opened else versions.LATEST_LEGACY
        batch.check(Headers(version=version), messages)
        self._start(self._answer_batch(messages, mark))

    def _read(self, message: Any, ident: bytes | None, body: bytes) -> Call:
        if self._may_be_stateless and modern.claims(message):
            if ident is None:
                return Call(versions.MODERN, self._door, "", body, {})
            return modern.read(_headers_of(message), message, ident, body, self._door)
        call = legacy.read(Headers(), message, ident, body, self._door)
        call.session_text = self._session
        if self.opened:
            call.revision = self._revision
        if call.method == "initialize" and self.opened:
            raise Refusal.invalid("This session is open already.")
        if call.method not in ("", "initialize", "ping") and not self.opened and ident is not None:
            raise Refusal.invalid("initialize comes first.")
        return call

    def _call(self, method: str, body: bytes, params: dict[str, Any]) -> Call:
        return Call(self._revision, self._door, method, body, params, session_text=self._session)

    def _start_call(self, ident: bytes, call: Call) -> None:
        if ident in self._calls:
            raise Refusal.invalid("This id is in flight already.")
        if len(self._calls) >= MAX_CALLS:
            raise Refusal.invalid(f"{MAX_CALLS} calls are in flight.")
        task = self._start(self._answer_one(call))
        self._calls[ident] = call, task
        task.add_done_callback(lambda _: self._calls.pop(ident, None))

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _cancel(self, message: dict[str, Any]) -> None:
        params = message.get("params")
        wanted = params.get("requestId") if isinstance(params, dict) else None
        if not isinstance(wanted, str | int) or isinstance(wanted, bool):
            return
        call, task = self._calls.get(jsonrpc.id_text(wanted), (None, None))
        if call is not None and task is not None and call.method != "initialize":
            call.cancelled = True
            task.cancel()

    async def _answer_one(self, call: Call) -> None:
        answer = await self._answer(call)
        self._say(answer, False)
        if call.method == "subscriptions/listen":
            # The end of a listen is told twice on a channel: servers differ in which one they send.
            params = jsonrpc.join({"requestId": Raw(call.id or b"null")})
            self._say(b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":%b}' % params, False)

    async def _answer(self, call: Call) -> bytes:
        """The response; what comes before it is said on the way."""
        try:
            reply = await self._pipeline.request(call)
            if call.method == "initialize" and reply.session is not None:
                self._open(reply)
            if reply.stream is None:
                return reply.message or b""
            return await self._last_of(reply.stream)
        except Refusal as refusal:
            return refused.write(refusal, id=call.id, method=call.method, revision=call.revision)[1]
        except Exception as error:  # noqa: BLE001 - the last place where a bug can be told apart from a no
            _log.error("the call failed", exc_info=error)
            return jsonrpc.error(call.id, INTERNAL_ERROR, "Internal error.")

    def _open(self, reply: Reply) -> None:
        self._session = reply.session
        result = jsonrpc.fields(jsonrpc.fields(reply.message or b"{}")["result"])
        self._revision = jsonrpc.text(result.get("protocolVersion")) or versions.UNSTATED

    async def _last_of(self, stream: AsyncGenerator[bytes, None]) -> bytes:
        last = b""
        try:
            async for message in stream:
                if last:
                    self._say_on_the_way(last)
                last = message
        finally:
            await stream.aclose()
        return last

    def _say_on_the_way(self, message: bytes) -> None:
        self._say(message, "id" not in jsonrpc.fields(message))

    async def _answer_batch(self, messages: list[Any], mark: Mark) -> None:
        answers = await asyncio.gather(*(self._one_of_batch(one, mark) for one in messages))
        answered = [answer for answer in answers if answer]
        if answered:
            self._say(b"[%b]" % b",".join(answered), False)

    async def _one_of_batch(self, message: dict[str, Any], mark: Mark) -> bytes:
        ident = None
        try:
            ident = jsonrpc.request_id(message)
            if message.get("method") == "notifications/cancelled":
                self._cancel(message)
                return b""
            call = mark(self._read(message, ident, batch.item(message)))
        except Refusal as refusal:
            return refused.write(refusal, id=ident, method="", revision=self._revision)[1]
        if ident is not None and call.method:
            return await self._answer(call)
        await self._notify(call)
        return b""

    async def _notify(self, call: Call) -> None:
        await self._guarded(self._pipeline.notify(call))
        if call.method == "notifications/initialized" and self.opened and self._listening is None:
            # What belongs to no call has no stream of its own here: it comes between the answers.
            listen = self._call("listen", b"", {})
            listen.client_ip, listen.local = call.client_ip, call.local
            listen.authorization, listen.api_key = call.authorization, call.api_key
            self._listening = self._start(self._guarded(self._listen(listen)))

    async def _listen(self, call: Call) -> None:
        reply = await self._pipeline.listen(call)
        assert reply.stream is not None
        try:
            async for message in reply.stream:
                self._say_on_the_way(message)
        finally:
            await reply.stream.aclose()

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        """Nobody waits for an answer to this; a refusal is in the record already."""
        try:
            await work
        except Refusal as refusal:
            _log.info("refused: %s", refusal.reason)

    def _refuse(self, refusal: Refusal, ident: bytes | None, method: object, stateless: bool) -> None:
        revision = versions.MODERN if stateless else self._revision
        name = method if isinstance(method, str) else ""
        if ident is not None:
            self._say(refused.write(refusal, id=ident, method=name, revision=revision)[1], False)
        else:
            _log.info("a notification was refused: %s", refusal.reason)


def _headers_of(message: dict[str, Any]) -> Headers:
    """What the headers would say over HTTP, so that a stateless message is read by the same rules."""
    params = message["params"]
    name = next((params[key] for key in ("name", "uri", "taskId") if isinstance(params.get(key), str)), None)
    method = message.get("method")
    return Headers(
        version=str(params["_meta"][modern.VERSION_KEY]),
        method=method if isinstance(method, str) else None,
        name=None if name is None else encode_value(name).decode(),
    )
