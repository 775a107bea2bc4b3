"""What is no HTTP/1.1 is refused, in either direction."""

import pytest
from http_contract import (
    CHUNKED,
    LOOPS,
    OK,
    answering,
    failure,
    post,
)

__all__ = ["LOOPS"]  # What `conftest.py` runs each case on.


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/0.9 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nno colon\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nX-A: a\0b\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2, 3\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        CHUNKED + b"xyz\r\n",
        CHUNKED + b"-1\r\nok\r\n",
        CHUNKED + b"2\r\nokay\r\n0\r\n\r\n",
        CHUNKED + b"FFFFFFFFFFFFFFFFF\r\nok\r\n",
    ],
    ids=[
        "no HTTP",
        "HTTP/2.0",
        "HTTP/0.9",
        "no status",
        "no colon",
        "space before colon",
        "NUL",
        "negative length",
        "two lengths",
        "list of lengths",
        "length and coding",
        "coding and length",
        "two codings",
        "unknown coding",
        "HTTP/1.0 chunked",
        "switched to something",
        "switched",
        "no chunk size",
        "negative chunk size",
        "long chunk",
        "endless chunk size",
    ],
)
async def test_an_answer_that_could_be_read_in_two_ways_is_refused(http, serve, answer):
    """RFC 9112, 6.3 and 11.2 (response splitting and smuggling)."""
    server = await serve(answering(answer))
    assert await failure(post(http, server.url())) == ("protocol", True)
    await server.idle()


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 70_000 + b"\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\n" + b"X-A: a\r\n" * 201 + b"Content-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 300_000,
        b"HTTP/1.1 200 " + b"a" * 300_000,
        b"HTTP/1.1 200 OK\r\n" + b"X-" + b"a" * 300_000,
        b"HTTP/1.1 103 Early Hints\r\nX-A: a\r\n\r\n" * 10_000,
        CHUNKED + b"2\r\nok\r\n0\r\nX-A: " + b"a" * 600_000,
        CHUNKED + b"2;" + b"a" * 600_000,
    ],
    ids=["value", "count", "endless value", "reason", "name", "interim", "trailer", "extension"],
)
async def test_headers_without_bound_are_refused(http, serve, head):
    server = await serve(answering(head))
    assert await failure(post(http, server.url())) == ("too_large", True)
    await server.idle()


async def test_headers_within_the_bounds_are_taken(http, serve):
    server = await serve(
        answering(b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 60_000 + b"\r\nContent-Length: 2\r\n\r\nok")
    )
    response = await http.request("POST", server.url(), timeout=4)
    assert response.headers[b"x-a"] == b"a" * 60_000


@pytest.mark.parametrize(
    "header",
    [
        (b"X-A", b"1\r\nX-B: 2"),
        (b"X-A", b"1\n"),
        (b"X-A", b"1\r"),
        (b"X-A", b"1\0"),
        (b"X-A: 1\r\nX-B", b"2"),
        (b"X-A\0", b"2"),
        (b"Host", b"elsewhere"),
        (b"content-length", b"9"),
        (b"Transfer-Encoding", b"chunked"),
        (b"Connection", b"upgrade"),
    ],
)
async def test_a_header_that_could_end_the_request_is_not_sent(http, serve, header):
    server = await serve(answering(OK))
    kind = await failure(http.request("POST", server.url(), (header,), b"{}", timeout=4))
    assert kind == ("protocol", False)
    assert server.peers == []


@pytest.mark.parametrize("path", ["/a b", "/a\r\nX-A: 1", "/a\0"])
async def test_an_address_that_could_end_the_request_line_is_not_sent(http, serve, path):
    server = await serve(answering(OK))
    assert await failure(http.request("GET", server.url(path), timeout=4)) == ("protocol", False)
    assert server.peers == []
