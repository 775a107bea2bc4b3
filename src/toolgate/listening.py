"""What servers say outside of calls: one stream for the client, one at each server behind the door. Decides nothing.

A stateless client (`subscriptions/listen`) is told first what will be heard of, then of every change, each once
however often it comes while the client is slow. A server whose stream breaks is listened to again, and since news may
be lost meanwhile, the client is told of a change. A client with a session has its GET stream.
"""

import asyncio
import contextlib
import itertools
import logging
from collections import Counter, OrderedDict
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from functools import partial

from msgspec import Raw

from toolgate.errors import INVALID_REQUEST, METHOD_NOT_FOUND, Refusal
from toolgate.ledger.entry import Entry
from toolgate.model import Kind, Outcome, Principal, Reply, Session
from toolgate.ports import Upstream
from toolgate.protocol import bridge, jsonrpc, names, subscriptions
from toolgate.protocol.subscriptions import KIND_OF, LIST_CHANGED, Wanted
from toolgate.routing.table import Door

_log = logging.getLogger("toolgate.listening")

BACKLOG = 256
"""News that wait for a client that reads slowly; beyond, the oldest make room (E38)."""
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 60.0
"""Seconds between the attempts to listen to a server again."""

Changed = Callable[[str, Kind], None]
"""Told that a server's list changed, before any client is."""
Open = Callable[[Upstream, Wanted], Awaitable[Reply]]
"""Opens a stream of news at one server. Raises `Refusal`."""


class Outbox:
    """News that wait for the client; what says the same again takes the place of what waits (E55)."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[tuple[str, ...], bytes] = OrderedDict()
        self._news = asyncio.Event()
        self._finished = False

    def put(self, key: tuple[str, ...], message: bytes) -> None:
        """Leave a message."""
        self._waiting[key] = message
        if len(self._waiting) > BACKLOG:
            self._waiting.popitem(last=False)
        self._news.set()

    def finish(self) -> None:
        """Nothing more will come."""
        self._finished = True
        self._news.set()

    async def get(self) -> bytes | None:
        """The oldest message; None at the end."""
        while not self._waiting:
            if self._finished:
                return None
            self._news.clear()
            await self._news.wait()
        return self._waiting.popitem(last=False)[1]


class Subscription:
    """One client that listens, from the acknowledgement to the end."""

    def __init__(
        self,
        id: bytes,
        door: Door,
        wanted: Mapping[str, Wanted],
        open_: Open,
        changed: Changed,
        seconds: float,
    ) -> None:
        """`wanted` of each server, in its own words. `seconds` bounds the wait for their acknowledgements."""
        self._id = id
        self._door = door
        self._wanted = wanted
        self._open = open_
        self._changed = changed
        self._seconds = seconds
        self._outbox = Outbox()
        self._agreed: dict[str, Wanted] = {}
        self._undecided = set(wanted)
        self._decided = asyncio.Event()

    def finish(self) -> None:
        """The gateway stops: the client gets its completion result (E39)."""
        self._outbox.finish()

    def renewed(self) -> None:
        """The gateway's config or policy changed, and with it perhaps every list (E55)."""
        self._tell_lists(subscriptions.together(self._agreed.values()))

    async def messages(self) -> AsyncGenerator[bytes, None]:
        """The stream: acknowledgement, news, and the completion result where the gateway ends it."""
        feeds = [asyncio.create_task(self._feed(name)) for name in self._wanted]
        try:
            if feeds:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._seconds):
                        await self._decided.wait()
            # Who is late is not waited for: what it agrees to later was never promised.
            self._undecided.clear()
            agreed = subscriptions.together(self._shown(name) for name in self._agreed)
            yield subscriptions.acknowledgement(self._id, agreed)
            if not self._agreed:
                self._outbox.finish()
            while (message := await self._outbox.get()) is not None:
                yield message
            yield subscriptions.finished(self._id)
        finally:
            for feed in feeds:
                feed.cancel()
            await asyncio.gather(*feeds, return_exceptions=True)

    def _shown(self, name: str) -> Wanted:
        agreed = self._agreed[name]
        if not self._door.shared:
            return agreed
        return Wanted(agreed.lists, tuple(names.join_uri(name, uri) for uri in agreed.uris))

    async def _feed(self, name: str) -> None:
        pause = FIRST_PAUSE
        while True:
            try:
                await self._listen(name)
                pause = FIRST_PAUSE
            except Refusal as refusal:
                if refusal.code == METHOD_NOT_FOUND:
                    return
                pause = min(pause * 2, LONGEST_PAUSE)
            finally:
                self._settle(name)
            if name not in self._agreed:
                return
            await asyncio.sleep(pause)

    async def _listen(self, name: str) -> None:
        """Until the server ends the stream. Raises `Refusal` where it cannot be listened to."""
        reply = await self._open(self._door.servers[name], self._wanted[name])
        if reply.stream is None:
            raise _refused(reply.message or b"{}")
        async with contextlib.aclosing(reply.stream) as stream:
            acknowledged = False
            async for message in stream:
                parts = bridge.fields(message)
                if not acknowledged:
                    self._acknowledge(name, subscriptions.acknowledged(parts))
                    acknowledged = True
                elif "method" not in parts:
                    return
                else:
                    self._pass_on(name, parts)

    def _acknowledge(self, name: str, agreed: Wanted) -> None:
        wanted = self._wanted[name]
        agreed = Wanted(
            tuple(key for key in agreed.lists if key in wanted.lists),
            tuple(uri for uri in agreed.uris if uri in wanted.uris),
            {key: value for key, value in agreed.rest.items() if key in wanted.rest},
        )
        if name in self._agreed:
            # Listened to again: what happened in between is not known (E72).
            self._tell_lists(self._agreed[name])
            for uri in self._shown(name).uris:
                self._outbox.put((subscriptions.UPDATED, uri), subscriptions.updated(self._id, uri))
        elif name in self._undecided:
            self._agreed[name] = agreed
        self._settle(name)

    def _settle(self, name: str) -> None:
        self._undecided.discard(name)
        if not self._undecided:
            self._decided.set()

    def _tell_lists(self, agreed: Wanted) -> None:
        for key in agreed.lists:
            self._outbox.put((LIST_CHANGED[key],), subscriptions.changed(self._id, key))

    def _pass_on(self, name: str, parts: dict[str, Raw]) -> None:
        agreed = self._agreed.get(name)
        if agreed is None:
            return
        kind = KIND_OF.get(jsonrpc.text(parts.get("method")) or "")
        if kind is not None:
            self._changed(name, kind)
        news = subscriptions.news(parts, agreed, self._id, name if self._door.shared else None)
        if news is not None:
            self._outbox.put(news.key, news.message)


