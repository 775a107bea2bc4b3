"""Public keys of an issuer over HTTP: fetched, remembered, refreshed. Knows no tokens."""

import asyncio
from collections.abc import Awaitable, Callable

from joserfc.jwk import Key

from toolgate.identity.fetch import Unusable, fetch
from toolgate.identity.jwks import MAX_BYTES, KeySet, unavailable
from toolgate.ports import Clock, Http, HttpError

Locate = Callable[[], Awaitable[str]]
"""Finds the address of the key set. Raises `Unusable` or `HttpError`."""


class RemoteKeys:
    """A key set at an address. Concurrent callers share one fetch; if it fails, the old keys remain."""

    def __init__(
        self,
        http: Http,
        locate: Locate,
        clock: Clock,
        *,
        min_interval: float = 10.0,
        max_age: float = 600.0,
        deadline: float = 5.0,
    ) -> None:
        """Seconds: between two fetches that unknown key names ask for, until the set is fetched
        again unasked, and for one fetch as a whole."""
        self._http = http
        self._locate = locate
        self._clock = clock
        self._min_interval = min_interval
        self._max_age = max_age
        self._deadline = deadline
        self._keys: KeySet | None = None
        self._fetched: float | None = None
        self._tried: float | None = None
        self._problem: str | None = None
        self._fetching: asyncio.Task[None] | None = None

    async def find(self, kid: str | None, alg: str) -> Key | None:
        """See `Keys.find`. Waits for a fetch only where the key is not known; bounded by the deadline."""
        key = self._pick(kid, alg)
        if key is not None:
            if not self._within(self._fetched, self._max_age):
                self._start()  # Withdrawn keys must go, but no caller waits for it.
            return key
        await self._refresh()
        key = self._pick(kid, alg)
        if key is None and self._problem is not None:
            raise unavailable(self._problem)
        return key

    async def aclose(self) -> None:
        """Ends a fetch under way."""
        fetching = self._fetching
        if fetching is not None:
            fetching.cancel()
            await asyncio.wait([fetching])
            self._fetching = None  # A task cancelled before its first step runs no `finally`.

    def _pick(self, kid: str | None, alg: str) -> Key | None:
        return self._keys.pick(kid, alg) if self._keys else None

    async def _refresh(self) -> None:
        fetching = self._start()
        if fetching is not None:
            # `wait` leaves the fetch alone when a caller goes away: it belongs to the others too.
            await asyncio.wait([fetching])

    def _start(self) -> asyncio.Task[None] | None:
        # The bound on fetches holds for made-up key names too, or strangers could aim us at the issuer.
        if self._fetching is None and not self._within(self._tried, self._min_interval):
            self._tried = self._clock()
            self._problem = "the fetch of the key set was broken off"
            self._fetching = asyncio.create_task(self._fetch())
        return self._fetching

    async def _fetch(self) -> None:
        try:
            async with asyncio.timeout(self._deadline):
                url = await self._locate()
                self._keys = KeySet.read(await fetch(self._http, url, MAX_BYTES, self._deadline))
            self._fetched = self._clock()
            self._problem = None
        except (Unusable, HttpError, TimeoutError, ValueError) as error:
            self._problem = f"the key set cannot be fetched: {str(error) or 'deadline'}"
        finally:
            self._fetching = None

    def _within(self, since: float | None, seconds: float) -> bool:
        # A clock set back counts as expired: better one fetch more than none for hours.
        return since is not None and 0 <= self._clock() - since < seconds
