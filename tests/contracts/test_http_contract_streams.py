"""An answer that is read as it comes."""

import asyncio

from http_contract import (
    CHUNKED,
    LOOPS,
    MIB,
    OK,
    answering,
    breaking_off,
    failure,
    post,
)
from scripted_server import Peer

__all__ = ["LOOPS"]  # What `conftest.py` runs each case on.


async def test_a_stream_is_handed_on_as_it_comes(http, serve):
    heard = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(CHUNKED + b"3\r\none\r\n")
        await heard.wait()
        await peer.send(b"3\r\ntwo\r\n0\r\n\r\n")

    server = await serve(script)
    response = await http.request("GET", server.url(), timeout=4)
    parts = []
    async for part in response.chunks():
        parts.append(part)
        heard.set()
    assert parts == [b"one", b"two"]


async def test_who_does_not_read_stops_the_sender(http, serve):
    total = 64 * MIB
    stalled: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % total)
        for _ in range(total // MIB):
            peer.writer.write(bytes(MIB))
            try:
                async with asyncio.timeout(None if stalled.done() else 0.3):
                    await peer.writer.drain()
            except TimeoutError:
                stalled.set_result(True)
                await peer.writer.drain()
        if not stalled.done():
            stalled.set_result(False)

    server = await serve(script)
    response = await http.request("GET", server.url(), timeout=4)
    assert await stalled
    got = 0
    async for part in response.chunks():
        got += len(part)
    assert got == total


async def test_a_stalled_answer_can_be_closed(connect, serve):
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (64 * MIB) + bytes(64 * MIB))

    http = connect(max_connections=1)
    server = await serve(script)
    response = await http.request("GET", server.url(), timeout=4)
    response.close()
    await server.idle()


async def test_a_body_without_length_ends_with_the_connection(http, serve):
    """RFC 9112, 6.3, item 8."""
    server = await serve(breaking_off(b"HTTP/1.1 200 OK\r\n\r\nto the end"))
    assert await post(http, server.url()) == b"to the end"


async def test_a_body_without_length_may_be_read_after_the_connection_is_gone(http, serve):
    server = await serve(breaking_off(b"HTTP/1.1 200 OK\r\n\r\nto the end"))
    response = await http.request("GET", server.url(), timeout=4)
    await server.idle()
    for _ in range(10):
        await asyncio.sleep(0)
    assert await response.read(100) == b"to the end"


async def test_a_body_above_the_limit_is_refused_and_one_at_the_limit_is_not(http, serve):
    chunked = CHUNKED + b"2\r\nok\r\n0\r\n\r\n"
    for answer in (OK, chunked, CHUNKED + b"2\r\nok\r\n"):
        server = await serve(answering(answer))
        response = await http.request("POST", server.url(), timeout=4)
        assert await failure(response.read(1)) == ("too_large", True)
    for answer in (OK, chunked):
        server = await serve(answering(answer))
        assert await (await http.request("POST", server.url(), timeout=4)).read(2) == b"ok"
