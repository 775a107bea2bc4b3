"""One connection of HTTP+SSE (2024-11-05): a stream of events, and the address that messages are posted to.

The server names that address in its first event. It must lie at the stream's own origin: the credentials are
for that server alone (E40).
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any
from urllib.parse import urljoin

from toolgate.errors import Refusal
from toolgate.ports import Http, HttpError, HttpResponse
from toolgate.protocol import sse
from toolgate.upstreams.http_events import events, is_stream
from toolgate.upstreams.http_failures import refusal_of, refusal_of_status
from toolgate.upstreams.http_request import read_url

MAX_POSTS = 1024
"""Messages on their way that the server has not accepted yet; notifications beyond are lost."""

Headers = tuple[tuple[bytes, bytes], ...]


class NotOffered(Refusal):
    """Nobody speaks HTTP+SSE at that URL."""

    def __init__(self, why: str) -> None:
        refusal = Refusal.upstream("upstream_invalid", f"no HTTP+SSE at this URL: {why}")
        super().__init__(
            refusal.stage,
            refusal.kind,
            refusal.text,
            code=refusal.code,
            status=refusal.status,
            reason=refusal.reason,
        )


class SseChannel:
    """Meets `conversation.Channel`."""

    def __init__(
        self,
        url: str,
        response: HttpResponse,
        posts: Http,
        headers: Headers,
        seconds: float,
        log: logging.Logger,
        heard: Callable[[bytes], None],
        ended: Callable[[str], None],
    ) -> None:
        self._url = url
        self._response = response
        self._http = posts
        self._headers = (*headers, (b"content-type", b"application/json"))
        self._seconds = seconds
        self._log = log
        self._heard = heard
        self._on_end = ended
        self._endpoint: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._first: asyncio.Task[None] | None = None
        """The last posted message, which later ones wait for."""
        self._posts: set[asyncio.Task[None]] = set()
        self._ended = False
        self._reader = asyncio.create_task(self._read())

    async def named(self) -> None:
        """Return once the server has said where to post. Raises `NotOffered`."""
        await self._endpoint

    async def ready(self, seconds: float) -> None:
        """Messages can always be handed over: each is a request of its own."""

    def write(self, message: bytes, lost: Callable[[Refusal], None] | None = None) -> None:
        """Hand over one message."""
        self._start(self._send(message, self._first, lost))

    def post(self, message: bytes) -> None:
        """Hand over one message that later ones wait for."""
        if len(self._posts) < MAX_POSTS:
            self._first = self._start(self._send(message, self._first, None))

    async def stop(self, patience: float) -> None:
        """Close the stream, which ends the server's side. Messages on their way get `patience` seconds."""
        if self._posts:
            await asyncio.wait(self._posts, timeout=patience)
        tasks = [self._reader, *self._posts]
        for task in tasks:
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                self._log.error("a bug ended the connection", exc_info=outcome)
        self._response.close()
        self._end("was closed")

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._posts.add(task)
        task.add_done_callback(self._posts.discard)
        return task

    async def _send(
        self, message: bytes, before: asyncio.Task[None] | None, lost: Callable[[Refusal], None] | None
    ) -> None:
        if before is not None and not before.done():
            await asyncio.wait((before,))
        try:
            response = await self._http.request(
                "POST", self._endpoint.result(), self._headers, message, timeout=self._seconds
            )
        except HttpError as error:
            self._lost(refusal_of(error), lost)
            return
        except Refusal as refusal:
            # There is no credential for this caller.
            self._lost(refusal, lost)
            return
        await _discard(response)
        if response.status == 404:
            # The server has forgotten this connection: a new one begins a new session (E28).
            self._end("the server knows the connection no more")
        elif not 200 <= response.status < 300:
            self._lost(refusal_of_status(response.status), lost)

    def _lost(self, refusal: Refusal, lost: Callable[[Refusal], None] | None) -> None:
        if lost is not None:
            lost(refusal)
        else:
            self._log.info("a message did not arrive: %s", refusal.reason)

    async def _read(self) -> None:
        reason = "ended its stream"
        try:
            async for event in events(self._response.chunks()):
                if not self._endpoint.done():
                    self._endpoint.set_result(self._read_endpoint(event))
                elif event.name == "message" and event.data:
                    self._heard(event.data)
        except (HttpError, sse.TooLarge) as error:
            reason = str(error)
        except NotOffered as no:
            self._endpoint.set_exception(no)
        finally:
            self._response.close()
            self._end(reason)

    def _read_endpoint(self, event: sse.Event) -> str:
        if event.name != "endpoint":
            raise NotOffered("the first event is no endpoint")
        try:
            url = urljoin(self._url, event.data.decode())
            same = read_url(url).origin == read_url(self._url).origin
        except (HttpError, ValueError):
            raise NotOffered("the endpoint is no URL") from None
        if not same:
            raise NotOffered("the endpoint lies at another origin")
        return url

    def _end(self, reason: str) -> None:
        if not self._endpoint.done():
            self._endpoint.set_exception(NotOffered(reason))
        if not self._ended:
            self._ended = True
            self._on_end(reason)


async def open_channel(
    url: str,
    streams: Http,
    posts: Http,
    headers: Headers,
    *,
    start_seconds: float,
    seconds: float,
    log: logging.Logger,
    heard: Callable[[bytes], None],
    ended: Callable[[str], None],
) -> SseChannel:
    """Open the stream and wait until the server has named the endpoint. Raises `Refusal`, `NotOffered` among them."""
    accept = (b"accept", b"text/event-stream")
    try:
        response = await streams.request("GET", url, (*headers, accept), timeout=start_seconds)
    except HttpError as error:
        raise refusal_of(error) from error
    if response.status != 200 or not is_stream(response):
        response.close()
        if response.status in (401, 403) or response.status >= 500:
            raise refusal_of_status(response.status)
        raise NotOffered(f"GET was answered with HTTP {response.status} and no stream")
    channel = SseChannel(url, response, posts, headers, seconds, log, heard, ended)
    try:
        async with asyncio.timeout(start_seconds):
            await channel.named()
    except BaseException as error:
        await channel.stop(0)
        if isinstance(error, TimeoutError):
            raise NotOffered("the server named no endpoint in time") from None
        raise
    return channel


async def _discard(response: HttpResponse) -> None:
    with suppress(HttpError, TimeoutError):
        async with asyncio.timeout(1.0):
            await response.read(64 * 1024)
            return
    response.close()
