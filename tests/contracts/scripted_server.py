"""A server that plays scripted bytes over raw sockets. Of HTTP it knows where a request ends."""

import asyncio
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self


@dataclass
class Request:
    """What the client sent, as it was sent."""

    line: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes

    def values(self, name: bytes) -> list[bytes]:
        """All values of a header, in order."""
        return [value for key, value in self.headers if key.lower() == name]


@dataclass
class Peer:
    """One accepted connection, in the hands of a script."""

    number: int
    """From 1, in the order of acceptance."""
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    requests: list[Request] = field(default_factory=list)

    async def head(self) -> list[bytes]:
        """The next request's lines up to the empty one; ends the script where the client has left."""
        return (await self.reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[:-2]

    async def request(self) -> Request:
        """One whole request; ends the script where the client has left."""
        line, *lines = await self.head()
        headers = [(name, value.strip()) for name, _, value in (part.partition(b":") for part in lines)]
        request = Request(line, headers, b"")
        for length in request.values(b"content-length"):
            request.body = await self.reader.readexactly(int(length))
        self.requests.append(request)
        return request

    async def send(self, data: bytes) -> None:
        """Write, and wait until the kernel has most of it."""
        self.writer.write(data)
        await self.writer.drain()

    async def send_apart(self, *pieces: bytes) -> None:
        """Write pieces so that a client on this loop reads each by itself: loopback delivers at once,
        and every turn of the loop polls the client's socket."""
        for piece in pieces:
            await self.send(piece)
            for _ in range(3):
                await asyncio.sleep(0)

    async def end(self) -> None:
        """Half close: no more bytes from here, while reading goes on."""
        self.writer.write_eof()
        await self.gone()

    async def gone(self) -> None:
        """Returns when the client has closed, whatever it still sent."""
        with suppress(ConnectionError):
            while await self.reader.read(65536):
                pass

    def reset(self) -> None:
        """Close with RST instead of FIN."""
        raw = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Script = Callable[[Peer], Awaitable[None]]


class ScriptedServer:
    """Plays `script` for every connection, which closes when the script returns.

    A client that leaves ends the script quietly; any other error of a script is raised on leaving the server.
    """

    def __init__(self, script: Script, tls: ssl.SSLContext | None = None) -> None:
        self.script = script
        self.tls = tls
        self.peers: list[Peer] = []
        self.open = 0
        self.most_open = 0
        self.tasks: set[asyncio.Task[None]] = set()
        self.errors: list[BaseException] = []

    async def __aenter__(self) -> Self:
        self.server = await asyncio.start_server(self.accept, "127.0.0.1", 0, ssl=self.tls, backlog=100)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self.server.close()
        for task in tuple(self.tasks):
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.server.wait_closed()
        for error in self.errors:
            raise error

    def url(self, path: str = "/mcp") -> str:
        """The address of a path here."""
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}{path}"

    async def idle(self) -> None:
        """Returns when every script has ended."""
        while self.tasks:
            await asyncio.wait(self.tasks)

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Not a coroutine, so that the task is ours to end."""
        task = asyncio.get_running_loop().create_task(self.play(Peer(len(self.peers) + 1, reader, writer)))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def play(self, peer: Peer) -> None:
        """One connection from its first byte to its last."""
        self.peers.append(peer)
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            await self.script(peer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        except Exception as error:
            self.errors.append(error)
        finally:
            self.open -= 1
            peer.writer.close()
            with suppress(ConnectionError, ssl.SSLError):
                await peer.writer.wait_closed()
