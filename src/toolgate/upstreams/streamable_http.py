"""Streamable HTTP, of both kinds: with sessions and stateless. Which one a server speaks, others find out.

Messages arrive with the ids of this hop and leave as whole JSON-RPC messages, whatever framing the server
chose. Nothing is sent twice unless the message says that twice does no harm (E81).
"""

import asyncio
import contextlib
import math
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine
from functools import lru_cache

import msgspec
import orjson
from msgspec import Struct

from toolgate.errors import UPSTREAM_FAILED, Refusal
from toolgate.model import Principal, Reply, Session
from toolgate.ports import Http, HttpError, HttpResponse, Opened, Outbound
from toolgate.protocol import bridge, discovery, jsonrpc, legacy, sse, versions
from toolgate.protocol.headers import encode_value
from toolgate.upstreams.handshakes import Agreed, Handshakes
from toolgate.upstreams.http_events import MAX_MESSAGE, events, is_stream
from toolgate.upstreams.http_failures import refusal_of, refusal_of_status

ASKED_SECONDS = 900.0
"""How long a server may be silent once it has asked the client something: people answer slowly."""
QUIET_SECONDS = 900.0
"""How long a server may say nothing to who listens for news, before it is listened to again."""

Fields = tuple[tuple[bytes, bytes], ...]

LONG = 256
"""Characters of a name too long to be remembered."""

RETRY_SECONDS = 1.0
"""Before a stream is taken up again, where the server does not say how long."""

_NAMED = frozenset(
    {"prompts/get", "resources/read", "tasks/cancel", "tasks/get", "tasks/update", "tools/call"}
)


class _Envelope(msgspec.Struct):
    method: str | msgspec.UnsetType = msgspec.UNSET
    id: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_envelope = msgspec.json.Decoder(_Envelope)


class Answer(Struct, frozen=True):
    """What a server says to a question about itself."""

    status: int
    message: bytes | None
    """None where it was no message."""
    session_id: str | None


class NotOpened(Refusal):
    """The server answered `initialize` with anything but a result."""

    def __init__(self, answer: Answer) -> None:
        text = "The server behind this tool failed."
        error = bridge.fields(answer.message).get("error") if answer.message is not None else None
        code = None if error is None else jsonrpc.error_code(error)
        reason = f"initialize was answered with HTTP {answer.status}, error {code}"
        super().__init__("upstream", "upstream_failed", text, code=UPSTREAM_FAILED, status=502, reason=reason)
        self.answer = answer


class _Left(Struct, frozen=True):
    """A call in a session that may be left before its answer."""

    number: int
    agreed: Agreed


