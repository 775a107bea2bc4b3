"""A streamed answer leaves one `begin` and one `end` line, and gives its snapshot back once, however it ends."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable
from types import SimpleNamespace

import pytest

from toolgate.follow import begun, follow
from toolgate.ledger import values
from toolgate.ledger.entry import Book, Entry
from toolgate.listening import relay
from toolgate.model import Call, Principal, Record, Reply, Session
from toolgate.protocol import bridge
from toolgate.routing.table import Door

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
    entry: Entry = Book(lines, values.full, lambda record: None).open(call, world)
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


async def test_a_client_that_leaves_before_the_first_message_closes_the_record_too() -> None:
    """Between `begin` and the first message lies a write: nobody may be left open there."""
    stream, lines, holders = await start(PROGRESS, RESULT)
    await stream.aclose()
    assert (lines.events, holders.count) == (["begin", "end cut"], 0)


async def test_listening_that_is_given_up_before_it_began_is_over() -> None:
    lines, holders = Lines(), Holders()
    call = Call("2025-11-25", "bank", "listen", b"", {})
    entry: Entry = Book(lines, values.full, lambda record: None).open(
        call, SimpleNamespace(version="v", lease=holders)
    )
    session = Session("s", "p", "2025-11-25", {}, {}, 0.0)
    stream = await begun(
        relay(
            Door("bank", {}, "__"),
            session,
            Principal("p", "api_key"),
            entry,
            lambda server, kind: None,
            lambda: None,
        )
    )
    await stream.aclose()
    assert (lines.events, holders.count) == (["call ok"], 0)


async def test_a_stream_without_an_answer_ends_in_an_error_message() -> None:
    stream, lines, holders = await start(PROGRESS)
    await anext(stream)
    assert b'"reason":"upstream_invalid"' in await anext(stream)
    await stream.aclose()
    assert (lines.events, holders.count) == (["begin", "end refused"], 0)
