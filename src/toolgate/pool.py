"""What outlives a snapshot, counted by its users: upstreams with all they hold, key sets, verified tokens."""

import asyncio
from collections.abc import Callable
from typing import Protocol, TypeVar, cast

T = TypeVar("T", bound="Held")


class Lease:
    """A snapshot's hold on the upstreams it names, and the calls that still see the snapshot."""

    def __init__(self) -> None:
        self._calls = 0
        self._waiting: list[asyncio.Future[None]] = []

    def take(self) -> None:
        """One more call."""
        self._calls += 1

    def give_back(self) -> None:
        """One call less."""
        self._calls -= 1
        if self._waiting and self._calls == 0:
            for waiter in self._waiting:
                if not waiter.done():
                    waiter.set_result(None)
            self._waiting.clear()

    async def idle(self) -> None:
        """Returns once no call sees the snapshot any more."""
        while self._calls:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(waiter)
            await waiter


class Held(Protocol):
    """What can be held."""

    async def aclose(self) -> None:
        """Nobody holds it any more."""
        ...


class Pool:
    """Held things by a key that says everything that matters of them.

    A reload that still names one finds it as it is: connections, sessions, children and what was learnt of
    an issuer stay (I4).
    """

    def __init__(self) -> None:
        self._held: dict[str, Held] = {}
        self._holders: dict[str, int] = {}

    def hold(self, key: str, make: Callable[[], T]) -> T:
        """The thing of that key, made if nobody holds it. A key stands for things of one type."""
        if key not in self._held:
            self._held[key] = make()
        self._holders[key] = self._holders.get(key, 0) + 1
        return cast("T", self._held[key])

    async def release(self, key: str) -> None:
        """One holder less; the last one closes it."""
        self._holders[key] -= 1
        if self._holders[key] == 0:
            del self._holders[key]
            await self._held.pop(key).aclose()

    async def aclose(self) -> None:
        """Close everything, whoever holds it."""
        held = list(self._held.values())
        self._held.clear()
        self._holders.clear()
        await asyncio.gather(*(one.aclose() for one in held))


class Holder:
    """What one snapshot holds of a pool."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._keys: list[str] = []

    def hold(self, key: str, make: Callable[[], T]) -> T:
        """See `Pool.hold`."""
        held = self._pool.hold(key, make)
        self._keys.append(key)
        return held

    async def release(self) -> None:
        """Let go of all of it."""
        while self._keys:
            await self._pool.release(self._keys.pop())
