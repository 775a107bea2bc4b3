"""The channels to one server: who has one, how many there are, when one starts and ends. Reads no message.

A channel carries one conversation: the pipes of a child process, or a stream of events and its way back.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial

from msgspec import Struct

from toolgate.errors import Refusal
from toolgate.ports import Clock
from toolgate.upstreams.backoff import Backoff
from toolgate.upstreams.conversation import Channel, Conversation, Patience
from toolgate.upstreams.opening import Key, Opening

Start = Callable[[Callable[[bytes], None], Callable[[str], None]], Awaitable[Channel]]
"""Opens a channel, given who gets each message of the server and who is told the reason of its end, once.
Whoever was told still has to stop the channel. Raises `Refusal`."""


class Bounds(Struct, frozen=True):
    """How many channels, and how long one without work is kept."""

    channels: int
    idle_seconds: float


class _Living(Struct, eq=False):
    conversation: Conversation
    channel: Channel
    born: float
    used: float


class Channels:
    """One channel per opening: started by its first call, stopped when idle, started anew after it broke.

    `tell` gets what belongs to no call; `wanted` says whether anybody listens, which keeps a channel open.
    """

    def __init__(
        self,
        name: str,
        start: Start,
        bounds: Bounds,
        patience: Patience,
        log: logging.Logger,
        clock: Clock,
        tell: Callable[[Key, bytes], None],
        wanted: Callable[[Key], bool],
    ) -> None:
        self._name = name
        self._start = start
        self._bounds = bounds
        self._patience = patience
        self._log = log
        self._clock = clock
        self._tell = tell
        self._wanted = wanted
        self._backoff = Backoff(clock)
        self._places = asyncio.Semaphore(bounds.channels)
        self._starting: dict[Key, asyncio.Task[None]] = {}
        self._running: dict[Key, _Living] = {}
        self._stopping: set[asyncio.Task[None]] = set()
        self._shut = False

    def find(self, key: Key) -> Conversation | None:
        """The conversation under way, if there is one."""
        living = self._running.get(key)
        return living.conversation if living is not None else None

    async def get(self, opening: Opening) -> Conversation:
        """The channel of this opening, started if need be; callers at the same time share one start.

        The caller's first step must not await: until a call is in flight, the channel counts as idle.
        Raises `Refusal` where there is no room, the start fails, or the last break is too recent.
        """
        key = opening.key
        for _ in range(3):
            living = self._running.get(key)
            if living is not None:
                living.used = self._clock()
                return living.conversation
            await self._started(self._starting.get(key) or self._begin(key, opening))
        raise Refusal.unavailable(f"{self._name}: channels make room for each other too fast")

    def end(self, key: Key) -> None:
        """Nobody needs this channel any more."""
        if key in self._running:
            self._retire(key)

    async def aclose(self) -> None:
        """Stop every channel; none is left when this returns."""
        self._shut = True
        starts = list(self._starting.values())
        for task in starts:
            task.cancel()
        await asyncio.gather(*starts, return_exceptions=True)
        for key in list(self._running):
            self._retire(key)
        await asyncio.gather(*self._stopping)

    async def _started(self, task: asyncio.Task[None]) -> None:
        try:
            # One caller who goes away does not take the start from the others.
            await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise self._closed() from None
            raise

    def _closed(self) -> Refusal:
        return Refusal.unavailable(f"{self._name}: is closed")

    def _begin(self, key: Key, opening: Opening) -> asyncio.Task[None]:
        if self._shut:
            raise self._closed()
        reason = self._backoff.waiting(key)
        if reason is not None:
            raise Refusal.unavailable(reason)
        self._make_room()
        task = self._starting[key] = asyncio.create_task(self._set_up(key, opening))
        task.add_done_callback(_look_at)
        return task

    def _make_room(self) -> None:
        # Channels on their way out are not counted: their places come free, and the start waits for one.
        if len(self._running) + len(self._starting) < self._bounds.channels:
            return
        idle = [key for key, living in self._running.items() if living.conversation.idle]
        if not idle:
            raise Refusal.unavailable(f"{self._name}: all {self._bounds.channels} channels are busy")
        self._retire(min(idle, key=lambda key: (self._wanted(key), self._running[key].used)))

    async def _set_up(self, key: Key, opening: Opening) -> None:
        try:
            async with asyncio.timeout(self._patience.start):
                await self._places.acquire()
            living = await self._open(key, opening)
        except TimeoutError:
            raise Refusal.unavailable(f"{self._name}: no channel made room in time") from None
        except Refusal as refusal:
            self._backoff.failed(key, refusal.reason)
            raise
        finally:
            del self._starting[key]
        self._running[key] = living
        self._look_later(key, living, self._bounds.idle_seconds)

    async def _open(self, key: Key, opening: Opening) -> _Living:
        conversation = Conversation(self._name, opening, self._patience, self._log, partial(self._tell, key))
        channel = await self._open_channel(key, conversation)
        try:
            await conversation.greet(channel)
        except BaseException:
            self._dismiss(channel)
            raise
        now = self._clock()
        return _Living(conversation, channel, now, now)

    async def _open_channel(self, key: Key, conversation: Conversation) -> Channel:
        try:
            return await self._start(conversation.hear, partial(self._ended, key, conversation))
        except BaseException:
            self._places.release()
            raise

    def _ended(self, key: Key, conversation: Conversation, reason: str) -> None:
        conversation.end(reason)
        living = self._running.get(key)
        if living is not None and living.conversation is conversation:
            del self._running[key]
            self._log.warning("%s", reason)
            self._backoff.failed(key, f"{self._name}: {reason}", lived=self._clock() - living.born)
            self._dismiss(living.channel)

    def _retire(self, key: Key) -> None:
        self._dismiss(self._running.pop(key).channel)

    def _dismiss(self, channel: Channel) -> None:
        task = asyncio.create_task(self._stop(channel))
        self._stopping.add(task)
        task.add_done_callback(self._stopping.discard)

    async def _stop(self, channel: Channel) -> None:
        try:
            await channel.stop(self._patience.stop)
        finally:
            self._places.release()

    def _look_later(self, key: Key, living: _Living, seconds: float) -> None:
        asyncio.get_running_loop().call_later(seconds, self._look, key, living)

    def _look(self, key: Key, living: _Living) -> None:
        if self._running.get(key) is not living:
            return
        now = self._clock()
        if not living.conversation.idle or self._wanted(key):
            living.used = now
        left = living.used + self._bounds.idle_seconds - now
        if left > 0:
            # More than the whole is left only where the clock was set back.
            self._look_later(key, living, min(left, self._bounds.idle_seconds))
        else:
            self._retire(key)


def _look_at(task: asyncio.Task[None]) -> None:
    # Where every caller has gone away, nobody else asks how the start went.
    if not task.cancelled():
        task.exception()
