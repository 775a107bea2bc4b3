"""Streams that clients of the session revisions may take up again where they lost them. Reads no message.

Every event gets an id of the gateway's own: a random word for its stream and a number. The word is looked up
among the streams of the one session that the request opened, so nobody finds another's, and an id that is not
found replays nothing (E33). What is kept is bounded for each stream, each session and the whole process.
"""

import asyncio
import secrets
from collections import OrderedDict, deque
from collections.abc import AsyncGenerator, Awaitable, Callable

from toolgate.errors import INVALID_REQUEST, Refusal
from toolgate.model import Reply
from toolgate.protocol import sse

MAX_EVENTS = 256
MAX_BYTES = 1024 * 1024
"""Kept of one stream: the latest events."""
MAX_STREAMS = 16
"""Streams kept of one session; the oldest that nobody reads goes first."""
MAX_TOTAL_BYTES = 256 * 1024 * 1024
"""Kept of all streams."""
KEPT_SECONDS = 300.0
"""How long a stream that nobody reads is kept."""
LINGER_SECONDS = 60.0
"""How long servers are still listened to for a client that lost its GET stream."""
RETRY_MS = 1000
"""What a client is asked to wait before it comes back."""


class Stream:
    """Messages on their way to one client, with the numbers they got. One reader at a time."""

    __slots__ = ("_events", "_reader", "_size", "_total", "_wake", "ended", "last", "word")

    def __init__(self, total: "Total") -> None:
        self.word = secrets.token_urlsafe(9)
        self.last = 0
        """Number of the last event."""
        self.ended = False
        self._events: deque[tuple[int, bytes]] = deque()
        self._size = 0
        self._total = total
        self._wake: asyncio.Future[None] | None = None
        self._reader: object | None = None

    @property
    def read(self) -> bool:
        """Whether somebody reads it now."""
        return self._reader is not None

    def put(self, message: bytes) -> None:
        """One more message; the oldest make room for it."""
        self.last += 1
        self._events.append((self.last, message))
        self._count(len(message))
        while len(self._events) > MAX_EVENTS or (self._size > MAX_BYTES and len(self._events) > 1):
            self._drop()
        self._awake()

    def end(self) -> None:
        """Nothing more will come."""
        self.ended = True
        self._awake()

    def forget(self) -> None:
        """Keep nothing any more."""
        while self._events:
            self._drop()
        self.end()

    def claim(self) -> object:
        """Who reads from now on; whoever did before reads no more."""
        self._reader = reader = object()
        self._awake()
        return reader

    async def events(self, after: int, me: object) -> AsyncGenerator[bytes, None]:
        """The events with a number above `after`, as they are written, for the reader `me`."""
        try:
            while True:
                if self._reader is not me:
                    return
                # What is kept may change while an event is being sent, so the next one is searched each time.
                event = next((one for one in self._events if one[0] > after), None)
                if event is not None:
                    after = event[0]
                    yield sse.write(event[1], id=f"{self.word}-{after}")
                elif self.ended:
                    return
                else:
                    self._wake = asyncio.get_running_loop().create_future()
                    await self._wake
        finally:
            if self._reader is me:
                self._reader = None

    def priming(self) -> bytes:
        """An event without data, so that a client that loses the stream at once has an id (SEP-1699)."""
        return b"id: %b-%d\nretry: %d\ndata: \n\n" % (self.word.encode(), self.last, RETRY_MS)

    def _drop(self) -> None:
        self._count(-len(self._events.popleft()[1]))

    def _count(self, size: int) -> None:
        self._size += size
        self._total.bytes += size

    def _awake(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)


class Total:
    """Bytes kept of all streams."""

    def __init__(self) -> None:
        self.bytes = 0


class Listening:
    """A session's own stream: what its servers say beside calls. Outlives a lost connection for a while."""

    __slots__ = ("_ending", "pump", "stream")

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.pump: asyncio.Task[None] | None = None
        self._ending: asyncio.TimerHandle | None = None

    @property
    def going(self) -> bool:
        """Whether servers are listened to."""
        return self.pump is not None and not self.pump.done()

    async def start(self, listen: Callable[[], Awaitable[Reply]]) -> None:
        """Listen to the servers from now on. Raises what `listen` raises."""
        ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.stream.ended = False
        self.pump = asyncio.create_task(self._pump(listen, ready))
        # Until somebody reads, nobody does: a client that left by now must not leave it running.
        self.left()
        await asyncio.shield(ready)

    async def _pump(self, listen: Callable[[], Awaitable[Reply]], ready: asyncio.Future[None]) -> None:
        try:
            reply = await listen()
        except Refusal as refusal:
            ready.set_exception(refusal)
            return
        except asyncio.CancelledError:
            ready.set_exception(Refusal.unavailable("the session's stream was ended before it began"))
            raise
        except Exception as bug:  # noqa: BLE001 - whoever waits lets it fly
            ready.set_exception(bug)
            return
        assert reply.stream is not None
        ready.set_result(None)
        try:
            async for message in reply.stream:
                self.stream.put(message)
        finally:
            await reply.stream.aclose()
            self.stream.end()

    def taken_up(self) -> None:
        """Somebody reads."""
        if self._ending is not None:
            self._ending.cancel()
            self._ending = None

    def left(self) -> None:
        """Nobody reads any more."""
        if self.pump is not None and not self.pump.done():
            self._ending = asyncio.get_running_loop().call_later(LINGER_SECONDS, self.pump.cancel)


