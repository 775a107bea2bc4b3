"""What outlives a snapshot: upstreams with their connections, sessions and children, counted by their users."""

import asyncio
from collections.abc import Callable

from toolgate.ports import Upstream


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


class Pool:
    """Upstreams by a key that says everything about how they are reached.

    A reload that still names one finds it as it is: connections, sessions and children stay (I4).
    """

    def __init__(self) -> None:
        self._upstreams: dict[str, Upstream] = {}
        self._holders: dict[str, int] = {}

    def hold(self, key: str, make: Callable[[], Upstream]) -> Upstream:
        """The upstream of that key, made if nobody holds it."""
        if key not in self._upstreams:
            self._upstreams[key] = make()
        self._holders[key] = self._holders.get(key, 0) + 1
        return self._upstreams[key]

    async def release(self, key: str) -> None:
        """One holder less; the last one stops the upstream."""
        self._holders[key] -= 1
        if self._holders[key] == 0:
            del self._holders[key]
            await self._upstreams.pop(key).aclose()

    async def aclose(self) -> None:
        """Stop everything, whoever holds it."""
        upstreams = list(self._upstreams.values())
        self._upstreams.clear()
        self._holders.clear()
        await asyncio.gather(*(upstream.aclose() for upstream in upstreams))
