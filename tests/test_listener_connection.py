"""What the connection class adds to uvicorn's: a request that does not end in time is let go."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import pytest
import uvicorn

from toolgate.listeners.connection import bounded
from toolgate.listeners.edge import Edge

HEADERS = b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10\r\n"
EDGE = Edge(hosts=frozenset(), origins=frozenset(), loopback=True, header_seconds=0.2, body_seconds=0.2)


async def app(
    scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
    send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
) -> None:
    """Reads the body to its end."""
    while (message := await receive()).get("more_body") and message["type"] == "http.request":
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"", b"408"),
        (HEADERS, b"408"),
        (HEADERS + b"\r\n12345", b"408"),
        (HEADERS + b"connection: close\r\n\r\n1234567890", b"200"),
    ],
)
async def test_a_request_that_does_not_end_is_let_go(sent: bytes, status: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(app, http=bounded(EDGE), ws="none", lifespan="off", log_config=None)
        server = uvicorn.Server(config)
        config.load()
        server.lifespan = config.lifespan_class(config)
        await server.startup(sockets=[listening])
        async with asyncio.timeout(5):
            reader, writer = await asyncio.open_connection(*listening.getsockname())
            writer.write(sent)
            assert (await reader.read()).startswith(b"HTTP/1.1 " + status)
            writer.close()
            await writer.wait_closed()
            await server.shutdown(sockets=[listening])