class _Kept:
    """The streams of one session."""

    __slots__ = ("listening", "streams")

    def __init__(self) -> None:
        self.streams: OrderedDict[str, Stream] = OrderedDict()
        self.listening: Listening | None = None


class Streams:
    """All streams that may be taken up again, by session."""

    def __init__(self) -> None:
        self._sessions: dict[str, _Kept] = {}
        self._idle: OrderedDict[str, tuple[str, asyncio.TimerHandle]] = OrderedDict()
        """Streams nobody reads, by word, the longest first: session, and when it is forgotten."""
        self._total = Total()

    async def answering(
        self, session: str, messages: AsyncGenerator[bytes, None], *, primed: bool
    ) -> AsyncGenerator[bytes, None]:
        """The events of a call's stream. They are kept also after the client has left: the call goes on (E36)."""
        stream = self._add(session)
        if primed:
            yield stream.priming()
        try:
            async for message in messages:
                stream.put(message)
                yield sse.write(message, id=f"{stream.word}-{stream.last}")
        finally:
            await messages.aclose()
            stream.end()
            self._let_be(session, stream)

    async def listening(
        self, session: str, last_id: str | None, listen: Callable[[], Awaitable[Reply]], *, primed: bool
    ) -> AsyncGenerator[bytes, None]:
        """The events a GET is answered with: of the stream that `last_id` names, else of the session's own.

        Raises `Refusal`: 409 where that one is being read, and what `listen` raises.
        """
        stream, after = self._find(session, last_id)
        kept = self._sessions.get(session)
        own = kept.listening if kept is not None else None
        if stream is not None and (own is None or stream is not own.stream):
            return self._replay(session, stream, stream.claim(), after)
        if own is None:
            stream = self._add(session)
            own = self._sessions[session].listening = Listening(stream)
        elif own.stream.read and own.going and stream is None:
            # A client that comes back for it has lost the connection that we take for open.
            raise Refusal(
                "session", "busy", "This session has a stream already.", code=INVALID_REQUEST, status=409
            )
        if not own.going:
            try:
                await own.start(listen)
            except Refusal:
                if not own.stream.last:
                    self._drop(session, own.stream.word)
                raise
        if stream is not own.stream:
            after = own.stream.last
        return self._own(session, own, own.stream.claim(), after, primed=primed)

    def forget(self, session: str) -> None:
        """The session has ended."""
        kept = self._sessions.pop(session, None)
        if kept is None:
            return
        for stream in kept.streams.values():
            self._take_up(stream)
            stream.forget()
        if kept.listening is not None and kept.listening.pump is not None:
            kept.listening.pump.cancel()

    async def aclose(self) -> None:
        """Keep nothing; nobody is listened to any more."""
        pumps = [
            kept.listening.pump
            for kept in self._sessions.values()
            if kept.listening is not None and kept.listening.pump is not None
        ]
        for session in list(self._sessions):
            self.forget(session)
        await asyncio.gather(*pumps, return_exceptions=True)

    def _add(self, session: str) -> Stream:
        stream = Stream(self._total)
        kept = self._sessions.setdefault(session, _Kept())
        kept.streams[stream.word] = stream
        if len(kept.streams) > MAX_STREAMS:
            own = kept.listening.stream if kept.listening is not None else None
            idle = next((one for one in kept.streams.values() if one.ended and one is not own), None)
            if idle is not None:
                self._drop(session, idle.word)
        return stream

    def _find(self, session: str, last_id: str | None) -> tuple[Stream | None, int]:
        word, _, number = (last_id or "").rpartition("-")
        kept = self._sessions.get(session)
        stream = kept.streams.get(word) if kept is not None else None
        if stream is None or not number.isascii() or not number.isdigit() or len(number) > 18:
            return None, 0
        return stream, min(int(number), stream.last)

    async def _replay(
        self, session: str, stream: Stream, me: object, after: int
    ) -> AsyncGenerator[bytes, None]:
        self._take_up(stream)
        try:
            async for event in stream.events(after, me):
                yield event
        finally:
            self._let_be(session, stream)

    async def _own(
        self, session: str, own: Listening, me: object, after: int, *, primed: bool
    ) -> AsyncGenerator[bytes, None]:
        self._take_up(own.stream)
        own.taken_up()
        try:
            if primed and after == own.stream.last:
                yield own.stream.priming()
            async for event in own.stream.events(after, me):
                yield event
        finally:
            if not own.stream.read:
                own.left()
                self._let_be(session, own.stream)

    def _let_be(self, session: str, stream: Stream) -> None:
        """Nobody reads it now: it is kept for a while, and not beyond the bound of all."""
        if stream.read or session not in self._sessions:
            return
        self._take_up(stream)
        timer = asyncio.get_running_loop().call_later(KEPT_SECONDS, self._drop, session, stream.word)
        self._idle[stream.word] = session, timer
        while self._total.bytes > MAX_TOTAL_BYTES and self._idle:
            word, (whose, _) = next(iter(self._idle.items()))
            self._drop(whose, word)

    def _take_up(self, stream: Stream) -> None:
        _, timer = self._idle.pop(stream.word, (None, None))
        if timer is not None:
            timer.cancel()

    def _drop(self, session: str, word: str) -> None:
        kept = self._sessions.get(session)
        stream = kept.streams.pop(word, None) if kept is not None else None
        if kept is None or stream is None:
            return
        self._take_up(stream)
        stream.forget()
        if kept.listening is not None and kept.listening.stream is stream:
            if kept.listening.pump is not None:
                kept.listening.pump.cancel()
            kept.listening = None
        if not kept.streams:
            del self._sessions[session]
