"""An answer that breaks off is told as such, with whether the server may have seen the request."""

import pytest
from http_contract import (
    CHUNKED,
    LOOPS,
    breaking_off,
    failure,
    post,
)
from scripted_server import Peer

__all__ = ["LOOPS"]  # What `conftest.py` runs each case on.


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345",
        CHUNKED,
        CHUNKED + b"5\r\n123",
        CHUNKED + b"5\r\n12345\r\n",
        CHUNKED + b"5\r\n12345\r\n0\r\n",
    ],
)
@pytest.mark.parametrize("how", ["close", "half close", "reset"])
async def test_an_end_before_the_end_of_the_answer_is_an_error(http, serve, answer, how):
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send_apart(answer)
        if how == "half close":
            await peer.end()
        if how == "reset":
            peer.reset()

    server = await serve(script)
    assert await failure(post(http, server.url())) == ("closed", True)


async def test_a_reset_is_no_end_of_a_body_without_length(http, serve):
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send_apart(b"HTTP/1.1 200 OK\r\n\r\nto the e")
        peer.reset()

    server = await serve(script)
    assert await failure(post(http, server.url())) == ("closed", True)


async def test_what_came_before_the_break_is_handed_on(http, serve):
    server = await serve(breaking_off(CHUNKED + b"3\r\none\r\n"))
    response = await http.request("GET", server.url(), timeout=4)
    stream = aiter(response.chunks())
    assert await anext(stream) == b"one"
    assert await failure(anext(stream)) == ("closed", True)
