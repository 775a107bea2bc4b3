"""A silent server is given up in time, but for one that waits for a person."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from toolgate.upstreams.streamable_http import _each_within, _Patience


async def chunks(come: asyncio.Event) -> AsyncIterator[bytes]:
    await come.wait()
    yield b"answer"


async def test_a_server_that_says_nothing_is_given_up() -> None:
    """E44."""
    with pytest.raises(TimeoutError):
        await anext(_each_within(_Patience(0.01), chunks(asyncio.Event())))


async def test_a_server_that_asked_on_another_stream_may_be_silent_for_as_long_as_a_person_thinks() -> None:
    """20.2: its question came while this stream was waited for."""
    patience, come = _Patience(0.2), asyncio.Event()
    waiting = asyncio.ensure_future(anext(_each_within(patience, chunks(come))))
    asyncio.get_running_loop().call_soon(patience.last)
    asyncio.get_running_loop().call_later(0.5, come.set)
    assert await waiting == b"answer"
    patience.last()
    assert patience.seconds > 600
