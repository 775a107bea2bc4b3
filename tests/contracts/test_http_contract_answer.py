"""A whole answer: its parts, its framing, and bodies of any size."""

import os
from itertools import pairwise

import pytest
from http_contract import (
    CHUNKED,
    LOOPS,
    MIB,
    OK,
    answering,
    post,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scripted_server import Peer

from toolgate.ports import Http

__all__ = ["LOOPS"]  # What `conftest.py` runs each case on.


async def test_an_answer_has_its_status_its_headers_in_lower_case_and_its_body(http, serve):
    server = await serve(
        answering(
            b"HTTP/1.1 404 Nope\r\nX-One: 1\r\nx-two:  b c \t\r\nX-ONE: 2\r\nContent-Length: 3\r\n\r\nabc"
        )
    )
    response = await http.request("POST", server.url(), timeout=4)
    assert response.status == 404
    assert dict(response.headers) == {b"x-one": b"2", b"x-two": b"b c", b"content-length": b"3"}
    assert await response.read(3) == b"abc"


async def test_a_request_arrives_as_it_was_given_with_host_and_length_added(http, serve):
    server = await serve(answering(OK))
    response = await http.request(
        "POST", server.url("/a%20b?c=d%26"), ((b"X-A", b"1"), (b"x-b", b"\xc3\xa4 b")), b"{}", timeout=4
    )
    await response.read(2)
    (sent,) = server.peers[0].requests
    assert sent.line == b"POST /a%20b?c=d%26 HTTP/1.1"
    assert sent.values(b"host") == [b"127.0.0.1:%d" % server.port]
    assert sent.values(b"content-length") == [b"2"]
    assert (sent.values(b"x-a"), sent.values(b"x-b")) == ([b"1"], [b"\xc3\xa4 b"])
    assert len(sent.headers) == 4
    assert sent.body == b"{}"


async def test_a_get_has_no_length_and_an_empty_post_has_one(http, serve):
    """RFC 9110, 8.6."""
    server = await serve(answering(OK, OK))
    for method in ("GET", "POST"):
        await (await http.request(method, server.url(), timeout=4)).read(2)
    get, empty = server.peers[0].requests
    assert (get.values(b"content-length"), empty.values(b"content-length")) == ([], [b"0"])


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"),
        ("POST", b"HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\n\r\n"),
    ],
)
async def test_an_answer_that_has_no_body_ends_with_its_headers(http, serve, method, answer):
    """RFC 9112, 6.3."""
    server = await serve(answering(answer, answer))
    for _ in range(2):
        response = await http.request(method, server.url(), timeout=4)
        assert await response.read(1000) == b""
    assert len(server.peers) == 1


async def test_an_answer_that_came_in_one_piece_is_read_without_waiting(http, serve):
    server = await serve(answering(OK))
    response = await http.request("POST", server.url(), timeout=4)
    with pytest.raises(StopIteration) as stop:
        response.read(2).send(None)
    assert stop.value.value == b"ok"


async def test_interim_answers_are_skipped_and_leave_nothing_behind(http, serve):
    """RFC 9110, 15.2."""
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nX-Early: 1\r\n\r\n"
    server = await serve(answering(interim + OK, interim + OK))
    for _ in range(2):
        response = await http.request("POST", server.url(), timeout=4)
        assert (response.status, dict(response.headers)) == (200, {b"content-length": b"2"})
        assert await response.read(2) == b"ok"
    assert len(server.peers) == 1


async def test_trailers_and_chunk_extensions_are_dropped(http, serve):
    """RFC 9112, 7.1: trailers must not be taken for headers."""
    body = b'4;a=b\r\nfour\r\n3;c="d"\r\nend\r\n0\r\nX-Trailer: 1\r\nX-Other: 2\r\n\r\n'
    server = await serve(answering(CHUNKED + body, OK))
    response = await http.request("POST", server.url(), timeout=4)
    assert await response.read(100) == b"fourend"
    assert dict(response.headers) == {b"transfer-encoding": b"chunked"}
    assert await post(http, server.url()) == b"ok"
    assert len(server.peers) == 1


WHOLE = (
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 Fine\r\nX-A: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5;x=y\r\nhello\r\n6\r\n world\r\n0\r\nX-T: 1\r\n\r\n"
)


async def assert_whole(http: Http, url: str) -> None:
    response = await http.request("POST", url, timeout=4)
    assert response.status == 200
    assert dict(response.headers) == {b"x-a": b"1", b"transfer-encoding": b"chunked"}
    assert await response.read(11) == b"hello world"


async def test_an_answer_may_be_cut_at_every_byte(http, serve):
    async def script(peer: Peer) -> None:
        for cut in range(1, len(WHOLE)):
            await peer.request()
            await peer.send_apart(WHOLE[:cut], WHOLE[cut:])

    server = await serve(script)
    for _ in range(1, len(WHOLE)):
        await assert_whole(http, server.url())
    assert len(server.peers) == 1


async def test_an_answer_may_come_byte_by_byte(http, serve):
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send_apart(*(WHOLE[index : index + 1] for index in range(len(WHOLE))))

    server = await serve(script)
    await assert_whole(http, server.url())


@given(cuts=st.sets(st.integers(1, len(WHOLE) - 1)))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_any_cutting_of_an_answer_gives_the_same_answer(http, serve, cuts):
    places = [0, *sorted(cuts), len(WHOLE)]

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send_apart(*(WHOLE[a:b] for a, b in pairwise(places)))

    server = await serve(script)
    await assert_whole(http, server.url())


async def test_five_megabytes_go_both_ways(http, serve):
    async def script(peer: Peer) -> None:
        request = await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(request.body) + request.body)
        await peer.request()
        await peer.send(OK)

    body = os.urandom(5 * MIB)
    server = await serve(script)
    response = await http.request("POST", server.url(), body=body, timeout=4)
    assert await response.read(5 * MIB) == body
    assert await post(http, server.url()) == b"ok"
    assert len(server.peers) == 1
