"""A head seen before changes the cost of reading an answer, never what is read."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolgate.upstreams.http_answer import Answer
from toolgate.upstreams.http_heads import Heads

OK = b"HTTP/1.1 200 OK\r\n"
EARLY = b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"
ANSWERS = [
    OK + b"content-length: 2\r\n\r\nab",
    OK + b"content-length: 2\r\n\r\ncd",
    OK + b"content-length: 0\r\n\r\n",
    OK + b"content-length: 4\r\n\r\n\r\n\r\n",
    OK + b"content-type: a\r\ncontent-length: 2\r\nconnection: close\r\n\r\nab",
    OK + b"transfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nlate: 1\r\n\r\n",
    EARLY + OK + b"content-length: 38\r\n\r\n" + b"x" * 38,
    EARLY + b"HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\nab",
    b"HTTP/1.1 204 No Content\r\ncontent-length: 2\r\n\r\n",
    b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nab",
    OK + b"content-length: 2\r\ncontent-length: 2\r\n\r\nab",
    OK + b"x: 1\r\nx: 2\r\ncontent-length: 2\r\n\r\nab",
    OK + b"content-length: 2\n\nab",
    b"nothing like it",
]


class NoCarrier:
    """A connection that is not looked at."""

    def pause(self) -> None: ...
    def resume(self) -> None: ...
    def drop(self) -> None: ...


async def read(data: bytes, cut: int, heads: Heads, *, bodiless: bool = False) -> object:
    answer = Answer(NoCarrier(), asyncio.get_running_loop(), heads, bodiless=bodiless)
    answer.feed(data[:cut])
    if cut < len(data) and not answer.ended:
        answer.feed(data[cut:])
    if answer.failure is not None:
        return answer.failure.kind, str(answer.failure)
    body = await answer.read(1000) if answer.complete else None
    return answer.status, answer.headers, answer.complete, answer.reusable, body


@given(st.lists(st.tuples(st.sampled_from(ANSWERS), st.integers(0, 60) | st.none()), max_size=6))
def test_answers_read_the_same_whatever_was_read_before(answers: list[tuple[bytes, int | None]]) -> None:
    async def run() -> None:
        known = Heads()
        for data, at in answers:
            cut = len(data) if at is None else min(max(at, 1), len(data))
            assert await read(data, cut, known) == await read(data, cut, Heads())

    asyncio.run(run())


@pytest.mark.parametrize("data", ANSWERS[:2])
async def test_the_second_time_the_parser_is_not_asked(data: bytes) -> None:
    heads = Heads()
    await read(data, len(data), heads)
    assert heads.find(data[:-2]) is not None


async def test_an_answer_to_head_has_no_body_whatever_length_was_known() -> None:
    heads = Heads()
    await read(ANSWERS[0], len(ANSWERS[0]), heads)
    assert await read(ANSWERS[0][:-2], 1000, heads, bodiless=True) == await read(
        ANSWERS[0][:-2], 1000, Heads(), bodiless=True
    )


async def test_heads_are_bounded() -> None:
    heads = Heads()
    for number in range(600):
        raw = b"HTTP/1.1 200 OK\r\nx: %d\r\ncontent-length: 2\r\n\r\n" % number
        heads.keep(raw, 200, {b"x": b"%d" % number, b"content-length": b"2"})
    assert heads.find(raw) is not None
    assert heads.find(raw.replace(b"599", b"0")) is None
