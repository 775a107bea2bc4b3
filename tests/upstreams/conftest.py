"""Every test of an upstream runs on both event loops, and leaves no process behind."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import pytest
import uvloop
from stdio_support import own_children, stdio

from toolgate.upstreams.stdio import Stdio


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture
async def open_stdio() -> AsyncIterator[Callable[..., Stdio]]:
    opened: list[Stdio] = []

    def start(child: str, *args: str, **changes: Any) -> Stdio:
        opened.append(stdio(child, *args, **changes))
        return opened[-1]

    yield start
    async with asyncio.timeout(10):
        for upstream in opened:
            await upstream.aclose()
    assert own_children() == set()
