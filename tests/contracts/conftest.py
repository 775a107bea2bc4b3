"""Runs a contract on every event loop its module names in `LOOPS`; on asyncio's own where it names none."""

import asyncio
from collections.abc import Callable, Mapping

import pytest


def pytest_asyncio_loop_factories(
    item: pytest.Item,
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The hook of pytest-asyncio."""
    module = item.getparent(pytest.Module)
    loops: Mapping[str, Callable[[], asyncio.AbstractEventLoop]] | None = None
    if module is not None:
        loops = getattr(module.obj, "LOOPS", None)
    return loops or {"asyncio": asyncio.new_event_loop}
