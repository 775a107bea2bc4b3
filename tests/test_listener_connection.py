"""HTTP/1.1 of the listener, over real sockets: framing, order, bounds, and heads that are known already."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from toolgate.listeners.edge import Edge
from toolgate.listeners.exchange import Exchange
from toolgate.listeners.listener import Listener

EDGE = Edge(
    hosts=frozenset(),
    origins=frozenset(),
    loopback=True,
    header_seconds=0.2,
    body_seconds=0.2,
    idle_seconds=0.2,
    max_body=1000,
    max_headers=2000,
)
HEADERS = b"POST /a?b HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10\r\n"
REQUEST = HEADERS + b"\r\n1234567890"


async def echo(exchange: Exchange) -> None:
    """Says what it was asked, and ends the connection's answer like any application."""
    if exchange.too_large:
        exchange.answer(413, (), b"")
    elif exchange.head.path == "/bug":
        exchange.broken(RuntimeError("planted"))
    else:
        text = f"{exchange.head.method} {exchange.head.path} ".encode()
        exchange.answer(200, (), text + exchange.body(EDGE))


@pytest.fixture
async def address() -> AsyncIterator[tuple[str, int]]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listener = Listener(echo, EDGE)
        await listener.start(listening)
        async with asyncio.timeout(30):
            yield listening.getsockname()[:2]
            await listener.stop(1.0, asyncio.Event())


async def talk(address: tuple[str, int], *pieces: bytes) -> bytes:
    """Send the pieces, each in a segment of its own; everything that comes back until the end."""
    reader, writer = await asyncio.open_connection(*address)
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0)
    answer = await reader.read()
    writer.close()
    return answer


def bodies(answer: bytes) -> list[bytes]:
    """The bodies of answers that follow each other."""
    found = []
    while answer:
        head, _, rest = answer.partition(b"\r\n\r\n")
        lines = [line.split(b": ") for line in head.lower().split(b"\r\n")[1:]]
        length = int(dict(lines)[b"content-length"])
        found.append(rest[:length])
        answer = rest[length:]
    return found


CLOSING = HEADERS.replace(b"length: 10", b"length: 4\r\nconnection: close") + b"\r\nlast"


@pytest.mark.parametrize(
    ("sent", "answered"),
    [
        (b"", b""),
        (HEADERS, b"HTTP/1.1 408 "),
        (HEADERS + b"\r\n12345", b"HTTP/1.1 408 "),
        (CLOSING, b"HTTP/1.1 200 "),
    ],
)
async def test_a_request_that_does_not_end_is_let_go(
    address: tuple[str, int], sent: bytes, answered: bytes
) -> None:
    answer = await talk(address, sent)
    assert answer.startswith(answered)
    assert bool(answer) == bool(answered)


async def test_the_rest_of_a_body_behind_a_known_head_that_never_comes_is_let_go(
    address: tuple[str, int],
) -> None:
    answer = await talk(address, REQUEST + REQUEST[:-3])
    assert answer.count(b"HTTP/1.1 200 ") == 1
    assert b"HTTP/1.1 408 " in answer


@pytest.mark.parametrize("size", [1, 2, 7, 50, 75, 1000])
async def test_requests_are_answered_in_their_order_however_they_are_cut(
    address: tuple[str, int], size: int
) -> None:
    sent = REQUEST + HEADERS + b"\r\nabcdefghij" + REQUEST.replace(b"/a?b", b"/c") + REQUEST + CLOSING
    pieces = [sent[at : at + size] for at in range(0, len(sent), size)]
    assert bodies(await talk(address, *pieces)) == [
        b"POST /a 1234567890",
        b"POST /a abcdefghij",
        b"POST /c 1234567890",
        b"POST /a 1234567890",
        b"POST /a last",
    ]


async def test_a_head_that_comes_again_reads_the_same(address: tuple[str, int]) -> None:
    # Whole, head alone and body alone, and with the next request behind it: all ways past the parser.
    head, body = REQUEST[:-10], b"ABCDEFGHIJ"
    answer = await talk(address, REQUEST, REQUEST, head, body, head + body + head, body, CLOSING)
    assert bodies(answer) == [
        b"POST /a 1234567890",
        b"POST /a 1234567890",
        b"POST /a ABCDEFGHIJ",
        b"POST /a ABCDEFGHIJ",
        b"POST /a ABCDEFGHIJ",
        b"POST /a last",
    ]


