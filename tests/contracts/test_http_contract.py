"""What `ports.Http` promises, over every implementation and every event loop."""

import asyncio
import os
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from itertools import pairwise
from typing import Any

import pytest
import trustme
import uvloop
from aiohttp_http import AiohttpHttp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scripted_server import Peer, Script, ScriptedServer

from toolgate.ports import Http, HttpError
from toolgate.upstreams.http_client import HttpClient

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
CLIENTS: dict[str, Callable[..., Http]] = {"toolgate": HttpClient, "aiohttp": AiohttpHttp}

OUTLIVED = "aiohttp: a closed session does not end what waits in it; it would wait for ever"
REUSE = "aiohttp: does not tell whether the connection was a kept one, nor whether a byte of an answer came"
SPLIT = "aiohttp: fails the good answer before them"
KEPT = "aiohttp: keeps the connection until it is used again or too old"
WAYS = "aiohttp: takes this answer"
WAYS_TEST = "test_an_answer_that_could_be_read_in_two_ways_is_refused"
SPLIT_TEST = "test_bytes_behind_an_answer_cost_the_connection"

GAPS = {
    "test_a_new_connection_that_dies_is_not_replaced": REUSE,
    "test_a_request_that_was_answered_in_part_is_not_repeated": REUSE,
    "test_a_reset_is_no_end_of_a_body_without_length": "aiohttp: takes a reset for the end of the body",
    "test_the_repetition_does_not_trust_another_kept_connection": REUSE,
    "test_whoever_waits_for_a_connection_waits_no_longer_than_asked": "aiohttp: one time-out for line and answer",
    f"{WAYS_TEST}[two codings]": WAYS,
    f"{WAYS_TEST}[HTTP/0.9]": WAYS,
    f"{WAYS_TEST}[HTTP/1.0 chunked]": WAYS,
    f"{WAYS_TEST}[HTTP/2.0]": WAYS,
    f"{WAYS_TEST}[space before colon]": "aiohttp: puts it down as a lost connection",
    f"{WAYS_TEST}[switched]": WAYS,
    f"{WAYS_TEST}[switched to something]": WAYS,
    f"{SPLIT_TEST}[together-x]": SPLIT,
    f"{SPLIT_TEST}[together-ok]": SPLIT,
}
"""Cases that the aiohttp adapter fails, and must fail as long as they stand here."""

ENDLESS = {
    "test_a_client_that_is_still_connecting_can_be_closed": OUTLIVED,
    "test_an_answer_in_progress_ends_with_the_client": OUTLIVED,
    "test_headers_without_bound_are_refused[extension]": "aiohttp: no bound on a chunk extension",
    "test_headers_without_bound_are_refused[interim]": "aiohttp: no bound on interim answers",
    "test_nothing_is_left_open_at_the_end": OUTLIVED,
    f"{WAYS_TEST}[unknown coding]": "aiohttp: reads on to the end of the connection",
    f"{SPLIT_TEST}[apart-answer]": KEPT,
    f"{SPLIT_TEST}[apart-start of an answer]": KEPT,
    f"{SPLIT_TEST}[together-start of an answer]": KEPT,
}
"""Gaps that are not run: they would only use up their five seconds."""

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
MIB = 1024 * 1024

Connect = Callable[..., Http]
Serve = Callable[..., Awaitable[ScriptedServer]]