class Subscribers:
    """Everyone who listens now."""

    def __init__(self, most: int) -> None:
        """`most` streams of one caller at a time."""
        self._most = most
        self._open: set[Subscription] = set()
        self._of: Counter[str] = Counter()

    def enter(self, one: Subscription, principal: Principal, entry: Entry) -> None:
        """One more, until its record is closed. Raises `Refusal` for a caller who has too many already (E72)."""
        if self._of[principal.id] >= self._most:
            text = "Too many subscriptions are open."
            raise Refusal("session", "busy", text, code=INVALID_REQUEST, status=429)
        self._open.add(one)
        self._of[principal.id] += 1
        entry.then(lambda: self._leave(one, principal))

    def _leave(self, one: Subscription, principal: Principal) -> None:
        self._open.discard(one)
        self._of[principal.id] -= 1
        if not self._of[principal.id]:
            del self._of[principal.id]

    def renewed(self) -> None:
        """Another config or policy is in force."""
        for one in self._open:
            one.renewed()

    def finish(self) -> None:
        """The gateway stops."""
        for one in self._open:
            one.finish()


async def recorded(one: Subscription, entry: Entry) -> AsyncGenerator[bytes, None]:
    """The stream, whose end closes its record. To be `begun`."""
    try:
        yield b""
        async with contextlib.aclosing(one.messages()) as messages:
            async for message in messages:
                yield message
    finally:
        # However it ends: what was promised was told, and nobody waits for an answer.
        entry.close(Outcome.OK)


async def relay(
    door: Door,
    session: Session,
    principal: Principal,
    entry: Entry,
    changed: Changed,
    opened: Callable[[], None],
) -> AsyncGenerator[bytes, None]:
    """What the servers of a session say outside of calls, as it comes, until the client goes. To be `begun`.

    `opened` is called once every server is listened to that can be.
    """
    outbox = Outbox()
    numbers = itertools.count()
    closed = set(door.servers)

    def ready(name: str) -> None:
        closed.discard(name)
        if not closed:
            opened()

    async def pull(name: str) -> None:
        try:
            await listen(name)
        except Refusal as refusal:
            _log.info("%s cannot be listened to: %s", name, refusal.reason)
        finally:
            ready(name)

    async def listen(name: str) -> None:
        async for message in door.servers[name].listen(session, principal, partial(ready, name)):
            kind = subscriptions.changed_kind(message)
            if kind is not None:
                changed(name, kind)
            shown = bridge.unrelated(message, name, shared=door.shared)
            if shown is not None:
                outbox.put((str(kind or next(numbers)),), shown)

    pulls = [asyncio.create_task(pull(name)) for name in door.servers]
    try:
        yield b""
        while (message := await outbox.get()) is not None:
            yield message
    finally:
        for task in pulls:
            task.cancel()
        await asyncio.gather(*pulls, return_exceptions=True)
        # The end of such a stream is always the client's or ours: there is nothing left to answer.
        entry.close(Outcome.OK)


def _refused(message: bytes) -> Refusal:
    error = bridge.fields(message).get("error")
    code = None if error is None else jsonrpc.error_code(error)
    if code == METHOD_NOT_FOUND:
        return Refusal("upstream", "no_subscriptions", "Not offered.", code=METHOD_NOT_FOUND, status=404)
    return Refusal.upstream("upstream_failed", f"subscriptions/listen was answered with error {code}")
