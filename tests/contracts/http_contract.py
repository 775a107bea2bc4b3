"""What `ports.Http` promises, over every implementation and every event loop: the words of its suites."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
import uvloop
from aiohttp_http import AiohttpHttp
from scripted_server import Peer, Script, ScriptedServer

from toolgate.ports import Http, HttpError
from toolgate.upstreams.http_client import HttpClient

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
CLIENTS: dict[str, Callable[..., Http]] = {"toolgate": HttpClient, "aiohttp": AiohttpHttp}

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
MIB = 1024 * 1024

Connect = Callable[..., Http]
Serve = Callable[..., Awaitable[ScriptedServer]]


def answering(*answers: bytes) -> Script:
    """A script that gives these answers on every connection, then waits for the client to go."""

    async def script(peer: Peer) -> None:
        for answer in answers:
            await peer.request()
            await peer.send(answer)
        await peer.gone()

    return script


def breaking_off(answer: bytes) -> Script:
    """A script that closes the connection behind its answer."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(answer)

    return script


async def post(http: Http, url: str, body: bytes = b"{}", *, repeatable: bool = False) -> bytes:
    """One whole exchange."""
    response = await http.request("POST", url, body=body, timeout=4, repeatable=repeatable)
    return await response.read(MIB)


async def failure(awaitable: Awaitable[object]) -> tuple[str, bool]:
    """The kind of the HttpError it raises, and whether the server may have seen the request."""
    with pytest.raises(HttpError) as caught:
        await awaitable
    return caught.value.kind, caught.value.sent
