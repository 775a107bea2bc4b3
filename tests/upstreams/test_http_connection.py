"""A request that waits for the end of the turn: what comes before it was sent answers nothing."""

import asyncio

import pytest

from toolgate.ports import HttpError
from toolgate.upstreams.http_connection import Connection
from toolgate.upstreams.http_heads import Heads


class Busy:
    """A pool with other exchanges under way, and the transport of one connection."""

    heads = Heads()
    quiet = False

    def __init__(self) -> None:
        self.posted: list[Connection] = []
        self.released: list[Connection] = []
        self.written = b""
        self.aborted = False

    def post(self, connection: Connection) -> None:
        self.posted.append(connection)

    def release(self, connection: Connection) -> None:
        self.released.append(connection)

    def lost(self, connection: Connection) -> None: ...

    def write(self, data: bytes) -> None:
        self.written += data

    def abort(self) -> None:
        self.aborted = True

    def get_write_buffer_size(self) -> int:
        return 0


@pytest.fixture
async def busy() -> tuple[Busy, Connection]:
    pool = Busy()
    connection = Connection(pool, asyncio.get_running_loop())
    connection.connection_made(pool)  # type: ignore[arg-type]
    return pool, connection


ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nab"


async def test_it_is_sent_when_the_turn_is_over(busy: tuple[Busy, Connection]) -> None:
    pool, connection = busy
    answer = connection.send(b"request", 1e9, bodiless=False)
    assert pool.written == b""
    pool.posted[0].send_now()
    assert pool.written == b"request"
    connection.data_received(ANSWER)
    assert await answer.read(10) == b"ab"
    assert pool.released == [connection]


async def test_an_answer_before_the_question_costs_the_connection(busy: tuple[Busy, Connection]) -> None:
    pool, connection = busy
    answer = connection.send(b"request", 1e9, bodiless=False)
    connection.data_received(ANSWER)
    assert pool.aborted
    connection.connection_lost(None)
    connection.send_now()
    assert pool.written == b""
    assert pool.released == []
    with pytest.raises(HttpError) as failed:
        await answer.read(10)
    assert (failed.value.kind, failed.value.sent) == ("closed", False)


async def test_a_server_that_leaves_before_has_not_seen_it(busy: tuple[Busy, Connection]) -> None:
    pool, connection = busy
    answer = connection.send(b"request", 1e9, bodiless=False)
    connection.eof_received()
    connection.connection_lost(None)
    connection.send_now()
    assert pool.written == b""
    assert answer.failure is not None
    assert not answer.failure.sent
