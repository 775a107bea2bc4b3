"""A streamed answer leaves one `begin` and one `end` line, and gives its snapshot back once, however it ends."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable
from types import SimpleNamespace

import pytest

from toolgate.follow import follow
from toolgate.ledger.entry import Book, Entry
from toolgate.model import Call, Record, Reply
from toolgate.protocol import bridge

PROGRESS = b'{"jsonrpc":"2.0","method":"notifications/message","params":{}}'
RESULT = b'{"jsonrpc":"2.0","id":7,"result":{}}'


class Lines:
    """Meets `ports.Ledger`: keeps what it is given."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def append(self, record: Record) -> Awaitable[None]:
        self.events.append(f"{record.event} {record.outcome or ''}".strip())
        done = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done

    async def aclose(self) -> None:
        """Nothing to close."""


class Holders:
    """Counts, as a lease does."""

    def __init__(self) -> None:
        self.count = 0

    def take(self) -> None:
        self.count += 1

    def give_back(self) -> None:
        self.count -= 1


async def start(*messages: bytes) -> tuple[AsyncGenerator[bytes, None], Lines, Holders]:
    async def upstream() -> AsyncGenerator[bytes, None]:
        for message in messages:
            yield message

    lines, holders = Lines(), Holders()
    world = SimpleNamespace(version="v", lease=holders)
    call = Call("2025-11-25", "bank", "tools/call", b"{}", {}, id=b"1")
    entry: Entry = Book(lines, None, lambda record: None).open(call, world)
    async with entry:
        reply = await follow(
            Reply(stream=upstream()), bridge.Return(call, 7, "bank", shared=False), call, entry
        )
    assert reply.stream is not None
    return reply.stream, lines, holders


async def test_a_stream_that_ends_is_recorded_before_its_last_message_leaves() -> None:
    stream, lines, holders = await start(PROGRESS, RESULT)
    assert await anext(stream) == PROGRESS
    assert lines.events == ["begin"]
    await anext(stream)
    assert lines.events == ["begin", "end ok"]
    with pytest.raises(StopAsyncIteration):
        await anext(stream)
    assert (lines.events, holders.count) == (["begin", "end ok"], 0)


@pytest.mark.parametrize(("taken", "outcome"), [(1, "end cut"), (2, "end ok")])
async def test_a_client_that_leaves_closes_the_record_once(taken: int, outcome: str) -> None:
    stream, lines, holders = await start(PROGRESS, RESULT)
    for _ in range(taken):
        await anext(stream)
    await stream.aclose()
    assert (lines.events, holders.count) == (["begin", outcome], 0)


async def test_a_stream_without_an_answer_ends_in_an_error_message() -> None:
    stream, lines, holders = await start(PROGRESS)
    await anext(stream)
    assert b'"reason":"upstream_invalid"' in await anext(stream)
    await stream.aclose()
    assert (lines.events, holders.count) == (["begin", "end refused"], 0)