async def test_thousands_of_requests_in_one_segment_are_answered(address: tuple[str, int]) -> None:
    one = b"GET /g HTTP/1.1\r\nhost: a\r\n\r\n"
    reader, writer = await asyncio.open_connection(*address)
    writer.write(one)
    first = await reader.readuntil(b"GET /g ")
    writer.write(one * 5000 + CLOSING)
    assert bodies(await reader.read()) == [b"GET /g "] * 5000 + [b"POST /a last"]
    assert bodies(first) == [b"GET /g "]
    writer.close()


CHUNKED = b"POST /c HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n"


async def test_a_chunked_body_never_passes_for_a_known_head(address: tuple[str, int]) -> None:
    one = CHUNKED + b"3\r\nabc\r\n0\r\nhost: trailer\r\n\r\n"
    assert bodies(await talk(address, one, one, CLOSING)) == [b"POST /c abc"] * 2 + [b"POST /a last"]


async def test_line_ends_before_a_request_are_no_head(address: tuple[str, int]) -> None:
    answer = await talk(address, b"\r\n\r\n" + REQUEST, b"\r\n\r\n" + REQUEST, b"\r\n\r\n" + CLOSING)
    assert bodies(answer) == [b"POST /a 1234567890"] * 2 + [b"POST /a last"]


@pytest.mark.parametrize(
    "sent",
    [
        b"POST / HTTP/1.1\r\ncontent-length: 0\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: a\r\nhost: b\r\ncontent-length: 0\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\nhost: a\ncontent-length: 2\n\nab",
        b"POST / HTTP/1.1\r\nhost: a\r\n folded: b\r\ncontent-length: 0\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost : a\r\ncontent-length: 0\r\n\r\n",
        b"not http at all\r\n\r\n",
    ],
)
async def test_what_can_be_read_in_two_ways_is_refused(address: tuple[str, int], sent: bytes) -> None:
    answer = await talk(address, sent)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"POST / HTTP/1.1\r\nhost: a\r\n" + b"x: y\r\n" * 200 + b"\r\n", b"431"),
        (b"POST / HTTP/1.1\r\nhost: a\r\nx: " + b"y" * 3000, b"431"),
        (b"POST /" + b"y" * 3000, b"431"),
        (b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1001\r\n\r\n", b"413"),
        (CHUNKED + b"3e9\r\n" + b"z" * 1001, b"413"),
    ],
)
async def test_more_than_the_bounds_allow_is_refused(
    address: tuple[str, int], sent: bytes, status: bytes
) -> None:
    assert (await talk(address, sent)).startswith(b"HTTP/1.1 " + status)


async def test_who_asks_before_sending_a_body_is_told_to_go_on(address: tuple[str, int]) -> None:
    asking = CLOSING.replace(b"host:", b"expect: 100-continue\r\nhost:")
    answer = await talk(address, asking[:-4], asking[-4:])
    first, _, rest = answer.partition(b"\r\n\r\n")
    assert first == b"HTTP/1.1 100 Continue"
    assert bodies(rest) == [b"POST /a last"]


async def test_an_offer_to_switch_protocols_is_ignored(address: tuple[str, int]) -> None:
    offer = REQUEST.replace(b"host:", b"connection: upgrade\r\nupgrade: h2c\r\nhost:")
    assert bodies(await talk(address, offer)) == [b"POST /a 1234567890"]


async def test_the_answer_to_head_has_no_body(address: tuple[str, int]) -> None:
    answer = await talk(address, b"HEAD /x HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b"\r\n\r\n")


async def test_a_bug_is_answered_and_ends_the_connection(address: tuple[str, int]) -> None:
    answer = await talk(address, REQUEST.replace(b"/a?b", b"/bug") + REQUEST)
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert answer.count(b"HTTP/1.1") == 1


async def test_http_1_0_is_answered_and_closed(address: tuple[str, int]) -> None:
    answer = await talk(address, b"GET /old HTTP/1.0\r\nhost: a\r\n\r\n")
    assert bodies(answer) == [b"GET /old "]