class StreamableHttp:
    """One server behind one URL."""

    def __init__(
        self,
        name: str,
        url: str,
        http: Http,
        *,
        streams: Http,
        headers: Fields = (),
        seconds: float = 60.0,
        total_seconds: float = 900.0,
        revision: str | None = None,
    ) -> None:
        """`streams` carries GET streams, which stay open and must not take the places of calls.

        `headers` are the server's credentials, never the client's. `seconds` bounds each silence,
        `total_seconds` a call however much is said in it (E44).
        `revision`, one with sessions, is what hands are shaken in; else the client's own is.
        """
        self.name = name
        self._url = url
        self._http = http
        self._streams = streams
        self._headers = (
            *headers,
            (b"content-type", b"application/json"),
            (b"accept", b"application/json, text/event-stream"),
        )
        self._seconds = seconds
        self._total_seconds = total_seconds
        self._pin = revision
        self._handshakes = Handshakes()
        self._tasks: set[asyncio.Task[None]] = set()
        self._routed = _remembered(self._headers)

    async def initialize(self, session: Session, principal: Principal) -> Opened:
        """Open this server's side of a client's session."""
        agreed, result = await self._shake(session)
        self._handshakes.put(session.id, agreed)
        return Opened(result, agreed.session_id)

    async def exchange(self, out: Outbound) -> Reply:
        """Send a request, return the answer."""
        if out.session is None:
            if out.method == "subscriptions/listen":
                return await self._subscribed(out)
            return await self._reply(await self._post(out, self._stateless_headers(out)))
        agreed = await self._agreed(out.session)
        assert out.id is not None
        try:
            response = await self._post(out, self._session_headers(agreed))
            if agreed.session_id is not None and response.status in (400, 404):
                reply = await self._unless_lost(response)
                return reply or await self._after_lost_session(out, out.session, agreed)
            return await self._reply(response, _Left(out.id, agreed))
        except asyncio.CancelledError:
            self._tell_cancelled(_Left(out.id, agreed))
            raise
        except Refusal as refusal:
            if refusal.kind == "upstream_timeout":
                self._tell_cancelled(_Left(out.id, agreed))
            raise

    async def _subscribed(self, out: Outbound) -> Reply:
        """A stream that stays open and may be silent for long; it takes no place of calls."""
        headers = self._stateless_headers(out)
        response = await self._request("POST", headers, out.message, http=self._streams)
        if is_stream(response) and response.status == 200:
            return Reply(stream=self._stream(response, _Patience(QUIET_SECONDS)))
        return await self._reply(response)

    async def _unless_lost(self, response: HttpResponse) -> Reply | None:
        """The reply, or None where it says that the server knows the session no more (E28)."""
        if response.status == 404:
            response.close()
            return None
        reply = await self._reply(response)
        # Observed: server-everything answers 400 with -32000 "No valid session ID provided".
        lost = reply.message is not None and discovery.misses_session(reply.message)
        return None if lost else reply

    async def _after_lost_session(self, out: Outbound, session: Session, lost: Agreed) -> Reply:
        self._handshakes.pop(session.id, lost)
        if not out.repeatable:
            # The client begins anew rather than that a call runs twice (A6, E28).
            raise legacy.unknown_session()
        assert out.id is not None
        agreed = await self._agreed(session)
        response = await self._post(out, self._session_headers(agreed))
        return await self._reply(response, _Left(out.id, agreed))

    async def send(self, out: Outbound) -> None:
        """Send a notification or a response."""
        if out.session is None:
            return
        response = await self._post(out, self._session_headers(await self._agreed(out.session)))
        response.close()

    async def listen(
        self, session: Session, principal: Principal, ready: Callable[[], None] | None = None
    ) -> AsyncIterator[bytes]:
        """The server's GET stream, opened again when it breaks; ends where the server offers none."""
        pause, last_id = 0.0, None
        while True:
            await asyncio.sleep(pause)
            agreed = await self._agreed(session)
            headers = self._session_headers(agreed)
            if last_id is not None:
                headers += ((b"last-event-id", last_id.encode()),)
            response = await self._request("GET", headers, b"", repeatable=True, http=self._streams)
            if response.status != 200 or not is_stream(response):
                response.close()
                return
            if ready is not None:
                ready()
            pause = 1.0
            try:
                async for event in events(response.chunks()):
                    last_id = event.id or last_id
                    pause = pause if event.retry is None else event.retry / 1000
                    if event.data:
                        yield event.data
            except HttpError:
                pause = min(pause * 2, 30.0)
            finally:
                response.close()

    async def forget(self, session: Session, principal: Principal) -> None:
        """End this server's side of the session; a server that refuses to may keep it."""
        agreed = self._handshakes.pop(session.id) or self._adopted(session)
        if agreed is not None and agreed.session_id is not None:
            await self._delete(agreed)

    async def _delete(self, agreed: Agreed) -> None:
        with contextlib.suppress(Refusal):
            response = await self._request("DELETE", self._session_headers(agreed), b"")
            response.close()

    async def aclose(self) -> None:
        """Close every connection."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._streams.aclose()
        await self._http.aclose()

    # Handshake

    async def _agreed(self, session: Session) -> Agreed:
        async def shake() -> Agreed:
            adopted = self._adopted(session)
            return adopted if adopted is not None else (await self._shake(session))[0]

        return await self._handshakes.get(session.id, shake)

    def _adopted(self, session: Session) -> Agreed | None:
        # After a restart of the gateway the sealed session still knows what was agreed before.
        known = session.upstreams.get(self.name)
        return None if known is None else Agreed(session.revision, known)

    async def _shake(self, session: Session) -> tuple[Agreed, bytes]:
        params = {
            "protocolVersion": self._pin or session.revision,
            "capabilities": session.capabilities,
            "clientInfo": session.client,
        }
        request = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}
        answer = await self.ask(orjson.dumps(request), seconds=self._seconds)
        result = None if answer.message is None else bridge.fields(answer.message).get("result")
        if result is None:
            raise NotOpened(answer)
        agreed = Agreed(_revision_of(result), answer.session_id)
        ready = await self._request(
            "POST", self._session_headers(agreed), b'{"jsonrpc":"2.0","method":"notifications/initialized"}'
        )
        ready.close()
        return agreed, bytes(result)

    async def ask(self, message: bytes, headers: Fields = (), *, seconds: float) -> Answer:
        """The server's answer to a request that belongs to no client, and may be sent twice.

        Raises `Refusal` where it cannot be asked: not there, too slow, failing, or it refuses our credential.
        """
        try:
            async with asyncio.timeout(seconds):
                response = await self._request("POST", (*self._headers, *headers), message, repeatable=True)
                return await self._answer(response)
        except TimeoutError:
            raise Refusal.timeout(f"no answer within {seconds:g} s") from None

    async def _answer(self, response: HttpResponse) -> Answer:
        if response.status in (401, 403) or response.status >= 500:
            response.close()
            raise refusal_of_status(response.status)
        session_id = response.headers.get(b"mcp-session-id")
        text = None if session_id is None else session_id.decode("latin-1")
        try:
            return Answer(response.status, await self._one_message(response), text)
        except Refusal as refusal:
            if refusal.kind != "upstream_invalid":
                raise
            return Answer(response.status, None, text)

    async def drop(self, session_id: str) -> None:
        """End a session that nobody uses; a server that refuses to may keep it."""
        await self._delete(Agreed(versions.LATEST_LEGACY, session_id))

    # HTTP

    def _stateless_headers(self, out: Outbound) -> Fields:
        name = out.name if out.method in _NAMED else None
        if name is not None and len(name) > LONG:
            return (*self._headers, *_routing(out.revision, out.method, name), *out.headers)
        headers = self._routed(out.revision, out.method, name)
        return (*headers, *out.headers) if out.headers else headers

    def _session_headers(self, agreed: Agreed) -> Fields:
        headers = (*self._headers, (b"mcp-protocol-version", agreed.revision.encode()))
        if agreed.session_id is None:
            return headers
        return (*headers, (b"mcp-session-id", agreed.session_id.encode("latin-1")))

    def _post(self, out: Outbound, headers: Fields) -> Awaitable[HttpResponse]:
        return self._request("POST", headers, out.message, repeatable=out.repeatable)

    async def _request(
        self,
        method: str,
        headers: Fields,
        body: bytes,
        *,
        repeatable: bool = False,
        http: Http | None = None,
    ) -> HttpResponse:
        try:
            return await (http or self._http).request(
                method, self._url, headers, body, timeout=self._seconds, repeatable=repeatable
            )
        except HttpError as error:
            raise refusal_of(error) from error

    async def _reply(self, response: HttpResponse, left: _Left | None = None) -> Reply:
        if is_stream(response) and response.status == 200:
            patience = self._patience()
            return Reply(stream=self._stream(response, patience, left), be_patient=patience.last)
        return Reply(message=await self._body(response), status=response.status)

    def _patience(self) -> "_Patience":
        return _Patience(self._seconds, asyncio.get_running_loop().time() + self._total_seconds)

    async def _body(self, response: HttpResponse) -> bytes:
        """One JSON message, also where its status is an error; a refusal where there is none."""
        if response.status in (401, 403) or b"json" not in response.headers.get(b"content-type", b""):
            response.close()
            raise refusal_of_status(response.status)
        try:
            whole = response.whole(MAX_MESSAGE)
            if whole is not None:
                return whole
            async with asyncio.timeout(self._seconds):
                return await response.read(MAX_MESSAGE)
        except HttpError as error:
            raise refusal_of(error) from error
        except TimeoutError:
            response.close()
            raise Refusal.timeout("the body did not end in time") from None

    async def _one_message(self, response: HttpResponse) -> bytes:
        """The one response that an exchange of our own gets, in whichever framing."""
        if not is_stream(response):
            return await self._body(response)
        async with contextlib.aclosing(self._stream(response, self._patience())) as messages:
            async for message in messages:
                if _is_response(message):
                    return message
        raise bridge.lie("no answer in the stream")

    async def _stream(
        self, response: HttpResponse, patience: "_Patience", left: _Left | None = None
    ) -> AsyncGenerator[bytes, None]:
        answered = broken = False
        source = _Source(response, patience)
        try:
            async for message in self._messages(source, left):
                answered = _is_response(message)
                if answered:
                    self._let_end(source.response)
                elif patience.seconds < ASKED_SECONDS and _is_request(message):
                    patience.last()
                yield message
                if answered:
                    return
        except Refusal:
            broken = True
            raise
        except TimeoutError:
            raise Refusal.timeout("the stream fell silent") from None
        except sse.TooLarge as error:
            raise bridge.lie(str(error)) from None
        finally:
            if not answered:
                source.response.close()
                if left is not None and not broken:
                    self._tell_cancelled(left)

    async def _messages(self, source: "_Source", left: _Left | None) -> AsyncGenerator[bytes, None]:
        """What the server says, also where it lets go of the connection to be asked again (SEP-1699, E34).

        Raises `Refusal` where it breaks off, `TimeoutError` where it takes too long.
        """
        last_id, pause = None, RETRY_SECONDS
        while True:
            failure = bridge.lie("the stream ended before the answer")
            try:
                async for event in events(_each_within(source.patience, source.response.chunks())):
                    last_id = event.id or last_id
                    pause = pause if event.retry is None else event.retry / 1000
                    if event.data:
                        yield event.data
            except HttpError as error:
                failure = refusal_of(error)
            source.response.close()
            if left is None or last_id is None:
                raise failure
            async with asyncio.timeout_at(source.patience.deadline):
                await asyncio.sleep(pause)
                source.response = await self._taken_up(left.agreed, last_id)

    def _tell_cancelled(self, left: _Left) -> None:
        """A server with sessions does not take a closed connection for a cancel (E36); a stateless one does."""

        async def tell() -> None:
            with contextlib.suppress(Refusal):
                headers = self._session_headers(left.agreed)
                response = await self._request("POST", headers, bridge.cancelled(left.number))
                response.close()

        self._beside(tell())

    async def _taken_up(self, agreed: Agreed, last_id: str) -> HttpResponse:
        """The rest of a stream behind the event with that id. Raises `Refusal`."""
        headers = (*self._session_headers(agreed), (b"last-event-id", last_id.encode()))
        response = await self._request("GET", headers, b"", repeatable=True, http=self._streams)
        if response.status == 200 and is_stream(response):
            return response
        response.close()
        raise bridge.lie(f"the stream cannot be taken up again: HTTP {response.status}")

    def _let_end(self, response: HttpResponse) -> None:
        """Read the end of an answered stream aside, so that its connection can serve again."""

        async def drain() -> None:
            try:
                async with asyncio.timeout(1.0):
                    await response.read(64 * 1024)
            except (HttpError, TimeoutError):
                response.close()

        self._beside(drain())

    def _beside(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _remembered(fixed: Fields) -> Callable[[str, str, str | None], Fields]:
    """A function that puts the routing headers behind these, and makes the same tuple only once."""

    @lru_cache(maxsize=1024)
    def routed(revision: str, method: str, name: str | None) -> Fields:
        return (*fixed, *_routing(revision, method, name))

    return routed


def _routing(revision: str, method: str, name: str | None) -> Fields:
    """The headers that say what a message of the stateless revision is about."""
    fields = ((b"mcp-protocol-version", revision.encode()), (b"mcp-method", method.encode()))
    return fields if name is None else (*fields, (b"mcp-name", encode_value(name)))


class _Patience:
    """How long the next chunk may take, and when the last one must be here."""

    def __init__(self, seconds: float, deadline: float = math.inf) -> None:
        self.seconds = seconds
        self.deadline = deadline
        self.waiting: asyncio.Timeout | None = None

    def last(self) -> None:
        """From now on as long as a person may take."""
        self.seconds = max(self.seconds, ASKED_SECONDS)
        if self.waiting is not None:
            self.waiting.reschedule(self.next())

    def next(self) -> float:
        """When the next chunk must be here, by the loop's clock."""
        return min(asyncio.get_running_loop().time() + self.seconds, self.deadline)


class _Source:
    """Where a call's messages come from: one answer after the other, where the server wants to be polled."""

    def __init__(self, response: HttpResponse, patience: _Patience) -> None:
        self.response = response
        self.patience = patience


async def _each_within(patience: _Patience, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The chunks, each of which must come in time. Raises `TimeoutError`."""
    while True:
        try:
            async with asyncio.timeout_at(patience.next()) as patience.waiting:
                chunk = await anext(chunks, None)
        finally:
            patience.waiting = None
        if chunk is None:
            return
        yield chunk


def _is_request(message: bytes) -> bool:
    try:
        envelope = _envelope.decode(message)
    except msgspec.DecodeError:
        return False
    return envelope.method is not msgspec.UNSET and envelope.id is not msgspec.UNSET


def _is_response(message: bytes) -> bool:
    try:
        return _envelope.decode(message).method is msgspec.UNSET
    except msgspec.DecodeError:
        return False


def _revision_of(result: msgspec.Raw) -> str:
    revision = jsonrpc.text(bridge.fields(result).get("protocolVersion"))
    if revision not in versions.LEGACY:
        raise Refusal.upstream("upstream_revision", f"the server offers revision {revision!r}")
    return revision
