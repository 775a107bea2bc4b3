"""What is kept of streams that may be taken up again is bounded, and found only within its session."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from toolgate.errors import Refusal
from toolgate.listeners import resumption
from toolgate.listeners.resumption import MAX_BYTES, MAX_EVENTS, MAX_STREAMS, Streams
from toolgate.model import Reply


async def says(*messages: bytes) -> AsyncGenerator[bytes, None]:
    for message in messages:
        yield message


async def events(stream: AsyncGenerator[bytes, None]) -> list[bytes]:
    async with asyncio.timeout(20):
        return [event async for event in stream]


def id_of(event: bytes) -> str:
    return next(line[4:].decode() for line in event.split(b"\n") if line.startswith(b"id: "))


async def never() -> Reply:
    raise Refusal.unavailable("nobody should listen")


async def replayed(streams: Streams, session: str, last: str) -> list[bytes]:
    return await events(await streams.listening(session, last, never, primed=False))


async def test_ids_are_unique_over_all_streams_of_a_session() -> None:
    """E33."""
    streams = Streams()
    ids = [
        id_of(event)
        for _ in range(3)
        for event in await events(streams.answering("s", says(b"1", b"2"), primed=False))
    ]
    assert len(set(ids)) == 6


async def test_what_comes_after_an_id_is_replayed_as_it_was_written() -> None:
    """E33."""
    streams = Streams()
    sent = await events(streams.answering("s", says(b"1", b"2\n3", b"4"), primed=False))
    assert await replayed(streams, "s", id_of(sent[0])) == sent[1:]
    assert await replayed(streams, "s", id_of(sent[2])) == []


@pytest.mark.parametrize("last", ["", "-", "-1", "x", "{word}", "{word}-", "{word}-x", "{word}-٣", "x-1"])
async def test_an_id_that_was_never_given_replays_nothing(last: str) -> None:
    """E33: it counts as none, so the session's own stream is opened."""
    streams = Streams()
    sent = await events(streams.answering("s", says(b"1"), primed=False))
    word = id_of(sent[0]).rpartition("-")[0]
    with pytest.raises(Refusal):
        await streams.listening("s", last.replace("{word}", word), never, primed=False)


async def test_another_session_finds_nothing() -> None:
    """E27, E33."""
    streams = Streams()
    sent = await events(streams.answering("s", says(b"1", b"2"), primed=False))
    with pytest.raises(Refusal):
        await streams.listening("t", id_of(sent[0]), never, primed=False)


async def test_a_stream_keeps_its_latest_events() -> None:
    """E38."""
    streams = Streams()
    many = [b"%d" % number for number in range(MAX_EVENTS + 10)]
    sent = await events(streams.answering("s", says(*many), primed=False))
    assert await replayed(streams, "s", id_of(sent[0])) == sent[10:]
    big = await events(streams.answering("s", says(*[b"x" * (MAX_BYTES // 4)] * 8), primed=False))
    assert await replayed(streams, "s", id_of(big[0])) == big[-4:]


async def test_a_session_keeps_its_latest_streams() -> None:
    """E38."""
    streams = Streams()
    sent = [
        await events(streams.answering("s", says(b"1", b"2"), primed=False)) for _ in range(MAX_STREAMS + 1)
    ]
    assert await replayed(streams, "s", id_of(sent[1][0])) == sent[1][1:]
    with pytest.raises(Refusal):
        await streams.listening("s", id_of(sent[0][0]), never, primed=False)


async def test_all_sessions_together_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """E38."""
    monkeypatch.setattr(resumption, "MAX_TOTAL_BYTES", 10)
    streams = Streams()
    first = await events(streams.answering("s", says(b"123", b"456"), primed=False))
    second = await events(streams.answering("t", says(b"123", b"456"), primed=False))
    with pytest.raises(Refusal):
        await streams.listening("s", id_of(first[0]), never, primed=False)
    assert await replayed(streams, "t", id_of(second[0])) == second[1:]


async def test_a_stream_nobody_reads_is_forgotten_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resumption, "KEPT_SECONDS", 0.0)
    streams = Streams()
    sent = await events(streams.answering("s", says(b"1", b"2"), primed=False))
    forgotten = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(0.01, forgotten.set_result, None)
    await forgotten
    with pytest.raises(Refusal):
        await streams.listening("s", id_of(sent[0]), never, primed=False)


async def test_a_client_that_leaves_before_its_stream_begins_leaves_nobody_listening(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(resumption, "LINGER_SECONDS", 0.0)
    streams = Streams()
    ended = asyncio.Event()

    async def silent() -> AsyncGenerator[bytes, None]:
        try:
            await asyncio.Event().wait()
            yield b""
        finally:
            ended.set()

    async def listen() -> Reply:
        return Reply(stream=silent())

    await streams.listening("s", None, listen, primed=True)
    async with asyncio.timeout(20):
        await ended.wait()
    await streams.aclose()
