"""Tokens that were got for principals: kept, refreshed ahead of time, one request for all who wait. Bounded.

Knows no grant and no server; a token is found only under the key it was got for.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import TypeVar

from toolgate.errors import Refusal
from toolgate.ports import Clock
from toolgate.upstreams.auth.token_endpoint import Token, TokenError

CAPACITY = 10_000
"""Tokens kept; the least recently used one goes first and is got again when it is needed."""

PAUSE = 1.0
"""Seconds in which a failed request is not repeated: a server in trouble is not asked for every call."""

DEADLINE = 10.0
"""Seconds for one request as a whole, the wait for a connection included."""

Key = TypeVar("Key", bound=Hashable)


class _Slot:
    __slots__ = ("dropped", "fetching", "problem", "token", "tried")

    def __init__(self) -> None:
        self.token: Token | None = None
        self.fetching: asyncio.Task[None] | None = None
        self.problem: TokenError | None = None
        self.tried = float("-inf")
        self.dropped = float("-inf")


class Tokens:
    """Tokens by key. A key must say everything the token depends on."""

    def __init__(
        self,
        obtain: Callable[[Key], Awaitable[Token]],
        clock: Clock,
        *,
        capacity: int = CAPACITY,
        deadline: float = DEADLINE,
    ) -> None:
        """`obtain` raises `TokenError`."""
        self._obtain: Callable[..., Awaitable[Token]] = obtain
        self._clock = clock
        self._capacity = capacity
        self._deadline = deadline
        self._slots: OrderedDict[Hashable, _Slot] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()

    async def get(self, key: Hashable) -> Token:
        """The token. Raises `Refusal` where there is none."""
        slot = self._slot(key)
        now = self._clock()
        token = slot.token
        if token is not None and now < token.expires:
            if now >= _refresh_at(token):
                self._start(key, slot, now)
            return token
        fetching = self._start(key, slot, now)
        if fetching is not None:
            # `wait` leaves the request alone when one caller goes away: it belongs to the others too.
            await asyncio.wait([fetching])
        return _of(slot, self._clock())

    def drop(self, key: Hashable, text: str) -> bool:
        """This token is worth nothing any more; one that was got since stays. True where asking again may help:
        a server that refuses everything must not make us get a token for every call."""
        slot = self._slots.get(key)
        if slot is None or slot.token is None or slot.token.text != text:
            return True
        now = self._clock()
        if 0 <= now - slot.dropped < PAUSE:
            return False
        slot.token, slot.dropped = None, now
        return True

    async def aclose(self) -> None:
        """End the requests under way."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _slot(self, key: Hashable) -> _Slot:
        slot = self._slots.get(key)
        if slot is None:
            slot = self._slots[key] = _Slot()
            if len(self._slots) > self._capacity:
                self._slots.popitem(last=False)
        else:
            self._slots.move_to_end(key)
        return slot

    def _start(self, key: Hashable, slot: _Slot, now: float) -> asyncio.Task[None] | None:
        # A clock set back counts as a pause that is over.
        if slot.fetching is None and not (slot.problem is not None and 0 <= now - slot.tried < PAUSE):
            slot.tried = now
            slot.problem = TokenError("the request for a token was broken off")
            slot.fetching = asyncio.create_task(self._fetch(key, slot))
            self._tasks.add(slot.fetching)
            slot.fetching.add_done_callback(self._tasks.discard)
        return slot.fetching

    async def _fetch(self, key: Hashable, slot: _Slot) -> None:
        try:
            async with asyncio.timeout(self._deadline):
                slot.token = await self._obtain(key)
            slot.problem = None
        except TokenError as error:
            slot.problem = error
        except TimeoutError:
            slot.problem = TokenError("the token endpoint did not answer in time")
        finally:
            slot.fetching = None


def _of(slot: _Slot, now: float) -> Token:
    if slot.token is not None and now < slot.token.expires:
        return slot.token
    # A fresh refusal for each caller: one object raised by many would collect all their traces.
    reason = str(slot.problem or "the token expired at once")
    if slot.problem is not None and slot.problem.final:
        raise Refusal.upstream("upstream_auth", reason)
    raise Refusal.unavailable(reason)


def _refresh_at(token: Token) -> float:
    """A fifth of its life before the end, at most a minute: nobody waits, and clocks may differ a little."""
    return token.expires - min(60.0, (token.expires - token.issued) / 5)
