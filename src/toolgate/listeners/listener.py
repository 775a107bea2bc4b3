"""One listening socket: accepts, sweeps, stops in order. Knows no request."""

import asyncio
import socket
import ssl

from toolgate.listeners.connection import Application, Connection, Shared
from toolgate.listeners.edge import Edge

SWEEP_SECONDS = 1.0
"""Between looks at which connections are late: one timer for all of them instead of one per request."""
BACKLOG = 2048


class Listener:
    """Serves one application on one socket."""

    def __init__(self, application: Application, edge: Edge, *, tls: ssl.SSLContext | None = None) -> None:
        self._shared = Shared(application, edge)
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._sweep: asyncio.TimerHandle | None = None

    async def start(self, sock: socket.socket) -> None:
        """Accept from now on."""
        loop = asyncio.get_running_loop()
        seconds = self._shared.edge.header_seconds
        self._server = await loop.create_server(
            lambda: Connection(self._shared),
            sock=sock,
            backlog=BACKLOG,
            ssl=self._tls,
            ssl_handshake_timeout=seconds if self._tls is not None else None,
        )
        self._sweep = loop.call_later(SWEEP_SECONDS, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for connection in tuple(self._shared.connections):
            connection.sweep(now)
        self._sweep = loop.call_later(SWEEP_SECONDS, self._look, loop)

    async def stop(self, grace: float, force: asyncio.Event) -> None:
        """Accept no more; let what is under way end within `grace` seconds, or until `force`."""
        if self._server is None:
            return
        self._server.close()
        shared = self._shared
        shared.stopping = True
        for connection in tuple(shared.connections):
            connection.stop()
        if shared.connections:
            await self._wait_until_empty(grace, force)
        for connection in tuple(shared.connections):
            connection.abort()
        if self._sweep is not None:
            self._sweep.cancel()

    async def _wait_until_empty(self, grace: float, force: asyncio.Event) -> None:
        waits = [asyncio.ensure_future(event.wait()) for event in (self._shared.empty, force)]
        await asyncio.wait(waits, timeout=grace, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
