"""One connection, many answers: what is kept, what is not, and what is sent again."""

import asyncio

import pytest
from http_contract import (
    CHUNKED,
    LOOPS,
    MIB,
    OK,
    answering,
    failure,
    post,
)
from scripted_server import Peer

__all__ = ["LOOPS"]  # What `conftest.py` runs each case on.


async def test_a_connection_is_used_again(http, serve):
    server = await serve(answering(OK, OK, OK))
    for _ in range(3):
        assert await post(http, server.url()) == b"ok"
    assert [len(peer.requests) for peer in server.peers] == [3]


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    ],
)
async def test_a_connection_that_is_to_close_is_not_used_again(http, serve, answer):
    server = await serve(answering(answer))
    for _ in range(2):
        assert await post(http, server.url()) == b"ok"
    assert [len(peer.requests) for peer in server.peers] == [1, 1]


async def dying_when_used_again(peer: Peer) -> None:
    """The first connection closes on its second request, without a byte; others answer."""
    await peer.request()
    await peer.send(OK)
    await peer.request()
    if peer.number > 1:
        await peer.send(OK)
        await peer.gone()


async def test_a_repeatable_request_on_a_dead_connection_is_sent_once_more(http, serve):
    server = await serve(dying_when_used_again)
    for _ in range(2):
        assert await post(http, server.url(), repeatable=True) == b"ok"
    assert [len(peer.requests) for peer in server.peers] == [2, 1]


async def test_a_request_that_is_not_repeatable_is_never_sent_twice(http, serve):
    server = await serve(dying_when_used_again)
    await post(http, server.url())
    assert await failure(post(http, server.url())) == ("closed", True)
    assert [len(peer.requests) for peer in server.peers] == [2]


async def test_a_request_is_repeated_once_at_most(http, serve):
    async def script(peer: Peer) -> None:
        await peer.request()
        if peer.number == 1:
            await peer.send(OK)
            await peer.request()

    server = await serve(script)
    await post(http, server.url())
    assert await failure(post(http, server.url(), repeatable=True)) == ("closed", True)
    assert [len(peer.requests) for peer in server.peers] == [2, 1]


async def test_the_repetition_does_not_trust_another_kept_connection(http, serve):
    both = asyncio.Barrier(2)

    async def script(peer: Peer) -> None:
        await peer.request()
        if peer.number < 3:
            await both.wait()
            await peer.send(OK)
            await peer.request()
        else:
            await peer.send(OK)

    server = await serve(script)
    await asyncio.gather(post(http, server.url()), post(http, server.url()))
    assert await post(http, server.url(), repeatable=True) == b"ok"
    assert len(server.peers) == 3


async def test_a_new_connection_that_dies_is_not_replaced(http, serve):
    async def script(peer: Peer) -> None:
        await peer.request()

    server = await serve(script)
    assert await failure(post(http, server.url(), repeatable=True)) == ("closed", True)
    assert len(server.peers) == 1


async def test_a_request_that_was_answered_in_part_is_not_repeated(http, serve):
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        await peer.request()
        await peer.send_apart(b"HTTP/1.1 2")

    server = await serve(script)
    await post(http, server.url())
    assert await failure(post(http, server.url(), repeatable=True)) == ("closed", True)
    assert len(server.peers) == 1


async def test_a_repetition_that_finds_no_server_still_says_that_it_was_sent(http, serve):
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        await peer.request()
        server.server.close()

    server = await serve(script)
    await post(http, server.url())
    assert await failure(post(http, server.url(), repeatable=True)) == ("connect", True)


async def test_a_connection_that_ends_while_idle_is_not_tried(http, serve):
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        if peer.number == 1:
            await peer.end()
            left.set()
        await peer.gone()

    left = asyncio.Event()
    server = await serve(script)
    await post(http, server.url())
    await left.wait()
    assert await post(http, server.url()) == b"ok"
    assert len(server.peers) == 2


async def test_an_idle_connection_is_dropped_in_time(connect, serve):
    http = connect(idle_seconds=0.05)
    server = await serve(answering(OK))
    await post(http, server.url())
    await server.idle()
    assert await post(http, server.url()) == b"ok"


EVIL = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"


@pytest.mark.parametrize(
    "extra", [EVIL, EVIL[:9], b"x", b"ok"], ids=["answer", "start of an answer", "x", "ok"]
)
@pytest.mark.parametrize("apart", [False, True], ids=["together", "apart"])
async def test_bytes_behind_an_answer_cost_the_connection(http, serve, extra, apart):
    """RFC 9112, 6.3: they must not become the answer to the next request."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await (peer.send_apart(OK, extra) if apart else peer.send(OK + extra))
        await peer.gone()

    server = await serve(script)
    assert await post(http, server.url()) == b"ok"
    await server.idle()
    assert await post(http, server.url()) == b"ok"
    assert len(server.peers) == 2


async def test_an_answer_to_a_request_still_on_its_way_wins(http, serve):
    """RFC 9112, 9.5: the server answers and leaves without reading the body."""

    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno")

    server = await serve(script)
    response = await http.request("POST", server.url(), body=bytes(16 * MIB), timeout=4)
    assert (response.status, await response.read(2)) == (413, b"no")


async def test_a_connection_with_an_unsent_rest_is_not_used_again(http, serve):
    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.send(OK)
        await peer.gone()

    server = await serve(script)
    for _ in range(2):
        response = await http.request("POST", server.url(), body=bytes(16 * MIB), timeout=4)
        assert await response.read(2) == b"ok"
    assert len(server.peers) == 2


async def test_closing_a_finished_answer_keeps_the_connection(http, serve):
    server = await serve(answering(OK, OK))
    for _ in range(2):
        response = await http.request("POST", server.url(), timeout=4)
        assert await response.read(2) == b"ok"
        response.close()
    assert len(server.peers) == 1


async def test_closing_an_unfinished_answer_closes_its_connection(connect, serve):
    http = connect(max_connections=1)
    server = await serve(answering(CHUNKED + b"3\r\none\r\n"))
    for _ in range(2):
        response = await http.request("GET", server.url(), timeout=4)
        assert await anext(aiter(response.chunks())) == b"one"
        response.close()
        await server.idle()


async def test_a_closed_answer_gives_no_body(http, serve):
    server = await serve(answering(CHUNKED + b"3\r\none\r\n"))
    response = await http.request("GET", server.url(), timeout=4)
    response.close()
    assert await failure(response.read(100)) == ("closed", True)
