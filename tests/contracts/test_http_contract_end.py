"""The end: nothing is left open, whatever was going on."""

import asyncio
import os

from http_contract import (
    CHUNKED,
    LOOPS,
    OK,
    answering,
    failure,
    post,
)
from scripted_server import Peer

__all__ = ["LOOPS"]  # What `conftest.py` runs each case on.


def sockets() -> int:
    """How many sockets this process holds."""
    return sum(
        os.readlink(f"/proc/self/fd/{name}").startswith("socket:")
        for name in os.listdir("/proc/self/fd")
        if os.path.exists(f"/proc/self/fd/{name}")
    )


async def test_nothing_is_left_open_at_the_end(connect, serve):
    http = connect(max_connections=4)
    arrived = asyncio.Semaphore(0)

    async def script(peer: Peer) -> None:
        if (await peer.request()).body == b"idle":
            await peer.send(OK)
            arrived.release()
            await peer.request()
        arrived.release()
        await peer.gone()

    server = await serve(script)
    before, tasks = sockets(), asyncio.all_tasks()
    await post(http, server.url(), b"idle")
    requests = [asyncio.create_task(failure(post(http, server.url()))) for _ in range(8)]
    for _ in range(5):
        await arrived.acquire()
    await http.aclose()
    ends = await asyncio.gather(*requests)
    assert sorted(ends) == [("closed", False)] * 4 + [("closed", True)] * 4
    await server.idle()
    assert sockets() == before
    assert asyncio.all_tasks() == tasks


async def test_an_answer_in_progress_ends_with_the_client(http, serve):
    server = await serve(answering(CHUNKED + b"2\r\nok\r\n"))
    response = await http.request("GET", server.url(), timeout=4)
    reading = asyncio.create_task(failure(response.read(100)))
    await asyncio.sleep(0)
    await http.aclose()
    assert await reading == ("closed", True)
    await server.idle()


async def test_a_client_that_is_still_connecting_can_be_closed(connect, serve, client_tls):
    accepted = asyncio.Event()

    async def script(peer: Peer) -> None:
        accepted.set()
        await peer.gone()

    server = await serve(script)
    http = connect(ssl_context=client_tls)
    request = asyncio.create_task(
        failure(http.request("GET", server.url().replace("http", "https"), timeout=4))
    )
    await accepted.wait()
    await http.aclose()
    assert await request == ("closed", False)
    await server.idle()


async def test_a_closed_client_sends_nothing(http, serve):
    server = await serve(answering(OK))
    await http.aclose()
    await http.aclose()
    assert await failure(post(http, server.url())) == ("closed", False)
    assert server.peers == []