@pytest.fixture(autouse=True)
async def five_seconds() -> AsyncIterator[None]:
    """Every wait of every test is bounded: at the end of the time all of them are cancelled."""

    def end() -> None:
        for task in asyncio.all_tasks():
            task.cancel("five seconds are over")

    bound = asyncio.get_running_loop().call_later(5, end)
    yield
    bound.cancel()


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Starts scripted servers."""
    async with AsyncExitStack() as stack:

        async def start(script: Script, tls: ssl.SSLContext | None = None) -> ScriptedServer:
            return await stack.enter_async_context(ScriptedServer(script, tls))

        yield start


def mark_gap(request: pytest.FixtureRequest) -> None:
    """Expect the failure of a case that aiohttp cannot do."""
    _, _, *case = request.node.callspec.id.split("-", 2)
    name = request.function.__name__ + "".join(f"[{part}]" for part in case)
    if reason := GAPS.get(name) or ENDLESS.get(name):
        request.applymarker(pytest.mark.xfail(reason=reason, run=name in GAPS))


@pytest.fixture(params=CLIENTS)
async def connect(request: pytest.FixtureRequest, serve: Serve) -> AsyncIterator[Connect]:
    """Makes clients of one implementation, and closes them before the servers."""
    if request.param == "aiohttp":
        mark_gap(request)
    clients: list[Http] = []

    def make(**options: Any) -> Http:
        clients.append(CLIENTS[request.param](**options))
        return clients[-1]

    yield make
    for client in clients:
        await client.aclose()


@pytest.fixture
def http(connect: Connect) -> Http:
    """A client that keeps idle connections for longer than any test: age must not hide what is not noticed."""
    return connect(idle_seconds=60.0)


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


# A whole answer


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


# Streams


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


# What breaks off


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


# What is no HTTP/1.1


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


# One connection, many answers


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


# Time, and how many


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


# TLS


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def server_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.fixture
def client_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


async def test_a_server_with_a_known_certificate_is_spoken_to(connect, serve, server_tls, client_tls):
    http = connect(ssl_context=client_tls)
    server = await serve(answering(OK, OK), server_tls)
    for _ in range(2):
        assert await post(http, server.url()) == b"ok"
    assert len(server.peers) == 1


async def test_five_megabytes_go_both_ways_over_tls(connect, serve, server_tls, client_tls):
    async def script(peer: Peer) -> None:
        request = await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(request.body) + request.body)
        await peer.gone()

    body = os.urandom(5 * MIB)
    server = await serve(script, server_tls)
    response = await connect(ssl_context=client_tls).request("POST", server.url(), body=body, timeout=4)
    assert await response.read(5 * MIB) == body


@pytest.mark.filterwarnings("ignore:SSL handshake failed")
async def test_a_server_with_an_unknown_certificate_is_not_spoken_to(connect, serve, server_tls):
    server = await serve(answering(OK), server_tls)
    assert await failure(post(connect(), server.url())) == ("connect", False)
    assert server.peers == []


async def test_a_server_with_the_certificate_of_another_is_not_spoken_to(
    connect, serve, authority, client_tls
):
    other = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("other.example").configure_cert(other)
    server = await serve(answering(OK), other)
    assert await failure(post(connect(ssl_context=client_tls), server.url())) == ("connect", False)


async def test_a_handshake_that_does_not_end_is_given_up(connect, serve, client_tls):
    async def script(peer: Peer) -> None:
        await peer.gone()

    server = await serve(script)
    http = connect(ssl_context=client_tls, connect_seconds=0.05)
    url = server.url().replace("http", "https")
    assert await failure(http.request("GET", url, timeout=4)) == ("connect", False)
    await server.idle()


async def test_a_body_without_length_may_end_with_tls(connect, serve, server_tls, client_tls):
    server = await serve(breaking_off(b"HTTP/1.1 200 OK\r\n\r\nto the end"), server_tls)
    assert await post(connect(ssl_context=client_tls), server.url()) == b"to the end"


# The end


def sockets() -> int:
    """How many sockets this process holds."""
    return sum(
        os.readlink(f"/proc/self/fd/{name}").startswith("socket:")
        for name in os.listdir("/proc/self/fd")
        if os.path.exists(f"/proc/self/fd/{name}")
    )


async def test_nothing_is_left_open_at_the_end(connect, serve):
    http = connect(max_connections=4)
    arrived = asyncio.Semaphore(0)

    async def script(peer: Peer) -> None:
        if (await peer.request()).body == b"idle":
            await peer.send(OK)
            arrived.release()
            await peer.request()
        arrived.release()
        await peer.gone()

    server = await serve(script)
    before, tasks = sockets(), asyncio.all_tasks()
    await post(http, server.url(), b"idle")
    requests = [asyncio.create_task(failure(post(http, server.url()))) for _ in range(8)]
    for _ in range(5):
        await arrived.acquire()
    await http.aclose()
    ends = await asyncio.gather(*requests)
    assert sorted(ends) == [("closed", False)] * 4 + [("closed", True)] * 4
    await server.idle()
    assert sockets() == before
    assert asyncio.all_tasks() == tasks


async def test_an_answer_in_progress_ends_with_the_client(http, serve):
    server = await serve(answering(CHUNKED + b"2\r\nok\r\n"))
    response = await http.request("GET", server.url(), timeout=4)
    reading = asyncio.create_task(failure(response.read(100)))
    await asyncio.sleep(0)
    await http.aclose()
    assert await reading == ("closed", True)
    await server.idle()


async def test_a_client_that_is_still_connecting_can_be_closed(connect, serve, client_tls):
    accepted = asyncio.Event()

    async def script(peer: Peer) -> None:
        accepted.set()
        await peer.gone()

    server = await serve(script)
    http = connect(ssl_context=client_tls)
    request = asyncio.create_task(
        failure(http.request("GET", server.url().replace("http", "https"), timeout=4))
    )
    await accepted.wait()
    await http.aclose()
    assert await request == ("closed", False)
    await server.idle()


async def test_a_closed_client_sends_nothing(http, serve):
    server = await serve(answering(OK))
    await http.aclose()
    await http.aclose()
    assert await failure(post(http, server.url())) == ("closed", False)
    assert server.peers == []
