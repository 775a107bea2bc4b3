"""Clients and servers of a contract. It runs on every event loop its module names in `LOOPS`; on asyncio's own where it
names none."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack
from typing import Any

import pytest
import trustme
from aiohttp_gaps import ENDLESS, GAPS
from http_contract import CLIENTS, Connect, Serve
from scripted_server import Script, ScriptedServer

from toolgate.ports import Http


def pytest_asyncio_loop_factories(
    item: pytest.Item,
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The hook of pytest-asyncio."""
    module = item.getparent(pytest.Module)
    loops: Mapping[str, Callable[[], asyncio.AbstractEventLoop]] | None = None
    if module is not None:
        loops = getattr(module.obj, "LOOPS", None)
    return loops or {"asyncio": asyncio.new_event_loop}


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
