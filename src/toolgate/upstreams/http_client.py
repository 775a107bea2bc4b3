"""The HTTP/1.1 client of the call path: one write, one wait, no task and no timer per request.

Follows no redirect, unpacks no body, keeps no cookie.
"""

import asyncio
import ssl

from toolgate.ports import HttpError
from toolgate.upstreams.http_answer import Answer
from toolgate.upstreams.http_pool import Pool
from toolgate.upstreams.http_request import Origin, read_url, write_request


class HttpClient:
    """Meets `ports.Http`. Belongs to the event loop of its first request.

    `max_connections` bounds each origin: further requests wait in line, within their own time. `idle_seconds`
    should stay below what servers keep (some: 5), so that they seldom close under a request.
    Without `ssl_context`, servers are verified against the system's authorities.
    """

    def __init__(
        self,
        *,
        max_connections: int = 256,
        idle_seconds: float = 4.0,
        connect_seconds: float = 5.0,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._max_connections = max_connections
        self._idle_seconds = idle_seconds
        self._connect_seconds = connect_seconds
        self._tls = ssl_context
        self._pools: dict[Origin, Pool] = {}
        self._closed = False

    async def request(
        self,
        method: str,
        url: str,
        headers: tuple[tuple[bytes, bytes], ...] = (),
        body: bytes = b"",
        *,
        timeout: float,
        repeatable: bool = False,
    ) -> Answer:
        """See `ports.Http`. `Content-Length` is left out where a method without body has none."""
        address = read_url(url)
        data = write_request(method, address, headers, body)
        bodiless = method == "HEAD"
        pool = self._pools.get(address.origin) or self._add_pool(address.origin)
        now = pool.now()
        deadline = now + timeout
        connection = pool.take(now) or await pool.open(deadline)
        answer = connection.send(data, deadline, bodiless=bodiless)
        try:
            await answer.arrived
        except asyncio.CancelledError:
            answer.close()
            raise
        if answer.status:
            return answer
        assert answer.failure is not None
        left_unnoticed = connection.reused and not answer.heard and answer.failure.kind == "closed"
        if not (left_unnoticed and (repeatable or not answer.failure.sent)):
            raise answer.failure
        return await self._repeat(address.origin, data, deadline, bodiless=bodiless)

    async def _repeat(self, origin: Origin, data: bytes, deadline: float, *, bodiless: bool) -> Answer:
        try:
            pool = self._pools.get(origin) or self._add_pool(origin)
            connection = await pool.open(deadline, fresh=True)
        except HttpError as error:
            raise HttpError(error.kind, str(error), sent=True) from error
        answer = connection.send(data, deadline, bodiless=bodiless)
        try:
            await answer.arrived
        except asyncio.CancelledError:
            answer.close()
            raise
        if answer.status:
            return answer
        assert answer.failure is not None
        raise answer.failure

    def _add_pool(self, origin: Origin) -> Pool:
        if self._closed:
            raise HttpError("closed", "the client was closed", sent=False)
        # The only moment at which pools grow in number, so that origins of the past do not pile up.
        self._pools = {key: pool for key, pool in self._pools.items() if pool.in_use}
        self._pools[origin] = pool = Pool(
            origin,
            self._context() if origin.secure else None,
            bound=self._max_connections,
            idle_seconds=self._idle_seconds,
            connect_seconds=self._connect_seconds,
        )
        return pool

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context()
        return self._tls

    async def aclose(self) -> None:
        """See `ports.Http`. Requests under way fail with `closed`."""
        self._closed = True
        pools, self._pools = self._pools, {}
        for pool in pools.values():
            await pool.aclose()
