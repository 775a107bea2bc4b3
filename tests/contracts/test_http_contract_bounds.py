"""Time, and how many: every wait has an end, every connection a place."""

import asyncio
import socket

import pytest
from http_contract import (
    CHUNKED,
    LOOPS,
    OK,
    answering,
    breaking_off,
    failure,
    post,
)
from scripted_server import Peer

__all__ = ["LOOPS"]  # What `conftest.py` runs each case on.


async def test_an_answer_that_does_not_come_in_time_is_given_up(connect, serve):
    http = connect(max_connections=1)
    for answer in (b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"):
        server = await serve(answering(answer))
        assert await failure(http.request("POST", server.url(), timeout=0.05)) == ("timeout", True)
        await server.idle()


async def test_the_time_is_for_the_headers_not_for_the_body(http, serve):
    over = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(CHUNKED)
        await over.wait()
        await peer.send(b"2\r\nok\r\n0\r\n\r\n")

    server = await serve(script)
    response = await http.request("POST", server.url(), timeout=0.05)
    asyncio.get_running_loop().call_later(0.5, over.set)
    assert await response.read(2) == b"ok"


async def test_a_port_where_nobody_listens_is_a_failed_connection(http):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert await failure(http.request("GET", f"http://127.0.0.1:{port}/", timeout=4)) == ("connect", False)


async def test_no_more_connections_than_allowed(connect, serve):
    http = connect(max_connections=2)
    server = await serve(answering(OK, OK, OK, OK, OK, OK, OK, OK))
    assert await asyncio.gather(*(post(http, server.url()) for _ in range(8))) == [b"ok"] * 8
    assert server.most_open == 2


async def test_who_waits_for_a_connection_waits_in_line(connect, serve):
    http = connect(max_connections=1)
    server = await serve(answering(OK, OK, OK, OK, OK, OK, OK, OK))
    bodies = [b"%d" % number for number in range(8)]
    await asyncio.gather(*(post(http, server.url(), body) for body in bodies))
    (peer,) = server.peers
    assert [request.body for request in peer.requests] == bodies


async def test_whoever_waits_for_a_connection_waits_no_longer_than_asked(connect, serve):
    http = connect(max_connections=1)
    server = await serve(answering(CHUNKED))
    response = await http.request("GET", server.url(), timeout=4)
    assert await failure(http.request("POST", server.url(), timeout=0.05)) == ("timeout", False)
    response.close()


async def test_the_place_of_a_dead_connection_goes_to_the_next_in_line(connect, serve):
    http = connect(max_connections=1)
    server = await serve(breaking_off(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"))
    assert await asyncio.gather(*(post(http, server.url()) for _ in range(5))) == [b"ok"] * 5
    assert server.most_open == 1


async def test_a_cancelled_request_closes_its_connection_and_frees_its_place(connect, serve):
    http = connect(max_connections=1)
    arrived = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        if peer.number == 1:
            arrived.set()
            await peer.gone()
        await peer.send(OK)

    server = await serve(script)
    request = asyncio.create_task(post(http, server.url()))
    await arrived.wait()
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    assert await post(http, server.url()) == b"ok"
    assert len(server.peers) == 2


async def test_a_request_cancelled_at_any_moment_frees_its_place(connect, serve):
    http = connect(max_connections=1)
    server = await serve(answering(*[OK] * 30))
    for turns in range(20):
        request = asyncio.create_task(post(http, server.url()))
        for _ in range(turns):
            await asyncio.sleep(0)
        request.cancel()
        await asyncio.gather(request, return_exceptions=True)
    assert await post(http, server.url()) == b"ok"


async def test_a_cancelled_waiter_does_not_take_a_place_with_it(connect, serve):
    http = connect(max_connections=1)
    server = await serve(answering(CHUNKED + b"2\r\nok\r\n"))
    response = await http.request("GET", server.url(), timeout=4)
    waiters = [asyncio.create_task(post(http, server.url())) for _ in range(3)]
    await asyncio.sleep(0)
    response.close()
    for waiter in waiters:
        waiter.cancel()
    assert all(
        isinstance(end, asyncio.CancelledError)
        for end in await asyncio.gather(*waiters, return_exceptions=True)
    )
    (await http.request("GET", server.url(), timeout=4)).close()


async def test_a_cancelled_read_closes_its_connection(http, serve):
    server = await serve(answering(CHUNKED + b"2\r\nok\r\n"))
    response = await http.request("GET", server.url(), timeout=4)
    reading = asyncio.create_task(response.read(100))
    await asyncio.sleep(0)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    response.close()
    await server.idle()


async def test_an_interrupted_wait_for_a_part_loses_nothing(http, serve):
    """A listener that sends keep-alives of its own gives up waiting now and then."""
    heard = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(CHUNKED)
        await heard.wait()
        await peer.send(b"2\r\nok\r\n0\r\n\r\n")

    server = await serve(script)
    response = await http.request("GET", server.url(), timeout=4)
    waiting = asyncio.create_task(anext(aiter(response.chunks())))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    heard.set()
    assert await response.read(2) == b"ok"
